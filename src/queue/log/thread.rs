/*!
The log thread: the only one that writes.

It takes all that waits in its channel, writes what each lane has with one
write, syncs as the policy says, and notifies each lane. So the more is under way,
the fewer writes and syncs there are per commit.

**A failure** takes back what was not decided: the file is cut to its last good
length, the commit and all that follow it in the lane have failed, and the log is
degraded: commits fail at once until a probe, made every second, could be
written. Where syncing failed nobody knows what the disk has: the file is not
written any more. Where cutting failed the file is left behind and cut
before the log is healthy again, so that in a lane no record follows bytes
that were never decided.

**Numbers of failed records** have no record, and nobody will settle them, so the
thread does.
*/

mod commit;
mod probe;
#[cfg(test)]
mod tests;
mod upkeep;

use super::{
    commit::{Commit, LogMessage},
    ids::{LaneId, Seq},
    segment::OpenSegment,
    settings::{LogLimits, SyncPolicy},
    settled::SettlementWriter,
    status::add,
    store::LogStore,
    trouble::WriteError,
};
use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

/// Bytes of commits taken at once: the lanes are notified after all of them.
const GROUP: usize = 8 << 20;

/// Between attempts at what failed, and between syncs of settlements.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of the log thread.
pub(super) struct LogThread {
    store: Arc<LogStore>,
    messages: Receiver<LogMessage>,
    limits: LogLimits,
    open: HashMap<LaneId, OpenSegment>,
    settlements: SettlementWriter,
    /// True while something is settled that the file does not say.
    settlements_incomplete: bool,
    /// The length of the settlements' file that is counted.
    settlements_length: u64,
    /// Segments that could not be deleted, with their lengths.
    doomed: Vec<(PathBuf, u64)>,
    /// Files that could not be cut, with the lengths that count.
    uncut: Vec<(PathBuf, u64)>,
    trouble: Option<(WriteError, Instant)>,
    probe_at: Option<Instant>,
    sync_at: Option<Instant>,
    settlements_sync_at: Option<Instant>,
    /// Settlements could not be written.
    settlements_retry_at: Option<Instant>,
    delete_at: Option<Instant>,
    /// Keeps other processes away for as long as the thread runs.
    _lock: File,
}

/// Nothing more can be written; the error has been logged.
struct Stopped;

impl LogThread {
    pub(super) fn new(
        store: Arc<LogStore>,
        messages: Receiver<LogMessage>,
        last_settlements: u64,
        lock: File,
    ) -> Self {
        Self {
            settlements: SettlementWriter::new(&store.settings.directory, last_settlements),
            limits: store.settings.limits(),
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

    /// Works until it is closed, or every sender is gone.
    /// `leftovers`: the lanes, and the bytes of settlements, of earlier runs.
    pub(super) fn run(mut self, leftovers: Vec<LaneId>, settlements: u64) {
        self.settlements_length = settlements;
        for lane in leftovers {
            self.delete_settled(lane, 0..Seq::MAX);
        }
        if settlements > 0 {
            self.save_settlements();
        }
        loop {
            let message = match self.next_deadline() {
                None => (self.messages.recv()).map_err(|RecvError| RecvTimeoutError::Disconnected),
                Some(at) => self.messages.recv_deadline(at),
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
    /// where to report that the log is closed.
    fn take(&mut self, message: LogMessage) -> Option<Sender<()>> {
        let mut commits: BTreeMap<LaneId, Vec<Commit>> = BTreeMap::new();
        let (mut settled, mut ended, mut bytes, mut closed) = (vec![], vec![], 0, None);
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                LogMessage::Commit(commit) => {
                    bytes += commit.bytes.len();
                    commits.entry(commit.lane.id).or_default().push(commit);
                }
                LogMessage::Settled {
                    exporter,
                    lane,
                    records,
                } => {
                    self.note_settled(exporter, lane, records.clone());
                    settled.push((lane, records));
                }
                LogMessage::Limit(limits) => self.limits = limits,
                LogMessage::Scanned(lane) => settled.push((lane, 0..Seq::MAX)),
                LogMessage::Ended(lane) => ended.push(lane),
                LogMessage::Close(reply) => {
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

    fn bytes(&self) -> u64 {
        self.store.meters.bytes.load(Ordering::Relaxed)
    }

    fn uncount(&self, bytes: u64) {
        self.store.meters.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Writes everything that a later run is to find.
    fn finish(&mut self) {
        let lanes: Vec<_> = self.open.keys().copied().collect();
        for lane in lanes {
            self.end_lane(lane);
        }
        while self.delete_at.is_some_and(|at| at <= Instant::now()) {
            self.delete();
        }
        self.settlements_retry_at = None;
        self.complete_settlements();
        self.save_settlements();
        if self.limits.sync != SyncPolicy::Never {
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
