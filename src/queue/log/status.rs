/*! How the log is, for health checks and metrics. */

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

/// A snapshot of a log.
#[derive(Clone, Debug, Default)]
pub struct LogStatus {
    /// Why nothing is written, if nothing is.
    pub degraded: Option<Degraded>,
    /// Of all files, in bytes.
    pub bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// What has happened since it was opened.
    pub counts: LogCounts,
}

/// Nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// Why, in a few words.
    pub reason: String,
    /// Since when.
    pub(crate) since: Instant,
}

/// Counters since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Hand-overs that got into the log as a whole.
    pub(crate) commits: u64,
    /// Their bytes, headers included.
    pub(crate) committed_bytes: u64,
    /// Times that a file's data was synced.
    pub fsyncs: u64,
    /// Records that did not get into the log.
    pub failed_records: u64,
    /// Items of those.
    pub failed_items: u64,
    /// Damages found while reading: a record each, or what lies between two
    /// readable ones.
    pub damaged_records: u64,
    /// Segments that ended in an unfinished write.
    pub torn_tails: u64,
    /// Segments deleted because all of it was settled.
    pub deleted_segments: u64,
    /// Damaged places among the settlements; what they said is sent again.
    pub damaged_settlements: u64,
    /// Times that the log became degraded.
    pub degradations: u64,
}

/// The counters as they are kept, each written by few and rarely.
#[derive(Debug, Default)]
pub(super) struct LogMeters {
    pub(crate) bytes: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) committed_bytes: AtomicU64,
    pub(crate) fsyncs: AtomicU64,
    pub(crate) failed_records: AtomicU64,
    pub(crate) failed_items: AtomicU64,
    pub(crate) damaged_records: AtomicU64,
    pub(crate) torn_tails: AtomicU64,
    pub(crate) deleted_segments: AtomicU64,
    pub(crate) damaged_settlements: AtomicU64,
    pub(crate) degradations: AtomicU64,
    degraded: AtomicBool,
    trouble: Mutex<Option<Degraded>>,
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl LogMeters {
    pub(super) fn is_healthy(&self) -> bool {
        !self.degraded.load(Ordering::Acquire)
    }

    pub(super) fn degrade(&self, reason: String, since: Instant) {
        let degraded = Degraded { reason, since };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(degraded);
        if !self.degraded.swap(true, Ordering::AcqRel) {
            add(&self.degradations, 1);
        }
    }

    pub(super) fn heal(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.degraded.store(false, Ordering::Release);
    }

    pub(super) fn status(&self) -> LogStatus {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LogStatus {
            degraded: trouble.clone(),
            bytes: get(&self.bytes),
            segments: get(&self.segments),
            counts: LogCounts {
                commits: get(&self.commits),
                committed_bytes: get(&self.committed_bytes),
                fsyncs: get(&self.fsyncs),
                failed_records: get(&self.failed_records),
                failed_items: get(&self.failed_items),
                damaged_records: get(&self.damaged_records),
                torn_tails: get(&self.torn_tails),
                deleted_segments: get(&self.deleted_segments),
                damaged_settlements: get(&self.damaged_settlements),
                degradations: get(&self.degradations),
            },
        }
    }
}
