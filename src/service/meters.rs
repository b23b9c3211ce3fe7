/*!
Makes every counter of a service and registers its series.

Names, labels and meanings are the Collector's; what it has no name for begins
with `wayspan_`. All series exist, with the value zero, from the first scrape.
*/

use super::{ExporterReport, Report, listen::Bound};
use crate::{
    config::{Config, Id},
    exporter::Drained,
    queue::{Budget, Queue},
    telemetry::{Count, ExporterStats, PipelineStats, ProcessorStats, ReceiverStats, Registry},
};
use std::sync::Arc;

/// The counters of a service, by shard.
#[derive(Debug)]
pub struct Account {
    /// Per listener, per shard.
    pub receivers: Vec<Vec<ReceiverStats>>,
    /// Per pipeline, per shard.
    pub pipelines: Vec<Vec<PipelineStats>>,
    /// Per pipeline, per processor, per shard.
    pub stages: Vec<Vec<Vec<ProcessorStats>>>,
    /// Per exporter, with its id.
    pub exporters: Vec<(String, Arc<ExporterStats>)>,
}

impl Account {
    /// Counters of the processors of one shard, per pipeline.
    pub fn stages_of_shard(&self, shard: usize) -> Vec<Vec<ProcessorStats>> {
        let of_pipeline = |stages: &Vec<Vec<ProcessorStats>>| {
            stages.iter().map(|stage| stage[shard].clone()).collect()
        };
        self.stages.iter().map(of_pipeline).collect()
    }

