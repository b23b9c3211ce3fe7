/*!
What brings back data of earlier runs from the segment logs, and fetches what this one
leaves there: a thread for each log that is open.
*/

use super::StartError;
use crate::{
    config::Id,
    pipeline::{Graph, NewLog, Route},
    queue::log::Log,
    telemetry::Health,
    threads::{Thread, on_runtime},
};
use std::sync::Arc;
use tokio::sync::watch;

/// A log that is open, and what reads it.
pub(super) struct RunningLog {
    pipeline: Id,
    log: Log,
    routes: Vec<Arc<Route>>,
    stop: watch::Sender<bool>,
    reader: Thread<()>,
}

/// Starts what reads the logs that were opened for `graph`. What cannot be started is
/// added to `failed`.
pub(super) fn start(
    graph: &mut Graph,
    health: &Health,
    failed: &mut Vec<StartError>,
) -> Vec<RunningLog> {
    let mut running = Vec::new();
    for NewLog {
        pipeline,
        log,
        routes,
        feed,
    } in graph.new_logs()
    {
        let (stop, mut stopped) = watch::channel(false);
        let read = move || async move {
            tokio::select! {
                () = feed => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        };
        match on_runtime("log-reader", health.clone(), |_| {}, read) {
            Ok(reader) => running.push(RunningLog {
                pipeline,
                log,
                routes,
                stop,
                reader,
            }),
            Err(error) => failed.push(error.into()),
        }
    }
    running
}

impl RunningLog {
    /// Returns true if `graph` goes on with it.
    pub(super) fn is_in(&self, graph: &Graph) -> bool {
        let mut logs = graph.pipelines.iter().filter_map(|p| p.log.as_ref());
        logs.any(|log| log.log.is(&self.log))
    }

    /// Returns true if everything in it was delivered, or is being delivered.
    pub(super) fn is_empty(&self) -> bool {
        let held = |route: &Arc<Route>| route.account.balance().held();
        self.routes.iter().map(held).sum::<u64>() == 0
    }

    /// Stops reading.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Writes what it was given, and closes it.
    pub(super) fn close(self) {
        self.stop();
        let _ = self.reader.join();
        self.log.close();
    }

    /// Says so if it is to be closed with undelivered data, which nobody gets then.
    pub(super) fn warn_of_rest(&self) {
        if !self.is_empty() {
            tracing::warn!(
                "{}: the segment log of pipeline {} is closed with undelivered data, since the \
                 pipeline has no storage any more; give it the storage again to have that delivered",
                self.log.directory().display(),
                self.pipeline
            );
        }
    }
}
