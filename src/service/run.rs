/*!
Runs a service in the foreground until it is told to stop.

SIGTERM and SIGINT drain; a second one ends the drain at once.
*/

use super::{files, panics, start};
use crate::{component::Config, telemetry::logs};
use anyhow::Context;
use std::{process::ExitCode, thread, time::Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Starts `config`, serves until SIGTERM or SIGINT, drains. The exit code is 0
/// when every accepted span was delivered or refused by its backend, 1 when
/// some were abandoned.
///
/// # Errors
///
/// When the service cannot start; the message says what to do.
pub(crate) fn run(config: Config) -> anyhow::Result<ExitCode> {
    logs::init(&config.telemetry);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let mut signals = runtime
        .block_on(async { Signals::new() })
        .context("cannot watch signals")?;
    let service = start(&config)?;
    panics::watch(service.health());
    service.announce(&config);

    let name = runtime.block_on(signals.next());
    tracing::info!(
        "{name}: draining, at most {}; a second signal ends the drain",
        humantime::format_duration(config.drain_timeout)
    );
    let deadline = service.deadline();
    let (done, drained) = tokio::sync::oneshot::channel();
    let drain = thread::Builder::new()
        .name("wayspan-drain".to_owned())
        .spawn(move || {
            let _ = done.send(service.shutdown());
        });
    drain.context("cannot start a thread to drain")?;
    let report = runtime.block_on(async {
        tokio::pin!(drained);
        loop {
            tokio::select! {
                report = &mut drained => return report,
                name = signals.next() => {
                    tracing::warn!("{name} again: ending the drain now");
                    deadline.send_replace(Some(Instant::now()));
                }
            }
        }
    });
    let report =
        report.context("the drain failed because of a bug in wayspan; spans may be lost")?;
    if !report.is_incomplete() {
        tracing::info!("stopped: {report}");
        return Ok(ExitCode::SUCCESS);
    }
    tracing::error!("stopped with undelivered spans: {report}");
    Ok(ExitCode::FAILURE)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
