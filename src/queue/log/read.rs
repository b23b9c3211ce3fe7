/*!
Reading records of a lane, from one segment into the next, past what is damaged.
*/

use super::{
    catalog::ReadPoint,
    directory::segment_path,
    ids::{LaneId, Seq},
    status::add,
    store::LogStore,
    walk::{SegmentWalk, WalkStep},
};
use bytes::Bytes;
use std::io;

/// More than the payloads that is read ahead for headers.
const HEADERS: usize = 64 << 10;

/// What was read. See [`super::Log::read`].
#[derive(Debug, Default)]
pub struct RecordsRead {
    /// The payloads of the records in order, verified. They share a few buffers.
    pub payloads: Vec<Bytes>,
    /// The number of their items.
    pub items: u64,
    /// Sum of the payloads' lengths.
    pub bytes: usize,
    /// Where to go on. What lies before it was given, or is damaged, or has no
    /// record, so all of it can be settled together.
    pub next: Seq,
    /// There is no record from `next` on, or none before the end asked for.
    pub at_end: bool,
    /// Places where records were unreadable.
    pub damaged: u64,
    /// The file could not be read on from `next`; the payloads are good.
    pub error: Option<io::Error>,
    /// With an error: where the records begin that are in another file, to go
    /// on there when the error stays.
    pub(crate) beyond: Option<Seq>,
}

/// Why reading a segment ended.
enum Ended {
    /// So did the segment.
    Segment,
    /// The record after it is beyond what was asked for.
    Asked,
    /// There is no room for the next record.
    Full,
}

/// What a walk saw, to be counted once.
#[derive(Default)]
pub(super) struct Seen {
    /// Offsets of damaged places.
    pub(crate) damages: Vec<u64>,
    /// Bytes of an unfinished write.
    pub(crate) torn: u64,
}

/// See [`super::Log::read`].
pub(super) fn read_records(
    store: &LogStore,
    lane: LaneId,
    from: Seq,
    end: Seq,
    max_bytes: usize,
) -> RecordsRead {
    let mut read = RecordsRead {
        next: from,
        ..RecordsRead::default()
    };
    while read.next < end {
        let Some(point) = store
            .read_point(lane, read.next)
            .filter(|point| point.first < end)
        else {
            let known = store.end(lane).unwrap_or(read.next);
            read.next = read.next.max(known.min(end));
            read.at_end = true;
            return read;
        };
        read.next = read.next.max(point.first);
        match read_segment(store, lane, &point, end, max_bytes, &mut read) {
            Ok(Ended::Full) => return read,
            Ok(Ended::Asked) => read.next = end,
            Ok(Ended::Segment) => leave(store, lane, &point, end, &mut read),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Deleted since by the log, or else by somebody else.
                if is_missing(store, lane, &point) {
                    read.damaged += 1;
                    leave(store, lane, &point, end, &mut read);
                }
            }
            Err(error) => {
                read.error = Some(error);
                read.beyond = point.next;
                return read;
            }
        }
        if read.at_end {
            return read;
        }
    }
    read.at_end = true;
    read
}

/// Returns true if a segment should have a file. That there is none is counted.
pub(super) fn is_missing(store: &LogStore, lane: LaneId, point: &ReadPoint) -> bool {
    let mut catalog = store.catalog();
    let known = catalog.lanes.get(&lane);
    let missing = known.is_some_and(|lane| lane.segments.contains_key(&point.first));
    let (damaged, _) = catalog.inspected(lane, point.first, 1, &[0], false);
    add(&store.meters.damaged_records, damaged);
    missing
}

/// Goes on behind a segment.
fn leave(store: &LogStore, lane: LaneId, point: &ReadPoint, end: Seq, read: &mut RecordsRead) {
    match point.next {
        Some(next) => read.next = read.next.max(next.min(end)),
        None => {
            let known = store.end(lane).unwrap_or(read.next);
            read.next = read.next.max(known.min(end));
            read.at_end = true;
        }
    }
}

fn read_segment(
    store: &LogStore,
    lane: LaneId,
    point: &ReadPoint,
    end: Seq,
    max_bytes: usize,
    read: &mut RecordsRead,
) -> io::Result<Ended> {
    let mut walk = open_walk(store, lane, point)?;
    let mut seen = Seen::default();
    let ended = walk_on(&mut walk, &mut seen, end, max_bytes, read);
    count(store, lane, point.first, &walk, &seen);
    if matches!(ended, Ok(Ended::Full)) {
        let (seq, at) = (read.next, walk.at());
        store.note(lane, point.first, |segment| {
            segment.marks.add(seq, at);
        });
    }
    ended
}

/// Opens the segment at which reading begins.
pub(super) fn open_walk(
    store: &LogStore,
    lane: LaneId,
    point: &ReadPoint,
) -> io::Result<SegmentWalk> {
    let path = segment_path(&store.settings.directory, lane, point.first);
    let allowed = point.first..point.next.unwrap_or(Seq::MAX);
    let mut walk = SegmentWalk::open(&path, lane, point.bytes, allowed)?;
    if let Some((seq, offset)) = point.mark {
        walk.go_to(offset, seq);
    }
    Ok(walk)
}

/// Counts what a walk saw and no walk before it had seen.
pub(super) fn count(store: &LogStore, lane: LaneId, first: Seq, walk: &SegmentWalk, seen: &Seen) {
    let mut catalog = store.catalog();
    let (damaged, torn) = catalog.inspected(lane, first, walk.at(), &seen.damages, seen.torn > 0);
    add(&store.meters.damaged_records, damaged);
    add(&store.meters.torn_tails, torn);
}

fn walk_on(
    walk: &mut SegmentWalk,
    seen: &mut Seen,
    end: Seq,
    max_bytes: usize,
    read: &mut RecordsRead,
) -> io::Result<Ended> {
    // Damage before the first record asked for may be none of its.
    let (from, mut doubtful) = (read.next, 0);
    loop {
        match walk.step()? {
            WalkStep::End { torn } => {
                seen.torn = torn;
                read.damaged += doubtful;
                return Ok(Ended::Segment);
            }
            WalkStep::Damage { at } => {
                seen.damages.push(at);
                doubtful += 1;
            }
            WalkStep::Record(header) if header.seq < from => {
                doubtful = 0;
                walk.skip(&header);
            }
            WalkStep::Record(header) => {
                if header.seq > from {
                    read.damaged += doubtful;
                }
                doubtful = 0;
                if header.seq >= end {
                    return Ok(Ended::Asked);
                }
                read.next = header.seq;
                let length = header.length as usize;
                let together = read.bytes.saturating_add(length);
                if together > max_bytes && !read.payloads.is_empty() {
                    return Ok(Ended::Full);
                }
                let at = walk.at();
                walk.ahead = max_bytes.saturating_sub(read.bytes).saturating_add(HEADERS);
                match walk.payload(&header)? {
                    Some(payload) => {
                        read.bytes += length;
                        read.items += u64::from(header.items);
                        read.payloads.push(payload);
                    }
                    None => {
                        seen.damages.push(at);
                        read.damaged += 1;
                    }
                }
                read.next = header.seq + 1;
                if read.next >= end {
                    return Ok(Ended::Asked);
                }
            }
        }
    }
}
