/*!
Makes every counter of a service and registers its series.

All series exist, with the value zero, from the first scrape; those of signals
that no pipeline carries do not exist at all.
*/

use super::{ExporterReport, Report, receivers::Bound, storage::Logs};
use crate::{
    config::{Config, Id, Pipeline, Processor, ProcessorKind},
    pdata::Signal,
    pipeline::{self, DropReason, QueuedBatch, Route, outlet::ExporterRoute},
    processor::mesh::MeshStats,
    queue::{Budget, Queue},
    telemetry::{
        BATCH_SEND_SIZE, BATCH_SEND_SIZE_BYTES, Count, ExporterStats, Metric, PipelineStats,
        ProcessorItems, ProcessorStats, ReceiverStats, Registry,
    },
};
use metrics::Histogram;
use std::sync::Arc;

const BATCH_METADATA_CARDINALITY: Metric = Metric::gauge(
    "otelcol_processor_batch_metadata_cardinality",
    "Distinct metadata values batched apart; always 1.",
    &["processor"],
);
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
const ENQUEUE_FAILED: Metric = Metric::counter(
    "otelcol_exporter_enqueue_failed_{items}",
    "Items lost because the queue was full, while other exporters of the pipeline had room.",
    &["exporter"],
);
const QUEUE_SIZE: Metric = Metric::gauge(
    "otelcol_exporter_queue_size",
    "Batches waiting to be sent.",
    &["exporter", "data_type"],
);
const QUEUE_CAPACITY: Metric = Metric::gauge(
    "otelcol_exporter_queue_capacity",
    "Batches that may wait.",
    &["exporter", "data_type"],
);
const IN_FLIGHT: Metric = Metric::gauge(
    "otelcol_exporter_in_flight_requests",
    "Requests sent and not answered.",
    &["exporter", "data_type"],
);
const EXPORTER_UP: Metric = Metric::gauge(
    "wayspan_exporter_up",
    "1 while the backend answers or has not been asked; 0 from the first failure of an outage \
     until it does.",
    &["exporter"],
);
const HELD_BYTES: Metric = Metric::gauge(
    "wayspan_held_bytes",
    "Bytes of bodies under way, open batches, and sealed batches not yet delivered.",
    &[],
);
const HELD_BYTES_LIMIT: Metric = Metric::gauge(
    "wayspan_held_bytes_limit",
    "Bytes at which senders are refused.",
    &[],
);

/// The counters of one processor on one shard.
#[derive(Clone, Default)]
pub struct StageStats {
    /// What went in and came out.
    pub items: ProcessorStats,
    /// What `mesh` processors count.
    pub mesh: MeshStats,
}

/// The counters of a service, by shard.
pub struct Account {
    /// Per listener, per shard.
    pub receivers: Vec<Vec<ReceiverStats>>,
    /// Per pipeline, per shard.
    pub pipelines: Vec<Vec<PipelineStats>>,
    /// Per pipeline, per processor, per shard.
    pub stages: Vec<Vec<Vec<StageStats>>>,
    /// Per exporter, with its id.
    pub exporters: Vec<(String, Arc<ExporterStats>)>,
    /// Per exporter, how batches on the way to it are measured.
    sizes: Vec<(Histogram, Histogram)>,
    /// Per pipeline, the way to each of its exporters.
    routes: Vec<Vec<Arc<Route>>>,
}

impl Account {
    /// The way of each pipeline to each of its exporters, for one shard.
    pub fn exits(&self) -> Vec<Vec<ExporterRoute>> {
        let exit = |route: &Arc<Route>| {
            let (spans, bytes) = &self.sizes[route.exporter];
            ExporterRoute {
                route: Arc::clone(route),
                send_size: spans.clone(),
                send_size_bytes: bytes.clone(),
            }
        };
        let of_pipeline = |routes: &Vec<_>| routes.iter().map(exit).collect();
        self.routes.iter().map(of_pipeline).collect()
    }

    /// Counters of the processors of one shard, per pipeline.
    pub fn stages_of_shard(&self, shard: usize) -> Vec<Vec<StageStats>> {
        let of_pipeline = |stages: &Vec<Vec<StageStats>>| {
            stages.iter().map(|stage| stage[shard].clone()).collect()
        };
        self.stages.iter().map(of_pipeline).collect()
    }

    /// The ways that batches go, each with its account: per pipeline, per
    /// exporter.
    pub fn routes(&self) -> &[Vec<Arc<Route>>] {
        &self.routes
    }

