/*!
Stands in for `tokio::sync::Notify`, with what its documentation promises:

- waiters are notified in the order in which they registered, one per
  `notify_one`; where none waits, one permit is kept for the next;
- `notify_waiters` notifies all that were made before, and keeps nothing;
- a waiter that is dropped after a `notify_one` chose it passes that on.
*/

use loom::sync::Mutex;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

#[derive(Debug)]
pub struct Bell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    permit: bool,
    /// Calls of `notify_waiters` so far.
    rounds: usize,
    /// Who waits, by number, and how to wake them.
    waiting: VecDeque<(usize, Option<Waker>)>,
    /// Whom a `notify_one` chose, and who has not looked yet.
    chosen: Vec<usize>,
    next: usize,
}

impl State {
    fn one(&mut self) -> Option<Waker> {
        let Some((number, waker)) = self.waiting.pop_front() else {
            self.permit = true;
            return None;
        };
        self.chosen.push(number);
        waker
    }
}

impl Bell {
    pub fn new() -> Self {
        Self(Mutex::new(State::default()))
    }

    pub fn notify_one(&self) {
        // Not woken under the lock, as in tokio.
        let waker = self.0.lock().unwrap().one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn notify_waiters(&self) {
        let waiting = {
            let mut state = self.0.lock().unwrap();
            state.rounds += 1;
            std::mem::take(&mut state.waiting)
        };
        for (_, waker) in waiting {
            waker.into_iter().for_each(Waker::wake);
        }
    }

    pub fn notified(&self) -> Notified<'_> {
        Notified {
            bell: self,
            round: self.0.lock().unwrap().rounds,
            number: None,
            done: false,
        }
    }
}

#[derive(Debug)]
pub struct Notified<'a> {
    bell: &'a Bell,
    round: usize,
    /// Once it has registered.
    number: Option<usize>,
    done: bool,
}

impl Notified<'_> {
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.get_mut().look(None)
    }

    /// Whether it was notified; registers if not.
    fn look(&mut self, waker: Option<&Waker>) -> bool {
        let mut state = self.bell.0.lock().unwrap();
        let state = &mut *state;
        let number = *self.number.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        let chosen = state.chosen.iter().position(|n| *n == number);
        if let Some(at) = chosen {
            state.chosen.swap_remove(at);
            self.done = true;
        }
        if self.done || state.rounds != self.round || std::mem::take(&mut state.permit) {
            self.done = true;
            return true;
        }
        match state.waiting.iter_mut().find(|(n, _)| *n == number) {
            Some((_, known)) => *known = waker.cloned(),
            None => state.waiting.push_back((number, waker.cloned())),
        }
        false
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut().look(Some(cx.waker())) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number.filter(|_| !self.done) else {
            return;
        };
        let waker = {
            let mut state = self.bell.0.lock().unwrap();
            state.waiting.retain(|(n, _)| *n != number);
            let chosen = state.chosen.iter().position(|n| *n == number);
            chosen.and_then(|at| {
                state.chosen.swap_remove(at);
                state.one()
            })
        };
        waker.into_iter().for_each(Waker::wake);
    }
}
