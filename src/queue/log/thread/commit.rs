/*! Writing what lanes hand over, and notifying them. */

use super::{LogThread, Stopped};
use crate::queue::log::{
    catalog::KnownSegment,
    commit::Commit,
    directory::segment_path,
    format::{SegmentHeader, records},
    ids::{LaneId, Seq},
    segment::OpenSegment,
    settings::SyncPolicy,
    status::add,
    trouble::WriteError,
};
use std::{
    collections::BTreeMap,
    io::IoSlice,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Whole records to be written with one write.
#[derive(Default)]
struct Run<'a> {
    parts: Vec<IoSlice<'a>>,
    bytes: u64,
    start: Seq,
    end: Seq,
}

impl<'a> Run<'a> {
    fn new(start: Seq) -> Self {
        Self {
            start,
            end: start,
            ..Self::default()
        }
    }

    fn add(&mut self, bytes: &'a [u8], end: Seq) {
        if !bytes.is_empty() {
            self.parts.push(IoSlice::new(bytes));
        }
        self.bytes += bytes.len() as u64;
        self.end = end;
    }
}

impl LogThread {
    /// Stores what it can, and notifies every lane.
    pub(super) fn commit(&mut self, commits: BTreeMap<LaneId, Vec<Commit>>) {
        let mut stored: Vec<(LaneId, Vec<Commit>, Seq)> = commits
            .into_iter()
            .map(|(lane, commits)| {
                let stored = self.write(lane, &commits);
                (lane, commits, stored)
            })
            .collect();
        match self.limits.sync {
            SyncPolicy::Always => {
                for (lane, _, stored) in &mut stored {
                    if let Err(Stopped) = self.sync(*lane) {
                        let kept = self.open.get(lane).map_or(0, |segment| segment.end);
                        *stored = (*stored).min(kept);
                        self.abandon(*lane);
                    }
                }
            }
            SyncPolicy::Interval(pause) => {
                let unsynced = self.open.values().any(OpenSegment::is_unsynced);
                if unsynced && self.sync_at.is_none() {
                    self.sync_at = Some(Instant::now() + pause);
                }
            }
            SyncPolicy::Never => {}
        }
        for (lane, commits, stored) in stored {
            self.notify(lane, commits, stored);
        }
    }

    fn notify(&mut self, lane: LaneId, commits: Vec<Commit>, stored: Seq) {
        let Some(end) = commits.last().map(|commit| commit.records.end) else {
            return;
        };
        if let Some(known) = self.store.catalog().lanes.get_mut(&lane) {
            known.end = Some(end);
        }
        let mut failed = vec![];
        for commit in commits {
            let (shared, records) = (Arc::clone(&commit.lane), commit.records.clone());
            commit.decide(stored);
            failed.append(&mut shared.failed(records));
        }
        if failed.is_empty() {
            return;
        }
        let mut catalog = self.store.catalog();
        let everyone = match catalog.lanes.get(&lane) {
            Some(known) => known.addressed.clone(),
            None => return,
        };
        for records in &failed {
            for &exporter in &everyone {
                catalog.settle(exporter, lane, records.clone());
            }
        }
        drop(catalog);
        // In a crash before that is written, readers find no record there.
        self.settlements_incomplete = true;
        for records in failed {
            self.delete_settled(lane, records);
        }
    }

    /// Writes a lane's commits, in order. Returns the number below which they
    /// are written.
    fn write(&mut self, lane: LaneId, commits: &[Commit]) -> Seq {
        let start = commits.first().map_or(0, |commit| commit.records.start);
        let mut run = Run::new(start);
        let mut stored = start;
        let max = self.store.settings.segment_bytes;
        for commit in commits {
            let mut bytes = commit.bytes.as_slice();
            loop {
                let (used, empty) = match self.open.get(&lane) {
                    Some(segment) => (segment.length, segment.is_empty()),
                    None => (self.store.header_length, true),
                };
                let room = max.saturating_sub(used + run.bytes);
                if bytes.len() as u64 <= room {
                    run.add(bytes, commit.records.end);
                    break;
                }
                let whole = records(bytes, lane)
                    .take_while(|(_, end)| *end as u64 <= room)
                    .last();
                let fits = match (whole, run.bytes) {
                    // Larger than a segment: it has one of its own.
                    (None, 0) if empty => match records(bytes, lane).next() {
                        None => return stored,
                        first => first,
                    },
                    (whole, _) => whole,
                };
                if let Some((header, end)) = fits
                    && let Some((taken, rest)) = bytes.split_at_checked(end)
                {
                    run.add(taken, header.seq + 1);
                    bytes = rest;
                }
                let next = run.end;
                match self.write_run(lane, std::mem::replace(&mut run, Run::new(next))) {
                    Ok(()) => stored = next,
                    Err(Stopped) => return stored,
                }
                if let Err(Stopped) = self.roll(lane) {
                    let kept = self.open.get(&lane).map_or(0, |segment| segment.end);
                    self.abandon(lane);
                    return stored.min(kept);
                }
            }
        }
        let end = run.end;
        match self.write_run(lane, run) {
            Ok(()) => end,
            Err(Stopped) => stored,
        }
    }

