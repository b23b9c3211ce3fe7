/*! Finding out what a lane of an earlier run has, and where it ends. */

use super::{
    catalog::{ReadMarks, ReadPoint},
    format::RecordHeader,
    ids::{LaneId, Seq},
    ranges::Ranges,
    read::{Seen, count, is_missing, open_walk},
    store::LogStore,
    walk::WalkStep,
};
use std::io;

/// What an old lane has. See [`super::Log::scan`].
#[derive(Debug, Default)]
pub struct LaneScan {
    /// The number after the last record.
    pub end: Seq,
    /// The number of readable records.
    pub records: u64,
    /// For each configured exporter, the items that it is to get and has not
    /// settled.
    pub pending_items: Vec<u64>,
    /// Likewise, the items of damaged records that still say how many they had.
    pub(crate) damaged_items: Vec<u64>,
    /// Places where records were unreadable.
    pub damaged: u64,
    /// Bytes of unfinished writes.
    pub torn_bytes: u64,
    /// A file that could not be read; what it has is not counted.
    pub error: Option<io::Error>,
}

/// See [`super::Log::scan`].
pub(super) fn scan_lane(store: &LogStore, lane: LaneId) -> LaneScan {
    let exporters = store.settings.exporters.len();
    let mut scan = LaneScan {
        pending_items: vec![0; exporters],
        damaged_items: vec![0; exporters],
        ..LaneScan::default()
    };
    let settled: Vec<Option<Ranges>> = match store.catalog().lanes.get(&lane) {
        None => return scan,
        Some(known) => (0..exporters)
            .map(|exporter| {
                let addressed = known.addressed.contains(&exporter);
                let settled = known.settled.get(&exporter).cloned();
                addressed.then(|| settled.unwrap_or_default())
            })
            .collect(),
    };
    let mut next = Some(0);
    while let Some(point) = next.and_then(|from| store.read_point(lane, from)) {
        let whole = ReadPoint {
            mark: None,
            ..point
        };
        scan.end = scan.end.max(whole.first);
        match scan_segment(store, lane, &whole, &settled, &mut scan) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                scan.damaged += u64::from(is_missing(store, lane, &whole));
            }
            Err(error) => scan.error = Some(error),
            Ok(()) => {}
        }
        next = whole.next;
    }
    if let Some(known) = store.catalog().lanes.get_mut(&lane)
        && !known.live
        && scan.error.is_none()
    {
        known.end = Some(known.end.unwrap_or(0).max(scan.end));
    }
    scan
}

fn scan_segment(
    store: &LogStore,
    lane: LaneId,
    point: &ReadPoint,
    settled: &[Option<Ranges>],
    scan: &mut LaneScan,
) -> io::Result<()> {
    let mut walk = open_walk(store, lane, point)?;
    let mut seen = Seen::default();
    let mut marks = ReadMarks::default();
    let ended = loop {
        match walk.step() {
            Err(error) => break Err(error),
            Ok(WalkStep::End { torn }) => {
                seen.torn = torn;
                break Ok(());
            }
            Ok(WalkStep::Damage { at }) => seen.damages.push(at),
            Ok(WalkStep::Record(header)) => {
                let at = walk.at();
                match walk.payload(&header) {
                    Err(error) => break Err(error),
                    Ok(None) => {
                        seen.damages.push(at);
                        add_unsettled(&header, settled, &mut scan.damaged_items);
                    }
                    Ok(Some(_)) => {
                        scan.records += 1;
                        add_unsettled(&header, settled, &mut scan.pending_items);
                    }
                }
                scan.end = scan.end.max(header.seq + 1);
                marks.add(header.seq, at);
            }
        }
    };
    scan.damaged += seen.damages.len() as u64;
    scan.torn_bytes += seen.torn;
    count(store, lane, point.first, &walk, &seen);
    store.note(lane, point.first, |segment| segment.marks.extend(&marks));
    ended
}

/// Adds a record's items for each exporter that is to get and has not settled it.
fn add_unsettled(header: &RecordHeader, settled: &[Option<Ranges>], items: &mut [u64]) {
    for (items, settled) in items.iter_mut().zip(settled) {
        let done = header.seq..header.seq + 1;
        if settled
            .as_ref()
            .is_some_and(|settled| !settled.covers(done))
        {
            *items = items.saturating_add(header.items.into());
        }
    }
}
