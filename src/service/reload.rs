/*!
Reading the configuration again, while everything runs.

The next generation is built beside the one that runs; if that fails, nothing has
changed. Then, in this order:

1. the shards let requests into the new pipelines ([`super::shard`]);
2. sockets that are new are accepted on, and those that are over no more;
3. exporters that are written otherwise hand over to their successors, and what
   processors do beside the items begins anew if it has to;
4. what is over ends by itself, on a thread of its own: old pipelines once nothing
   comes into them, then exporters that are gone, then segment logs.

Another reload may come before the fourth is done: a backend that is away can keep it
waiting, and may be what the reload is to mend.
*/

use super::{
    Service, StartError,
    generation::{Generation, Next},
};
use crate::{
    component::Config,
    exporter::ConfiguredExporter,
    telemetry::{Metric, Registry},
};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::watch;

const RELOADS: Metric = Metric::counter(
    "wayspan_config_reloads",
    "Times that the configuration was read again. Result: taken, or refused because of an \
     error that the log names; what ran before runs on then.",
    &["result"],
);
const LAST_RELOAD_SUCCESSFUL: Metric = Metric::gauge(
    "wayspan_config_last_reload_successful",
    "1 unless the configuration was refused when it was last read again.",
    &[],
);
const LAST_TAKEN: Metric = Metric::gauge(
    "wayspan_config_last_taken_timestamp_seconds",
    "When the configuration that runs was taken.",
    &[],
);

/// How long shards may take to let requests into new pipelines: one that hangs is told
/// of by the health check.
const BEGIN: Duration = Duration::from_secs(5);

/// How often is looked whether something is over.
const CHECK: Duration = Duration::from_millis(10);

/// How reading the configuration again went.
#[derive(Clone, Default)]
pub(super) struct Reloads(Arc<Counts>);

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    refused: AtomicU64,
    has_failed: AtomicBool,
    /// Seconds since 1970.
    since: AtomicU64,
}

impl Reloads {
    pub(super) fn register(&self, registry: &Registry) {
        self.note_time();
        let of = |read: fn(&Counts) -> u64| {
            let counts = Arc::clone(&self.0);
            move || read(&counts)
        };
        registry.counter(
            &RELOADS,
            &["taken"],
            of(|counts| counts.taken.load(Relaxed)),
        );
        registry.counter(
            &RELOADS,
            &["refused"],
            of(|counts| counts.refused.load(Relaxed)),
        );
        let successful = of(|counts| u64::from(!counts.has_failed.load(Relaxed)));
        registry.gauge(&LAST_RELOAD_SUCCESSFUL, &[], successful);
        let since = of(|counts| counts.since.load(Relaxed));
        registry.gauge(&LAST_TAKEN, &[], since);
    }

    fn note_time(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.0
            .since
            .store(now.map_or(0, |now| now.as_secs()), Relaxed);
    }

    fn taken(&self) {
        self.0.taken.fetch_add(1, Relaxed);
        self.0.has_failed.store(false, Relaxed);
        self.note_time();
    }

    /// Notes that the configuration was refused.
    pub(super) fn refused(&self) {
        self.0.refused.fetch_add(1, Relaxed);
        self.0.has_failed.store(true, Relaxed);
    }
}

