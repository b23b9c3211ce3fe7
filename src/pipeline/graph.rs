/*!
Who feeds whom: receivers, pipelines, exporters, with the queues, routes,
accounts and segment logs between them.

A [`Graph`] is a value, built once from the checked configuration. Metrics, pages
and the final report describe it; each shard builds its part of it from a
[`ShardPlan`], on its own thread.

When the configuration is read again, a second graph is built beside the first
([`Graph::succeed`]). What both have, by id, is one thing: an exporter's queue, the route of
a pipeline to it with the account, the segment log, the counters. So what the first has
accepted goes on its way, and nothing is counted anew. Only the items *taken* are counted
by each graph for itself, since a route that is new must not be asked about what was
taken before it was there.
*/

use super::{
    Account, BatchSettings, ConnectorNode, Generation, ProcessorFactory, QueuedBatch, Route,
    account::TakenItems,
    graph_settings::{GraphSettings, PipelineSettings, QueueSettings},
    outlet::ExporterRoute,
    pipeline_log::{NewLog, OpenLogError, PipelineLog},
    shard_plan::{PipelinePlan, ShardPlan, StagePlan},
    tap::{PipelineTap, SpanReader, Tap},
};
use crate::{
    config::Id,
    pdata::Signal,
    queue::{Budget, Memory, SizedQueue},
    telemetry::{
        BATCH_SEND_SIZE, BATCH_SEND_SIZE_BYTES, BYTE_BUCKETS, ExporterStats, ITEM_BUCKETS, Metric,
        PipelineStats, ProcessorStats, Registry,
    },
};
use std::sync::Arc;

const QUEUE_BATCH_SEND_SIZE: Metric = Metric::histogram(
    "otelcol_exporter_queue_batch_send_size",
    "Items in a batch given to the exporter.",
    &["exporter"],
    ITEM_BUCKETS,
)
.in_unit("{unit}");
const QUEUE_BATCH_SEND_SIZE_BYTES: Metric = Metric::histogram(
    "otelcol_exporter_queue_batch_send_size_bytes",
    "Bytes of a batch given to the exporter.",
    &["exporter"],
    BYTE_BUCKETS,
);

/// All pipelines of a service and what they share.
pub struct Graph {
    /// In the order of the configuration.
    pub(crate) pipelines: Vec<PipelineNode>,
    /// In the order of the configuration.
    pub exporters: Vec<ExporterNode>,
    /// Those that make requests of what pipelines let out.
    pub(crate) connectors: Vec<ConnectorNode>,
    /// How the memory limit is shared out.
    pub(crate) memory: Memory,
    memory_limit: usize,
    generation: Generation,
    shards: usize,
    /// Where spans are shown that pass.
    pub(crate) tap: Arc<Tap>,
}

/// A pipeline, over all shards.
pub(crate) struct PipelineNode {
    /// `traces/name`.
    pub(crate) id: Id,
    /// What it carries.
    pub(crate) signal: Signal,
    /// Indices of its receivers in the configuration.
    pub(crate) receivers: Vec<usize>,
    /// Indices of the connectors that it takes from.
    fed_by: Vec<usize>,
    /// Indices of the connectors that it feeds.
    feeds: Vec<usize>,
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
#[derive(Clone)]
pub struct ExporterNode {
    /// `otlp_grpc/name`.
    pub(crate) id: Id,
    /// What it takes batches from.
    pub queue: Arc<SizedQueue<QueuedBatch>>,
    /// Its counters.
    pub(crate) stats: Arc<ExporterStats>,
}

impl Graph {
    /// Builds the graph for so many `shards` (threads that run pipelines), and opens the segment
    /// logs.
    ///
    /// # Errors
    ///
    /// When a segment log cannot be opened.
    pub fn build(
        settings: GraphSettings,
        shards: usize,
        registry: &Registry,
    ) -> Result<Self, OpenLogError> {
        Self::succeed(None, settings, shards, registry)
    }

