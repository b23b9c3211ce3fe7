/*! Counters of the pipeline's parts, each with one writer. */

use metrics::Histogram;
use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// A counter with one writer: adding is a load and a store, not a locked add.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// Adds `n`. Only the owning thread may call this.
    pub fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// The value so far; any thread.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether an exporter fails to deliver, and since when. Written when that
/// changes, by its exporter; any thread may ask.
#[derive(Clone, Debug, Default)]
pub struct Outage(Arc<Mutex<Option<Instant>>>);

impl Outage {
    /// Delivery fails from `at` on.
    pub fn begin(&self, at: Instant) {
        self.lock().get_or_insert(at);
    }

    /// The backend has answered.
    pub fn end(&self) {
        *self.lock() = None;
    }

    /// When the failures since the last success began; None: it delivers, or
    /// has not been asked to.
    pub fn since(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters of one listener on one shard.
#[derive(Clone, Debug, Default)]
pub struct ReceiverStats {
    /// Spans taken (`otelcol_receiver_accepted_spans`).
    pub accepted_spans: Count,
    /// Spans refused: no room, or a fault of their own
    /// (`otelcol_receiver_refused_spans`).
    pub refused_spans: Count,
    /// Spans that failed inside wayspan (`otelcol_receiver_failed_spans`).
    pub failed_spans: Count,
    /// Requests refused, by any cause (`wayspan_receiver_refused_requests`).
    pub refused_requests: Count,
    /// Requests without the credentials that the receiver demands
    /// (`wayspan_receiver_unauthenticated_requests`).
    pub unauthenticated_requests: Count,
    /// Connections that ended before a request, for want of TLS or of trust
    /// (`wayspan_receiver_failed_handshakes`).
    pub failed_handshakes: Count,
    /// Requests answered with success (`wayspan_receiver_requests`).
    pub requests: Count,
    /// Spans made of connections in ztunnel's access log; accepted as others
    /// are (`wayspan_ztunnel_connections`).
    pub connections: Count,
    /// Log records that were no such connections
    /// (`wayspan_logs_ignored_records`).
    pub ignored_logs: Count,
}

/// Counters of one exporter. All its tasks run on one thread.
#[derive(Clone, Debug, Default)]
pub struct ExporterStats {
    /// Spans the backend took (`otelcol_exporter_sent_spans`).
    pub sent_spans: Count,
    /// Spans given up on (`otelcol_exporter_send_failed_spans`).
    pub send_failed_spans: Count,
    /// Spans the backend rejected by partial success
    /// (`wayspan_exporter_rejected_spans`).
    pub rejected_spans: Count,
    /// Requests sent again (`wayspan_exporter_retries`).
    pub retries: Count,
    /// Whether it fails to deliver (`wayspan_exporter_up`, the other way round).
    pub outage: Outage,
    /// Requests begun; less the ended ones, those in flight
    /// (`otelcol_exporter_in_flight_requests`).
    pub requests_started: Count,
    /// See `requests_started`.
    pub requests_ended: Count,
}

/// What went into and came out of one processor on one shard. Spans are
/// counted in plain cells and published once a request.
#[derive(Clone, Debug, Default)]
pub struct ProcessorStats {
    seen: Cell<u64>,
    kept: Cell<u64>,
    /// `otelcol_processor_incoming_items`.
    pub incoming: Count,
    /// `otelcol_processor_outgoing_items`.
    pub outgoing: Count,
    /// What a `mesh` processor counts besides.
    pub mesh: MeshStats,
}

impl ProcessorStats {
    /// Counts one span, and the markers that it was given.
    pub fn saw(&self, kept: bool, markers: usize) {
        self.seen.set(self.seen.get() + 1);
        self.kept
            .set(self.kept.get() + u64::from(kept) + markers as u64);
    }

    /// Publishes what was counted since the last call.
    pub fn flush(&self) {
        self.incoming.add(self.seen.take());
        self.outgoing.add(self.kept.take());
    }
}

/// What one `mesh` processor did on one shard besides naming and tagging.
/// Counted and published as [`ProcessorStats`] are.
#[derive(Clone, Debug, Default)]
pub struct MeshStats {
    new: Cell<[u64; 4]>,
    /// `wayspan_mesh_repairs{repair="status"}`.
    pub status: Count,
    /// `wayspan_mesh_repairs{repair="node_id"}`.
    pub node_id: Count,
    /// `wayspan_mesh_repairs{repair="span_name"}`.
    pub span_name: Count,
    /// `wayspan_mesh_alias_spans`.
    pub alias_spans: Count,
}

impl MeshStats {
    /// Counts what was repaired of a span.
    pub fn repaired(&self, status: bool, node_id: bool, span_name: bool) {
        let mut new = self.new.get();
        for (n, repaired) in new.iter_mut().zip([status, node_id, span_name]) {
            *n += u64::from(repaired);
        }
        self.new.set(new);
    }

    /// Counts one marker.
    pub fn marked(&self) {
        let [status, node_id, span_name, markers] = self.new.get();
        self.new.set([status, node_id, span_name, markers + 1]);
    }

    /// Publishes what was counted since the last call.
    pub fn publish(&self) {
        let new = self.new.take();
        if new == [0; 4] {
            return;
        }
        let counts = [
            &self.status,
            &self.node_id,
            &self.span_name,
            &self.alias_spans,
        ];
        for (count, n) in counts.into_iter().zip(new) {
            count.add(n);
        }
    }
}

/// A count of spans that is published once a request, so that a span costs no
/// store that others see.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    new: Cell<u64>,
    /// What was published.
    pub count: Count,
}

impl Tally {
    /// Counts one.
    pub fn one(&self) {
        self.new.set(self.new.get() + 1);
    }

