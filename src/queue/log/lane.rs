/*!
The writing end of a lane: records are encoded here, on the shard's thread, and
go to the log thread as one message per hand-over.
*/

use super::{
    commit::{Commit, LaneState, LogMessage},
    format::{MAX_PAYLOAD, RECORD_HEADER, RecordHeader},
    ids::{LaneId, Seq},
    status::add,
};
use crossbeam_channel::Sender;
use std::sync::{Arc, atomic::Ordering};

/// The writing end of a lane. Dropping it hands over what was appended and
/// makes the lane one that nobody writes.
#[derive(Debug)]
pub struct LaneWriter {
    state: Arc<LaneState>,
    messages: Sender<LogMessage>,
    /// Encoded records that were not handed over.
    buffer: Vec<u8>,
    /// How much of the buffer is whole records.
    whole: usize,
    /// The first number that was not handed over.
    first: Seq,
    next: Seq,
}

impl LaneWriter {
    pub(super) fn new(state: Arc<LaneState>, messages: Sender<LogMessage>) -> Self {
        Self {
            state,
            messages,
            buffer: Vec::new(),
            whole: 0,
            first: 0,
            next: 0,
        }
    }

    /// Returns the number of the lane.
    pub fn id(&self) -> LaneId {
        self.state.id
    }

    /// Adds a record to what the next [`LaneWriter::hand_over`] gives to the log
    /// thread: `write` appends the payload, at most 1 GiB, to the buffer. Returns
    /// the record's number.
    pub fn append(&mut self, items: u32, write: impl FnOnce(&mut Vec<u8>)) -> Seq {
        let (lane, seq) = (self.id(), self.next);
        self.next += 1;
        // Nothing is left of a record whose writing panicked.
        self.buffer.truncate(self.whole);
        self.buffer.resize(self.whole + RECORD_HEADER, 0);
        write(&mut self.buffer);
        let record = self.buffer.get_mut(self.whole..).unwrap_or_default();
        match record.split_at_mut_checked(RECORD_HEADER) {
            Some((header, payload)) if payload.len() <= MAX_PAYLOAD => {
                header.copy_from_slice(&RecordHeader::of(payload, seq, items).bytes(lane));
                self.whole = self.buffer.len();
            }
            _ => {
                add(&self.state.meters.failed_records, 1);
                add(&self.state.meters.failed_items, items.into());
                self.state.fail(seq..seq + 1);
                self.buffer.truncate(self.whole);
            }
        }
        seq
    }

    /// Returns the number that the next record gets.
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// Returns true if something was appended and not handed over.
    pub fn pending(&self) -> bool {
        self.next > self.first
    }

    /// Gives everything appended to the log thread, in one message. Never
    /// blocks. Returns the number after the last record.
    pub fn hand_over(&mut self) -> Seq {
        if !self.pending() {
            return self.next;
        }
        let mut bytes = self.state.spare.pop().unwrap_or_default();
        std::mem::swap(&mut bytes, &mut self.buffer);
        bytes.truncate(self.whole);
        let records = self.first..self.next;
        (self.whole, self.first) = (0, self.next);
        self.state
            .undecided_bytes
            .fetch_add(bytes.len(), Ordering::Relaxed);
        let commit = Commit::new(Arc::clone(&self.state), bytes, records);
        // Without a log thread the commit comes back, and dropping it fails it.
        let _ = self.messages.send(LogMessage::Commit(commit));
        self.next
    }

    /// Returns the number below which records are decided: in the log, or
    /// failed. Whoever began the lane is notified when it moves.
    pub fn decided(&self) -> Seq {
        self.state.decided.load(Ordering::Acquire)
    }

    /// Returns the bytes handed over and not yet decided: a slow disk shows here.
    pub fn undecided_bytes(&self) -> usize {
        self.state.undecided_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for LaneWriter {
    fn drop(&mut self) {
        self.hand_over();
        let _ = self.messages.send(LogMessage::Ended(self.state.id));
    }
}
