/*!
The counters that every receiver, processor, exporter and pipeline has, each
with one writer. What only one kind of component counts stands with it.
*/

use super::{
    BySignal, Count, EndedConnections, LimitedPeers, Metric, RefusedRequests, Tally,
    metric::counters,
};
use metrics::Histogram;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

counters! {
    /// What one listener on one shard did with the items of one signal.
    pub struct ReceivedItems ["receiver", "transport"] {
        /// Items taken from senders.
        accepted: "otelcol_receiver_accepted_{items}",
        /// Items not taken: no room, or faults of their own.
        refused: "otelcol_receiver_refused_{items}",
        /// Items lost inside the receiver.
        failed: "otelcol_receiver_failed_{items}",
    }
}

counters! {
    /// Counters of one listener on one shard.
    pub struct ReceiverStats ["receiver", "transport"] {
        /// Export requests answered with success.
        requests: "wayspan_receiver_requests",
        /// Spans made of connections in ztunnel's access log; part of the accepted spans.
        connections: "wayspan_ztunnel_connections",
        /// Log records that were no completed connection in ztunnel's access log.
        ignored_logs: "wayspan_logs_ignored_records",
        /// Requests refused for missing or wrong credentials, unread: their items are not counted.
        unauthenticated_requests: "wayspan_receiver_unauthenticated_requests",
        /// Connections refused by TLS: plaintext, no certificate, or a wrong one.
        failed_handshakes: "wayspan_receiver_failed_handshakes",
    } and {
        /// What became of the items, by signal.
        items: BySignal<ReceivedItems>,
        /// Requests that were refused.
        refused: RefusedRequests,
        /// Connections that were ended.
        ended: EndedConnections,
        /// Whose requests were refused, and whose connections ended.
        limited: LimitedPeers,
    }
}

counters! {
    /// What one exporter did with the items of one signal. All its tasks run on
    /// one thread.
    pub struct ExportedItems ["exporter"] {
        /// Items that the backend took.
        sent: "otelcol_exporter_sent_{items}",
        /// Items given up, after all retries.
        send_failed: "otelcol_exporter_send_failed_{items}",
        /// Items that the backend rejected by partial success.
        rejected: "wayspan_exporter_rejected_{items}",
    } and {
        /// Requests begun; less the ended ones, those in flight.
        requests_started: Count,
        /// Requests answered or given up.
        requests_ended: Count,
    }
}

counters! {
    /// Counters of one exporter.
    pub struct ExporterStats ["exporter"] {
        /// Requests sent again, to the same address or another.
        retries: "wayspan_exporter_retries",
    } and {
        /// What became of the items, by signal.
        items: BySignal<ExportedItems>,
        /// Is set while the exporter fails to deliver.
        outage: Outage,
    }
}

/// The time since which an exporter fails to deliver, if it does. It is written
/// when that changes, by its exporter; any thread may ask.
#[derive(Clone, Debug, Default)]
pub struct Outage(Arc<Mutex<Option<Instant>>>);

impl Outage {
    /// Notes that delivery fails from `at` on.
    pub(crate) fn begin(&self, at: Instant) {
        self.lock().get_or_insert(at);
    }

    /// Notes that the backend has answered.
    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    /// Returns when the failures since the last success began; None: the
    /// exporter delivers, or has had nothing to deliver.
    pub fn since(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

counters! {
    /// What went into and came out of one processor on one shard.
    pub(crate) struct ProcessorItems ["processor", "otel_signal"] {
        /// Items given to the processor.
        incoming: "otelcol_processor_incoming_items" in "{item}",
        /// Items that the processor passed on, those it made included.
        outgoing: "otelcol_processor_outgoing_items" in "{item}",
    }
}

impl ProcessorItems {
    /// Counters of a processor that passes on all that it is given.
    pub(crate) fn passing(items: &Count) -> Self {
        Self {
            incoming: items.clone(),
            outgoing: items.clone(),
        }
    }
}

/// What went into and came out of one processor on one shard, counted item by
/// item and published once a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessorStats {
    incoming: Tally,
    outgoing: Tally,
}

impl ProcessorStats {
    /// Counts one item that went in, and how many came out of it.
    pub(crate) fn saw(&self, outgoing: usize) {
        self.incoming.one();
        self.outgoing.add(outgoing as u64);
    }

    /// Counts items that went in together, and how many came out.
    pub(crate) fn passed(&self, incoming: u64, outgoing: u64) {
        self.incoming.add(incoming);
        self.outgoing.add(outgoing);
    }

    /// Counts items that the processor made.
    pub(crate) fn added(&self, items: usize) {
        self.outgoing.add(items as u64);
    }

    /// Publishes what was counted since the last call.
    pub(crate) fn publish(&self) {
        self.incoming.publish();
        self.outgoing.publish();
    }

