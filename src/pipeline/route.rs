/*!
The way of one pipeline's batches to one exporter: its share of the memory, its
part of the segment log, its account.

Without a log a batch waits in the exporter's queue, as far as the route's share
of the memory goes. With one it is handed over in memory only while few wait, and
is otherwise left to the log, from where [`Route::feed`] fetches it in time. So a
backend that is away costs disk and a bounded amount of memory, and routes do
not take each other's.
*/

use super::{
    LogPosition, SealedBatch, Undelivered,
    account::{Account, DropReason},
    log_cursor::LogCursor,
};
use crate::{
    pdata::Signal,
    queue::{Budget, Full, QueueEntry, SizedQueue},
};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, task::spawn_blocking, time::sleep};

/// How much is fetched from the log at once: a batch's worth.
const FETCH: usize = 3 << 20;

/// Bytes that a route with a log keeps in memory: what an exporter sends in
/// some tenths of a second. What comes on top is cheaper on disk.
const IN_MEMORY: usize = 24 << 20;

/// How long a read that failed is left alone, and how often it is tried.
const READ_AGAIN: Duration = Duration::from_secs(5);
const READS: u32 = 12;

/// A way from a pipeline to an exporter, shared by the shards and the exporter.
#[derive(Debug)]
pub struct Route {
    /// What its batches carry.
    pub(crate) signal: Signal,
    /// What became of the spans.
    pub account: Account,
    queue: Arc<SizedQueue<QueuedBatch>>,
    budget: Budget,
    /// Bytes of the budget that it may have, which a reload may change.
    share: AtomicUsize,
    cursor: Option<LogCursor>,
    /// Senders wait to hear what becomes of its batches.
    reports: bool,
    /// There is more room, or more to fetch.
    changed: Notify,
}

/// What became of a batch that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is the exporter's now, or the log's.
    Taken,
    /// No room; ask again.
    NoRoom,
}

/// Whether a batch is in the segment log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// All of it.
    Whole,
    /// Not all of it, or there is no log.
    No,
    /// The log's thread has not said so yet.
    Undecided,
}

impl Route {
    /// A way to the exporter that takes from `queue`, one of `routes` that share
    /// the budget.
    pub fn new(
        signal: Signal,
        queue: Arc<SizedQueue<QueuedBatch>>,
        account: Account,
        budget: Budget,
        routes: usize,
        cursor: Option<LogCursor>,
    ) -> Self {
        Self {
            signal,
            account,
            queue,
            share: AtomicUsize::new(budget.limit() / routes.max(1)),
            budget,
            cursor,
            reports: false,
            changed: Notify::new(),
        }
    }

    /// The same, where senders wait to hear what becomes of its batches, if `reports`.
    pub(crate) fn reporting(self, reports: bool) -> Self {
        Self { reports, ..self }
    }

    /// Returns true if senders wait to hear what becomes of its batches.
    pub(crate) fn reports(&self) -> bool {
        self.reports
    }

    /// Its part of the segment log.
    pub(crate) fn cursor(&self) -> Option<&LogCursor> {
        self.cursor.as_ref()
    }

    fn share(&self) -> usize {
        self.share.load(Relaxed)
    }

    /// Shares the budget, whose limit may be another now, with so many `routes`.
    pub(crate) fn share_with(&self, routes: usize) {
        let share = self.budget.limit() / routes.max(1);
        self.share.store(share, Relaxed);
    }

    /// Returns true if it leads to this queue, by way of the same log if any, and reports
    /// as `reports` says.
    pub(crate) fn leads_to(
        &self,
        queue: &Arc<SizedQueue<QueuedBatch>>,
        cursor: Option<&LogCursor>,
        reports: bool,
    ) -> bool {
        let is_same_log = match (&self.cursor, cursor) {
            (None, None) => true,
            (Some(own), Some(other)) => own.is_alike(other),
            _ => false,
        };
        is_same_log && self.reports == reports && Arc::ptr_eq(&self.queue, queue)
    }

