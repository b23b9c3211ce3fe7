/*!
Who feeds whom: receivers, pipelines, exporters, with the queues, routes,
accounts and segment logs between them.

A [`Graph`] is a value, built once from the checked configuration. Metrics, pages
and the final report describe it; each shard builds its part of it from a
[`ShardPlan`], on its own thread.
*/

use super::{
    Account, BatchSettings, ProcessorFactory, QueuedBatch, Route,
    account::TakenItems,
    graph_settings::{GraphSettings, PipelineSettings},
    outlet::ExporterRoute,
    pipeline_log::{OpenLogError, PipelineLog},
    shard_plan::{PipelinePlan, ShardPlan, StagePlan},
};
use crate::{
    config::Id,
    pdata::Signal,
    queue::{Budget, Memory, Queue},
    telemetry::{
        BATCH_SEND_SIZE, BATCH_SEND_SIZE_BYTES, ExporterStats, Metric, PipelineStats,
        ProcessorStats, Registry,
    },
};
use std::sync::Arc;
use tokio::sync::watch;

const QUEUE_BATCH_SEND_SIZE: Metric = Metric::histogram(
    "otelcol_exporter_queue_batch_send_size",
    "Items in a batch given to the exporter.",
    &["exporter"],
);
const QUEUE_BATCH_SEND_SIZE_BYTES: Metric = Metric::histogram(
    "otelcol_exporter_queue_batch_send_size_bytes",
    "Bytes of a batch given to the exporter.",
    &["exporter"],
);

/// All pipelines of a service and what they share.
pub struct Graph {
    /// In the order of the configuration.
    pub(crate) pipelines: Vec<PipelineNode>,
    /// In the order of the configuration.
    pub exporters: Vec<ExporterNode>,
    /// How the memory limit is shared out.
    pub(crate) memory: Memory,
}

/// A pipeline, over all shards.
pub(crate) struct PipelineNode {
    /// `traces/name`.
    pub(crate) id: Id,
    /// What it carries.
    pub(crate) signal: Signal,
    /// Indices of its receivers in the configuration.
    pub(crate) receivers: Vec<usize>,
    /// How its items are batched.
    pub(crate) batch: BatchSettings,
    /// The `memory_limiter` that it names.
    pub(crate) memory_limiter: Option<Id>,
    /// Its processors, in order.
    pub(crate) stages: Vec<StageNode>,
    /// The way to each of its exporters.
    pub(crate) routes: Vec<ExporterRoute>,
    /// Its segment log, where one of its exporters has a storage.
    pub(crate) log: Option<PipelineLog>,
    /// Counters, one per shard.
    pub(crate) stats: Vec<PipelineStats>,
}

/// A processor of a pipeline, over all shards.
pub(crate) struct StageNode {
    /// `mesh/name`.
    pub(crate) id: Id,
    /// Makes its instances.
    pub(crate) factory: Arc<dyn ProcessorFactory>,
    /// Counters, one per shard.
    pub(crate) stats: Vec<ProcessorStats>,
}

/// An exporter and its queue.
pub struct ExporterNode {
    /// `otlp_grpc/name`.
    pub(crate) id: Id,
    /// What it takes batches from.
    pub queue: Arc<Queue<QueuedBatch>>,
    /// Its counters.
    pub(crate) stats: Arc<ExporterStats>,
}

impl Graph {
    /// Builds the graph for so many `shards`, and opens the segment logs.
    ///
    /// # Errors
    ///
    /// When a segment log cannot be opened.
    pub fn build(
        settings: GraphSettings,
        shards: usize,
        registry: &Registry,
    ) -> Result<Self, OpenLogError> {
        let memory = Memory::new(settings.memory_limit);
        let exporters: Vec<ExporterNode> = (settings.exporters.iter())
            .map(|exporter| ExporterNode {
                id: exporter.id.clone(),
                queue: Arc::new(Queue::new(exporter.batches)),
                stats: Arc::default(),
            })
            .collect();
        let share = Share {
            routes: settings.pipelines.iter().map(|p| p.exporters.len()).sum(),
            budget: &memory.accepted,
            exporters: &exporters,
            registry,
        };
        let mut pipelines = Vec::new();
        for pipeline in &settings.pipelines {
            let log = PipelineLog::open(&settings, pipeline)?;
            let stats = pipeline_stats(pipeline, shards, registry);
            let stages = pipeline.stages.iter().map(|(id, factory)| StageNode {
                id: id.clone(),
                factory: Arc::clone(factory),
                stats: (0..shards).map(|_| ProcessorStats::default()).collect(),
            });
            pipelines.push(PipelineNode {
                id: pipeline.id.clone(),
                signal: pipeline.signal,
                receivers: pipeline.receivers.clone(),
                batch: pipeline.batch.clone(),
                memory_limiter: pipeline.memory_limiter.clone(),
                stages: stages.collect(),
                routes: share.routes(pipeline, log.as_ref(), &stats),
                log,
                stats,
            });
        }
        Ok(Self {
            pipelines,
            exporters,
            memory,
        })
    }

