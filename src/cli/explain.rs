/*!
`wayspan explain`: what wayspan sees in captured spans, which rule decided, and which of
Kiali's pages find the result.

[`input`] reads a capture into decoded spans, [`jaeger`] asks Jaeger for some, [`account`] asks the rules and Kiali's
questions about each of them, [`report`] prints. The rules and the questions are those of
[`crate::mesh`], as in the `mesh` processor. Nothing is asked of Kubernetes, so labels are
taken to agree with names.
*/

mod account;
mod input;
mod jaeger;
mod report;

use super::{Sources, complain, kiali_flags::KialiFlags};
use crate::{component, config::Source, mesh::MeshSettings};
use account::Account;
use anyhow::Context as _;
use std::{io::Write as _, path::PathBuf, process::ExitCode, str::FromStr as _};

/// Say what wayspan makes of captured spans, and why
///
/// Reads an OTLP request of traces, protobuf or JSON, as it was captured or as the file exporter
/// wrote it. For each span it prints what the rules see, which of them decided, the result, and
/// which of Kiali's pages find it. Nothing is asked of Kubernetes: apps, Services and workloads are
/// taken to be called as the spans call them. What Jaeger holds has been decided about before, if it
/// came through wayspan.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture; - reads standard input
    #[arg(value_name = "FILE", required_unless_present = "service")]
    capture: Option<PathBuf>,

    /// Explain the spans that Jaeger holds under this service name
    #[arg(
        long,
        value_name = "NAME",
        requires = "jaeger",
        conflicts_with = "capture"
    )]
    service: Option<String>,

    /// Jaeger's query address, over HTTP with its base path or over gRPC, such as
    /// http://localhost:16686/jaeger
    #[arg(long, value_name = "URL", requires = "service", value_parser = crate::http::config::url)]
    jaeger: Option<String>,

    /// Take the settings of this configuration's mesh processor; repeat it to merge the later
    /// over the earlier
    #[arg(
        long, value_name = "FILE", value_parser = Source::from_str,
        conflicts_with_all = ["kiali_version", "namespace_selector", "use_waypoint_name"]
    )]
    config: Vec<Source>,

    #[command(flatten)]
    kiali: KialiFlags,

    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

/// How the account is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A paragraph for each distinct span
    Table,
    /// Each span by itself, for programs
    Json,
}

/// Prints the account of a capture to standard output.
///
/// # Errors
///
/// When the capture cannot be read or is no request of traces.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = match settings(args) {
        Ok(settings) => settings.context("no pipeline has a mesh processor")?,
        Err(code) => return Ok(code),
    };
    let spans = match (&args.capture, &args.service, &args.jaeger) {
        (Some(file), ..) => input::read(file)
            .and_then(|capture| input::spans(&capture))
            .with_context(|| format!("cannot explain {}", file.display()))?,
        (None, Some(service), Some(jaeger)) => {
            jaeger::spans(jaeger, service).with_context(|| format!("cannot explain {service}"))?
        }
        (None, ..) => anyhow::bail!("nothing to explain: give a file, or --jaeger and --service"),
    };
    let account = Account::of(&spans, &settings);
    let mut out = std::io::stdout().lock();
    // A closed pipe (`wayspan explain FILE | head`) is the reader's choice.
    let _ = match args.output {
        Format::Table => write!(out, "{}", report::Words(&account)),
        Format::Json => serde_json::to_writer_pretty(&mut out, &account)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
    };
    Ok(ExitCode::SUCCESS)
}

/// Returns the settings to decide by: those of the first `mesh` processor of the
/// configuration, or of the described Kiali.
fn settings(args: &Args) -> Result<Option<MeshSettings>, ExitCode> {
    if args.config.is_empty() {
        return Ok(Some(MeshSettings {
            kiali: args.kiali.kiali(),
            follow: None,
            ..MeshSettings::default()
        }));
    }
    let sources = Sources::of(args.config.clone());
    let config = component::validate(&sources.list(), sources.loading(false));
    let config = config.map_err(|error| complain(&error))?;
    let mut processors = config.pipelines.iter().flat_map(|p| &p.processors);
    Ok(processors.find_map(|processor| processor.settings::<MeshSettings>().cloned()))
}
