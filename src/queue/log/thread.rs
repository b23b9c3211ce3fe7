/*!
The log thread: the only one that writes.

It takes all that waits in its channel, writes what each lane has with one
write, syncs as the policy says, and tells each lane. So the more is under way,
the fewer writes and syncs there are per commit.

**A failure** takes back what was not told: the file is cut to its last good
length, the commit and all that follow it in the lane have failed, and the log is
degraded: commits fail at once until a probe, made every second, could be
written. Where syncing failed nobody knows what the disk has: the file is not
written any more. Where cutting failed the file is left behind and cut
before the log is healthy again, so that in a lane no record follows bytes
that were never told.

**Numbers of failed records** have no record, and nobody will settle them, so the
thread does.
*/

use super::{
    Fsync, LaneId, Seq, Store,
    catalog::{self, segment_path},
    format::{SegmentHeader, records},
    lane::Commit,
    segment::Segment,
    settled::{self, Entry},
    status::add,
    trouble::Trouble,
};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, IoSlice, Write},
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

/// Bytes of commits taken at once: what is told waits for all of them.
const GROUP: usize = 8 << 20;

/// A segment all of which is settled is closed, so that it can be deleted,
/// when it is larger than this.
const IDLE: u64 = 1 << 20;

/// Between attempts at what failed, and between syncs of settlements.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes that a probe writes at least and at most.
const PROBE: Range<u64> = 256 << 10..8 << 20;

/// Name of the file that a probe writes.
pub const PROBE_FILE: &str = "probe";

/// What the thread is told.
#[derive(Debug)]
pub enum Message {
    Commit(Commit),
    Settled {
        exporter: usize,
        lane: LaneId,
        records: Range<Seq>,
    },
    /// An old lane's end is known now.
    Scanned(LaneId),
    /// Nobody writes this lane any more.
    Ended(LaneId),
    Close(Sender<()>),
}

/// See the module.
pub struct LogThread {
    store: Arc<Store>,
    messages: Receiver<Message>,
    open: HashMap<LaneId, Segment>,
    settlements: settled::Writer,
    /// Something is settled that the file does not say.
    settlements_incomplete: bool,
    /// The length of the settlements' file that is counted.
    settlements_length: u64,
    /// Segments that could not be deleted, with their lengths.
    doomed: Vec<(PathBuf, u64)>,
    /// Files that could not be cut, with the lengths that count.
    uncut: Vec<(PathBuf, u64)>,
    trouble: Option<(Trouble, Instant)>,
    probe_at: Option<Instant>,
    sync_at: Option<Instant>,
    settlements_sync_at: Option<Instant>,
    /// Settlements could not be written.
    settlements_retry_at: Option<Instant>,
    delete_at: Option<Instant>,
    /// Keeps other processes away for as long as the thread runs.
    _lock: File,
}

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

/// Nothing more can be written; the trouble is told already.
struct Stopped;

impl LogThread {
    pub fn new(
        store: Arc<Store>,
        messages: Receiver<Message>,
        last_settlements: u64,
        lock: File,
    ) -> Self {
        Self {
            settlements: settled::Writer::new(&store.settings.directory, last_settlements),
            store,
            messages,
            open: HashMap::new(),
            settlements_incomplete: false,
            settlements_length: 0,
            doomed: vec![],
            uncut: vec![],
            trouble: None,
            probe_at: None,
            sync_at: None,
            settlements_sync_at: None,
            settlements_retry_at: None,
            delete_at: None,
            _lock: lock,
        }
    }

    /// Works until it is closed, or nobody is left who could tell it anything.
    /// `leftovers`: the lanes, and the bytes of settlements, of earlier runs.
    pub fn run(mut self, leftovers: Vec<LaneId>, settlements: u64) {
        self.settlements_length = settlements;
        for lane in leftovers {
            self.delete_settled(lane, 0..Seq::MAX);
        }
        if settlements > 0 {
            self.save_settlements();
        }
        loop {
            let message = match self.next_deadline() {
                None => self
                    .messages
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self
                    .messages
                    .recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            let closed = match message {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.finish();
                    return;
                }
            };
            if let Some(closed) = closed {
                self.finish();
                // Whoever asked may have gone.
                let _ = closed.send(());
                return;
            }
            self.tick();
        }
    }