    /// What shard number `at` builds its pipelines from.
    pub fn plan(&self, at: usize) -> ShardPlan {
        let pipeline = |node: &PipelineNode| PipelinePlan {
            signal: node.signal,
            receivers: node.receivers.clone(),
            batch: node.batch.clone(),
            stages: (node.stages.iter())
                .map(|stage| StagePlan {
                    factory: Arc::clone(&stage.factory),
                    stats: stage.stats[at].clone(),
                })
                .collect(),
            routes: node.routes.clone(),
            log: node.log.as_ref().map(PipelineLog::for_shards),
            stats: node.stats[at].clone(),
        };
        ShardPlan {
            at,
            budget: self.memory.accepted.clone(),
            pipelines: self.pipelines.iter().map(pipeline).collect(),
        }
    }

    /// The way of each pipeline to each of its exporters, by name.
    pub(crate) fn routes(&self) -> Vec<NamedRoute> {
        let of_pipeline = |node: &PipelineNode| {
            let pipeline = node.id.to_string();
            let named = |to: &ExporterRoute| NamedRoute {
                pipeline: pipeline.clone(),
                exporter: self.exporters[to.route.exporter].id.to_string(),
                route: Arc::clone(&to.route),
            };
            node.routes.iter().map(named).collect::<Vec<_>>()
        };
        self.pipelines.iter().flat_map(of_pipeline).collect()
    }

    /// What brings back data of earlier runs from the segment logs and fetches
    /// what this run leaves there, until `stop`; to be polled where exporters
    /// run. Called once.
    pub(crate) fn feeders(
        &mut self,
        stop: &watch::Receiver<bool>,
    ) -> Vec<impl Future<Output = ()> + use<>> {
        let logged = self.pipelines.iter_mut().filter_map(|pipeline| {
            let log = pipeline.log.as_mut()?;
            let routes = pipeline.routes.iter().map(|to| Arc::clone(&to.route));
            Some(log.feed(routes.collect(), stop.clone()))
        });
        logged.collect()
    }

    /// Writes what the segment logs were given, and ends their threads.
    pub(crate) fn close_logs(&self) {
        let logs = self.pipelines.iter().filter_map(|p| p.log.as_ref());
        logs.for_each(|log| log.log.close());
    }
}

/// A route and what it connects.
#[derive(Clone, Debug)]
pub(crate) struct NamedRoute {
    /// The pipeline's id.
    pub(crate) pipeline: String,
    /// The exporter's id.
    pub(crate) exporter: String,
    /// The route.
    pub(crate) route: Arc<Route>,
}

/// What the routes of all pipelines share.
struct Share<'a> {
    /// How many routes there are.
    routes: usize,
    budget: &'a Budget,
    exporters: &'a [ExporterNode],
    registry: &'a Registry,
}

impl Share<'_> {
    fn routes(
        &self,
        pipeline: &PipelineSettings,
        log: Option<&PipelineLog>,
        stats: &[PipelineStats],
    ) -> Vec<ExporterRoute> {
        let taken: Vec<_> = stats.iter().map(|s| s.taken.count.clone()).collect();
        let route = |exporter: &usize| {
            let node = &self.exporters[*exporter];
            let id = node.id.to_string();
            ExporterRoute {
                route: Arc::new(Route::new(
                    *exporter,
                    pipeline.signal,
                    Arc::clone(&node.queue),
                    Account::new(TakenItems(taken.clone())),
                    self.budget.clone(),
                    self.routes,
                    log.and_then(|log| log.cursor(*exporter)),
                )),
                send_size: self.registry.histogram(&QUEUE_BATCH_SEND_SIZE, &[&id]),
                send_size_bytes: (self.registry).histogram(&QUEUE_BATCH_SEND_SIZE_BYTES, &[&id]),
            }
        };
        pipeline.exporters.iter().map(route).collect()
    }
}

fn pipeline_stats(
    pipeline: &PipelineSettings,
    shards: usize,
    registry: &Registry,
) -> Vec<PipelineStats> {
    let id = pipeline.batch.id.to_string();
    let send_size = registry.histogram(&BATCH_SEND_SIZE, &[&id]);
    let send_size_bytes = registry.histogram(&BATCH_SEND_SIZE_BYTES, &[&id]);
    (0..shards)
        .map(|_| PipelineStats::new(send_size.clone(), send_size_bytes.clone()))
        .collect()
}
