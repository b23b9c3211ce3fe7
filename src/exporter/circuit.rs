/*!
Who may knock at a backend that does not open.

The circuit of one exporter is closed while its backend answers, and every
request goes at once. A request that fails without any other having been
answered meanwhile opens it. Then all wait but one: after a backoff one request
goes as a probe, and each probe that fails makes the next wait longer. A request
that is answered closes the circuit, and all that wait go at once, oldest first.

- *Oldest* is by the order in which batches were taken from the queue. Probes are
  an exception: batches take turns, so that one that the backend can never answer
  does not hide that others would be.
- A request that fails while others are answered has its own trouble: it waits
  alone, by its own backoff, and holds nobody up.
- What the backend asks for (`RetryInfo`, `Retry-After`) it asks of the exporter:
  nothing is sent until that time has passed.
- Shutdown cuts waits short: what is not delivered by its deadline is lost, so a
  server's longer wish cannot count.
- A batch is given up ([`is_over`]) when an attempt has failed, its own or a
  probe on behalf of all, and the next would come too late. Without
  `max_elapsed` it never is.

All on one thread, as the exporter is.
*/

use super::{
    deliver::Deadline,
    retry::{is_over, next_wait, within_reason},
};
use crate::{
    backoff::{Backoff, Growth},
    config::Retry,
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
const SHUTDOWN_WAIT: Duration = Duration::from_secs(1);

/// The circuit of one exporter.
#[derive(Debug)]
pub struct Circuit {
    retry: Retry,
    deadline: Deadline,
    outage: Outage,
    /// The next of the numbers given out by [`Self::number`].
    next: Cell<u64>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests answered so far.
    answered: u64,
    /// Outages so far.
    outages: u64,
    open: Option<Open>,
    /// What the backend asked for.
    wish: Option<Pause>,
    /// Who waits for leave, by number.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Open {
    backoff: Backoff,
    pause: Pause,
    /// Whether a probe is under way.
    probing: bool,
    /// What the latest probe met.
    cause: String,
}

/// A time to wait out after a failure.
#[derive(Clone, Copy, Debug)]
struct Pause {
    begun: Instant,
    until: Instant,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Its probes that failed.
    probes: u32,
    woken: bool,
    waker: Option<Waker>,
}

/// The attempts of one request, of which one is made at a time.
#[derive(Debug)]
pub struct Attempts<'a> {
    circuit: &'a Circuit,
    number: u64,
    started: Instant,
    backoff: Backoff,
    /// Requests answered when its last attempt failed, or its first began.
    mark: Option<u64>,
    failed: bool,
    probes: u32,
    /// To be waited out alone.
    alone: Option<Pause>,
}

/// Leave for one attempt. Dropped without a word, the attempt was cut off.
#[derive(Debug)]
pub struct Pass<'a> {
    circuit: &'a Circuit,
    /// The outage that it probes, until that is settled.
    probes: Option<u64>,
}

/// What one who waits may do.
#[derive(Debug)]
enum Turn {
    Go,
    Probe,
    /// Look again then.
    At(Pause),
    /// Look again when woken.
    Wait,
}

impl Circuit {
    /// Closed. `outage` is told when it opens and closes.
    pub fn new(retry: &Retry, deadline: Deadline, outage: Outage) -> Self {
        Self {
            retry: retry.clone(),
            deadline,
            outage,
            next: Cell::new(0),
            state: RefCell::default(),
        }
    }