    /// Returns the published counters.
    pub(crate) fn items(&self) -> ProcessorItems {
        ProcessorItems {
            incoming: self.incoming.count.clone(),
            outgoing: self.outgoing.count.clone(),
        }
    }
}

counters! {
    /// What the `memory_limiter` of one pipeline did on one shard. What it
    /// refuses never enters the pipeline.
    pub(crate) struct LimiterStats ["processor"] {
        /// Items that the memory limiter let pass.
        accepted: "otelcol_processor_memory_limiter_accepted_{items}",
        /// Items refused for want of room.
        refused: "otelcol_processor_memory_limiter_refused_{items}",
    }
}

counters! {
    /// What validating and batching did in one pipeline on one shard.
    pub(crate) struct BatchStats ["processor"] {
        /// Batches sealed because they were large enough.
        size_trigger: "otelcol_processor_batch_batch_size_trigger_send" in "{time}",
        /// Batches sealed because they were old enough.
        timeout_trigger: "otelcol_processor_batch_timeout_trigger_send" in "{time}",
        /// Items dropped for ids of the wrong length or all zero.
        rejected: "wayspan_rejected_{items}",
        /// Strings in which invalid UTF-8 was replaced by U+FFFD.
        utf8_replaced: "wayspan_utf8_replaced_strings",
        /// Bytes of large unknown fields of whole requests, which belong to no item.
        unknown_dropped: "wayspan_unknown_field_bytes_dropped",
    } and {
        /// Items sealed into batches.
        batched: Count,
    }
}

counters! {
    /// How one pipeline fared with its segment log on one shard.
    pub(crate) struct LogUseStats ["pipeline"] {
        /// Items held in memory only, since the segment log did not work or was late.
        unlogged: "wayspan_log_unlogged_{items}",
        /// Times that the segment log took longer than its timeout.
        late: "wayspan_log_late",
    }
}

/// The Collector's buckets for batch sizes in items.
pub(crate) const ITEM_BUCKETS: &[f64] = &[
    10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2e3, 3e3, 4e3, 5e3, 6e3, 7e3, 8e3,
    9e3, 1e4, 2e4, 3e4, 5e4, 1e5,
];

/// Those for sizes in bytes.
pub(crate) const BYTE_BUCKETS: &[f64] = &[
    10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2e3, 3e3, 4e3, 5e3, 6e3, 7e3, 8e3,
    9e3, 1e4, 2e4, 3e4, 5e4, 1e5, 2e5, 3e5, 4e5, 5e5, 6e5, 7e5, 8e5, 9e5, 1e6, 2e6, 3e6, 4e6, 5e6,
    6e6, 7e6, 8e6, 9e6,
];

/// The histogram of [`PipelineStats::send_size`].
pub(crate) const BATCH_SEND_SIZE: Metric = Metric::histogram(
    "otelcol_processor_batch_batch_send_size",
    "Items in a sealed batch.",
    &["processor"],
    ITEM_BUCKETS,
)
.in_unit("{unit}");

/// The histogram of [`PipelineStats::send_size_bytes`].
pub(crate) const BATCH_SEND_SIZE_BYTES: Metric = Metric::histogram(
    "otelcol_processor_batch_batch_send_size_bytes",
    "Bytes of a sealed batch.",
    &["processor"],
    BYTE_BUCKETS,
);

/// Counters of one pipeline on one shard.
#[derive(Clone)]
pub(crate) struct PipelineStats {
    /// Items put into batches, for the accounts of the exporters.
    pub(crate) taken: Tally,
    /// The pipeline's `memory_limiter`.
    pub(crate) limiter: LimiterStats,
    /// Validating and batching.
    pub(crate) batch: BatchStats,
    /// The use of the segment log.
    pub(crate) log: LogUseStats,
    /// The number of items in each sealed batch.
    pub(crate) send_size: Histogram,
    /// The number of bytes of each sealed batch.
    pub(crate) send_size_bytes: Histogram,
}

impl fmt::Debug for PipelineStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineStats").finish_non_exhaustive()
    }
}

impl PipelineStats {
    /// Makes counters at zero that record batch sizes into these histograms.
    pub(crate) fn new(send_size: Histogram, send_size_bytes: Histogram) -> Self {
        Self {
            taken: Tally::default(),
            limiter: LimiterStats::default(),
            batch: BatchStats::default(),
            log: LogUseStats::default(),
            send_size,
            send_size_bytes,
        }
    }

    /// Goes on counting where `before` stands, but for the items taken, which accounts
    /// read from both.
    pub(crate) fn succeed(self, before: &Self) -> Self {
        Self {
            limiter: before.limiter.clone(),
            batch: before.batch.clone(),
            log: before.log.clone(),
            ..self
        }
    }

    /// Counts a sealed batch; `by_size` says whether a limit sealed it rather
    /// than its age.
    pub(crate) fn batch_sealed(&self, by_size: bool, items: u32, bytes: usize) {
        self.batch.batched.add(u64::from(items));
        self.send_size.record(f64::from(items));
        self.send_size_bytes.record(bytes as f64);
        if by_size {
            &self.batch.size_trigger
        } else {
            &self.batch.timeout_trigger
        }
        .add(1);
    }
}
