/*! Logs on standard error, one line an event. */

use super::{LogLevel, Telemetry};
use tracing_subscriber::{EnvFilter, fmt};

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
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let _ = if settings.log_json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init()
    };
}