    /// Builds the graph that comes after `before`, which stays as it is until
    /// [`Graph::begin`].
    ///
    /// # Errors
    ///
    /// When a segment log cannot be opened.
    pub(crate) fn succeed(
        before: Option<&Self>,
        settings: GraphSettings,
        shards: usize,
        registry: &Registry,
    ) -> Result<Self, OpenLogError> {
        let memory = match before {
            Some(before) => before.memory.clone(),
            None => Memory::new(settings.memory_limit),
        };
        let known = |id: &Id| before?.exporters.iter().find(|node| node.id == *id);
        let exporters: Vec<ExporterNode> = (settings.exporters.iter())
            .map(|exporter| match known(&exporter.id) {
                Some(node) => node.clone(),
                None => ExporterNode {
                    id: exporter.id.clone(),
                    queue: Arc::new(SizedQueue::new(exporter.size)),
                    stats: Arc::default(),
                },
            })
            .collect();
        let share = Share {
            routes: settings.pipelines.iter().map(|p| p.exporters.len()).sum(),
            budget: &memory.accepted,
            exporters: &exporters,
            queues: &settings.exporters,
            registry,
        };
        let mut pipelines = Vec::new();
        for pipeline in &settings.pipelines {
            let known = |node: &&PipelineNode| node.id == pipeline.id;
            let known = before.and_then(|before| before.pipelines.iter().find(known));
            let log = PipelineLog::open(&settings, pipeline, known.and_then(|k| k.log.as_ref()))?;
            let stats = pipeline_stats(pipeline, shards, known, registry);
            let stages = pipeline.stages.iter().map(|(id, factory)| StageNode {
                id: id.clone(),
                factory: Arc::clone(factory),
                stats: match known.and_then(|known| known.stages.iter().find(|s| s.id == *id)) {
                    Some(known) => known.stats.clone(),
                    None => (0..shards).map(|_| ProcessorStats::default()).collect(),
                },
            });
            pipelines.push(PipelineNode {
                id: pipeline.id.clone(),
                signal: pipeline.signal,
                receivers: pipeline.receivers.clone(),
                fed_by: pipeline.fed_by.clone(),
                feeds: pipeline.feeds.clone(),
                batch: pipeline.batch.clone(),
                memory_limiter: pipeline.memory_limiter.clone(),
                stages: stages.collect(),
                routes: share.routes(pipeline, known, log.as_ref(), &stats),
                log,
                stats,
            });
        }
        Ok(Self {
            pipelines,
            exporters,
            connectors: settings.connectors,
            memory,
            memory_limit: settings.memory_limit,
            shards,
            tap: before.map_or_else(Arc::default, |before| Arc::clone(&before.tap)),
            generation: Generation(before.map_or(0, |before| before.generation.0.wrapping_add(1))),
        })
    }

    /// Takes over: what it shares with the graph before it is set as its own settings
    /// say, and accounts read what its shards take from now on.
    pub(crate) fn begin(&self) {
        self.memory.set_limit(self.memory_limit);
        let routes = self.pipelines.iter().map(|p| p.routes.len()).sum();
        for pipeline in &self.pipelines {
            if let Some(log) = &pipeline.log {
                log.begin();
            }
            for to in &pipeline.routes {
                to.route.share_with(routes);
                if to.is_inherited {
                    to.route.account.also_read(taken(&pipeline.stats));
                }
            }
        }
    }

    /// Ends a graph whose shards take nothing any more: accounts that go on keep the sum
    /// of what they took.
    pub(crate) fn conclude(&self) {
        for pipeline in &self.pipelines {
            let taken = taken(&pipeline.stats);
            for to in &pipeline.routes {
                to.route.account.conclude(&taken);
            }
        }
    }

    /// What shard number `at` builds its pipelines from.
    pub fn plan(&self, at: usize) -> ShardPlan {
        let pipeline = |node: &PipelineNode| PipelinePlan {
            signal: node.signal,
            receivers: node.receivers.clone(),
            fed_by: node.fed_by.clone(),
            feeds: (self.connectors.iter())
                .filter(|connector| node.feeds.contains(&connector.index))
                .map(|connector| Arc::clone(&connector.connector))
                .collect(),
            batch: node.batch.clone(),
            stages: (node.stages.iter())
                .map(|stage| StagePlan {
                    factory: Arc::clone(&stage.factory),
                    stats: stage.stats[at].clone(),
                })
                .collect(),
            routes: node.routes.clone(),
            log: node.log.as_ref().map(PipelineLog::for_shards),
            tap: (node.signal == Signal::Traces).then(|| PipelineTap {
                tap: Arc::clone(&self.tap),
                pipeline: node.id.to_string().into(),
            }),
            stats: node.stats[at].clone(),
        };
        ShardPlan {
            at,
            generation: self.generation,
            budget: self.memory.accepted.clone(),
            pipelines: self.pipelines.iter().map(pipeline).collect(),
        }
    }

