/*!
The writing end of a lane: records are encoded here, on the shard's thread, and
go to the log thread as one message per hand-over.
*/

use super::{
    LaneId, Seq,
    format::{MAX_PAYLOAD, RECORD_HEADER, RecordHeader, records},
    ranges::Ranges,
    status::{Meters, add},
    thread::Message,
};
use crossbeam_queue::ArrayQueue;
use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::Sender,
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
pub struct Shared {
    pub id: LaneId,
    decided: AtomicU64,
    undecided_bytes: AtomicUsize,
    /// Records from here on have not failed, so nothing need be looked up.
    failed_end: AtomicU64,
    failed: Mutex<Failed>,
    spare: ArrayQueue<Vec<u8>>,
    notify: Arc<Notify>,
    meters: Arc<Meters>,
}

#[derive(Debug, Default)]
struct Failed {
    ranges: Ranges,
    /// What failed below this is forgotten.
    forgotten: Seq,
}

impl Shared {
    pub fn new(id: LaneId, notify: Arc<Notify>, meters: Arc<Meters>) -> Self {
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

    fn fail(&self, range: Range<Seq>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        self.failed_end.fetch_max(range.end, Ordering::Release);
        failed.ranges.insert(range);
        while failed.ranges.len() > FAILED {
            if let Some(first) = failed.ranges.pop_first() {
                failed.forgotten = first.end;
            }
        }
    }

    /// What failed of `range`.
    pub fn failed(&self, range: Range<Seq>) -> Vec<Range<Seq>> {
        if range.start >= self.failed_end.load(Ordering::Acquire) {
            return vec![];
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.ranges.within(range).collect()
    }

    pub fn holds(&self, range: Range<Seq>) -> bool {
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
pub struct Commit {
    pub lane: Arc<Shared>,
    /// Encoded records.
    pub bytes: Vec<u8>,
    /// Their numbers; a number may have no record.
    pub records: Range<Seq>,
    decided: bool,
}

impl Commit {
    /// Tells the lane that what is below `stored` is in the log, and that the
    /// rest is not.
    pub fn decide(mut self, stored: Seq) {
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
                add(&lane.meters.failed_items, header.spans.into());
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
            // None too few are kept already.
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

/// The writing end of a lane. Dropping it hands over what was appended and
/// makes the lane one that nobody writes.
#[derive(Debug)]
pub struct LaneWriter {
    shared: Arc<Shared>,
    messages: Sender<Message>,
    /// Encoded records that were not handed over.
    buffer: Vec<u8>,
    /// How much of the buffer is whole records.
    whole: usize,
    /// The first number that was not handed over.
    first: Seq,
    next: Seq,
}

impl LaneWriter {
    pub(super) fn new(shared: Arc<Shared>, messages: Sender<Message>) -> Self {
        Self {
            shared,
            messages,
            buffer: Vec::new(),
            whole: 0,
            first: 0,
            next: 0,
        }
    }

    /// The lane.
    pub fn id(&self) -> LaneId {
        self.shared.id
    }

    /// Adds a record to what the next [`LaneWriter::hand_over`] gives to the log
    /// thread: `write` appends the payload, at most 1 GiB, to the buffer. Returns
    /// the record's number.
    pub fn append(&mut self, spans: u32, write: impl FnOnce(&mut Vec<u8>)) -> Seq {
        let (lane, seq) = (self.id(), self.next);
        self.next += 1;
        // Nothing is left of a record whose writing panicked.
        self.buffer.truncate(self.whole);
        self.buffer.resize(self.whole + RECORD_HEADER, 0);
        write(&mut self.buffer);
        let record = self.buffer.get_mut(self.whole..).unwrap_or_default();
        match record.split_at_mut_checked(RECORD_HEADER) {
            Some((header, payload)) if payload.len() <= MAX_PAYLOAD => {
                header.copy_from_slice(&RecordHeader::of(payload, seq, spans).bytes(lane));
                self.whole = self.buffer.len();
            }
            _ => {
                add(&self.shared.meters.failed_records, 1);
                add(&self.shared.meters.failed_items, spans.into());
                self.shared.fail(seq..seq + 1);
                self.buffer.truncate(self.whole);
            }
        }
        seq
    }

    /// The number that the next record gets.
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// Whether something was appended and not handed over.
    pub fn pending(&self) -> bool {
        self.next > self.first
    }

    /// Gives everything appended to the log thread, in one message. Never
    /// blocks. Returns the number after the last record.
    pub fn hand_over(&mut self) -> Seq {
        if !self.pending() {
            return self.next;
        }
        let mut bytes = self.shared.spare.pop().unwrap_or_default();
        std::mem::swap(&mut bytes, &mut self.buffer);
        bytes.truncate(self.whole);
        let records = self.first..self.next;
        (self.whole, self.first) = (0, self.next);
        self.shared
            .undecided_bytes
            .fetch_add(bytes.len(), Ordering::Relaxed);
        let commit = Commit {
            lane: Arc::clone(&self.shared),
            bytes,
            records,
            decided: false,
        };
        // Without a log thread the commit comes back, and dropping it fails it.
        let _ = self.messages.send(Message::Commit(commit));
        self.next
    }

    /// Records below this are decided: in the log, or failed.
    pub fn decided(&self) -> Seq {
        self.shared.decided.load(Ordering::Acquire)
    }

    /// Bytes handed over and not yet decided: a slow disk shows here.
    pub fn undecided_bytes(&self) -> usize {
        self.shared.undecided_bytes.load(Ordering::Relaxed)
    }

    /// Whether every record of the range, all of them decided, got into the
    /// log. What failed thousands of failures ago may be taken for failed
    /// together with what lies before it.
    pub fn holds(&self, records: Range<Seq>) -> bool {
        self.shared.holds(records)
    }

    /// Notified, with a permit kept, whenever [`LaneWriter::decided`] moves.
    pub fn notify(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.notify)
    }
}

impl Drop for LaneWriter {
    fn drop(&mut self) {
        self.hand_over();
        let _ = self.messages.send(Message::Ended(self.shared.id));
    }
}
