/*!
A pipeline's way into its segment log, on one shard.

What a turn of the shard's loop added to the open batch becomes one record; a
batch is the records between two seals. A record is never split between batches,
so a batch is in the log or it is not, and an exporter is done with records as
it is with batches.

While the log does not work, or is slow so that much waits for it, nothing is
recorded: the batch then has a gap, counts as held in memory only, and its
senders are not kept waiting for what will not come.
*/

use super::{LogPosition, Logged, Resources, Scopes, SealedBatch, batch::Batch};
use crate::{
    queue::log::{LaneWriter, Log, Seq},
    telemetry::Count,
};

/// Bytes given to the log's thread and not yet written, at which it is too slow:
/// a second at ten times the rate of a large mesh.
const MOST_UNDECIDED: usize = 16 << 20;

/// One shard's lane of a log.
#[derive(Debug)]
pub(crate) struct Recorder {
    log: Log,
    lane: LaneWriter,
    /// The first record of the open batch.
    first: Seq,
    /// The number after the last record that the log's thread was given.
    handed_over: Seq,
    gap: bool,
    /// Spans that were not recorded.
    unlogged: Count,
}

impl Recorder {
    /// Writes to `lane` of `log`.
    pub(crate) fn new(log: Log, lane: LaneWriter, unlogged: Count) -> Self {
        let next = lane.next_seq();
        Self {
            log,
            lane,
            first: next,
            handed_over: next,
            gap: false,
            unlogged,
        }
    }

    /// Whether the log takes records.
    pub(crate) fn works(&self) -> bool {
        self.log.is_healthy() && self.lane.undecided_bytes() < MOST_UNDECIDED
    }

    /// Makes a record of what the open batch has in none.
    pub(crate) fn record(&mut self, batch: &mut Batch, resources: &Resources, scopes: &Scopes) {
        if batch.is_recorded() {
            return;
        }
        let items = batch.unrecorded();
        if !self.works() {
            self.gap = true;
            self.unlogged.add(u64::from(items));
            return batch.skip_record();
        }
        let write = |out: &mut Vec<u8>| batch.record(resources, scopes, out);
        self.lane.append(items, write);
    }

    /// Gives the log's thread all records so far.
    pub(crate) fn hand_over(&mut self) {
        if self.lane.pending() {
            self.handed_over = self.lane.hand_over();
        }
    }

    /// The open batch ends: where it stands.
    pub(crate) fn seal(&mut self) -> LogPosition {
        let next = self.lane.next_seq();
        let records = self.first..next;
        self.first = next;
        LogPosition {
            lane: self.lane.id(),
            records,
            gap: std::mem::take(&mut self.gap),
        }
    }

    /// Whether all records given to the log's thread are written, or never will
    /// be.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.lane.decided() >= self.handed_over
    }

    /// The log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Whether the log has this batch.
    pub(crate) fn logged(&self, batch: &SealedBatch) -> Logged {
        match &batch.position {
            Some(position) if !position.gap => {
                if self.lane.decided() < position.records.end {
                    Logged::Undecided
                } else if self.log.holds(position.lane, position.records.clone()) {
                    Logged::Whole
                } else {
                    Logged::No
                }
            }
            _ => Logged::No,
        }
    }
}
