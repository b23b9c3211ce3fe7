/*!
What one exporter has to fetch from the segment log, because it was not kept in
memory: per lane, from where on.

A lane is *behind* from the first batch that was left to the log. From then on
every further batch of it is left there too, so that the oldest goes first,
until the reader has come to the end of what is sealed. Whether a batch is
handed over in memory or left, and whether the reader has caught up, are decided
under one lock, once a batch; nothing falls between.
*/

use crate::queue::log::{LaneId, Log, Seq};
use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One exporter's view of a log.
#[derive(Debug)]
pub struct LogCursor {
    log: Log,
    /// Its index among the log's exporters.
    exporter: usize,
    lanes: Mutex<Vec<Behind>>,
}

#[derive(Debug)]
struct Behind {
    lane: LaneId,
    /// The first record to fetch.
    next: Seq,
    /// The end of what may be fetched: of the last batch that was left.
    end: Seq,
    /// Spans left and not fetched.
    spans: u64,
    /// Of an earlier run: older than all of this one.
    old: bool,
}

/// Records to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Of this lane.
    pub(crate) lane: LaneId,
    /// These, all of them decided.
    pub(crate) records: Range<Seq>,
}

impl LogCursor {
    /// The view of `log`'s exporter number `exporter`, with nothing to fetch.
    pub(crate) fn new(log: Log, exporter: usize) -> Self {
        Self {
            log,
            exporter,
            lanes: Mutex::default(),
        }
    }

    /// Returns true if it is a view of the same log for the same exporter.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.exporter == other.exporter && self.log.is(&other.log)
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Behind>> {
        // Steps are whole: see the account's lock.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Hands a batch over by `push`, unless its lane is behind; else, or if
    /// `push` refuses, leaves its records to the log. False: it was left.
    pub(crate) fn offer(
        &self,
        lane: LaneId,
        records: &Range<Seq>,
        spans: u32,
        push: impl FnOnce() -> bool,
    ) -> bool {
        let mut lanes = self.lanes();
        let behind = lanes.iter_mut().find(|behind| behind.lane == lane);
        match behind {
            Some(behind) => {
                behind.end = records.end;
                behind.spans += u64::from(spans);
                false
            }
            None if push() => true,
            None => {
                lanes.push(Behind {
                    lane,
                    next: records.start,
                    end: records.end,
                    spans: u64::from(spans),
                    old: false,
                });
                false
            }
        }
    }

    /// Whether a batch of this lane would have to be left.
    pub(crate) fn is_behind(&self, lane: LaneId) -> bool {
        self.lanes().iter().any(|behind| behind.lane == lane)
    }

    /// Adds what an earlier run has left of a lane, in front of this run's.
    pub(crate) fn recover(&self, lane: LaneId, records: Range<Seq>, spans: u64) {
        let mut lanes = self.lanes();
        let at = lanes.iter().position(|b| !b.old || b.lane > lane);
        let at = at.unwrap_or(lanes.len());
        lanes.insert(
            at,
            Behind {
                lane,
                next: records.start,
                end: records.end,
                spans,
                old: true,
            },
        );
    }

    /// What is to be fetched next: of earlier runs first, then of the lanes in
    /// turn.
    pub(crate) fn due(&self) -> Option<Due> {
        let lanes = self.lanes();
        let behind = lanes.first()?;
        // Records settled already, of batches that were sent out of order, are
        // not sent twice.
        let wanted = behind.next..behind.end;
        let records = (self.log.unsettled(self.exporter, behind.lane, wanted.start))
            .map(|open| open.start.max(wanted.start)..open.end.min(wanted.end))
            .filter(|open| open.start < open.end)
            .unwrap_or(wanted.end..wanted.end);
        Some(Due {
            lane: behind.lane,
            records,
        })
    }

    /// `due` was fetched up to `next`, and had `spans`. Returns the spans that
    /// were left and cannot be read, once the lane has caught up.
    pub(crate) fn fetched(&self, lane: LaneId, next: Seq, spans: u64) -> u64 {
        let mut lanes = self.lanes();
        let Some(at) = lanes.iter().position(|behind| behind.lane == lane) else {
            return 0;
        };
        let behind = &mut lanes[at];
        behind.next = next.max(behind.next);
        behind.spans = behind.spans.saturating_sub(spans);
        if behind.next < behind.end {
            if !behind.old {
                lanes[at..].rotate_left(1);
            }
            return 0;
        }
        lanes.remove(at).spans
    }

    /// The exporter is done with these records.
    pub(crate) fn settle(&self, lane: LaneId, records: Range<Seq>) {
        self.log.settle(self.exporter, lane, records);
    }
}
