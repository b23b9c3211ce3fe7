/*!
What is in the directory: lanes, their segments, and who has settled what.

One lock guards it, held for a look-up or a note and never while a file is
touched. The log thread alone adds and removes segments.
*/

use super::{
    commit::LaneState,
    ids::{LaneId, Seq},
    ranges::Ranges,
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// A place to start reading is remembered about every so many bytes.
const MARK: u64 = 256 << 10;

/// All lanes that are known.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(crate) lanes: BTreeMap<LaneId, KnownLane>,
}

/// What is known of a lane.
#[derive(Debug, Default)]
pub(super) struct KnownLane {
    /// By the number of the first record.
    pub(crate) segments: BTreeMap<Seq, KnownSegment>,
    /// The configured exporters that are to get its records, as indexes.
    pub(crate) addressed: Vec<usize>,
    /// The ids of those that are not configured any more.
    pub(crate) others: Vec<String>,
    /// What each configured exporter has settled.
    pub(crate) settled: BTreeMap<usize, Ranges>,
    /// The same of exporters that are not configured.
    pub(crate) others_settled: BTreeMap<String, Ranges>,
    /// Records below this are decided; None: an old lane that was not scanned.
    pub(crate) end: Option<Seq>,
    /// True while a writer writes it.
    pub(crate) live: bool,
    /// What its writer knows, in the run that began the lane.
    pub(crate) state: Option<Arc<LaneState>>,
}

/// What is known of a segment's file.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownSegment {
    /// Its length, without what an undone write may have left.
    pub(crate) bytes: u64,
    /// True once nothing is added any more.
    pub(crate) closed: bool,
    /// The number after the last record written to it; None: an old one.
    pub(crate) end: Option<Seq>,
    /// Places to start reading.
    pub(crate) marks: ReadMarks,
    /// Damage before this offset was counted.
    inspected: u64,
    /// True once its unfinished end was counted.
    torn: bool,
}

/// Records and their offsets, in order, [`MARK`] bytes apart or more.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadMarks(Vec<(Seq, u64)>);

/// Where reading begins.
#[derive(Clone, Debug)]
pub(super) struct ReadPoint {
    pub(crate) first: Seq,
    pub(crate) bytes: u64,
    /// A record's number and offset at or before what is asked for.
    pub(crate) mark: Option<(Seq, u64)>,
    /// First record of the segment after it.
    pub(crate) next: Option<Seq>,
}

impl Catalog {
    /// Notes a settlement.
    pub(super) fn settle(&mut self, exporter: usize, lane: LaneId, records: Range<Seq>) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.settled.entry(exporter).or_default().insert(records);
        }
    }

    /// See [`super::Log::unsettled`].
    pub(super) fn unsettled(&self, exporter: usize, lane: LaneId, from: Seq) -> Option<Range<Seq>> {
        let lane = self.lanes.get(&lane)?;
        if !lane.addressed.contains(&exporter) {
            return None;
        }
        let none = Ranges::default();
        let settled = lane.settled.get(&exporter).unwrap_or(&none);
        lane.segments.iter().find_map(|(&first, _)| {
            let end = lane.end_of(first).unwrap_or(Seq::MAX);
            let start = settled.next_missing(from.max(first));
            let end = settled.next_present(start).unwrap_or(end).min(end);
            (start < end).then_some(start..end)
        })
    }

    /// Finds where to read the record `from`, or the first after it.
    pub(super) fn read_point(&self, lane: LaneId, from: Seq) -> Option<ReadPoint> {
        let lane = self.lanes.get(&lane)?;
        let (&first, segment) = match lane.segments.range(..=from).next_back() {
            Some(found) if lane.end_of(*found.0).is_none_or(|end| end > from) => found,
            _ => lane.segments.range(from..).next()?,
        };
        Some(ReadPoint {
            first,
            bytes: segment.bytes,
            mark: segment.marks.before(from),
            next: lane.segments.range(first + 1..).next().map(|(&seq, _)| seq),
        })
    }

    /// Notes what a walk over a segment saw up to the offset `at`, and says how
    /// much of it is news: damages and unfinished writes.
    pub(super) fn inspected(
        &mut self,
        lane: LaneId,
        first: Seq,
        at: u64,
        damages: &[u64],
        torn: bool,
    ) -> (u64, u64) {
        let segment = self.lanes.get_mut(&lane);
        let Some(segment) = segment.and_then(|lane| lane.segments.get_mut(&first)) else {
            return (0, 0);
        };
        let seen = segment.inspected;
        segment.inspected = seen.max(at);
        let news = damages.iter().filter(|at| **at >= seen).count() as u64;
        let new_torn = torn && !segment.torn;
        segment.torn |= torn;
        (news, u64::from(new_torn))
    }

    /// Takes out the closed segments with any of `records` that no exporter needs
    /// any more; returns their first records and lengths.
    pub(super) fn take_settled(&mut self, id: LaneId, records: Range<Seq>) -> Vec<(Seq, u64)> {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return vec![];
        };
        // Nobody configured is to get it, but somebody was.
        if lane.addressed.is_empty() && !lane.others.is_empty() {
            return vec![];
        }
        let done: Vec<Seq> = lane
            .segments
            .range(..records.end)
            .rev()
            .map(|(&first, segment)| (first, segment, segment.end.or(lane.end_of(first))))
            .take_while(|(_, _, end)| end.is_none_or(|end| end >= records.start))
            .filter(|(first, segment, end)| {
                segment.closed && end.is_some_and(|end| lane.is_settled(*first..end))
            })
            .map(|(first, ..)| first)
            .collect();
        let taken = done
            .into_iter()
            .filter_map(|first| Some((first, lane.segments.remove(&first)?.bytes)))
            .collect();
        if lane.segments.is_empty() && !lane.live {
            self.lanes.remove(&id);
        }
        taken
    }
}

