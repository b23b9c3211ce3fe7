/*! stub; lead owns. Counters with one writer per shard, summed when scraped. */
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A counter with one writer: adding is a load and a store, not a locked add.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// Adds `n`. Only the owning thread may call this.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// The value so far; any thread.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one listener on one shard.
#[derive(Clone, Debug, Default)]
pub struct ReceiverStats {
    /// Spans taken (`otelcol_receiver_accepted_spans`).
    pub accepted_spans: Count,
    /// Spans refused because there was no room or the request was bad, where
    /// they could be counted (`otelcol_receiver_refused_spans`).
    pub refused_spans: Count,
    /// Spans that failed inside wayspan (`otelcol_receiver_failed_spans`).
    pub failed_spans: Count,
    /// Requests refused, by any cause (`wayspan_receiver_refused_requests`).
    pub refused_requests: Count,
    /// Requests answered with success (`wayspan_receiver_requests`).
    pub requests: Count,
}

/// Counters of one exporter. All its tasks run on one thread.
#[derive(Clone, Debug, Default)]
pub struct ExporterStats {
    /// Spans the backend took (`otelcol_exporter_sent_spans`).
    pub sent_spans: Count,
    /// Spans given up on (`otelcol_exporter_send_failed_spans`).
    pub send_failed_spans: Count,
    /// Spans the backend rejected by partial success (`wayspan_exporter_rejected_spans`).
    pub rejected_spans: Count,
    /// Requests sent again (`wayspan_exporter_retries`).
    pub retries: Count,
    /// Requests in flight now (`otelcol_exporter_in_flight_requests`): started minus ended.
    pub requests_started: Count,
    /// See `requests_started`.
    pub requests_ended: Count,
}
