/*! The state of a circuit: open or closed, who waits, and whose turn it is. */

use crate::{
    backoff::Backoff,
    exporter::Retry,
    exporter::{retry::within_reason, shutdown::Deadline},
    telemetry::Outage,
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::{pending, poll_fn},
    task::{Poll, Waker},
    time::Duration,
};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

/// Longest wait between attempts once shutdown has begun.
pub(super) const SHUTDOWN_WAIT: Duration = Duration::from_secs(1);

/// The circuit of one exporter.
#[derive(Debug)]
pub(in crate::exporter) struct Circuit {
    pub(super) retry: Retry,
    pub(super) deadline: Deadline,
    pub(super) outage: Outage,
    /// The next of the numbers given out by [`Self::number`].
    pub(super) next: Cell<u64>,
    pub(super) state: RefCell<CircuitState>,
}

#[derive(Debug, Default)]
pub(super) struct CircuitState {
    /// Requests answered so far.
    pub(super) answered: u64,
    /// Outages so far.
    pub(super) outages: u64,
    pub(super) open: Option<OpenCircuit>,
    /// The wait that the backend asked for.
    pub(super) wish: Option<Pause>,
    /// The requests that wait for permission, by number.
    pub(super) waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
pub(super) struct OpenCircuit {
    pub(super) backoff: Backoff,
    pub(super) pause: Pause,
    /// Is true when a probe is under way.
    pub(super) probing: bool,
    /// What the latest probe met.
    pub(super) cause: String,
}

/// A time to wait out after a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) begun: Instant,
    pub(super) until: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Waiter {
    /// How many of its probes have failed.
    pub(super) probes: u32,
    pub(super) woken: bool,
    pub(super) waker: Option<Waker>,
}

/// What a waiting request may do.
#[derive(Debug)]
pub(super) enum Turn {
    Go,
    Probe,
    /// Look again then.
    At(Pause),
    /// Look again when woken.
    Wait,
}

impl Circuit {
    /// A closed circuit. `outage` shows when it is open.
    pub(in crate::exporter) fn new(retry: &Retry, deadline: Deadline, outage: Outage) -> Self {
        Self {
            retry: retry.clone(),
            deadline,
            outage,
            next: Cell::new(0),
            state: RefCell::default(),
        }
    }

    /// Numbers a batch: its place in the order.
    pub(in crate::exporter) fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// Returns when a pause is over: soon, once shutdown has begun.
    pub(super) fn end(&self, pause: Pause) -> Instant {
        match self.deadline.is_set() {
            true => pause.until.min(pause.begun + SHUTDOWN_WAIT),
            false => pause.until,
        }
    }

    /// Waits until shutdown begins: for ever if it has begun.
    pub(super) async fn shutdown(&self) {
        match self.deadline.is_set() {
            true => pending().await,
            false => self.deadline.set().await,
        }
    }

    /// Waits for a pause to end, or for shutdown to make it shorter.
    pub(super) async fn pause(&self, pause: Option<Pause>) {
        match pause.map(|pause| self.end(pause)) {
            Some(end) => select! {
                () = sleep_until(end) => {}
                () = self.shutdown() => {}
            },
            None => self.shutdown().await,
        }
    }

    /// Waits until number `number` is woken.
    pub(super) async fn woken(&self, number: u64) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            let waiting = state.waiting.entry(number).or_default();
            if std::mem::take(&mut waiting.woken) {
                return Poll::Ready(());
            }
            waiting.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(super) fn turn(&self, number: u64) -> Turn {
        let state = &mut *self.state.borrow_mut();
        if state.next() != Some(number) {
            return Turn::Wait;
        }
        let pauses = [state.open.as_ref().map(|open| open.pause), state.wish];
        let now = Instant::now();
        if let Some(pause) = (pauses.into_iter().flatten()).find(|pause| self.end(*pause) > now) {
            return Turn::At(pause);
        }
        match &mut state.open {
            Some(open) => {
                open.probing = true;
                Turn::Probe
            }
            None => Turn::Go,
        }
    }
}

impl CircuitState {
    /// Returns whose turn it is: the oldest; for a probe, the oldest of those
    /// with the fewest probes behind them.
    pub(super) fn next(&self) -> Option<u64> {
        match &self.open {
            None => self.waiting.keys().next().copied(),
            Some(open) if open.probing => None,
            Some(_) => {
                let waiting = self.waiting.iter();
                let next = waiting.min_by_key(|(number, waiting)| (waiting.probes, **number));
                next.map(|(number, _)| *number)
            }
        }
    }

    pub(super) fn wake_next(&mut self) {
        let next = self.next();
        if let Some(next) = next.and_then(|number| self.waiting.get_mut(&number)) {
            next.wake();
        }
    }

    pub(super) fn wish(&mut self, now: Instant, after: Option<Duration>) {
        let Some(after) = after else { return };
        let until = now + within_reason(after);
        if self.wish.is_none_or(|wish| wish.until < until) {
            self.wish = Some(Pause { begun: now, until });
        }
    }
}

impl Waiter {
    pub(super) fn wake(&mut self) {
        self.woken = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
