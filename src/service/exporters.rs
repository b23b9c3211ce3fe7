/*!
The threads of exporters, from one reading of the configuration to the next.

An exporter that is written as before goes on. One that is written otherwise is
followed by a successor on the same queue: the old one waits for the answers that are
due, and what is undelivered then goes out first by the new one. One that is gone from
the file delivers what it holds, until its time to drain is over.
*/

use super::StartError;
use crate::{
    component::{Config, Fingerprint},
    config::Id,
    exporter::{BuildError, Ended, Exporter, Retirement, Shift},
    pipeline::{ExporterNode, Graph, QueuedBatch},
    telemetry::Health,
    threads::{Thread, ThreadError, on_runtime},
};
use std::{sync::Arc, time::Instant};
use tokio::sync::watch;

/// What all exporters of a service are started with.
#[derive(Clone)]
pub(super) struct ExporterContext {
    /// Turns red if a thread dies.
    pub(super) health: Health,
    /// When undelivered items are given up at shutdown.
    pub(super) deadline: watch::Receiver<Option<Instant>>,
}

/// An exporter that runs.
pub(super) struct RunningExporter {
    fingerprint: Fingerprint,
    node: ExporterNode,
    retirement: watch::Sender<Retirement>,
    thread: Thread<Ended>,
}

/// What becomes of exporters when the configuration is read again.
#[derive(Default)]
pub(super) struct Change {
    /// To be started: those that are new, or written otherwise.
    new: Vec<(Id, Fingerprint, Exporter)>,
}

impl Change {
    /// Builds the exporters of `config` that are not among `running`, as it has them.
    ///
    /// # Errors
    ///
    /// When one cannot be built.
    pub(super) fn build(config: &Config, running: &[RunningExporter]) -> Result<Self, BuildError> {
        let mut new = Vec::new();
        for exporter in &config.exporters {
            let fingerprint = config.fingerprints.of("exporter", &exporter.id);
            let goes_on = |running: &RunningExporter| {
                running.node.id == exporter.id && running.fingerprint == fingerprint
            };
            if !running.iter().any(goes_on) {
                let built = Exporter::build(exporter)?;
                new.push((exporter.id.clone(), fingerprint, built));
            }
        }
        Ok(Self { new })
    }

    /// Starts what is to be started, each after its predecessor among `running` has
    /// ended. Returns those that run then, and those that are not in `graph`. Blocks
    /// until answers have come that predecessors wait for. What cannot be started is
    /// added to `failed`.
    pub(super) fn make(
        self,
        graph: &Graph,
        running: Vec<RunningExporter>,
        context: &ExporterContext,
        failed: &mut Vec<StartError>,
    ) -> (Vec<RunningExporter>, Vec<RunningExporter>) {
        let stays = |running: &RunningExporter| {
            let mut exporters = graph.exporters.iter();
            exporters.any(|node| node.id == running.node.id)
        };
        let (mut stay, gone): (Vec<_>, Vec<_>) = running.into_iter().partition(stays);
        let is_followed =
            |running: &RunningExporter| self.new.iter().any(|(id, ..)| *id == running.node.id);
        let followed: Vec<_> = stay
            .extract_if(.., |running| is_followed(running))
            .collect();
        for old in &followed {
            old.retirement.send_replace(Retirement::HandOver);
        }
        let mut handed_over: Vec<_> = (followed.into_iter())
            .map(|old| (old.node.id.clone(), old.join().handed_over))
            .collect();
        for (id, fingerprint, exporter) in self.new {
            let Some(node) = graph.exporters.iter().find(|node| node.id == id) else {
                continue;
            };
            let mut first = Vec::new();
            for (_, left) in handed_over.iter_mut().filter(|(of, _)| *of == id) {
                first.append(left);
            }
            match start(exporter, fingerprint, node, first, context) {
                Ok(running) => stay.push(running),
                Err(error) => failed.push(error.into()),
            }
        }
        (stay, gone)
    }
}

fn start(
    exporter: Exporter,
    fingerprint: Fingerprint,
    node: &ExporterNode,
    first: Vec<QueuedBatch>,
    context: &ExporterContext,
) -> Result<RunningExporter, ThreadError> {
    let (queue, stats) = (Arc::clone(&node.queue), Arc::clone(&node.stats));
    let (retirement, retires) = watch::channel(Retirement::No);
    let shift = Shift {
        first,
        deadline: context.deadline.clone(),
        retirement: retires,
    };
    let health = context.health.clone();
    let run = move || exporter.run_shift(queue, stats, shift);
    Ok(RunningExporter {
        fingerprint,
        node: node.clone(),
        retirement,
        thread: on_runtime(node.id.to_string(), health, |_| {}, run)?,
    })
}

impl RunningExporter {
    /// Ends it at `end`, whatever is undelivered then.
    pub(super) fn end_at(&self, end: Instant) {
        self.retirement.send_replace(Retirement::At(end));
    }

    /// Closes its queue: what is in there is the last.
    pub(super) fn close(&self) {
        self.node.queue.close();
    }

    /// Waits for its end.
    pub(super) fn join(self) -> Ended {
        // That it died was told when it did; what it could not deliver is in the accounts.
        self.thread.join().ok().flatten().unwrap_or_default()
    }
}
