/*!
`wayspan tap`: spans of a running wayspan as they pass, a line each.

It asks the page `/debug/tracez` of the extension `zpages` again and again, which keeps the
spans of the last moments for as long as somebody asks. Where more pass than fit in there, it
shows a sample.
*/

use super::doctor::gather::client::{Asker, Reply};
use crate::extension::zpages::{SeenSpan, SeenSpans};
use anyhow::{Context as _, bail};
use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep};

/// Between two looks: less than it takes busy senders to fill what is kept.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Show spans as they pass through a running wayspan, a line each
///
/// A line has the name a span was emitted with and the one it has now, what decided that, and the
/// pages of Kiali that search for it by this name. The running wayspan needs the extension zpages;
/// where very many spans pass, a sample is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the extension zpages listens
    #[arg(long, value_name = "URL", default_value = "http://localhost:55679", value_parser = crate::http::config::url)]
    address: String,

    /// Only spans with this service name, emitted or now
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Only spans that a page searches for whose title has this in it, such as "service reviews"
    #[arg(long, value_name = "TEXT")]
    page: Option<String>,

    /// Only spans whose status is ERROR
    #[arg(long)]
    errors: bool,

    /// End after so many lines
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// End after so long, such as 30s
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    length: Option<Duration>,

    /// How to print
    #[arg(short, long, value_enum, default_value = "line")]
    output: Format,
}

/// How a span is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line of words
    Line,
    /// All that is known of it, as JSON in a line
    Json,
}

impl Args {
    fn wants(&self, span: &SeenSpan) -> bool {
        let has = |name: &String| *name == span.service || *name == span.emitted;
        let finds = |text: &String| span.pages.iter().any(|page| page.contains(text.as_str()));
        (!self.errors || span.error)
            && self.service.as_ref().is_none_or(has)
            && self.page.as_ref().is_none_or(finds)
    }
}

/// Prints until the reader, the count or the time is at its end.
///
/// # Errors
///
/// When the page does not answer.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(show(args))
}

async fn show(args: &Args) -> anyhow::Result<ExitCode> {
    let end = args.length.map(|length| Instant::now() + length);
    let asker = Asker::new(&args.address, PATIENCE);
    let look = async |after: u64| {
        let path = format!("/debug/tracez?format=json&after={after}");
        let reply = asker.get(&path).await.map_err(anyhow::Error::msg)?;
        read(&args.address, &reply)
    };
    let first = look(u64::MAX).await.context(
        "the running wayspan cannot be asked: it needs the extension zpages in service.extensions, and its port \
         here (kubectl port-forward)",
    )?;
    let (mut last, missed) = (first.last, first.missed);
    let (mut shown, mut told) = (0, false);
    while end.is_none_or(|end| Instant::now() < end) {
        sleep(PAUSE).await;
        let seen = look(last).await?;
        // One that was started again counts anew.
        last = seen.last;
        if seen.missed > missed && !told {
            told = true;
            eprintln!("wayspan: more spans pass than are shown");
        }
        let mut out = io::stdout().lock();
        for span in seen.spans.iter().filter(|span| args.wants(span)) {
            // A closed pipe (`wayspan tap | head`) is the reader's choice.
            if put(&mut out, span, args.output).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
            shown += 1;
            if args.count.is_some_and(|count| shown >= count) {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(address: &str, reply: &Reply) -> anyhow::Result<SeenSpans<SeenSpan>> {
    if reply.status != 200 {
        bail!("{address} answers HTTP status {}", reply.status);
    }
    serde_json::from_slice(&reply.body)
        .with_context(|| format!("{address} does not answer as the extension zpages does"))
}

fn put(out: &mut dyn Write, span: &SeenSpan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        serde_json::to_writer(&mut *out, span)?;
        return writeln!(out);
    }
    let seen = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(span.seen_ms));
    let seen = seen.unwrap_or(SystemTime::UNIX_EPOCH);
    let time = humantime::format_rfc3339_millis(seen).to_string();
    let time = time.get(11..23).unwrap_or(&time);
    let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    let to = span.destination.as_deref().map(|to| format!(" to {to}"));
    // A line is a line, whatever senders put into it.
    let line = format!(
        "{time} {}{}{}: {} -> {} | {} | {} | {}",
        if span.error { "ERROR " } else { "" },
        or_dash(&span.hop),
        to.unwrap_or_default(),
        or_dash(&span.emitted),
        or_dash(&span.service),
        or_dash(&span.name),
        or_dash(&span.rule),
        or_dash(&span.pages.join(", ")),
    );
    let plain: String = line.chars().filter(|c| !c.is_control()).collect();
    writeln!(out, "{plain}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn span() -> SeenSpan {
        SeenSpan {
            seen_ms: 1_700_000_000_123,
            emitted: "waypoint.shop".to_owned(),
            service: "cart.shop".to_owned(),
            name: "a\x1b[31m\nb".to_owned(),
            pages: vec!["service cart (shop)".to_owned()],
            ..SeenSpan::default()
        }
    }

    #[test]
    fn a_line_is_a_line_without_escapes() {
        let mut out = Vec::new();
        put(&mut out, &span(), Format::Line).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "22:13:20.123 -: waypoint.shop -> cart.shop | a[31mb | - | service cart (shop)\n"
        );
    }

    #[test]
    fn what_is_wanted_is_shown() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        for (line, wanted) in [
            ("", true),
            ("--service cart.shop", true),
            ("--service waypoint.shop", true),
            ("--service cart", false),
            ("--page cart", true),
            ("--page reviews", false),
            ("--errors", false),
        ] {
            let words = ["tap"].into_iter().chain(line.split_whitespace());
            let line_args: Line = clap::Parser::parse_from(words);
            assert_eq!(line_args.args.wants(&span()), wanted, "{line}");
        }
    }
}