    fn write_run(&mut self, lane: LaneId, mut run: Run<'_>) -> Result<(), Stopped> {
        if self.trouble.is_some() {
            return Err(Stopped);
        }
        if run.bytes == 0 {
            return Ok(());
        }
        let new = match self.open.contains_key(&lane) {
            true => 0,
            false => self.store.header_length,
        };
        if self.bytes() + run.bytes + new > self.limits.max_bytes {
            let trouble = self.size_limit(run.bytes);
            return Err(self.degrade(trouble));
        }
        if new > 0 {
            self.begin(lane, run.start, run.bytes)?;
        }
        let Some(segment) = self.open.get_mut(&lane) else {
            return Err(Stopped);
        };
        let offset = segment.length;
        if let Err(error) = segment.append(&mut run.parts, run.end) {
            let trouble = WriteError::io(&segment.path, run.bytes)(error);
            if segment.cut().is_err() {
                self.abandon(lane);
            }
            return Err(self.degrade(trouble));
        }
        add(&self.store.meters.bytes, run.bytes);
        let (first, length, end) = (segment.first, segment.length, segment.end);
        self.store.note(lane, first, |segment| {
            segment.bytes = length;
            segment.end = Some(end);
            segment.marks.add(run.start, offset);
        });
        Ok(())
    }

    /// Creates a segment.
    fn begin(&mut self, lane: LaneId, first: Seq, needed: u64) -> Result<(), Stopped> {
        let settings = &self.store.settings;
        let header = SegmentHeader {
            lane,
            first,
            created: unix_millis(SystemTime::now()),
            signal: settings.signal,
            exporters: settings.exporters.clone(),
        };
        let path = segment_path(&settings.directory, lane, first);
        let sync = self.limits.sync != SyncPolicy::Never;
        let segment = match OpenSegment::create(&path, &header, sync) {
            Ok(segment) => segment,
            Err(error) => return Err(self.degrade(WriteError::io(&path, needed)(error))),
        };
        add(&self.store.meters.bytes, segment.length);
        add(&self.store.meters.segments, 1);
        if let Some(lane) = self.store.catalog().lanes.get_mut(&lane) {
            let known = KnownSegment::begun(segment.length, first);
            lane.segments.insert(first, known);
        }
        self.open.insert(lane, segment);
        Ok(())
    }

    /// Closes the lane's segment, so that the next write begins another.
    pub(super) fn roll(&mut self, lane: LaneId) -> Result<(), Stopped> {
        if self.limits.sync != SyncPolicy::Never {
            self.sync(lane)?;
        }
        if let Some(segment) = self.open.remove(&lane) {
            self.store
                .note(lane, segment.first, |segment| segment.closed = true);
            self.delete_settled(lane, segment.first..segment.end);
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, lane: LaneId) -> Result<(), Stopped> {
        let Some(segment) = self.open.get_mut(&lane).filter(|s| s.is_unsynced()) else {
            return Ok(());
        };
        match segment.sync() {
            Ok(()) => {
                add(&self.store.meters.fsyncs, 1);
                Ok(())
            }
            Err(error) => {
                let trouble = WriteError::io(&segment.path, 0)(error);
                if self.limits.sync == SyncPolicy::Always {
                    segment.undo_unsynced();
                }
                Err(self.degrade(trouble))
            }
        }
    }

    /// Closes a segment that is not to be written any more, cut to what counts.
    pub(super) fn abandon(&mut self, lane: LaneId) {
        let Some(segment) = self.open.remove(&lane) else {
            return;
        };
        if segment.cut().is_err() {
            self.uncut.push((segment.path.clone(), segment.length));
        }
        let mut before = segment.length;
        self.store.note(lane, segment.first, |known| {
            before = std::mem::replace(&mut known.bytes, segment.length);
            known.end = Some(segment.end);
            known.closed = true;
        });
        self.uncount(before.saturating_sub(segment.length));
    }
}

/// Milliseconds since 1970.
fn unix_millis(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
