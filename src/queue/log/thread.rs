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

mod commit;
mod probe;
#[cfg(test)]
mod tests;
mod upkeep;

use super::{
    Fsync, LaneId, Seq, Store, lane::Commit, segment::Segment, settled, status::add,
    trouble::Trouble,
};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Bytes of commits taken at once: what is told waits for all of them.
const GROUP: usize = 8 << 20;

/// Between attempts at what failed, and between syncs of settlements.
const PAUSE: Duration = Duration::from_secs(1);

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

    /// Leaves all as a later run is to find it.
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
