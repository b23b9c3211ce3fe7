/*!
Runs a service in the foreground until it is told to stop.

SIGTERM and SIGINT drain; a second one ends the drain at once. SIGHUP, and a change of
the files that the configuration was read from, read it again.
*/

use super::{
    Service, files,
    follow::{self, FollowedFiles},
    panics,
    reload::refuse,
    start,
};
use crate::{component::Config, config::LoadError, telemetry::logs};
use anyhow::Context;
use std::{process::ExitCode, thread, time::Instant};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{self, MissedTickBehavior},
};

/// Starts `config`, serves until SIGTERM or SIGINT, drains. `load` reads the
/// configuration again. The exit code is 0 when every accepted span was delivered or
/// refused by its backend, 1 when some were abandoned.
///
/// # Errors
///
/// When the service cannot start; the message says what to do.
pub(crate) fn run(
    config: Config,
    load: impl Fn() -> Result<Config, LoadError>,
) -> anyhow::Result<ExitCode> {
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
    let mut followed = FollowedFiles::new(config.files.clone());
    let mut service = start(config)?;
    panics::watch(service.health());
    service.announce();

    let name = loop {
        match runtime.block_on(signals.next(&mut followed)) {
            Event::Stop(name) => break name,
            Event::Reload(why) => {
                tracing::info!("{why}: reading the configuration again");
                reload(&mut service, &load, &mut followed);
            }
        }
    };
    tracing::info!(
        "{name}: draining, at most {}; a second signal ends the drain",
        humantime::format_duration(service.drain_timeout())
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
                name = signals.stop() => {
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

/// Reads the configuration and runs it, if it can be run.
fn reload(
    service: &mut Service,
    load: impl Fn() -> Result<Config, LoadError>,
    followed: &mut FollowedFiles,
) {
    let config = match load() {
        Ok(config) => config,
        Err(error) => {
            followed.add(&[]);
            return refuse(service.reloads(), &error.to_string());
        }
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let files = config.files.clone();
    match service.reload(config) {
        Ok(()) => *followed = FollowedFiles::new(files),
        Err(error) => {
            refuse(service.reloads(), &error.to_string());
            followed.add(&files);
        }
    }
}

/// What the main thread waits for.
enum Event {
    /// The process is to end: the signal's name.
    Stop(&'static str),
    /// The configuration is to be read again: why.
    Reload(&'static str),
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self, followed: &mut FollowedFiles) -> Event {
        let mut looks = time::interval(follow::INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = self.terminate.recv() => return Event::Stop("SIGTERM"),
                _ = self.interrupt.recv() => return Event::Stop("SIGINT"),
                _ = self.hangup.recv() => return Event::Reload("SIGHUP"),
                _ = looks.tick() => if followed.look() {
                    return Event::Reload("a file of the configuration has changed");
                }
            }
        }
    }

    /// Waits until the process is to end.
    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
