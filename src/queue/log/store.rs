/*! What the log's readers, its writers and its thread share. */

use super::{
    catalog::{Catalog, KnownSegment, ReadPoint},
    ids::{LaneId, Seq},
    settings::LogSettings,
    status::LogMeters,
};
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

/// What readers, writers and the log thread share.
#[derive(Debug)]
pub(super) struct LogStore {
    pub(crate) settings: LogSettings,
    /// The length of a segment's header.
    pub(crate) header_length: u64,
    pub(crate) catalog: Mutex<Catalog>,
    pub(crate) meters: Arc<LogMeters>,
    pub(crate) next_lane: AtomicU64,
}

impl LogStore {
    pub(super) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read_point(&self, lane: LaneId, from: Seq) -> Option<ReadPoint> {
        self.catalog().read_point(lane, from)
    }

    /// Returns the number after a lane's last record, if that is known.
    pub(super) fn end(&self, lane: LaneId) -> Option<Seq> {
        self.catalog().lanes.get(&lane)?.end
    }

    /// Changes what the catalog says of a segment.
    pub(super) fn note(&self, lane: LaneId, first: Seq, note: impl FnOnce(&mut KnownSegment)) {
        let mut catalog = self.catalog();
        let lane = catalog.lanes.get_mut(&lane);
        if let Some(segment) = lane.and_then(|lane| lane.segments.get_mut(&first)) {
            note(segment);
        }
    }

    /// Returns true if every record of the range is in the log; of a lane of
    /// this run they must be decided.
    pub(super) fn holds(&self, lane: LaneId, records: Range<Seq>) -> bool {
        let catalog = self.catalog();
        let state = catalog.lanes.get(&lane).map(|lane| lane.state.clone());
        drop(catalog);
        match state {
            Some(Some(state)) => state.holds(records),
            // Of an earlier run: what is read is there. A lane that is gone is settled.
            Some(None) | None => true,
        }
    }
}