    /// Publishes what was counted since the last call.
    pub fn publish(&self) {
        self.count.add(self.new.take());
    }
}

/// Counters of one pipeline on one shard.
#[derive(Clone)]
pub struct PipelineStats {
    /// Spans put into batches, for the accounts of the exporters.
    pub taken: Tally,
    /// Spans held in memory only, since the segment log did not take them
    /// (`wayspan_log_unlogged_spans`).
    pub unlogged: Count,
    /// Times that the segment log was late (`wayspan_log_late`).
    pub late: Count,
    /// Strings in which invalid UTF-8 was replaced
    /// (`wayspan_utf8_replaced_strings`).
    pub utf8_replaced: Count,
    /// Spans dropped for a fault of their own (`wayspan_rejected_spans`).
    pub rejected_spans: Count,
    /// Bytes of unknown fields of requests that were not kept
    /// (`wayspan_unknown_field_bytes_dropped`).
    pub unknown_dropped: Count,
    /// Spans the memory limiter let pass
    /// (`otelcol_processor_memory_limiter_accepted_spans`).
    pub limiter_accepted: Count,
    /// Spans refused for want of room
    /// (`otelcol_processor_memory_limiter_refused_spans`).
    pub limiter_refused: Count,
    /// Spans sealed into batches: into and out of the batch processor.
    pub batched: Count,
    /// `otelcol_processor_batch_batch_size_trigger_send`.
    pub size_trigger: Count,
    /// `otelcol_processor_batch_timeout_trigger_send`.
    pub timeout_trigger: Count,
    /// `otelcol_processor_batch_batch_send_size`, in spans.
    pub send_size: Histogram,
    /// `otelcol_processor_batch_batch_send_size_bytes`.
    pub send_size_bytes: Histogram,
}

impl fmt::Debug for PipelineStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineStats").finish_non_exhaustive()
    }
}

impl PipelineStats {
    /// Counters at zero that record batch sizes into these histograms.
    pub fn new(send_size: Histogram, send_size_bytes: Histogram) -> Self {
        Self {
            taken: Tally::default(),
            unlogged: Count::default(),
            late: Count::default(),
            utf8_replaced: Count::default(),
            rejected_spans: Count::default(),
            unknown_dropped: Count::default(),
            limiter_accepted: Count::default(),
            limiter_refused: Count::default(),
            batched: Count::default(),
            size_trigger: Count::default(),
            timeout_trigger: Count::default(),
            send_size,
            send_size_bytes,
        }
    }

    /// Counts a sealed batch; `by_size` says whether a limit sealed it rather
    /// than its age.
    pub fn batch_sealed(&self, by_size: bool, spans: u32, bytes: usize) {
        self.batched.add(u64::from(spans));
        self.send_size.record(f64::from(spans));
        self.send_size_bytes.record(bytes as f64);
        if by_size {
            &self.size_trigger
        } else {
            &self.timeout_trigger
        }
        .add(1);
    }
}
