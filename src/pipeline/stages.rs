/*!
What a pipeline runs, in the order of the file.

Processors that decide about items run together, and the engine writes once what they
decided. A rewriter ends such a run: what was decided in front of it is written before it
reads. So the list is cut behind each rewriter; most pipelines have none.
*/

use super::{Processor, ProcessorInstance, Rewriter, observers::Observers};
use crate::telemetry::ProcessorStats;

/// A processor that decides about items, with its counters.
pub(crate) struct Stage {
    /// The processor.
    pub(crate) processor: Box<dyn Processor>,
    /// What went in and came out.
    pub(crate) stats: ProcessorStats,
}

/// A rewriter, and the processors since the rewriter before it.
pub(super) struct RewriterStage {
    pub(super) before: Vec<Stage>,
    pub(super) rewriter: Box<dyn Rewriter>,
    pub(super) stats: ProcessorStats,
}

/// All processors of a pipeline on one shard.
#[derive(Default)]
pub(crate) struct Stages {
    pub(super) rewriters: Vec<RewriterStage>,
    /// Those behind the last rewriter.
    pub(super) last: Vec<Stage>,
    /// What sees the items that come out.
    pub(super) observers: Observers,
}

impl Stages {
    /// Adds a processor at the end.
    pub(super) fn push(&mut self, instance: ProcessorInstance, stats: ProcessorStats) {
        match instance {
            ProcessorInstance::Items(processor) => self.last.push(Stage { processor, stats }),
            ProcessorInstance::Requests(rewriter) => self.rewriters.push(RewriterStage {
                before: std::mem::take(&mut self.last),
                rewriter,
                stats,
            }),
        }
    }
}