    /// The last word. `stranded` spans found no room in a queue; `drained` is
    /// what each exporter left behind.
    pub fn report(&self, stranded: u64, drained: &[Drained]) -> Report {
        let exporters = self.exporters.iter().enumerate();
        Report {
            accepted: self
                .receivers
                .iter()
                .flatten()
                .map(|s| s.accepted_spans.get())
                .sum(),
            stranded,
            exporters: exporters
                .map(|(at, (id, stats))| ExporterReport {
                    id: id.clone(),
                    sent: stats.sent_spans.get(),
                    failed: stats.send_failed_spans.get() + stats.rejected_spans.get(),
                    abandoned: drained.get(at).map_or(0, |drained| drained.abandoned),
                })
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
        queues: &[Arc<Queue>],
        exporters: &[Arc<ExporterStats>],
        budget: &Budget,
    ) -> Account {
        self.budget(budget);
        Account {
            receivers: listeners.iter().map(|l| self.receiver(l, shards)).collect(),
            stages: self
                .config
                .pipelines
                .iter()
                .map(|p| self.stages(p, shards))
                .collect(),
            pipelines: self
                .config
                .pipelines
                .iter()
                .map(|p| self.batch(&p.batch.id, shards))
                .collect(),
            exporters: {
                let all = self.config.exporters.iter().zip(queues).zip(exporters);
                all.for_each(|((exporter, queue), stats)| {
                    self.exporter(&exporter.id, queue, stats)
                });
                let ids = self
                    .config
                    .exporters
                    .iter()
                    .map(|exporter| exporter.id.to_string());
                ids.zip(exporters.iter().cloned()).collect()
            },
        }
    }

    fn receiver(&self, bound: &Bound, shards: usize) -> Vec<ReceiverStats> {
        let stats: Vec<ReceiverStats> = (0..shards).map(|_| ReceiverStats::default()).collect();
        let id = self.config.receivers[bound.listener.receiver]
            .id
            .to_string();
        let labels = [
            ("receiver", id.as_str()),
            ("transport", bound.listener.transport.label()),
        ];
        let counter = |name, help: &str, read: fn(&ReceiverStats) -> &Count| {
            self.registry.counter(
                name,
                help,
                &labels,
                stats.iter().map(|s| read(s).clone()).collect(),
            );
        };
        counter(
            "otelcol_receiver_accepted_spans",
            "Spans taken from senders.",
            |s| &s.accepted_spans,
        );
        counter(
            "otelcol_receiver_refused_spans",
            "Spans not taken: no room, or faulty ids.",
            |s| &s.refused_spans,
        );
        counter(
            "otelcol_receiver_failed_spans",
            "Spans lost inside the receiver.",
            |s| &s.failed_spans,
        );
        counter(
            "wayspan_receiver_requests",
            "Export requests answered with success.",
            |s| &s.requests,
        );
        counter(
            "wayspan_receiver_refused_requests",
            "Requests refused: malformed, too large, unknown, or no room.",
            |s| &s.refused_requests,
        );
        stats
    }

    fn stages(
        &self,
        pipeline: &crate::config::Pipeline,
        shards: usize,
    ) -> Vec<Vec<ProcessorStats>> {
        let of = |id: &Id| {
            let stats: Vec<ProcessorStats> =
                (0..shards).map(|_| ProcessorStats::default()).collect();
            self.items(
                id,
                stats
                    .iter()
                    .map(|s| (s.incoming.clone(), s.outgoing.clone()))
                    .unzip(),
            );
            stats
        };
        pipeline
            .processors
            .iter()
            .map(|processor| of(&processor.id))
            .collect()
    }

    fn items(&self, id: &Id, (incoming, outgoing): (Vec<Count>, Vec<Count>)) {
        let id = id.to_string();
        let labels = [("processor", id.as_str()), ("otel_signal", "traces")];
        self.registry.counter(
            "otelcol_processor_incoming_items",
            "Spans given to the processor.",
            &labels,
            incoming,
        );
        self.registry.counter(
            "otelcol_processor_outgoing_items",
            "Spans the processor passed on.",
            &labels,
            outgoing,
        );
    }

    fn batch(&self, id: &Id, shards: usize) -> Vec<PipelineStats> {
        let name = id.to_string();
        let labels = [("processor", name.as_str())];
        let send_size = self.registry.histogram(
            "otelcol_processor_batch_batch_send_size",
            "Spans in a sealed batch.",
            &labels,
        );
        let send_size_bytes = self.registry.histogram(
            "otelcol_processor_batch_batch_send_size_bytes",
            "Bytes of a sealed batch.",
            &labels,
        );
        let stats: Vec<PipelineStats> = (0..shards)
            .map(|_| PipelineStats {
                utf8_replaced: Count::default(),
                rejected_spans: Count::default(),
                batched: Count::default(),
                size_trigger: Count::default(),
                timeout_trigger: Count::default(),
                send_size: send_size.clone(),
                send_size_bytes: send_size_bytes.clone(),
            })
            .collect();
        let counter = |name, help: &str, read: fn(&PipelineStats) -> &Count| {
            self.registry.counter(
                name,
                help,
                &labels,
                stats.iter().map(|s| read(s).clone()).collect(),
            );
        };
        counter(
            "otelcol_processor_batch_batch_size_trigger_send",
            "Batches sealed because they were large enough.",
            |s| &s.size_trigger,
        );
        counter(
            "otelcol_processor_batch_timeout_trigger_send",
            "Batches sealed because they were old enough.",
            |s| &s.timeout_trigger,
        );
        counter(
            "wayspan_rejected_spans",
            "Spans dropped for ids of the wrong length or all zero.",
            |s| &s.rejected_spans,
        );
        counter(
            "wayspan_utf8_replaced_strings",
            "Strings in which invalid UTF-8 was replaced by U+FFFD.",
            |s| &s.utf8_replaced,
        );
        let batched: Vec<Count> = stats.iter().map(|s| s.batched.clone()).collect();
        self.items(id, (batched.clone(), batched));
        self.registry.gauge(
            "otelcol_processor_batch_metadata_cardinality",
            "Distinct metadata values batched apart; always 1.",
            &labels,
            || 1.0,
        );
        stats
    }

    fn exporter(&self, id: &Id, queue: &Arc<Queue>, stats: &Arc<ExporterStats>) {
        let id = id.to_string();
        let labels = [("exporter", id.as_str())];
        let counter = |name, help: &str, count: &Count| {
            self.registry
                .counter(name, help, &labels, vec![count.clone()]);
        };
        counter(
            "otelcol_exporter_sent_spans",
            "Spans the backend took.",
            &stats.sent_spans,
        );
        counter(
            "otelcol_exporter_send_failed_spans",
            "Spans given up on, after all retries.",
            &stats.send_failed_spans,
        );
        counter(
            "wayspan_exporter_rejected_spans",
            "Spans the backend rejected by partial success.",
            &stats.rejected_spans,
        );
        counter(
            "wayspan_exporter_retries",
            "Requests sent again.",
            &stats.retries,
        );
        // wayspan refuses at the receiver instead: a full queue loses nothing.
        self.registry.counter(
            "otelcol_exporter_enqueue_failed_spans",
            "Spans that found the queue full and were lost; senders are refused before that.",
            &labels,
            vec![],
        );

        let labels = [("exporter", id.as_str()), ("data_type", "traces")];
        let gauge = |name, help: &str, read: Box<dyn Fn() -> f64 + Send>| {
            self.registry.gauge(name, help, &labels, read);
        };
        let (waiting, room) = (Arc::clone(queue), queue.capacity());
        gauge(
            "otelcol_exporter_queue_size",
            "Batches waiting to be sent.",
            Box::new(move || waiting.len() as f64),
        );
        gauge(
            "otelcol_exporter_queue_capacity",
            "Batches that may wait.",
            Box::new(move || room as f64),
        );
        let (started, ended) = (stats.requests_started.clone(), stats.requests_ended.clone());
        gauge(
            "otelcol_exporter_in_flight_requests",
            "Requests sent and not answered.",
            Box::new(move || {
                // Read in this order, the difference is never negative.
                let ended = ended.get();
                started.get().saturating_sub(ended) as f64
            }),
        );
    }

    fn budget(&self, budget: &Budget) {
        let (held, limit) = (budget.clone(), budget.limit());
        self.registry.gauge(
            "wayspan_held_bytes",
            "Bytes of sealed batches not yet delivered.",
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
