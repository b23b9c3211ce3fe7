/*!
The command line. One file per subcommand; this one has what they share.
*/

mod about;
pub(crate) mod demo;
mod doctor;
mod explain;
mod kiali_flags;
mod run;
mod tap;
mod validate;

use crate::{
    component::{self, Loading},
    config::{self, Source},
};
use clap::{Args, Parser, Subcommand};
use std::{process::ExitCode, str::FromStr as _};

const AFTER_HELP: &str = "\
Where configuration comes from:
  With no --config, a built-in file runs: OTLP in on ports 4317 (gRPC) and 4318 (HTTP), names for
  the Kiali of the cluster it runs in, elsewhere for the newest, and out to
  $WAYSPAN_EXPORT_ENDPOINT, or to the terminal when that is not set.

Examples:
  wayspan                                      print what arrives
  WAYSPAN_EXPORT_ENDPOINT=jaeger:4317 wayspan  send it to Jaeger
  wayspan --config collector.yaml              run an OpenTelemetry Collector's file
  wayspan demo                                 see what it does, with nothing else installed
  wayspan doctor                               find out why Kiali shows no traces
  wayspan explain capture.pb                   say what becomes of captured spans, and why
  wayspan tap                                  watch spans pass through a running wayspan
  wayspan validate --config collector.yaml     check that file; exit code 1 if it is wrong

While it runs:
  kill -HUP PID              reads the configuration again, as a change of its files does
  http://HOST:13133/         health
  http://HOST:8888/metrics   metrics; otelcol_exporter_send_failed_spans is what was lost on the way out";

/// The trace collector for Istio meshes: names spans as Kiali asks for them and
/// hands them to Jaeger.
#[derive(Debug, Parser)]
#[command(name = "wayspan", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run (what happens without a subcommand, too)
    Run(Sources),
    /// Check a configuration and the files it names, and say what it would do; exit code 1 if
    /// something is wrong
    Validate {
        #[command(flatten)]
        sources: Sources,
        /// Do not look at certificates, keys, tokens and users, which may be on another machine
        #[arg(long)]
        no_files: bool,
    },
    Demo(demo::Args),
    Doctor(Box<doctor::Args>),
    Explain(explain::Args),
    Tap(tap::Args),
    /// List the components there are, in YAML
    Components,
    /// List feature gates; wayspan has none
    #[command(visible_alias = "featuregates")]
    Featuregate {
        /// A gate to show
        id: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the configuration after merging and expansion, without its secrets
    #[command(visible_alias = "print-initial-config")]
    PrintConfig {
        #[command(flatten)]
        sources: Sources,
        /// The notation to print it in
        #[arg(long, value_enum, default_value_t = Format::Yaml)]
        format: Format,
        /// Print header values, tokens and passwords too
        #[arg(long)]
        show_secrets: bool,
    },
}

/// How `print-config` prints.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// YAML, which can be run again
    Yaml,
    /// JSON
    Json,
}

/// Which configuration.
#[derive(Args, Debug)]
struct Sources {
    /// A file to run; repeat it to merge the later over the earlier. Also file:PATH, env:NAME (a
    /// variable that holds YAML), yaml:TEXT, http://HOST/PATH and https://HOST/PATH
    #[arg(long = "config", value_name = "FILE", value_parser = Source::from_str)]
    config: Vec<Source>,
    /// Set one value over all files, such as processors.mesh.kiali.version=2.7
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = set)]
    set: Vec<Source>,
    /// Run pipelines as they are written. Without this the mesh processor is put first into
    /// pipelines of traces that lack it, since a file made for another collector does not name it
    #[arg(long)]
    no_auto_mesh: bool,
    /// Accepted for the Collector's sake; wayspan has no feature gates
    #[arg(long, value_name = "GATES", hide = true)]
    feature_gates: Vec<String>,
}

fn set(assignment: &str) -> Result<Source, std::convert::Infallible> {
    Ok(Source::Set(assignment.to_owned()))
}

impl Sources {
    /// These, and nothing set over them.
    fn of(config: Vec<Source>) -> Self {
        Self {
            config,
            set: Vec::new(),
            no_auto_mesh: false,
            feature_gates: Vec::new(),
        }
    }

    /// All sources in the order they are merged.
    fn list(&self) -> Vec<Source> {
        let mut sources = self.config.clone();
        if sources.is_empty() {
            sources.push(config::default_source());
        }
        sources.extend(self.set.iter().cloned());
        sources
    }

    fn loading(&self, reads_files: bool) -> Loading {
        Loading {
            reads_files,
            adds_mesh: !self.no_auto_mesh,
        }
    }
}

/// Parses the command line, runs it, and returns the exit code: 0 when it did
/// what was asked, 1 when it could not, 2 for a bad command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        None => run::run(&cli.sources),
        Some(Command::Run(sources)) => run::run(sources),
        Some(Command::Validate { sources, no_files }) => validate::run(sources, *no_files),
        Some(Command::Demo(args)) => demo::run(args),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Explain(args)) => explain::run(args),
        Some(Command::Tap(args)) => tap::run(args),
        Some(Command::Components) => about::components(),
        Some(Command::Featuregate { id }) => about::feature_gates(id.as_deref()),
        Some(Command::Completions { shell }) => about::completions(*shell),
        Some(Command::Man) => about::manual_page(),
        Some(Command::PrintConfig {
            sources,
            format,
            show_secrets,
        }) => validate::print(sources, *format, *show_secrets),
    };
    result.unwrap_or_else(|error| {
        eprintln!("wayspan: {error:#}");
        ExitCode::FAILURE
    })
}

/// Loads, or says what is wrong in the words of the loader.
fn load(sources: &Sources) -> Result<crate::component::Config, ExitCode> {
    let loaded = component::load_to_run(&sources.list(), sources.loading(false));
    loaded.map_err(|error| complain(&error))
}

fn complain(error: &config::LoadError) -> ExitCode {
    let count = error.errors().len();
    let s = if count == 1 { "" } else { "s" };
    eprintln!("{error}\n\nwayspan: {count} error{s} in the configuration");
    ExitCode::FAILURE
}
