/*! The attempts of one request, and what each means for the circuit. */

use super::state::{Circuit, OpenCircuit, Pause, Turn, Waiter};
use crate::{
    backoff::{Backoff, Growth},
    exporter::retry::{is_over, next_wait},
};
use std::time::Duration;
use tokio::{select, time::Instant};

/// The attempts of one request, of which one is made at a time.
#[derive(Debug)]
pub(in crate::exporter) struct Attempts<'a> {
    circuit: &'a Circuit,
    pub(super) number: u64,
    pub(super) started: Instant,
    backoff: Backoff,
    /// Requests answered when its last attempt failed, or its first began.
    mark: Option<u64>,
    failed: bool,
    probes: u32,
    /// To be waited out alone.
    pub(super) alone: Option<Pause>,
}

/// Permission for one attempt. If it is dropped unused, the attempt was cut off.
#[derive(Debug)]
pub(in crate::exporter) struct Pass<'a> {
    circuit: &'a Circuit,
    /// The outage that it probes, until that is settled.
    probes: Option<u64>,
}

impl Circuit {
    /// Begins the attempts of a request of batch `number`.
    pub(in crate::exporter) fn attempts(&self, number: u64) -> Attempts<'_> {
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
}

impl<'a> Attempts<'a> {
    /// Waits for permission to make the next attempt.
    ///
    /// # Errors
    ///
    /// Why the request is given up instead.
    pub(in crate::exporter) async fn begin(&mut self) -> Result<Pass<'a>, String> {
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
            self.check_time()?;
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

    /// Fails if a probe has failed on behalf of all and the next comes too late.
    fn check_time(&self) -> Result<(), String> {
        let state = self.circuit.state.borrow();
        match &state.open {
            Some(open) if open.pause.begun >= self.started && !open.probing => {
                self.check(open.pause, &open.cause).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Returns the wait that is left; the error says why it is too long.
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

    /// Returns true if an attempt has failed, so that the next sends it again.
    pub(in crate::exporter) fn have_failed(&self) -> bool {
        self.failed
    }

    /// Notes that the attempt failed and that the backend asked to wait for
    /// `after`. Returns how long the next wait will be.
    ///
    /// # Errors
    ///
    /// Why there will be no other attempt.
    pub(in crate::exporter) fn failed(
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
                        state.waiting.values_mut().for_each(Waiter::wake);
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
                    state.open = Some(OpenCircuit {
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
    /// Notes that the backend has answered, be it with a refusal.
    pub(in crate::exporter) fn answered(mut self) {
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

/// A place among the waiting requests, given up when this is dropped.
struct Queued<'a> {
    circuit: &'a Circuit,
    number: u64,
}

impl<'a> Queued<'a> {
    fn new(circuit: &'a Circuit, number: u64, probes: u32) -> Self {
        let waiting = Waiter {
            probes,
            ..Waiter::default()
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
