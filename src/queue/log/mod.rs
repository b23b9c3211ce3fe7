/*!
An append-only log of records in segment files, for one pipeline.

It stores payloads before their senders are answered and gives them back, after
a crash too, until every exporter that is to get them has settled them. What a
payload says is not its business.

```text
 shard ── LaneWriter ──┐ commits                        ┌──▶ <lane>-<first>.seg   records
 shard ── LaneWriter ──┼──────────▶ the log thread ─────┼──▶ settled-<n>.log      who has what
 exporter ─ settle ────┘            writes and syncs    └──▶ lock
                                         │ decided
 reader ◀── read, scan ── the files ─────┘ notifies
```

- A **lane** is a sequence of records numbered from 0, written by one
  [`LaneWriter`]. A run begins lanes of its own and never adds to files of
  earlier runs, so whatever a crash has left at their ends stays there.
- A **record** is a payload and the number of its spans. A number whose record
  failed has none; readers step over such gaps.
- A **segment** is a file of a lane: `format` has its bytes. It is
  deleted when it is closed and every exporter that its header names, and that
  is still configured, has settled all its records.
- A commit is **decided** once it is written, and synced as [`Fsync`] says, or
  has failed. While the log is degraded, commits fail without delay: `thread`
  has the rules.
- **Damage** costs the records it hits and no others, and is counted: see `walk`.
- Lost settlements make something be sent twice; nothing makes it lost.
*/

mod catalog;
mod check;
mod format;
mod lane;
mod metrics;
mod open;
mod ranges;
mod read;
mod segment;
mod settled;
mod status;
mod thread;
mod trouble;
mod walk;

pub use check::check_recovery;
pub use lane::LaneWriter;
pub use read::{Read, Scan};
pub use status::{Degraded, LogCounts, LogStatus};
pub use trouble::OpenError;

use catalog::{Catalog, Place};
use status::Meters;
use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime},
};
use thread::Message;
use tokio::sync::Notify;

/// How a log is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds nothing but this log.
    pub directory: PathBuf,
    /// Make the directory if it does not exist.
    pub create_directory: bool,
    /// Of all files. Beyond it commits fail.
    pub max_bytes: u64,
    /// A segment is closed before it gets longer.
    pub segment_bytes: u64,
    /// When data is synced.
    pub fsync: Fsync,
    /// The ids of the exporters, all of which are to get what is stored now.
    pub exporters: Vec<String>,
}

impl Settings {
    /// Bytes of a segment, unless said otherwise.
    pub const SEGMENT_BYTES: u64 = 16 << 20;
}

/// When data is synced to the disk. A crash of the process loses nothing,
/// whichever it is; a crash of the machine may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before a commit is decided: nothing that was decided is lost.
    Always,
    /// At most so long after: as much may be lost.
    Interval(Duration),
    /// When the system sees fit.
    Never,
}

/// The number of a record in its lane.
pub type Seq = u64;

/// The number of a lane. Later lanes have greater ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(u64);

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What an opened log had.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Lanes of earlier runs with something for a configured exporter, the
    /// oldest first.
    pub lanes: Vec<OldLane>,
    /// Lanes that are kept, and count against the size limit, though nobody
    /// gets them. It is for the operator to configure their exporters again or
    /// to delete their files, `<lane>-*.seg`.
    pub orphans: Vec<Orphan>,
    /// Of all segments.
    pub bytes: u64,
    /// Damaged places among the settlements: what they said is sent again.
    pub damaged_settlements: u64,
}

/// A lane of an earlier run. Where it ends tells [`Log::scan`].
#[derive(Clone, Debug)]
pub struct OldLane {
    /// Its number.
    pub id: LaneId,
    /// When its first segment was begun, or 1970 if that is damaged.
    pub created: SystemTime,
    /// Of its segments.
    pub bytes: u64,
    /// For each of [`Settings::exporters`]: from where on it may have something
    /// to get; None if it is to get nothing.
    pub pending: Vec<Option<Seq>>,
    /// Ids of exporters that were to get it too and are not configured. They do
    /// not keep it.
    pub others: Vec<String>,
}

/// A lane that nobody gets.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Its number.
    pub lane: LaneId,
    /// The exporters that were to get it, none of them configured.
    pub exporters: Vec<String>,
    /// Of its segments.
    pub bytes: u64,
    /// Why it cannot be read, if that is why nobody gets it.
    pub unreadable: Option<String>,
}

/// An open log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    store: Arc<Store>,
    messages: Sender<Message>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What readers and the log thread share.
