/*!
Makes every counter of a service and registers its series.

Names, labels and meanings are the Collector's; what it has no name for begins
with `wayspan_`. All series exist, with the value zero, from the first scrape.
*/

mod rows;

use super::{ExporterReport, Report, listen::Bound, storage::Logs};
use crate::{
    config::{Config, Id, Pipeline, Processor, ProcessorKind},
    pdata::Signal,
    pipeline::{self, DropReason, QueuedBatch, Route, outlet::ExporterRoute},
    queue::{
        Budget, Queue,
        log::{Log, Status},
    },
    telemetry::{
        Count, ExporterStats, PipelineStats, ProcessorStats, ReceiverStats, Registry,
        registry::Labels,
    },
};
use metrics::Histogram;
use rows::{
    BATCH, BATCH_ITEMS, EXPORTER, LOG, MEMORY_LIMITER, MEMORY_LIMITER_ITEMS, MESH, PROCESSOR,
    RECEIVER, REPAIRS, Row,
};
use std::sync::Arc;

/// The counters of a service, by shard.
pub struct Account {
    /// Per listener, per shard.
    pub receivers: Vec<Vec<ReceiverStats>>,
    /// Per pipeline, per shard.
    pub pipelines: Vec<Vec<PipelineStats>>,
    /// Per pipeline, per processor, per shard.
    pub stages: Vec<Vec<Vec<ProcessorStats>>>,
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
    pub fn stages_of_shard(&self, shard: usize) -> Vec<Vec<ProcessorStats>> {
        let of_pipeline = |stages: &Vec<Vec<ProcessorStats>>| {
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
                .map(|s| s.accepted_spans.get())
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
                self.counters(&[("pipeline", &pipeline.id.to_string())], stats, LOG);
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
                    Signal::Traces,
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

    /// Registers one counter per row, each the sum over `stats`.
    fn counters<S>(&self, labels: Labels<'_>, stats: &[S], rows: &[Row<S>]) {
        for (name, help, read) in rows {
            let counts = stats.iter().map(|stats| read(stats).clone()).collect();
            self.registry.counter(name, help, labels, counts);
        }
    }

    fn receiver(&self, bound: &Bound, shards: usize) -> Vec<ReceiverStats> {
        let stats: Vec<_> = (0..shards).map(|_| ReceiverStats::default()).collect();
        let id = self.config.receivers[bound.listener.receiver]
            .id
            .to_string();
        let transport = bound.listener.transport.label();
        self.counters(
            &[("receiver", &id), ("transport", transport)],
            &stats,
            RECEIVER,
        );
        stats
    }

    fn stages(&self, pipeline: &Pipeline, shards: usize) -> Vec<Vec<ProcessorStats>> {
        let of = |made: &Processor| {
            let id = made.id.to_string();
            let stats: Vec<_> = (0..shards).map(|_| ProcessorStats::default()).collect();
            self.counters(&processor(&id), &stats, PROCESSOR);
            match made.kind {
                ProcessorKind::Mesh(_) => self.mesh(&id, &stats),
            }
            stats
        };
        pipeline.processors.iter().map(of).collect()
    }

    fn mesh(&self, id: &str, stats: &[ProcessorStats]) {
        self.counters(&[("processor", id)], stats, MESH);
        for (repair, row) in REPAIRS {
            self.counters(
                &[("processor", id), ("repair", repair)],
                stats,
                std::slice::from_ref(row),
            );
        }
    }

    fn batch(&self, pipeline: &Pipeline, shards: usize) -> Vec<PipelineStats> {
        let id = pipeline.batch.id.to_string();
        let labels = [("processor", id.as_str())];
        let histogram = |name, help| self.registry.histogram(name, help, &labels);
        let send_size = histogram(
            "otelcol_processor_batch_batch_send_size",
            "Spans in a sealed batch.",
        );
        let send_size_bytes = histogram(
            "otelcol_processor_batch_batch_send_size_bytes",
            "Bytes of a sealed batch.",
        );
        let stats: Vec<_> = (0..shards)
            .map(|_| PipelineStats::new(send_size.clone(), send_size_bytes.clone()))
            .collect();
        self.counters(&labels, &stats, BATCH);
        if let Some(limiter) = pipeline.memory_limiter.as_ref().map(Id::to_string) {
            self.counters(&[("processor", &limiter)], &stats, MEMORY_LIMITER);
            self.counters(&processor(&limiter), &stats, MEMORY_LIMITER_ITEMS);
        }
        // Every span that goes into the batch processor comes out of it.
        self.counters(&processor(&id), &stats, BATCH_ITEMS);
        self.registry.gauge(
            "otelcol_processor_batch_metadata_cardinality",
            "Distinct metadata values batched apart; always 1.",
            &labels,
            || 1.0,
        );
        stats
    }

    /// Histograms of the batches given to an exporter: spans, bytes.
    fn sizes(&self, id: &Id) -> (Histogram, Histogram) {
        let id = id.to_string();
        let labels = [("exporter", id.as_str())];
        let histogram = |name, help| self.registry.histogram(name, help, &labels);
        (
            histogram(
                "otelcol_exporter_queue_batch_send_size",
                "Spans in a batch given to the exporter.",
            ),
            histogram(
                "otelcol_exporter_queue_batch_send_size_bytes",
                "Bytes of a batch given to the exporter.",
            ),
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
        self.counters(
            &[("exporter", &id)],
            std::slice::from_ref(&**stats),
            EXPORTER,
        );
        self.registry.counter_fn(
            "otelcol_exporter_enqueue_failed_spans",
            "Spans lost because the queue was full, while other exporters of the pipeline had room.",
            &[("exporter", &id)],
            move || {
                let full = |route: &Arc<Route>| {
                    route.account.balance().dropped[DropReason::QueueFull as usize]
                };
                routes.iter().map(full).sum()
            },
        );

        let labels = [("exporter", id.as_str()), ("data_type", "traces")];
        let (waiting, room) = (Arc::clone(queue), queue.capacity());
        self.registry.gauge(
            "otelcol_exporter_queue_size",
            "Batches waiting to be sent.",
            &labels,
            move || waiting.len() as f64,
        );
        self.registry.gauge(
            "otelcol_exporter_queue_capacity",
            "Batches that may wait.",
            &labels,
            move || room as f64,
        );
        let outage = stats.outage.clone();
        self.registry.gauge(
            "wayspan_exporter_up",
            "1 while the backend answers or has not been asked; 0 from the first failure of an \
             outage until it does.",
            &[("exporter", &id)],
            move || f64::from(u8::from(outage.since().is_none())),
        );
        let (started, ended) = (stats.requests_started.clone(), stats.requests_ended.clone());
        self.registry.gauge(
            "otelcol_exporter_in_flight_requests",
            "Requests sent and not answered.",
            &labels,
            move || {
                // Read in this order, the difference is never negative.
                let ended = ended.get();
                started.get().saturating_sub(ended) as f64
            },
        );
    }

    fn budget(&self, budget: &Budget) {
        let (held, limit) = (budget.clone(), budget.limit());
        self.registry.gauge(
            "wayspan_held_bytes",
            "Bytes of bodies under way, open batches, and sealed batches not yet delivered.",
            &[],
            move || held.held() as f64,
        );
        self.registry.gauge(
            "wayspan_held_bytes_limit",
            "Bytes at which senders are refused.",
            &[],
            move || limit as f64,
        );
    }
}

/// Registers what is to be known of a pipeline's segment log.
pub fn log(registry: &Registry, pipeline: &str, log: &Log) {
    let labels = [("pipeline", pipeline)];
    let gauge = |name, help, read: fn(&Status) -> f64| {
        let log = log.clone();
        registry.gauge(name, help, &labels, move || read(&log.status()));
    };
    let counter = |name, help, read: fn(&Status) -> u64| {
        let log = log.clone();
        registry.counter_fn(name, help, &labels, move || read(&log.status()));
    };
    gauge(
        "wayspan_log_healthy",
        "1 while the segment log takes what it is given, else 0.",
        |status| f64::from(u8::from(status.degraded.is_none())),
    );
    gauge("wayspan_log_bytes", "Bytes of the log's files.", |s| {
        s.bytes as f64
    });
    gauge("wayspan_log_segments", "Files of the log.", |s| {
        s.segments as f64
    });
    counter("wayspan_log_commits", "Group commits written.", |s| {
        s.counts.commits
    });
    counter(
        "wayspan_log_committed_bytes",
        "Bytes written to the log.",
        |s| s.counts.committed_bytes,
    );
    counter("wayspan_log_fsyncs", "Syncs to the device.", |s| {
        s.counts.fsyncs
    });
    counter(
        "wayspan_log_failed_spans",
        "Spans that could not be written: held in memory only.",
        |s| s.counts.failed_spans,
    );
    counter(
        "wayspan_log_damaged_records",
        "Records that could not be read back.",
        |s| s.counts.damaged_records,
    );
}

fn processor(id: &str) -> [(&'static str, &str); 2] {
    [("processor", id), ("otel_signal", "traces")]
}