impl KnownLane {
    /// Returns true if every exporter that is to get these records has settled them.
    pub(super) fn is_settled(&self, records: Range<Seq>) -> bool {
        self.addressed.iter().all(|exporter| {
            let settled = self.settled.get(exporter);
            settled.map_or(records.is_empty(), |settled| {
                settled.covers(records.clone())
            })
        })
    }

    /// The number after the last record of the segment that starts with
    /// `first`; None if that is not known.
    fn end_of(&self, first: Seq) -> Option<Seq> {
        match self.segments.range(first + 1..).next() {
            Some((&next, _)) => Some(next),
            None => self.end.map(|end| end.max(first)),
        }
    }

    /// Returns the length of all segments together.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }
}

impl KnownSegment {
    /// Makes the entry of a segment of an earlier run.
    pub(super) fn old(bytes: u64) -> Self {
        Self {
            bytes,
            closed: true,
            ..Self::default()
        }
    }

    /// Makes the entry of a segment with no record yet.
    pub(super) fn begun(bytes: u64, first: Seq) -> Self {
        Self {
            bytes,
            end: Some(first),
            ..Self::default()
        }
    }
}

impl ReadMarks {
    /// Remembers where a record starts, if that is far enough from the last.
    pub(super) fn add(&mut self, seq: Seq, offset: u64) {
        let far = |&(last, at): &(Seq, u64)| seq > last && offset >= at + MARK;
        if self.0.last().is_none_or(far) {
            self.0.push((seq, offset));
        }
    }

    /// Adds those of another.
    pub(super) fn extend(&mut self, more: &Self) {
        for &(seq, offset) in &more.0 {
            self.add(seq, offset);
        }
    }

    /// Returns the last one at or before a record.
    fn before(&self, seq: Seq) -> Option<(Seq, u64)> {
        let after = self.0.partition_point(|(marked, _)| *marked <= seq);
        self.0.get(after.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn marks_are_few_and_lie_before_what_is_asked_for() {
        let mut marks = ReadMarks::default();
        for seq in 0..1000u64 {
            marks.add(seq, 100 + seq * 10_000);
        }
        assert_eq!(marks.0.len(), 38);
        for seq in 0..1000 {
            let (before, offset) = marks.before(seq).unwrap();
            assert!(before <= seq && seq - before < 27);
            assert_eq!(offset, 100 + before * 10_000);
        }
        let mut same = marks.clone();
        same.extend(&marks);
        assert_eq!(same.0, marks.0);
    }
}