#[derive(Debug)]
struct Store {
    settings: Settings,
    /// Of a segment's header.
    header_length: u64,
    catalog: Mutex<Catalog>,
    meters: Arc<Meters>,
    next_lane: AtomicU64,
}

impl Log {
    /// Opens the log in a directory and starts its thread. Takes milliseconds,
    /// however much is in it.
    ///
    /// # Errors
    ///
    /// The directory is missing, in use by another process, or cannot be read
    /// and written.
    pub fn open(settings: Settings) -> Result<(Self, Recovered), OpenError> {
        Self::open_directory(settings)
    }

    /// Begins a lane, without touching the disk. `notify` is given a permit
    /// whenever a commit of the lane is decided; several lanes of one waiter may
    /// share it.
    pub fn new_lane(&self, notify: Arc<Notify>) -> LaneWriter {
        let id = LaneId(self.store.next_lane.fetch_add(1, Ordering::Relaxed));
        let shared = lane::Shared::new(id, notify, Arc::clone(&self.store.meters));
        let shared = Arc::new(shared);
        let lane = catalog::Lane {
            written: Some(Arc::clone(&shared)),
            addressed: (0..self.store.settings.exporters.len()).collect(),
            end: Some(0),
            live: true,
            ..catalog::Lane::default()
        };
        self.store.catalog().lanes.insert(id, lane);
        LaneWriter::new(shared, self.messages.clone())
    }

    /// Whole records from `from` on and before `end`, verified, whose payloads
    /// sum to at most `max_bytes`, but at least one. Blocks while it reads. Of a
    /// lane that is being written, `end` is at most what is decided; of an old
    /// one it may be anything.
    pub fn read(&self, lane: LaneId, from: Seq, end: Seq, max_bytes: usize) -> Read {
        self.read_records(lane, from, end, max_bytes)
    }

    /// Reads a lane of an earlier run to find out what it has and where it
    /// ends; a lane that is settled to its end is then deleted. Blocks while it
    /// reads.
    pub fn scan(&self, lane: LaneId) -> Scan {
        self.scan_lane(lane)
    }

    /// The next records, from `from` on, that the exporter (an index into
    /// [`Settings::exporters`]) is to get and has not settled. Of an old lane
    /// that was not scanned the end may be [`Seq::MAX`].
    pub fn unsettled(&self, exporter: usize, lane: LaneId, from: Seq) -> Option<Range<Seq>> {
        self.store.catalog().unsettled(exporter, lane, from)
    }

    /// The exporter (an index into [`Settings::exporters`]) is done with these
    /// records. Does not block.
    pub fn settle(&self, exporter: usize, lane: LaneId, records: Range<Seq>) {
        self.store.catalog().settle(exporter, lane, records.clone());
        // Once the log is closed it is a settlement that is lost, no record.
        let _ = self.messages.send(Message::Settled {
            exporter,
            lane,
            records,
        });
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.store.settings.directory
    }

    /// Whether every record of the range is in the log; of a lane of this run
    /// they must be decided.
    pub fn holds(&self, lane: LaneId, records: Range<Seq>) -> bool {
        let catalog = self.store.catalog();
        let written = catalog.lanes.get(&lane).map(|lane| lane.written.clone());
        drop(catalog);
        match written {
            Some(Some(written)) => written.holds(records),
            // Of an earlier run: what is read is there. One that is gone is settled.
            Some(None) | None => true,
        }
    }

    /// How it is.
    pub fn status(&self) -> LogStatus {
        self.store.meters.status()
    }

    /// Whether it stores what it is given.
    pub fn is_healthy(&self) -> bool {
        self.store.meters.is_healthy()
    }

    /// Writes and syncs what was handed over and settled, ends the thread and
    /// lets another process have the directory. What is handed over later fails.
    pub fn close(&self) {
        let (closed, wait) = mpsc::channel();
        if self.messages.send(Message::Close(closed)).is_ok() {
            // An error: the thread is gone, which is as good.
            let _ = wait.recv();
        }
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // It has said why if it panicked.
            let _ = thread.join();
        }
    }
}

impl Store {
    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, lane: LaneId, from: Seq) -> Option<Place> {
        self.catalog().place(lane, from)
    }

    /// The number after a lane's last record, if that is known.
    fn end(&self, lane: LaneId) -> Option<Seq> {
        self.catalog().lanes.get(&lane)?.end
    }

    /// Notes something about a segment.
    fn note(&self, lane: LaneId, first: Seq, note: impl FnOnce(&mut catalog::Segment)) {
        let mut catalog = self.catalog();
        let lane = catalog.lanes.get_mut(&lane);
        if let Some(segment) = lane.and_then(|lane| lane.segments.get_mut(&first)) {
            note(segment);
        }
    }
}
