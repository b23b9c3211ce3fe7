/*! The handle by which the rest of wayspan uses a log. */

use super::{
    catalog::KnownLane,
    commit::{LaneState, LogMessage},
    ids::{LaneId, Seq},
    lane::LaneWriter,
    open::open_directory,
    read::{RecordsRead, read_records},
    recovered::Recovered,
    scan::{LaneScan, scan_lane},
    settings::{LogLimits, LogSettings},
    status::LogStatus,
    store::LogStore,
    trouble::LogOpenError,
};
use crossbeam_channel::Sender;
use std::{
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
};
use tokio::sync::Notify;

/// An open log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    store: Arc<LogStore>,
    messages: Sender<LogMessage>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Log {
    /// Opens the log in a directory and starts its thread. Takes milliseconds,
    /// however much is in it.
    ///
    /// # Errors
    ///
    /// The directory is missing, in use by another process, or cannot be read
    /// and written.
    pub fn open(settings: LogSettings) -> Result<(Self, Recovered), LogOpenError> {
        let opened = open_directory(settings)?;
        let log = Self {
            store: opened.store,
            messages: opened.messages,
            thread: Arc::new(Mutex::new(Some(opened.thread))),
        };
        Ok((log, opened.recovered))
    }

    /// Begins a lane, without touching the disk. `notify` is given a permit
    /// whenever a commit of the lane is decided; several lanes of one waiter may
    /// share it.
    pub fn new_lane(&self, notify: Arc<Notify>) -> LaneWriter {
        let id = LaneId(self.store.next_lane.fetch_add(1, Ordering::Relaxed));
        let state = LaneState::new(id, notify, Arc::clone(&self.store.meters));
        let state = Arc::new(state);
        let lane = KnownLane {
            state: Some(Arc::clone(&state)),
            addressed: (0..self.store.settings.exporters.len()).collect(),
            end: Some(0),
            live: true,
            ..KnownLane::default()
        };
        self.store.catalog().lanes.insert(id, lane);
        LaneWriter::new(state, self.messages.clone())
    }

    /// Reads whole records from `from` on and before `end`, verified, whose payloads
    /// sum to at most `max_bytes`, but at least one. Blocks while it reads. Of a
    /// lane that is being written, `end` is at most what is decided; of an old
    /// one it may be anything.
    pub fn read(&self, lane: LaneId, from: Seq, end: Seq, max_bytes: usize) -> RecordsRead {
        read_records(&self.store, lane, from, end, max_bytes)
    }

    /// Reads a lane of an earlier run to find out what it has and where it
    /// ends; a lane that is settled to its end is then deleted. Blocks while it
    /// reads.
    pub fn scan(&self, lane: LaneId) -> LaneScan {
        let scan = scan_lane(&self.store, lane);
        // A closed log deletes nothing.
        let _ = self.messages.send(LogMessage::Scanned(lane));
        scan
    }

    /// Returns the next records, from `from` on, that the exporter (an index into
    /// [`LogSettings::exporters`]) is to get and has not settled. Of an old lane
    /// that was not scanned the end may be [`Seq::MAX`].
    pub fn unsettled(&self, exporter: usize, lane: LaneId, from: Seq) -> Option<Range<Seq>> {
        self.store.catalog().unsettled(exporter, lane, from)
    }

    /// Notes that the exporter (an index into [`LogSettings::exporters`]) is done with these
    /// records. Does not block.
    pub fn settle(&self, exporter: usize, lane: LaneId, records: Range<Seq>) {
        self.store.catalog().settle(exporter, lane, records.clone());
        // Once the log is closed it is a settlement that is lost, no record.
        let _ = self.messages.send(LogMessage::Settled {
            exporter,
            lane,
            records,
        });
    }

    /// Returns true if both are the same open log.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
    }

    /// Sets other limits than it was opened with.
    pub fn limit(&self, limits: LogLimits) {
        // A thread that is gone stores nothing more.
        let _ = self.messages.send(LogMessage::Limit(limits));
    }

    /// Returns what it was opened with.
    pub(crate) fn settings(&self) -> &LogSettings {
        &self.store.settings
    }

    /// Returns the directory of the log.
    pub(crate) fn directory(&self) -> &Path {
        &self.store.settings.directory
    }

    /// Returns true if every record of the range is in the log; of a lane of
    /// this run they must be decided. What failed thousands of failures ago may
    /// be taken for failed together with what lies before it.
    pub fn holds(&self, lane: LaneId, records: Range<Seq>) -> bool {
        self.store.holds(lane, records)
    }

    /// Returns how the log fares.
    pub fn status(&self) -> LogStatus {
        self.store.meters.status()
    }

    /// Returns true if the log stores what it is given.
    pub fn is_healthy(&self) -> bool {
        self.store.meters.is_healthy()
    }

    /// Writes and syncs what was handed over and settled, ends the thread and
    /// lets another process have the directory. What is handed over later fails.
    pub fn close(&self) {
        let (closed, wait) = crossbeam_channel::bounded(1);
        if self.messages.send(LogMessage::Close(closed)).is_ok() {
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
