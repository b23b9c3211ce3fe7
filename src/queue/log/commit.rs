/*!
What goes from a lane's writer to the log thread, and what comes back: a commit
out, and in the lane's shared state what was decided about it.
*/

use super::{
    format::records,
    ids::{LaneId, Seq},
    ranges::Ranges,
    settings::LogLimits,
    status::{LogMeters, add},
};
use crossbeam_channel::Sender;
use crossbeam_queue::ArrayQueue;
use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// Buffers kept for a lane, and how large one may be to be kept.
const SPARE: usize = 4;
const SPARE_BYTES: usize = 8 << 20;

/// Ranges of failed records that are remembered. While nothing can be written
/// they join to one, and it takes about a second to become another.
const FAILED: usize = 4096;

/// What a lane's writer and the log thread share.
#[derive(Debug)]
pub(super) struct LaneState {
    pub(crate) id: LaneId,
    pub(crate) decided: AtomicU64,
    pub(crate) undecided_bytes: AtomicUsize,
    /// Records from here on have not failed, so nothing need be looked up.
    failed_end: AtomicU64,
    failed: Mutex<FailedRecords>,
    pub(crate) spare: ArrayQueue<Vec<u8>>,
    notify: Arc<Notify>,
    pub(crate) meters: Arc<LogMeters>,
}

#[derive(Debug, Default)]
struct FailedRecords {
    ranges: Ranges,
    /// What failed below this is forgotten.
    forgotten: Seq,
}

impl LaneState {
    pub(super) fn new(id: LaneId, notify: Arc<Notify>, meters: Arc<LogMeters>) -> Self {
        Self {
            id,
            decided: AtomicU64::new(0),
            undecided_bytes: AtomicUsize::new(0),
            failed_end: AtomicU64::new(0),
            failed: Mutex::default(),
            spare: ArrayQueue::new(SPARE),
            notify,
            meters,
        }
    }

    /// Notes that these records failed.
    pub(super) fn fail(&self, range: Range<Seq>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        self.failed_end.fetch_max(range.end, Ordering::Release);
        failed.ranges.insert(range);
        while failed.ranges.len() > FAILED {
            if let Some(first) = failed.ranges.pop_first() {
                failed.forgotten = first.end;
            }
        }
    }

    /// Returns the failed parts of `range`.
    pub(super) fn failed(&self, range: Range<Seq>) -> Vec<Range<Seq>> {
        if range.start >= self.failed_end.load(Ordering::Acquire) {
            return vec![];
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.ranges.within(range).collect()
    }

    /// Returns true if none of `range`, all of it decided, has failed.
    pub(super) fn holds(&self, range: Range<Seq>) -> bool {
        if range.start >= self.failed_end.load(Ordering::Acquire) {
            return true;
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        range.start >= failed.forgotten && !failed.ranges.touches(range)
    }
}

/// Records on their way to the log thread. Dropping one undecided fails it, so
/// that nobody waits for a thread that is gone.
#[derive(Debug)]
pub(super) struct Commit {
    pub(crate) lane: Arc<LaneState>,
    /// Encoded records.
    pub(crate) bytes: Vec<u8>,
    /// Their numbers; a number may have no record.
    pub(crate) records: Range<Seq>,
    decided: bool,
}

impl Commit {
    /// Makes a commit of these records.
    pub(super) fn new(lane: Arc<LaneState>, bytes: Vec<u8>, records: Range<Seq>) -> Self {
        Self {
            lane,
            bytes,
            records,
            decided: false,
        }
    }

    /// Tells the lane that what is below `stored` is in the log, and that the
    /// rest is not.
    pub(super) fn decide(mut self, stored: Seq) {
        self.settle(stored);
    }

    fn settle(&mut self, stored: Seq) {
        if std::mem::replace(&mut self.decided, true) {
            return;
        }
        let lane = &self.lane;
        if stored < self.records.end {
            let start = self.records.start.max(stored);
            lane.fail(start..self.records.end);
            for (header, _) in records(&self.bytes, lane.id).filter(|(h, _)| h.seq >= start) {
                add(&lane.meters.failed_records, 1);
                add(&lane.meters.failed_items, header.items.into());
            }
        } else {
            add(&lane.meters.commits, 1);
            add(&lane.meters.committed_bytes, self.bytes.len() as u64);
        }
        lane.undecided_bytes
            .fetch_sub(self.bytes.len(), Ordering::Relaxed);
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() <= SPARE_BYTES {
            bytes.clear();
            // If the pool is full, the buffer is dropped.
            let _ = lane.spare.push(bytes);
        }
        lane.decided.fetch_max(self.records.end, Ordering::Release);
        lane.notify.notify_one();
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        self.settle(0);
    }
}

/// What the log thread is told.
#[derive(Debug)]
pub(super) enum LogMessage {
    /// Write these records.
    Commit(Commit),
    /// An exporter is done with these records.
    Settled {
        exporter: usize,
        lane: LaneId,
        records: Range<Seq>,
    },
    /// An old lane's end is known now.
    Scanned(LaneId),
    /// Nobody writes this lane any more.
    Ended(LaneId),
    /// From now on these limits hold.
    Limit(LogLimits),
    /// Finish, and say so.
    Close(Sender<()>),
}
