/*! Reading records, and finding out what an old lane has. */

use super::{
    LaneId, Log, Seq,
    catalog::{Marks, Place, segment_path},
    format::RecordHeader,
    ranges::Ranges,
    status::add,
    thread::Message,
    walk::{Step, Walk},
};
use bytes::Bytes;
use std::io;

/// More than the payloads that is read ahead for headers.
const HEADERS: usize = 64 << 10;

/// What was read. See [`Log::read`].
#[derive(Debug, Default)]
pub struct Read {
    /// Of the records in order, verified. They share a few buffers.
    pub payloads: Vec<Bytes>,
    /// Spans of those.
    pub spans: u64,
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
    pub beyond: Option<Seq>,
}

/// What an old lane has. See [`Log::scan`].
#[derive(Debug, Default)]
pub struct Scan {
    /// The number after the last record.
    pub end: Seq,
    /// Readable records.
    pub records: u64,
    /// For each configured exporter, the spans that it is to get and has not
    /// settled.
    pub pending_spans: Vec<u64>,
    /// Likewise, the spans of damaged records that still say how many they had.
    pub damaged_spans: Vec<u64>,
    /// Places where records were unreadable.
    pub damaged: u64,
    /// Bytes of unfinished writes.
    pub torn_bytes: u64,
    /// A file could not be read: what it has is not counted.
    pub error: Option<io::Error>,
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
struct Seen {
    damages: Vec<u64>,
    torn: u64,
}

impl Log {
    pub(super) fn read_records(&self, lane: LaneId, from: Seq, end: Seq, max_bytes: usize) -> Read {
        let mut read = Read {
            next: from,
            ..Read::default()
        };
        while read.next < end {
            let Some(place) = self.store.place(lane, read.next).filter(|p| p.first < end) else {
                let known = self.store.end(lane).unwrap_or(read.next);
                read.next = read.next.max(known.min(end));
                read.at_end = true;
                return read;
            };
            read.next = read.next.max(place.first);
            match self.read_segment(lane, &place, end, max_bytes, &mut read) {
                Ok(Ended::Full) => return read,
                Ok(Ended::Asked) => read.next = end,
                Ok(Ended::Segment) => self.leave(lane, &place, end, &mut read),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Deleted since by the log, or else by somebody else.
                    if self.is_missing(lane, &place) {
                        read.damaged += 1;
                        self.leave(lane, &place, end, &mut read);
                    }
                }
                Err(error) => {
                    read.error = Some(error);
                    read.beyond = place.next;
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

    /// Whether a segment should have a file. That there is none is counted.
    fn is_missing(&self, lane: LaneId, place: &Place) -> bool {
        let mut catalog = self.store.catalog();
        let known = catalog.lanes.get(&lane);
        let missing = known.is_some_and(|lane| lane.segments.contains_key(&place.first));
        let (damaged, _) = catalog.inspected(lane, place.first, 1, &[0], false);
        add(&self.store.meters.damaged_records, damaged);
        missing
    }

    /// Goes on behind a segment.
    fn leave(&self, lane: LaneId, place: &Place, end: Seq, read: &mut Read) {
        match place.next {
            Some(next) => read.next = read.next.max(next.min(end)),
            None => {
                let known = self.store.end(lane).unwrap_or(read.next);
                read.next = read.next.max(known.min(end));
                read.at_end = true;
            }
        }
    }

    fn read_segment(
        &self,
        lane: LaneId,
        place: &Place,
        end: Seq,
        max_bytes: usize,
        read: &mut Read,
    ) -> io::Result<Ended> {
        let mut walk = self.walk(lane, place)?;
        let mut seen = Seen::default();
        let ended = walk_on(&mut walk, &mut seen, end, max_bytes, read);
        self.count(lane, place.first, &walk, &seen);
        if matches!(ended, Ok(Ended::Full)) {
            let (seq, at) = (read.next, walk.at());
            self.store.note(lane, place.first, |segment| {
                segment.marks.add(seq, at);
            });
        }
        ended
    }

    fn walk(&self, lane: LaneId, place: &Place) -> io::Result<Walk> {
        let path = segment_path(&self.store.settings.directory, lane, place.first);
        let allowed = place.first..place.next.unwrap_or(Seq::MAX);
        let mut walk = Walk::open(&path, lane, place.bytes, allowed)?;
        if let Some((seq, offset)) = place.mark {
            walk.go_to(offset, seq);
        }
        Ok(walk)
    }

    fn count(&self, lane: LaneId, first: Seq, walk: &Walk, seen: &Seen) {
        let mut catalog = self.store.catalog();
        let (damaged, torn) =
            catalog.inspected(lane, first, walk.at(), &seen.damages, seen.torn > 0);
        add(&self.store.meters.damaged_records, damaged);
        add(&self.store.meters.torn_tails, torn);
    }

    pub(super) fn scan_lane(&self, lane: LaneId) -> Scan {
        let exporters = self.store.settings.exporters.len();
        let mut scan = Scan {
            pending_spans: vec![0; exporters],
            damaged_spans: vec![0; exporters],
            ..Scan::default()
        };
        let settled: Vec<Option<Ranges>> = match self.store.catalog().lanes.get(&lane) {
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
        while let Some(place) = next.and_then(|from| self.store.place(lane, from)) {
            let whole = Place {
                mark: None,
                ..place
            };
            scan.end = scan.end.max(whole.first);
            match self.scan_segment(lane, &whole, &settled, &mut scan) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    scan.damaged += u64::from(self.is_missing(lane, &whole));
                }
                Err(error) => scan.error = Some(error),
                Ok(()) => {}
            }
            next = whole.next;
        }
        if let Some(known) = self.store.catalog().lanes.get_mut(&lane)
            && !known.live
            && scan.error.is_none()
        {
            known.end = Some(known.end.unwrap_or(0).max(scan.end));
        }
        // A closed log deletes nothing.
        let _ = self.messages.send(Message::Scanned(lane));
        scan
    }

    fn scan_segment(
        &self,
        lane: LaneId,
        place: &Place,
        settled: &[Option<Ranges>],
        scan: &mut Scan,
    ) -> io::Result<()> {
        let mut walk = self.walk(lane, place)?;
        let mut seen = Seen::default();
        let mut marks = Marks::default();
        let ended = loop {
            match walk.step() {
                Err(error) => break Err(error),
                Ok(Step::End { torn }) => {
                    seen.torn = torn;
                    break Ok(());
                }
                Ok(Step::Damage { at }) => seen.damages.push(at),
                Ok(Step::Record(header)) => {
                    let at = walk.at();
                    match walk.payload(&header) {
                        Err(error) => break Err(error),
                        Ok(None) => {
                            seen.damages.push(at);
                            add_unsettled(&header, settled, &mut scan.damaged_spans);
                        }
                        Ok(Some(_)) => {
                            scan.records += 1;
                            add_unsettled(&header, settled, &mut scan.pending_spans);
                        }
                    }
                    scan.end = scan.end.max(header.seq + 1);
                    marks.add(header.seq, at);
                }
            }
        };
        scan.damaged += seen.damages.len() as u64;
        scan.torn_bytes += seen.torn;
        self.count(lane, place.first, &walk, &seen);
        self.store
            .note(lane, place.first, |segment| segment.marks.extend(&marks));
        ended
    }
}

/// Adds a record's spans for each exporter that is to get and has not settled it.
fn add_unsettled(header: &RecordHeader, settled: &[Option<Ranges>], spans: &mut [u64]) {
    for (spans, settled) in spans.iter_mut().zip(settled) {
        let done = header.seq..header.seq + 1;
        if settled
            .as_ref()
            .is_some_and(|settled| !settled.covers(done))
        {
            *spans = spans.saturating_add(header.spans.into());
        }
    }
}

fn walk_on(
    walk: &mut Walk,
    seen: &mut Seen,
    end: Seq,
    max_bytes: usize,
    read: &mut Read,
) -> io::Result<Ended> {
    // Damage before the first record asked for may be none of its.
    let (from, mut doubtful) = (read.next, 0);
    loop {
        match walk.step()? {
            Step::End { torn } => {
                seen.torn = torn;
                read.damaged += doubtful;
                return Ok(Ended::Segment);
            }
            Step::Damage { at } => {
                seen.damages.push(at);
                doubtful += 1;
            }
            Step::Record(header) if header.seq < from => {
                doubtful = 0;
                walk.skip(&header);
            }
            Step::Record(header) => {
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
                        read.spans += u64::from(header.spans);
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
