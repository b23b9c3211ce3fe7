/*! Logs on standard error, one line an event. */

use super::{LogLevel, Telemetry};
use std::fmt::Result;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        self, FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, JsonFields, Writer},
    },
    registry::LookupSpan,
};

/// Starts logging as configured; `RUST_LOG` overrides the level. The HTTP
/// stack's own targets stay at warnings: at `debug` they drown everything.
/// Does nothing when the process already logs.
pub(crate) fn init(settings: &Telemetry) {
    let level = match settings.log_level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    // Who uses the last two says, and better, what goes wrong with a request.
    let quiet = "h2=warn,hyper=warn,hyper_util=warn,tonic=warn,rustls=warn,tower=warn,\
        kube_client=off,krafka=off";
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},{quiet}")));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let _ = if settings.log_json {
        let format = fmt::format().json().flatten_event(true).with_target(false);
        let format = WithResource::new(format, settings);
        let builder = builder.fmt_fields(JsonFields::new());
        builder.event_format(format).try_init()
    } else {
        builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init()
    };
}

/// Lines in JSON that end in the resource, as the Collector's do.
struct WithResource {
    format: Format<Json>,
    /// What a line has before its last brace.
    resource: String,
}

impl WithResource {
    fn new(format: Format<Json>, settings: &Telemetry) -> Self {
        let resource = match settings.log_resource {
            true => format!(",\"resource\":{}", settings.resource.json()),
            false => String::new(),
        };
        Self { format, resource }
    }
}

impl<S, N> FormatEvent<S, N> for WithResource
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> Result {
        let mut line = String::new();
        (self.format).format_event(context, Writer::new(&mut line), event)?;
        match line.trim_end().strip_suffix('}') {
            Some(begin) => writeln!(out, "{begin}{}}}", self.resource),
            None => out.write_str(&line),
        }
    }
}
