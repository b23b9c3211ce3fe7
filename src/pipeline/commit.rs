/*!
Group commit: one hand-over to the segment logs per turn of a shard's loop.

A task that is woken goes to the end of the runtime's queue, so when the first
request of a turn wakes [`Commits::run`], it runs after all requests that came
with it. It hands over what they added, and when the logs' threads have decided
about it, lets go of everyone who waits with a [`Ticket`] of that turn. Requests
that come meanwhile are of the next turn.

A log that takes longer than its storage's `timeout` is late: senders are then
answered from memory until it has caught up, so that a slow disk costs what it
was to protect and nothing more.
*/

use super::{engine::Engine, gather, shard::Shard};
use crate::pipeline::Ticket;
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// The turns of one shard that has logs.
#[derive(Debug)]
pub struct Commits {
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
    /// Senders wait at most `patience` for a turn.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            turn: Cell::new(0),
            begun: Cell::new(false),
            begin: Notify::new(),
            decided: Cell::new(0),
            waiters: RefCell::default(),
            late: Cell::new(false),
            written: Arc::default(),
        }
    }

    /// What the logs' threads notify.
    pub fn written(&self) -> Arc<Notify> {
        Arc::clone(&self.written)
    }

    /// A request was taken into a pipeline with a log.
    pub fn took(&self) {
        if !self.begun.replace(true) {
            self.begin.notify_one();
        }
    }

    /// What the answer to a request waits for.
    pub fn ticket(&self) -> Option<Ticket> {
        let waits = self.begun.get() && !self.late.get();
        waits.then(|| Ticket(self.turn.get()))
    }

    /// See [`crate::pipeline::Ingest::poll_stored`].
    pub fn poll(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
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

    /// Commits turn after turn, forever.
    pub async fn run(&self, shard: &Shard) {
        loop {
            self.begin.notified().await;
            self.hand_over(shard);
            gather::bide(|| !shard.any(Engine::awaits_log));
            // Whoever waits for an answer is not kept by gathering requests.
            gather::hold_off(true);
            let turn = self.turn.get();
            let decided = timeout(self.patience, self.all_decided(shard));
            if decided.await.is_err() {
                self.catch_up(shard).await;
            }
            self.decided.set(turn.max(self.decided.get()));
            self.release();
            gather::hold_off(false);
            if shard.any(Engine::has_backlog) {
                shard.turn();
            }
        }
    }

    /// Ends a turn.
    fn hand_over(&self, shard: &Shard) {
        self.begun.set(false);
        self.turn.set(self.turn.get() + 1);
        shard.hand_over();
    }

    async fn all_decided(&self, shard: &Shard) {
        while shard.any(Engine::awaits_log) {
            self.written.notified().await;
        }
    }

    /// Answers from memory until the logs have decided about all they have.
    async fn catch_up(&self, shard: &Shard) {
        self.late.set(true);
        self.release();
        gather::hold_off(false);
        shard.each(|pipeline| pipeline.tell_late(self.patience));
        loop {
            tokio::select! {
                () = self.all_decided(shard) => break,
                () = self.begin.notified() => self.hand_over(shard),
            }
        }
        self.late.set(false);
        self.decided.set(self.turn.get());
        tracing::info!("the segment log keeps up again: senders are answered after the write");
    }

    fn release(&self) {
        self.waiters.borrow_mut().drain(..).for_each(Waker::wake);
    }
}
