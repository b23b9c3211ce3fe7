/*! What is logged at the end: what became of every item. */

use super::metrics::ListenerStats;
use crate::{
    pdata::Signal,
    pipeline::{DropReason, Graph, PipelineNode},
    telemetry::ProcessorStats,
};
use std::fmt;

/// What became of the items, logged at shutdown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Items taken from senders.
    pub(crate) accepted: u64,
    /// Items that processors added, to be delivered as well.
    pub(crate) aliases: u64,
    /// Whether some items are no spans.
    pub(crate) mixed: bool,
    /// What each exporter did.
    pub(crate) exporters: Vec<ExporterReport>,
}

/// What one exporter did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExporterReport {
    /// Its id.
    pub(crate) id: String,
    /// Items the backend took.
    pub(crate) sent: u64,
    /// Items given up or rejected by the backend.
    pub(crate) failed: u64,
    /// Of those, items still undelivered when the drain ended, and in no log.
    pub(crate) abandoned: u64,
    /// Items left in the segment log, which the next start delivers.
    pub(crate) kept: u64,
}

impl Report {
    /// What the accounts of `graph` say now.
    pub(crate) fn of(graph: &Graph, listeners: &[ListenerStats]) -> Self {
        let routes = graph.routes();
        let of_exporter = |at: usize| {
            let mut report = ExporterReport {
                id: graph.exporters[at].id.to_string(),
                ..ExporterReport::default()
            };
            for named in routes.iter().filter(|named| named.exporter == report.id) {
                let balance = named.route.account.balance();
                report.sent += balance.delivered;
                report.failed += balance.refused + balance.dropped();
                report.abandoned += balance.dropped[DropReason::Shutdown as usize];
                report.kept += balance.in_log;
            }
            report
        };
        let accepted = listeners.iter().flat_map(|listener| &listener.shards);
        let accepted =
            accepted.flat_map(|s| Signal::ALL.map(|signal| s.items[signal].accepted.get()));
        let stages = graph.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        let added = |stats: &ProcessorStats| {
            let items = stats.items();
            items.outgoing.get().saturating_sub(items.incoming.get())
        };
        let mixed = |pipeline: &PipelineNode| pipeline.signal != Signal::Traces;
        Self {
            accepted: accepted.sum(),
            aliases: stages.flat_map(|stage| &stage.stats).map(added).sum(),
            mixed: graph.pipelines.iter().any(mixed),
            exporters: (0..graph.exporters.len()).map(of_exporter).collect(),
        }
    }

    /// Whether the drain ended before everything was delivered or refused.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.exporters.iter().any(|exporter| exporter.abandoned > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = if self.mixed { "items" } else { "spans" };
        write!(f, "{items} accepted {}", self.accepted)?;
        if self.aliases > 0 {
            write!(f, ", added as aliases {}", self.aliases)?;
        }
        for ExporterReport {
            id,
            sent,
            failed,
            abandoned,
            kept,
        } in &self.exporters
        {
            write!(f, "; {id}: delivered {sent}, failed {failed}")?;
            if *abandoned > 0 {
                write!(f, " ({abandoned} of them undelivered when the drain ended)")?;
            }
            if *kept > 0 {
                write!(f, ", left in the log for the next start {kept}")?;
            }
        }
        Ok(())
    }
}
