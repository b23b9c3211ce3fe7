/*! What a shard builds its pipelines and inlets from, on its own thread. */

use super::{
    BatchSettings, Connector, Generation, ProcessorFactory,
    commit::Commits,
    engine::Engine,
    gather::Gather,
    inlet::{Conversion, Inlet},
    outlet::{ExporterRoute, Outlet},
    recorder::Recorder,
    shard::Shard,
    stages::Stages,
    tap::PipelineTap,
};
use crate::{
    pdata::{Keys, Signal},
    queue::{Budget, ShardBudget, log::Log},
    telemetry::{PipelineStats, ProcessorStats, ReceiverStats, ShardLoad},
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// One shard's part of a `Graph`.
pub struct ShardPlan {
    pub(super) at: usize,
    pub(super) generation: Generation,
    pub(super) budget: Budget,
    pub(super) pipelines: Vec<PipelinePlan>,
}

/// One pipeline on one shard.
pub(super) struct PipelinePlan {
    pub(super) signal: Signal,
    pub(super) receivers: Vec<usize>,
    /// Indices of the connectors that it takes from.
    pub(super) fed_by: Vec<usize>,
    /// The connectors that it feeds.
    pub(super) feeds: Vec<Arc<dyn Connector>>,
    pub(super) batch: BatchSettings,
    pub(super) stages: Vec<StagePlan>,
    pub(super) routes: Vec<ExporterRoute>,
    /// The segment log, and how long senders wait for it.
    pub(super) log: Option<(Log, Duration)>,
    /// Where its spans are shown.
    pub(super) tap: Option<PipelineTap>,
    pub(super) stats: PipelineStats,
}

/// One processor of a pipeline on one shard.
pub(super) struct StagePlan {
    pub(super) factory: Arc<dyn ProcessorFactory>,
    pub(super) stats: ProcessorStats,
}

impl ShardPlan {
    /// Builds the shard. `gather` is what its runtime's thread gathers by.
    pub fn build(self: &Rc<Self>, gather: Arc<Gather>) -> Rc<Shard> {
        let logs = self.pipelines.iter().filter_map(|plan| plan.log.as_ref());
        let commits = logs.map(|(_, patience)| *patience).min();
        let commits = commits.map(|patience| Commits::new(patience, self.generation));
        let budget = Rc::new(ShardBudget::new(&self.budget));
        let engines = self.pipelines.iter().map(|plan| {
            let recorder = plan.log.as_ref().zip(commits.as_ref());
            let recorder = recorder.map(|((log, _), commits)| {
                let lane = log.new_lane(commits.written());
                Recorder::new(log.clone(), lane, plan.stats.log.unlogged.clone())
            });
            let outlet = Outlet::new(plan.routes.clone(), self.budget.clone(), recorder);
            Engine::new(
                plan.signal,
                &plan.batch,
                plan.stages(self.at),
                (outlet, plan.tap.clone()),
                Rc::clone(&budget),
                plan.stats.clone(),
            )
        });
        let engines = engines.collect();
        let plan = Rc::clone(self);
        let make_stages = move |pipeline: usize| plan.pipelines[pipeline].stages(plan.at);
        Rc::new(Shard::new(engines, commits, gather, make_stages))
    }

    /// The way of receiver number `receiver` into its pipelines on `shard`. None: of a
    /// receiver that is in no pipeline.
    pub fn inlet(
        &self,
        shard: &Rc<Shard>,
        receiver: Option<usize>,
        stats: ReceiverStats,
        load: ShardLoad,
    ) -> Inlet {
        let takes = |plan: &PipelinePlan| receiver.is_some_and(|at| plan.receivers.contains(&at));
        self.inlet_into(shard, takes, stats, load)
    }

    /// The way of what connector number `connector` makes into the pipelines on `shard` that
    /// take from it.
    pub(crate) fn connector_inlet(&self, shard: &Rc<Shard>, connector: usize) -> Inlet {
        let takes = |plan: &PipelinePlan| plan.fed_by.contains(&connector);
        self.inlet_into(shard, takes, ReceiverStats::default(), ShardLoad::default())
    }

    /// The way into the pipelines of which `takes` is true.
    fn inlet_into(
        &self,
        shard: &Rc<Shard>,
        takes: impl Fn(&PipelinePlan) -> bool,
        stats: ReceiverStats,
        load: ShardLoad,
    ) -> Inlet {
        let mut into: [Vec<usize>; Signal::ALL.len()] = Default::default();
        let mut conversions: Vec<Conversion> = Vec::new();
        let plans = self.pipelines.iter().enumerate();
        for (at, plan) in plans.filter(|(_, plan)| takes(plan)) {
            into[plan.signal as usize].push(at);
            for converter in plan.stages.iter().filter_map(|s| s.factory.converter()) {
                let reads = converter.reads();
                match conversions
                    .iter_mut()
                    .find(|c| c.converter.reads() == reads && c.signal == plan.signal)
                {
                    Some(known) => known.pipelines.push(at),
                    None => conversions.push(Conversion {
                        signal: plan.signal,
                        pipelines: vec![at],
                        converter,
                    }),
                }
            }
        }
        let generation = self.generation;
        Inlet::new(Rc::clone(shard), into, conversions, stats, load, generation)
    }
}

impl PipelinePlan {
    /// The processors, which know nothing yet, and the keys they read.
    fn stages(&self, shard: usize) -> (Keys, Stages) {
        let mut keys = Keys::default();
        let mut stages = Stages::default();
        for plan in &self.stages {
            stages.push(plan.factory.instance(shard, &mut keys), plan.stats.clone());
        }
        for connector in &self.feeds {
            stages.observers.add(&**connector, self.signal);
        }
        (keys, stages)
    }
}