    /// Returns true if its exporter takes no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether a batch that is in no log could wait in memory now.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.has_room() && self.account.bytes() < self.share()
    }

    /// Bytes that may wait in memory of what is in the log.
    fn logged_share(&self) -> usize {
        self.share().min(IN_MEMORY)
    }

    /// Offers a batch that the account has as in memory.
    pub fn offer(self: &Arc<Self>, batch: &Arc<SealedBatch>, logged: Logged) -> Offer {
        let push = || {
            let queued = QueuedBatch {
                batch: Arc::clone(batch),
                route: Arc::clone(self),
            };
            match self.queue.push(queued) {
                Ok(()) => true,
                // Not sent: nothing of it may be counted.
                Err(Full(_)) => false,
            }
        };
        // A sealed batch's bytes are in the account already.
        let waiting = self.account.bytes().saturating_sub(batch.bytes);
        let taken = match (&self.cursor, &batch.position, logged) {
            (Some(cursor), Some(position), Logged::Whole) => {
                let room = waiting < self.logged_share();
                if !cursor.offer(position.lane, &position.records, batch.items, || {
                    room && push()
                }) {
                    self.account.left_to_log(batch.items, batch.bytes);
                    self.report(batch, None);
                    self.changed.notify_one();
                }
                true
            }
            // Soon it can be left to the log, and should be if its turn is late.
            (Some(cursor), Some(position), Logged::Undecided) => {
                waiting < self.logged_share() && !cursor.is_behind(position.lane) && push()
            }
            // It has no place but memory, and so goes ahead of what is on disk.
            _ => waiting < self.share() && push(),
        };
        match taken {
            true => Offer::Taken,
            false => Offer::NoRoom,
        }
    }

    /// Tells those that wait for a batch what became of it; None: it was delivered, or stored.
    fn report(&self, batch: &SealedBatch, failure: Option<Undelivered>) {
        if let Some(result) = &batch.result {
            result.report(self.reports, failure);
        }
    }

    /// Gives a batch up for which there is no room.
    pub(crate) fn drop_batch(&self, batch: &SealedBatch) {
        self.account
            .dropped(u64::from(batch.items), DropReason::QueueFull);
        self.account.released(batch.bytes);
    }

    /// There may be something to fetch.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Fetches what was left to the log whenever there is room, for as long as
    /// it is polled.
    pub(crate) async fn feed(self: Arc<Self>) {
        let Some(cursor) = &self.cursor else { return };
        let mut failures = 0;
        loop {
            // Half the share, so that fetching and sending overlap.
            let room = self.account.bytes() < self.logged_share() / 2 && self.queue.has_room();
            let Some(due) = cursor.due().filter(|_| room) else {
                self.changed.notified().await;
                continue;
            };
            if due.records.is_empty() {
                let lost = cursor.fetched(due.lane, due.records.end, 0);
                self.account.damaged(lost);
                continue;
            }
            let (log, at) = (cursor.log().clone(), due.clone());
            let read =
                spawn_blocking(move || log.read(at.lane, at.records.start, at.records.end, FETCH));
            let read = match read.await {
                Ok(read) => read,
                Err(panicked) => {
                    tracing::error!(
                        "reading the segment log failed because of a bug in wayspan: {panicked}"
                    );
                    return;
                }
            };
            // A metric may have no data points: a request without items is one.
            if !read.payloads.is_empty() {
                self.account.loaded(read.items, read.bytes);
                let batch = Arc::new(SealedBatch {
                    lease: self.budget.lease(read.bytes),
                    bytes: read.bytes,
                    signal: self.signal,
                    items: u32::try_from(read.items).unwrap_or(u32::MAX),
                    chunks: read.payloads,
                    result: None,
                    position: Some(LogPosition {
                        lane: due.lane,
                        records: due.records.start..read.next,
                        gap: false,
                    }),
                });
                let queued = QueuedBatch {
                    batch,
                    route: Arc::clone(&self),
                };
                if let Err(Full(back)) = self.queue.push(queued) {
                    // It stays where it was, to be fetched again.
                    back.keep(read.items);
                    if self.queue.is_closed() {
                        return;
                    }
                    self.changed.notified().await;
                    continue;
                }
            } else {
                cursor.settle(due.lane, due.records.start..read.next);
            }
            let mut next = read.next;
            if let Some(error) = &read.error {
                failures += 1;
                tracing::error!(
                    "cannot read the segment log in {}: {error}; trying again in {READ_AGAIN:?}",
                    cursor.log().directory().display()
                );
                sleep(READ_AGAIN).await;
                if failures >= READS
                    && let Some(beyond) = read.beyond
                {
                    // What other files have must not wait for this one for ever.
                    next = beyond.min(due.records.end);
                }
            } else {
                failures = 0;
            }
            let lost = cursor.fetched(due.lane, next, read.items);
            self.account.damaged(lost);
        }
    }
}

/// A batch on its way to one exporter.
#[derive(Clone, Debug)]
pub struct QueuedBatch {
    /// What to send; shared with other exporters of the pipeline.
    pub batch: Arc<SealedBatch>,
    /// The way it came.
    pub route: Arc<Route>,
}

impl QueueEntry for QueuedBatch {
    fn items(&self) -> usize {
        self.batch.items as usize
    }

    fn bytes(&self) -> usize {
        self.batch.bytes
    }
}

impl QueuedBatch {
    /// Whether the log has it, should it not be delivered.
    pub(crate) fn is_logged(&self) -> bool {
        match (&self.route.cursor, &self.batch.position) {
            (Some(cursor), Some(position)) => {
                !position.gap && cursor.log().holds(position.lane, position.records.clone())
            }
            _ => false,
        }
    }

    /// All its spans are accounted for as answered or dropped.
    pub fn settle(&self) {
        self.route.account.released(self.batch.bytes);
        if let (Some(cursor), Some(position)) = (&self.route.cursor, &self.batch.position) {
            cursor.settle(position.lane, position.records.clone());
        }
        self.route.changed.notify_one();
    }

    /// Tells those that wait for it what became of it; None: all of it was delivered.
    pub(crate) fn report(&self, failure: Option<Undelivered>) {
        self.route.report(&self.batch, failure);
    }

    /// What is left of it, once some was settled: a batch of these pieces with so many
    /// items.
    pub(crate) fn rest(&self, chunks: Vec<Bytes>, items: u64) -> Self {
        let whole = &self.batch;
        let bytes = chunks.iter().map(Bytes::len).sum();
        self.route.account.released(whole.bytes);
        self.route.account.held(bytes);
        Self {
            batch: Arc::new(SealedBatch {
                signal: whole.signal,
                chunks,
                bytes,
                items: u32::try_from(items).unwrap_or(u32::MAX),
                lease: self.route.budget.lease(bytes),
                result: whole.result.clone(),
                position: whole.position.clone(),
            }),
            route: Arc::clone(&self.route),
        }
    }

    /// So many of its spans are undelivered and stay in the log, for the next
    /// run.
    pub(crate) fn keep(&self, spans: u64) {
        self.route.account.kept(spans);
        self.route.account.released(self.batch.bytes);
        self.report(None);
    }
}
