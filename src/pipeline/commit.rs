/*!
Group commit: one hand-over to the segment logs per turn of a shard's loop.

A task that is woken goes to the end of the runtime's queue, so when the first
request of a turn wakes the shard's committing task, that runs after all requests
that came with it. It hands over what they added, and when the logs' threads have
decided about it, everyone who waits with a [`Ticket`] of that turn is answered.
Requests that come meanwhile are of the next turn. Here is the state of that; the
task is `Shard::commit`.

A log that takes longer than its storage's `timeout` is late: senders are then
answered from memory until it has caught up, so that a slow disk costs what it
was to protect and nothing more.
*/

use super::{Generation, Ticket};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::Notify;

/// The turns of one shard that has logs.
#[derive(Debug)]
pub(crate) struct Commits {
    /// How long senders wait.
    patience: Duration,
    /// The number of the turn that requests are in.
    turn: Cell<u64>,
    /// Whether that turn has a request.
    begun: Cell<bool>,
    begin: Notify,
    /// Turns below this are decided.
    decided: Cell<u64>,
    waiters: RefCell<Vec<Waker>>,
    late: Cell<bool>,
    /// A log's thread has decided something.
    written: Arc<Notify>,
}

impl Commits {
    /// Senders wait at most `patience` for a turn; the tickets are those of
    /// `generation`.
    pub(crate) fn new(patience: Duration, generation: Generation) -> Self {
        Self {
            patience,
            turn: Cell::new(generation.first_ticket().0),
            begun: Cell::new(false),
            begin: Notify::new(),
            decided: Cell::new(0),
            waiters: RefCell::default(),
            late: Cell::new(false),
            written: Arc::default(),
        }
    }

    /// What the logs' threads notify.
    pub(crate) fn written(&self) -> Arc<Notify> {
        Arc::clone(&self.written)
    }

    /// Counts a request that was taken into a pipeline with a log.
    pub(crate) fn took(&self) {
        if !self.begun.replace(true) {
            self.begin.notify_one();
        }
    }

    /// What the answer to a request waits for.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        let waits = self.begun.get() && !self.late.get();
        waits.then(|| Ticket(self.turn.get()))
    }

    /// See [`crate::pipeline::Ingest::poll_stored`].
    pub(crate) fn poll(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
        if ticket.0 < self.decided.get() || self.late.get() {
            return Poll::Ready(());
        }
        let mut waiters = self.waiters.borrow_mut();
        // Connections wait with one waker for many requests.
        if !waiters
            .last()
            .is_some_and(|last| last.will_wake(cx.waker()))
        {
            waiters.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until a request of a turn was taken.
    pub(crate) async fn begun(&self) {
        self.begin.notified().await;
    }

    /// Ends a turn: requests that come from now on are of the next. Returns the
    /// number of the turn that ended, plus one.
    pub(crate) fn end_turn(&self) -> u64 {
        self.begun.set(false);
        self.turn.set(self.turn.get() + 1);
        self.turn.get()
    }

    /// Waits until `done`, which is asked again whenever a log's thread has
    /// decided something.
    pub(crate) async fn until(&self, done: impl Fn() -> bool) {
        while !done() {
            self.written.notified().await;
        }
    }

    /// Answers all requests of turns below `turn`.
    pub(crate) fn decide(&self, turn: u64) {
        self.decided.set(turn.max(self.decided.get()));
        self.release();
    }

    /// Returns true while some request waits for its answer.
    pub(crate) fn is_awaited(&self) -> bool {
        self.begun.get() || !self.waiters.borrow().is_empty()
    }

    /// How long senders wait.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Begins or ends a time in which the logs are late: requests are answered
    /// from memory meanwhile.
    pub(crate) fn set_late(&self, late: bool) {
        self.late.set(late);
        if late {
            self.release();
        }
    }

    fn release(&self) {
        self.waiters.borrow_mut().drain(..).for_each(Waker::wake);
    }
}