impl Service {
    /// How reading the configuration again went.
    pub(super) fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// Runs `config` from now on. Blocks until all that is new has begun.
    ///
    /// # Errors
    ///
    /// When something that it describes cannot be had; what ran before runs on.
    pub(super) fn reload(&mut self, config: Config) -> Result<(), StartError> {
        let shards = self.shards.len();
        let next = Next::build(config, shards, Some(&self.current), &self.state)?;
        for change in later(&self.current.config, &next.config) {
            tracing::warn!("{change} is another now, which takes effect at the next start");
        }
        next.graph.begin();
        let (begun, has_begun) = channel();
        let (ended, has_ended) = channel();
        for (at, shard) in self.shards.iter().enumerate() {
            shard.replace(next.of_shard(at, Some(begun.clone()), Some(ended.clone())));
        }
        drop((begun, ended));
        // It ends by being cut off.
        let _ = has_begun.recv_timeout(BEGIN);
        self.shown.pipelines.store(Arc::clone(&next.registry));
        self.shown
            .background
            .store(Arc::clone(&next.background_registry));
        self.shown.about.store(Arc::new(next.about()));
        let mut failed = Vec::new();
        let (before, context) = (Some(&mut self.current), &self.exporters);
        let next = next.begin(before, context, &self.listeners, &mut failed);
        for error in failed {
            self.state.thread_died();
            tracing::error!("{error}; restart this process");
        }
        let before = std::mem::replace(&mut self.current, next);
        self.end(before, has_ended);
        self.reloads.taken();
        self.announce();
        Ok(())
    }

    /// Ends what is over, on a thread of its own.
    fn end(&mut self, over: Generation, has_ended: Receiver<Infallible>) {
        self.endings.retain(|ending| !ending.is_finished());
        let deadline = Instant::now() + over.config.drain_timeout;
        let end = move || over.end(&has_ended, deadline);
        let thread = thread::Builder::new().name("wayspan-ending".to_owned());
        match thread.spawn(end) {
            Ok(thread) => self.endings.push(thread),
            Err(error) => {
                self.state.thread_died();
                tracing::error!("cannot start the ending thread: {error}; restart this process");
            }
        }
    }
}

impl Generation {
    /// Ends what the generation that took its place has left, as soon as its pipelines
    /// have ended on all shards, at the deadline at the latest.
    fn end(self, has_ended: &Receiver<Infallible>, deadline: Instant) {
        for gone in &self.exporters {
            gone.end_at(deadline);
        }
        self.background.end();
        let is_over = |timeout: Duration| {
            has_ended.recv_timeout(timeout) == Err(RecvTimeoutError::Disconnected)
        };
        let mut is_ended = is_over(deadline.saturating_duration_since(Instant::now()));
        // Exporters that are gone deliver what logs that are closed still have.
        while !self.logs.iter().all(|log| log.is_empty()) && Instant::now() < deadline {
            thread::sleep(CHECK);
        }
        // The last of what its connectors have gathered goes to exporters that are gone, too.
        self.connectors.end(watch::channel(Some(deadline)).1);
        for gone in &self.exporters {
            gone.close();
        }
        for gone in self.exporters {
            gone.join();
        }
        // Of the exporters that stay, too, batches may be in a log that is to be closed.
        for log in self.logs {
            log.warn_of_rest();
            log.close();
        }
        // A queue without room keeps pipelines waiting that have accepted what they hold.
        while !is_ended {
            is_ended = is_over(Duration::MAX);
        }
        self.graph.conclude();
    }
}

/// What of a new configuration has to wait for the next start.
fn later(before: &Config, after: &Config) -> Vec<&'static str> {
    let is_resized = |exporter: &ConfiguredExporter| {
        let mut before = before.exporters.iter();
        before.any(|known| known.id == exporter.id && known.queue.size != exporter.queue.size)
    };
    let changes = [
        (
            "service.telemetry",
            before.telemetry != after.telemetry || before.pushes != after.pushes,
        ),
        ("service.wayspan.shards", before.shards != after.shards),
        (
            "service.wayspan.max_connections",
            before.max_connections != after.max_connections,
        ),
        (
            "service.wayspan.max_connections_per_peer",
            before.max_connections_per_peer != after.max_connections_per_peer,
        ),
        ("health_check", before.health_check != after.health_check),
        ("zpages", before.zpages != after.zpages),
        (
            "sending_queue.queue_size",
            after.exporters.iter().any(is_resized),
        ),
    ];
    let changed = changes.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(name, _)| name).collect()
}

/// Says in the log why a configuration is refused.
pub(super) fn refuse(reloads: &Reloads, why: &str) {
    reloads.refused();
    tracing::error!("the configuration was read again and is refused; what ran runs on: {why}");
}