    /// A batch's place in the order.
    pub fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// The attempts of a request of batch `number`.
    pub fn attempts(&self, number: u64) -> Attempts<'_> {
        Attempts {
            circuit: self,
            number,
            started: Instant::now(),
            backoff: Backoff::new(&Growth::from(&self.retry)),
            mark: None,
            failed: false,
            probes: 0,
            alone: None,
        }
    }

    /// When a pause is over: soon, once shutdown has begun.
    fn end(&self, pause: Pause) -> Instant {
        match self.is_stopping() {
            true => pause.until.min(pause.begun + SHUTDOWN_WAIT),
            false => pause.until,
        }
    }

    fn is_stopping(&self) -> bool {
        self.deadline.borrow().is_some()
    }

    /// Ends when shutdown begins; never, if it has.
    async fn shutdown(&self) {
        let mut deadline = self.deadline.clone();
        // Without a sender there will be no shutdown.
        if self.is_stopping() || deadline.wait_for(Option::is_some).await.is_err() {
            pending().await
        }
    }

    /// Waits for a pause to end, or for shutdown to make it shorter.
    async fn pause(&self, pause: Option<Pause>) {
        match pause.map(|pause| self.end(pause)) {
            Some(end) => select! {
                () = sleep_until(end) => {}
                () = self.shutdown() => {}
            },
            None => self.shutdown().await,
        }
    }

    /// Ends when number `number` has been woken since it last was.
    async fn woken(&self, number: u64) {
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

    fn turn(&self, number: u64) -> Turn {
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

impl State {
    /// Whose turn it is: the oldest; for a probe, of those with the fewest
    /// behind them.
    fn next(&self) -> Option<u64> {
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

    fn wake_next(&mut self) {
        let next = self.next();
        if let Some(next) = next.and_then(|number| self.waiting.get_mut(&number)) {
            next.wake();
        }
    }

    fn wish(&mut self, now: Instant, after: Option<Duration>) {
        let Some(after) = after else { return };
        let until = now + within_reason(after);
        if self.wish.is_none_or(|wish| wish.until < until) {
            self.wish = Some(Pause { begun: now, until });
        }
    }
}

impl Waiting {
    fn wake(&mut self) {
        self.woken = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<'a> Attempts<'a> {
    /// Waits for leave to make the next attempt.
    ///
    /// # Errors
    ///
    /// Why the request is given up instead.
    pub async fn begin(&mut self) -> Result<Pass<'a>, String> {
        let circuit = self.circuit;
        if !circuit.retry.enabled {
            return Ok(Pass {
                circuit,
                probes: None,
            });
        }
        while let Some(alone) = self.alone {
            match circuit.end(alone) > Instant::now() {
                true => circuit.pause(Some(alone)).await,
                false => self.alone = None,
            }
        }
        let queued = Queued::new(circuit, self.number, self.probes);
        loop {
            let turn = circuit.turn(self.number);
            let pause = match turn {
                Turn::Go | Turn::Probe => break,
                Turn::At(pause) => Some(pause),
                Turn::Wait => None,
            };
            self.still_worth_it()?;
            select! {
                () = circuit.woken(self.number) => {}
                () = circuit.pause(pause) => {}
            }
        }
        drop(queued);
        let state = circuit.state.borrow();
        self.mark.get_or_insert(state.answered);
        Ok(Pass {
            circuit,
            probes: state.open.as_ref().map(|_| state.outages),
        })
    }

    /// Whether, after a probe that failed on behalf of all, there is still time.
    fn still_worth_it(&self) -> Result<(), String> {
        let state = self.circuit.state.borrow();
        match &state.open {
            Some(open) if open.pause.begun >= self.started && !open.probing => {
                self.check(open.pause, &open.cause).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The wait that is left; the error says why it is too long.
    fn check(&self, pause: Pause, cause: &str) -> Result<Duration, String> {
        let left = self
            .circuit
            .end(pause)
            .saturating_duration_since(Instant::now());
        let elapsed = self.started.elapsed();
        match is_over(&self.circuit.retry, elapsed, left) {
            true => Err(format!("gave up after {elapsed:.1?}: {cause}")),
            false => Ok(left),
        }
    }

    /// Whether an attempt has failed, so that the next sends it again.
    pub fn have_failed(&self) -> bool {
        self.failed
    }

    /// The attempt failed; the backend asked for patience until `after`. Says
    /// how long the next wait will be.
    ///
    /// # Errors
    ///
    /// Why there will be no other.
    pub fn failed(
        &mut self,
        mut pass: Pass<'a>,
        after: Option<Duration>,
        cause: &str,
    ) -> Result<Duration, String> {
        let circuit = self.circuit;
        let now = Instant::now();
        self.failed = true;
        if !circuit.retry.enabled {
            circuit.outage.begin(now.into_std());
            return Err(format!("{cause} (retry_on_failure is off)"));
        }
        let pause = {
            let state = &mut *circuit.state.borrow_mut();
            let others = self.mark.is_some_and(|mark| state.answered > mark);
            self.mark = Some(state.answered);
            state.wish(now, after);
            let own = next_wait(&mut self.backoff, after);
            let probe = pass.probes.take() == Some(state.outages);
            match &mut state.open {
                Some(open) => {
                    if probe {
                        open.probing = false;
                        open.cause = cause.to_owned();
                        open.pause = Pause {
                            begun: now,
                            until: now + next_wait(&mut open.backoff, after),
                        };
                        self.probes += 1;
                        // Some may have to give up.
                        state.waiting.values_mut().for_each(Waiting::wake);
                    }
                    open.pause
                }
                None if others => {
                    let alone = Pause {
                        begun: now,
                        until: now + own,
                    };
                    self.alone = Some(alone);
                    alone
                }
                None => {
                    let mut backoff = Backoff::new(&Growth::from(&circuit.retry));
                    let pause = Pause {
                        begun: now,
                        until: now + next_wait(&mut backoff, after),
                    };
                    state.outages += 1;
                    state.open = Some(Open {
                        backoff,
                        pause,
                        probing: false,
                        cause: cause.to_owned(),
                    });
                    circuit.outage.begin(now.into_std());
                    state.wake_next();
                    pause
                }
            }
        };
        self.check(pause, cause)
    }
}

impl Pass<'_> {
    /// The backend has answered, be it with a refusal.
    pub fn answered(mut self) {
        self.probes = None;
        let state = &mut *self.circuit.state.borrow_mut();
        state.answered += 1;
        state.open = None;
        self.circuit.outage.end();
        state.wake_next();
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let Some(probes) = self.probes else { return };
        let state = &mut *self.circuit.state.borrow_mut();
        if let Some(open) = &mut state.open
            && probes == state.outages
        {
            open.probing = false;
            state.wake_next();
        }
    }
}

/// A place among those that wait, given up when this is dropped.
struct Queued<'a> {
    circuit: &'a Circuit,
    number: u64,
}

impl<'a> Queued<'a> {
    fn new(circuit: &'a Circuit, number: u64, probes: u32) -> Self {
        let waiting = Waiting {
            probes,
            ..Waiting::default()
        };
        circuit.state.borrow_mut().waiting.insert(number, waiting);
        Self { circuit, number }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut state = self.circuit.state.borrow_mut();
        state.waiting.remove(&self.number);
        state.wake_next();
    }
}

#[cfg(test)]
mod tests;