    /// The last word.
    pub fn report(&self) -> Report {
        let of_exporter = |at: usize, id: &str| {
            let routes = self.routes.iter().flatten().filter(|r| r.exporter == at);
            let mut report = ExporterReport {
                id: id.to_owned(),
                ..ExporterReport::default()
            };
            for balance in routes.map(|route| route.account.balance()) {
                report.sent += balance.delivered;
                report.failed += balance.refused + balance.dropped();
                report.abandoned += balance.dropped[DropReason::Shutdown as usize];
                report.kept += balance.in_log;
            }
            report
        };
        Report {
            accepted: self
                .receivers
                .iter()
                .flatten()
                .map(|s| s.items[Signal::Traces].accepted.get())
                .sum(),
            aliases: self
                .stages
                .iter()
                .flatten()
                .flatten()
                .map(|s| s.mesh.alias_spans.get())
                .sum(),
            exporters: (self.exporters.iter().enumerate())
                .map(|(at, (id, _))| of_exporter(at, id))
                .collect(),
        }
    }
}

/// Registers series.
pub struct Meters<'a> {
    /// What is counted.
    pub config: &'a Config,
    /// Where series go.
    pub registry: &'a Registry,
}

impl Meters<'_> {
    /// Makes all counters and registers them.
    pub fn register(
        &self,
        listeners: &[Bound],
        shards: usize,
        queues: &[Arc<Queue<QueuedBatch>>],
        exporters: &[Arc<ExporterStats>],
        budget: &Budget,
        logs: &Logs,
    ) -> Account {
        self.budget(budget);
        let pipelines: Vec<Vec<PipelineStats>> = (self.config.pipelines.iter())
            .map(|p| self.batch(p, shards))
            .collect();
        for (at, (pipeline, stats)) in self.config.pipelines.iter().zip(&pipelines).enumerate() {
            if logs.has(at) {
                let log = stats.iter().map(|stats| &stats.log);
                let labels = [pipeline.id.to_string()];
                let labels = labels.each_ref().map(String::as_str);
                self.registry.counters_of(pipeline.signal, &labels, log);
            }
        }
        let routes = self.routes(&pipelines, queues, budget, logs);
        let ids = self.config.exporters.iter().map(|exporter| &exporter.id);
        Account {
            receivers: listeners.iter().map(|l| self.receiver(l, shards)).collect(),
            stages: self
                .config
                .pipelines
                .iter()
                .map(|p| self.stages(p, shards))
                .collect(),
            pipelines,
            sizes: ids.clone().map(|id| self.sizes(id)).collect(),
            exporters: (ids.zip(queues).zip(exporters).enumerate())
                .map(|(at, ((id, queue), stats))| {
                    let routes = routes.iter().flatten().filter(|r| r.exporter == at);
                    self.exporter(id, queue, stats, routes.cloned().collect());
                    (id.to_string(), Arc::clone(stats))
                })
                .collect(),
            routes,
        }
    }

    /// The way of each pipeline to each of its exporters.
    fn routes(
        &self,
        stats: &[Vec<PipelineStats>],
        queues: &[Arc<Queue<QueuedBatch>>],
        budget: &Budget,
        logs: &Logs,
    ) -> Vec<Vec<Arc<Route>>> {
        let pipelines = self.config.pipelines.iter().enumerate();
        let all: usize = self
            .config
            .pipelines
            .iter()
            .map(|p| p.exporters.len())
            .sum();
        let of_pipeline = |(at, pipeline): (usize, &Pipeline)| {
            let taken: Vec<Count> = stats[at].iter().map(|s| s.taken.count.clone()).collect();
            let exporters = pipeline.exporters.iter();
            let route = |exporter: &usize| {
                let taken = pipeline::account::Taken(taken.clone());
                Arc::new(Route::new(
                    *exporter,
                    pipeline.signal,
                    Arc::clone(&queues[*exporter]),
                    pipeline::Account::new(taken),
                    budget.clone(),
                    all,
                    logs.cursor(at, *exporter),
                ))
            };
            exporters.map(route).collect()
        };
        pipelines.map(of_pipeline).collect()
    }

    fn receiver(&self, bound: &Bound, shards: usize) -> Vec<ReceiverStats> {
        let stats: Vec<_> = (0..shards).map(|_| ReceiverStats::default()).collect();
        let receiver = bound.listener.receiver;
        let id = self.config.receivers[receiver].id.to_string();
        let labels = [id.as_str(), bound.listener.transport.label()];
        self.registry.counters(&labels, &stats);
        for signal in self.signals(|pipeline| pipeline.receivers.contains(&receiver)) {
            let items = stats.iter().map(|stats| &stats.items[signal]);
            self.registry.counters_of(signal, &labels, items);
        }
        stats
    }

    /// The signals of the pipelines that `have` something.
    fn signals(&self, have: impl Fn(&Pipeline) -> bool) -> Vec<Signal> {
        let pipelines = self
            .config
            .pipelines
            .iter()
            .filter(|pipeline| have(pipeline));
        let carried: Vec<Signal> = pipelines.map(|pipeline| pipeline.signal).collect();
        let in_order = Signal::ALL.into_iter();
        in_order.filter(|signal| carried.contains(signal)).collect()
    }

    fn stages(&self, pipeline: &Pipeline, shards: usize) -> Vec<Vec<StageStats>> {
        let signal = pipeline.signal;
        let of = |made: &Processor| {
            let id = made.id.to_string();
            let stats: Vec<_> = (0..shards).map(|_| StageStats::default()).collect();
            let items: Vec<_> = stats.iter().map(|stats| stats.items.items()).collect();
            self.registry.counters(&[&id, signal.as_str()], &items);
            match made.kind {
                ProcessorKind::Mesh(_) => {
                    let mesh = stats.iter().map(|stats| &stats.mesh);
                    self.registry.counters(&[&id], mesh);
                }
            }
            stats
        };
        pipeline.processors.iter().map(of).collect()
    }

    fn batch(&self, pipeline: &Pipeline, shards: usize) -> Vec<PipelineStats> {
        let signal = pipeline.signal;
        let id = pipeline.batch.id.to_string();
        let labels = [id.as_str()];
        let send_size = self.registry.histogram(&BATCH_SEND_SIZE, &labels);
        let send_size_bytes = self.registry.histogram(&BATCH_SEND_SIZE_BYTES, &labels);
        let stats: Vec<_> = (0..shards)
            .map(|_| PipelineStats::new(send_size.clone(), send_size_bytes.clone()))
            .collect();
        let batch = stats.iter().map(|stats| &stats.batch);
        self.registry.counters_of(signal, &labels, batch);
        let passing = |id: &str, items: fn(&PipelineStats) -> &Count| {
            let items = stats
                .iter()
                .map(|stats| ProcessorItems::passing(items(stats)));
            let items: Vec<_> = items.collect();
            self.registry.counters(&[id, signal.as_str()], &items);
        };
        if let Some(limiter) = pipeline.memory_limiter.as_ref().map(Id::to_string) {
            let limiters = stats.iter().map(|stats| &stats.limiter);
            self.registry.counters_of(signal, &[&limiter], limiters);
            passing(&limiter, |stats| &stats.limiter.accepted);
        }
        passing(&id, |stats| &stats.batch.batched);
        self.registry
            .gauge(&BATCH_METADATA_CARDINALITY, &labels, || 1.0);
        stats
    }

    /// Histograms of the batches given to an exporter: items, bytes.
    fn sizes(&self, id: &Id) -> (Histogram, Histogram) {
        let id = id.to_string();
        (
            self.registry.histogram(&QUEUE_BATCH_SEND_SIZE, &[&id]),
            self.registry
                .histogram(&QUEUE_BATCH_SEND_SIZE_BYTES, &[&id]),
        )
    }

    fn exporter(
        &self,
        id: &Id,
        queue: &Arc<Queue<QueuedBatch>>,
        stats: &Arc<ExporterStats>,
        routes: Vec<Arc<Route>>,
    ) {
        let id = id.to_string();
        self.registry.counters(&[&id], [&**stats]);
        let outage = stats.outage.clone();
        self.registry.gauge(&EXPORTER_UP, &[&id], move || {
            f64::from(u8::from(outage.since().is_none()))
        });
        for signal in Signal::ALL {
            let routes = routes.iter().filter(|route| route.signal == signal);
            let routes: Vec<_> = routes.cloned().collect();
            if !routes.is_empty() {
                self.exported(&id, signal, queue, stats, routes);
            }
        }
    }

    fn exported(
        &self,
        id: &str,
        signal: Signal,
        queue: &Arc<Queue<QueuedBatch>>,
        stats: &ExporterStats,
        routes: Vec<Arc<Route>>,
    ) {
        let items = &stats.items[signal];
        self.registry.counters_of(signal, &[id], [items]);
        self.registry
            .counter(&ENQUEUE_FAILED.of(signal), &[id], move || {
                let full = |route: &Arc<Route>| {
                    route.account.balance().dropped[DropReason::QueueFull as usize]
                };
                routes.iter().map(full).sum()
            });
        let labels = [id, signal.as_str()];
        let (waiting, room) = (Arc::clone(queue), queue.capacity());
        self.registry
            .gauge(&QUEUE_SIZE, &labels, move || waiting.len() as f64);
        self.registry
            .gauge(&QUEUE_CAPACITY, &labels, move || room as f64);
        let (started, ended) = (items.requests_started.clone(), items.requests_ended.clone());
        self.registry.gauge(&IN_FLIGHT, &labels, move || {
            // Read in this order, the difference is never negative.
            let ended = ended.get();
            started.get().saturating_sub(ended) as f64
        });
    }

    fn budget(&self, budget: &Budget) {
        let (held, limit) = (budget.clone(), budget.limit());
        self.registry
            .gauge(&HELD_BYTES, &[], move || held.held() as f64);
        self.registry
            .gauge(&HELD_BYTES_LIMIT, &[], move || limit as f64);
    }
}