    /// Does what a message says, and all those that wait behind it. Returns
    /// whom to tell when the log is closed.
    fn take(&mut self, message: Message) -> Option<Sender<()>> {
        let mut commits: BTreeMap<LaneId, Vec<Commit>> = BTreeMap::new();
        let (mut settled, mut ended, mut bytes, mut closed) = (vec![], vec![], 0, None);
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Commit(commit) => {
                    bytes += commit.bytes.len();
                    commits.entry(commit.lane.id).or_default().push(commit);
                }
                Message::Settled {
                    exporter,
                    lane,
                    records,
                } => {
                    self.note_settled(exporter, lane, records.clone());
                    settled.push((lane, records));
                }
                Message::Scanned(lane) => settled.push((lane, 0..Seq::MAX)),
                Message::Ended(lane) => ended.push(lane),
                Message::Close(reply) => {
                    closed = Some(reply);
                    break;
                }
            }
            next = match bytes < GROUP {
                true => self.messages.try_recv().ok(),
                false => None,
            };
        }
        if !commits.is_empty() {
            self.commit(commits);
        }
        if !settled.is_empty() {
            self.save_settlements();
        }
        for (lane, records) in settled {
            self.close_if_idle(lane);
            self.delete_settled(lane, records);
        }
        for lane in ended {
            self.end_lane(lane);
        }
        closed
    }

    /// Stores what it can, and tells every lane.
    fn commit(&mut self, commits: BTreeMap<LaneId, Vec<Commit>>) {
        let mut stored: Vec<(LaneId, Vec<Commit>, Seq)> = commits
            .into_iter()
            .map(|(lane, commits)| {
                let stored = self.write(lane, &commits);
                (lane, commits, stored)
            })
            .collect();
        match self.store.settings.fsync {
            Fsync::Always => {
                for (lane, _, stored) in &mut stored {
                    if let Err(Stopped) = self.sync(*lane) {
                        let kept = self.open.get(lane).map_or(0, |segment| segment.end);
                        *stored = (*stored).min(kept);
                        self.abandon(*lane);
                    }
                }
            }
            Fsync::Interval(pause) => {
                let unsynced = self.open.values().any(Segment::is_unsynced);
                if unsynced && self.sync_at.is_none() {
                    self.sync_at = Some(Instant::now() + pause);
                }
            }
            Fsync::Never => {}
        }
        for (lane, commits, stored) in stored {
            self.tell(lane, commits, stored);
        }
    }

    fn tell(&mut self, lane: LaneId, commits: Vec<Commit>, stored: Seq) {
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
        let settings = &self.store.settings;
        let new = match self.open.contains_key(&lane) {
            true => 0,
            false => self.store.header_length,
        };
        if self.bytes() + run.bytes + new > settings.max_bytes {
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
            let trouble = Trouble::io(&segment.path, run.bytes)(error);
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
            exporters: settings.exporters.clone(),
        };
        let path = segment_path(&settings.directory, lane, first);
        let sync = settings.fsync != Fsync::Never;
        let segment = match Segment::create(&path, &header, sync) {
            Ok(segment) => segment,
            Err(error) => return Err(self.degrade(Trouble::io(&path, needed)(error))),
        };
        add(&self.store.meters.bytes, segment.length);
        add(&self.store.meters.segments, 1);
        if let Some(lane) = self.store.catalog().lanes.get_mut(&lane) {
            let known = catalog::Segment::begun(segment.length, first);
            lane.segments.insert(first, known);
        }
        self.open.insert(lane, segment);
        Ok(())
    }

    /// Closes the lane's segment, so that the next write begins another.
    fn roll(&mut self, lane: LaneId) -> Result<(), Stopped> {
        if self.store.settings.fsync != Fsync::Never {
            self.sync(lane)?;
        }
        if let Some(segment) = self.open.remove(&lane) {
            self.store
                .note(lane, segment.first, |segment| segment.closed = true);
            self.delete_settled(lane, segment.first..segment.end);
        }
        Ok(())
    }

    fn sync(&mut self, lane: LaneId) -> Result<(), Stopped> {
        let Some(segment) = self.open.get_mut(&lane).filter(|s| s.is_unsynced()) else {
            return Ok(());
        };
        match segment.sync() {
            Ok(()) => {
                add(&self.store.meters.fsyncs, 1);
                Ok(())
            }
            Err(error) => {
                let trouble = Trouble::io(&segment.path, 0)(error);
                if self.store.settings.fsync == Fsync::Always {
                    segment.undo_unsynced();
                }
                Err(self.degrade(trouble))
            }
        }
    }

    /// Closes a segment that is not to be written any more, cut to what counts.
    fn abandon(&mut self, lane: LaneId) {
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

    /// A segment that is done with, and large, is closed before it is full.
    fn close_if_idle(&mut self, lane: LaneId) {
        let idle = self.open.get(&lane).is_some_and(|segment| {
            segment.length > IDLE
                && self.store.catalog().lanes.get(&lane).is_some_and(|lane| {
                    !lane.addressed.is_empty() && lane.is_settled(segment.first..segment.end)
                })
        });
        if idle && self.trouble.is_none() && self.roll(lane).is_err() {
            self.abandon(lane);
        }
    }

    fn end_lane(&mut self, lane: LaneId) {
        if let Some(known) = self.store.catalog().lanes.get_mut(&lane) {
            known.live = false;
        }
        if self.roll(lane).is_err() {
            self.abandon(lane);
        }
        self.delete_settled(lane, 0..Seq::MAX);
    }

    fn delete_settled(&mut self, lane: LaneId, records: Range<Seq>) {
        let done = self.store.catalog().take_settled(lane, records);
        for (first, bytes) in done {
            let path = segment_path(&self.store.settings.directory, lane, first);
            self.doomed.push((path, bytes));
            self.delete_at = Some(Instant::now());
        }
        self.delete();
    }

    /// Deletes what is to be deleted; what cannot be is kept for later.
    fn delete(&mut self) {
        if self.delete_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        for (path, bytes) in std::mem::take(&mut self.doomed) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!("cannot delete the segment {}: {error}", path.display());
                    self.doomed.push((path, bytes));
                }
                _ => {
                    self.uncut.retain(|(uncut, _)| *uncut != path);
                    self.uncount(bytes);
                    self.store.meters.segments.fetch_sub(1, Ordering::Relaxed);
                    add(&self.store.meters.deleted_segments, 1);
                }
            }
        }
        self.delete_at = (!self.doomed.is_empty()).then(|| Instant::now() + PAUSE);
    }

    fn note_settled(&mut self, exporter: usize, lane: LaneId, records: Range<Seq>) {
        if let Some(exporter) = self.store.settings.exporters.get(exporter) {
            self.settlements.push(&Entry {
                exporter,
                lane,
                records,
            });
        }
    }

    /// Writes what was settled. What cannot be written is written later: until
    /// then a crash would only make something be sent again.
    fn save_settlements(&mut self) {
        if self
            .settlements_retry_at
            .is_some_and(|at| at > Instant::now())
        {
            self.settlements.forget();
            return;
        }
        let settings = &self.store.settings;
        let saved = match self.settlements.wants_all() {
            true => {
                let all = settled::all(&self.store.catalog(), &settings.exporters);
                if all.is_empty() && self.settlements_length == 0 {
                    self.settlements_retry_at = None;
                    return;
                }
                self.settlements
                    .rewrite(&all, settings.fsync != Fsync::Never)
            }
            false => self.settlements.flush(),
        };
        match saved {
            Ok(()) => {
                self.settlements_retry_at = None;
                let unsynced = self.settlements.is_unsynced() && settings.fsync != Fsync::Never;
                if unsynced && self.settlements_sync_at.is_none() {
                    self.settlements_sync_at = Some(Instant::now() + PAUSE);
                }
                let length = self.settlements.length();
                let before = std::mem::replace(&mut self.settlements_length, length);
                add(&self.store.meters.bytes, length);
                self.uncount(before);
            }
            Err(error) => {
                if self.settlements_retry_at.is_none() {
                    tracing::warn!(
                        "cannot note in {} what was delivered: {error}. A restart would deliver \
                         it again; trying again every second",
                        settings.directory.display()
                    );
                }
                self.settlements.forget();
                self.settlements_retry_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    /// Writes all that is known if the file lacks something.
    fn complete_settlements(&mut self) {
        if std::mem::take(&mut self.settlements_incomplete) {
            self.settlements.forget();
            self.save_settlements();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        [
            self.probe_at,
            self.sync_at,
            self.settlements_sync_at,
            self.settlements_retry_at,
            self.delete_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    fn tick(&mut self) {
        let now = Instant::now();
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.sync_at) {
            self.sync_all();
        }
        if due(&mut self.settlements_sync_at) {
            match self.settlements.sync() {
                Ok(()) => add(&self.store.meters.fsyncs, 1),
                Err(_) => {
                    self.settlements.forget();
                    self.settlements_retry_at = Some(now + PAUSE);
                }
            }
        }
        if self.settlements_retry_at.is_some_and(|at| at <= now) {
            self.save_settlements();
        }
        self.delete();
        if due(&mut self.probe_at) {
            self.probe();
        }
    }

    fn sync_all(&mut self) {
        let lanes: Vec<_> = self.open.keys().copied().collect();
        for lane in lanes {
            if self.sync(lane).is_err() {
                self.abandon(lane);
            }
        }
    }

    fn degrade(&mut self, trouble: Trouble) -> Stopped {
        let since = match &self.trouble {
            Some((known, _)) if known.reason() == trouble.reason() => return Stopped,
            Some((_, since)) => *since,
            None => Instant::now(),
        };
        tracing::error!("{trouble}. Meanwhile nothing is stored; trying again every second");
        self.store.meters.degrade(trouble.reason(), since);
        self.trouble = Some((trouble, since));
        self.probe_at = Some(Instant::now() + PAUSE);
        Stopped
    }

    /// Sees whether it can write again.
    fn probe(&mut self) {
        let Some((trouble, since)) = &self.trouble else {
            return;
        };
        let (needed, since) = (trouble.needed(), *since);
        let settings = &self.store.settings;
        // What would never fit is not waited for.
        let room = needed.max(PROBE.start).min(settings.max_bytes / 2);
        let result = match self.bytes() + room > settings.max_bytes {
            true => Err(self.size_limit(needed)),
            false => self.try_to_write(needed),
        };
        match result {
            Ok(()) => {
                self.trouble = None;
                self.store.meters.heal();
                self.complete_settlements();
                tracing::info!(
                    "the segment log {} stores again, after {} s",
                    self.store.settings.directory.display(),
                    since.elapsed().as_secs()
                );
            }
            Err(trouble) => {
                self.degrade(trouble);
                self.probe_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn try_to_write(&mut self, needed: u64) -> Result<(), Trouble> {
        let directory = &self.store.settings.directory;
        let path = directory.join(PROBE_FILE);
        let bytes = vec![0x55; needed.clamp(PROBE.start, PROBE.end) as usize];
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_data()
        });
        let removed = fs::remove_file(&path);
        written
            .and(removed)
            .map_err(Trouble::io(directory, needed))?;
        while let Some((path, length)) = self.uncut.last() {
            File::options()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(*length))
                .or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })
                .map_err(Trouble::io(path, needed))?;
            self.uncut.pop();
        }
        Ok(())
    }

    fn size_limit(&self, needed: u64) -> Trouble {
        Trouble::SizeLimit {
            directory: self.store.settings.directory.clone(),
            max_bytes: self.store.settings.max_bytes,
            needed,
        }
    }

    fn bytes(&self) -> u64 {
        self.store.meters.bytes.load(Ordering::Relaxed)
    }

    fn uncount(&self, bytes: u64) {
        self.store.meters.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Leaves all as a later run is to find it.
    fn finish(&mut self) {
        let lanes: Vec<_> = self.open.keys().copied().collect();
        for lane in lanes {
            self.end_lane(lane);
        }
        self.settlements_retry_at = None;
        self.complete_settlements();
        self.save_settlements();
        if self.store.settings.fsync != Fsync::Never {
            // Without it something is sent again after a power failure.
            let _ = self.settlements.sync();
        }
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        if thread::panicking() {
            self.store
                .meters
                .degrade("the log thread failed".to_owned(), Instant::now());
        }
    }
}

/// Milliseconds since 1970.
fn unix_millis(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

#[cfg(test)]
mod tests;