    /// What the last of the threads that run pipelines builds them from.
    pub(crate) fn last_plan(&self) -> ShardPlan {
        self.plan(self.shards.saturating_sub(1))
    }

    /// The way of each pipeline to each of its exporters, by name.
    pub(crate) fn routes(&self) -> Vec<NamedRoute> {
        let of_pipeline = |node: &PipelineNode| {
            let pipeline = node.id.to_string();
            let named = |to: &ExporterRoute| NamedRoute {
                pipeline: pipeline.clone(),
                exporter: self.exporters[to.exporter].id.to_string(),
                route: Arc::clone(&to.route),
            };
            node.routes.iter().map(named).collect::<Vec<_>>()
        };
        self.pipelines.iter().flat_map(of_pipeline).collect()
    }

    /// What says what the spans of a pipeline mean, by the pipeline's id.
    pub(crate) fn readers(&self) -> Vec<(String, Arc<dyn SpanReader>)> {
        let of_pipeline = |node: &PipelineNode| {
            let mut readers = node.stages.iter().filter_map(|s| s.factory.reader());
            Some((node.id.to_string(), readers.next()?))
        };
        self.pipelines.iter().filter_map(of_pipeline).collect()
    }

    /// The segment logs that were opened for this graph, to be fed until they are told to
    /// stop. Called once.
    pub(crate) fn new_logs(&mut self) -> Vec<NewLog> {
        let logged = self.pipelines.iter_mut().filter_map(|pipeline| {
            let log = pipeline.log.as_mut()?;
            let routes: Vec<_> = (pipeline.routes.iter())
                .map(|to| Arc::clone(&to.route))
                .collect();
            log.take_new(&pipeline.id, routes)
        });
        logged.collect()
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
    /// In the order of the exporters.
    queues: &'a [QueueSettings],
    registry: &'a Registry,
}

impl Share<'_> {
    fn routes(
        &self,
        pipeline: &PipelineSettings,
        before: Option<&PipelineNode>,
        log: Option<&PipelineLog>,
        stats: &[PipelineStats],
    ) -> Vec<ExporterRoute> {
        let route = |exporter: &usize| {
            let (node, queue) = (&self.exporters[*exporter], &self.queues[*exporter]);
            let id = node.id.to_string();
            let cursor = log.and_then(|log| log.cursor(*exporter));
            let known = before.and_then(|before| {
                let mut routes = before.routes.iter().map(|to| &to.route);
                routes.find(|route| route.leads_to(&node.queue, cursor.as_ref(), queue.waits))
            });
            ExporterRoute {
                exporter: *exporter,
                is_inherited: known.is_some(),
                route: known.cloned().unwrap_or_else(|| {
                    let route = Route::new(
                        pipeline.signal,
                        Arc::clone(&node.queue),
                        Account::new(taken(stats)),
                        self.budget.clone(),
                        self.routes,
                        cursor,
                    );
                    Arc::new(route.reporting(queue.waits))
                }),
                blocks: queue.blocks,
                send_size: self.registry.histogram(&QUEUE_BATCH_SEND_SIZE, &[&id]),
                send_size_bytes: (self.registry).histogram(&QUEUE_BATCH_SEND_SIZE_BYTES, &[&id]),
            }
        };
        pipeline.exporters.iter().map(route).collect()
    }
}

/// What the shards count as taken into a pipeline.
fn taken(stats: &[PipelineStats]) -> TakenItems {
    TakenItems(stats.iter().map(|s| s.taken.count.clone()).collect())
}

fn pipeline_stats(
    pipeline: &PipelineSettings,
    shards: usize,
    before: Option<&PipelineNode>,
    registry: &Registry,
) -> Vec<PipelineStats> {
    let id = pipeline.batch.id.to_string();
    let send_size = registry.histogram(&BATCH_SEND_SIZE, &[&id]);
    let send_size_bytes = registry.histogram(&BATCH_SEND_SIZE_BYTES, &[&id]);
    (0..shards)
        .map(|at| {
            let new = PipelineStats::new(send_size.clone(), send_size_bytes.clone());
            match before.and_then(|before| before.stats.get(at)) {
                Some(before) => new.succeed(before),
                None => new,
            }
        })
        .collect()
}
