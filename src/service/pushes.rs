/*! The threads that push wayspan's own metrics, which live as long as the process. */

use super::{StartError, admin::Shown};
use crate::{
    component::Config,
    exporter::own_metrics::{Push, PushReader},
    telemetry::Health,
    threads::{Thread, on_runtime},
};
use std::sync::Arc;
use tokio::sync::watch;

/// The readers that push; by default none.
#[derive(Default)]
pub(super) struct Pushes {
    readers: Vec<Push>,
}

/// The same, running.
pub(super) struct RunningPushes {
    end: watch::Sender<bool>,
    threads: Vec<Thread<()>>,
}

impl Pushes {
    /// Builds those of `config`.
    ///
    /// # Errors
    ///
    /// When a certificate cannot be used.
    pub(super) fn build(config: &Config) -> Result<Self, StartError> {
        let build = |reader: &PushReader| reader.build().map_err(StartError::OwnMetrics);
        let readers = config.pushes.iter().map(build);
        Ok(Self {
            readers: readers.collect::<Result<_, _>>()?,
        })
    }

    /// Starts a thread for each.
    ///
    /// # Errors
    ///
    /// When the system refuses one.
    pub(super) fn start(
        self,
        shown: &Arc<Shown>,
        health: &Health,
    ) -> Result<RunningPushes, StartError> {
        let (end, ends) = watch::channel(false);
        let start = |push: Push| {
            let (shown, ends) = (Arc::clone(shown), ends.clone());
            let run = move || async move { push.run(|| shown.read(), &shown.resource, ends).await };
            on_runtime("own-metrics", health.clone(), |_| {}, run)
        };
        let threads = self.readers.into_iter().map(start);
        Ok(RunningPushes {
            threads: threads.collect::<Result<_, _>>()?,
            end,
        })
    }
}

impl RunningPushes {
    /// Pushes a last time. Blocks until that is done, or has taken too long.
    pub(super) fn end(self) {
        self.end.send_replace(true);
        for thread in self.threads {
            // That it died was told when it did.
            let _ = thread.join();
        }
    }
}
