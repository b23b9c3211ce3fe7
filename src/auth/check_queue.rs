/*!
Slow checks of credentials wait here: a few are done at a time, senders in turn by
address, so that one who guesses waits for its own guesses.

Invariants:

- Half of the cores check, so that the other half serves.
- What waits is bounded for each address and in all; beyond it a sender is told to
  come again.
*/

use crate::turns::Turns;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::sync::oneshot;

/// Checks of one address that may wait. An honest one has a handful: each shard
/// asks once for each of its users.
const WAITING: usize = 64;
/// Checks that may wait in all: a few hundred bytes each.
const WAITING_IN_ALL: usize = 4096;

/// Gives out permits to check.
#[derive(Debug)]
pub(super) struct CheckQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: usize,
    waiting: usize,
    turns: Turns<oneshot::Sender<CheckPermit>>,
}

/// The right to check one header; the next one is called when it is dropped.
#[derive(Debug)]
pub(super) struct CheckPermit(Arc<CheckQueue>);

impl Drop for CheckPermit {
    fn drop(&mut self) {
        let next = self.0.lock().next();
        if let Some(next) = next {
            // One who has just gone gives the permit back by dropping it.
            let _ = next.send(Self(Arc::clone(&self.0)));
        }
    }
}

impl CheckQueue {
    /// Makes a queue for this machine.
    pub(super) fn new() -> Arc<Self> {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
        Self::with_permits((cores / 2).max(1))
    }

    fn with_permits(free: usize) -> Arc<Self> {
        let state = State {
            free,
            ..State::default()
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// Waits for the turn of `peer`. None: too many wait already.
    pub(super) async fn acquire(self: &Arc<Self>, peer: IpAddr) -> Option<CheckPermit> {
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(CheckPermit(Arc::clone(self)));
            }
            state.join(peer)?
        };
        turn.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Joins the queue of `peer`, if there is room.
    fn join(&mut self, peer: IpAddr) -> Option<oneshot::Receiver<CheckPermit>> {
        let is_full =
            |state: &Self| state.waiting >= WAITING_IN_ALL || state.turns.waiting(peer) >= WAITING;
        if is_full(self) {
            // Those who have gone since leave their places.
            let mut left = 0;
            self.turns.retain(|waiter| {
                let stays = !waiter.is_closed();
                left += usize::from(stays);
                stays
            });
            self.waiting = left;
            if is_full(self) {
                return None;
            }
        }
        let (call, turn) = oneshot::channel();
        self.turns.push(peer, call);
        self.waiting += 1;
        Some(turn)
    }

    /// Takes who is next; None: nobody waits, and the permit is free.
    fn next(&mut self) -> Option<oneshot::Sender<CheckPermit>> {
        while let Some(next) = self.turns.pop() {
            self.waiting -= 1;
            if !next.is_closed() {
                return Some(next);
            }
        }
        self.free += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use futures_util::FutureExt;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn who_asks_for_much_waits_for_itself() {
        let queue = CheckQueue::with_permits(1);
        let held = queue.acquire(peer(1)).now_or_never().flatten().unwrap();
        let mut mine: Vec<_> = (0..WAITING)
            .map(|_| Box::pin(queue.acquire(peer(1))))
            .collect();
        for waiting in &mut mine {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        let beyond = queue.acquire(peer(1)).now_or_never();
        assert!(beyond.unwrap().is_none(), "an address has a limit");
        let mut other = Box::pin(queue.acquire(peer(2)));
        assert!(other.as_mut().now_or_never().is_none());
        drop(held);
        let first = mine[0].as_mut().now_or_never().flatten();
        drop(first.expect("the oldest is next"));
        let second = other.as_mut().now_or_never().flatten();
        assert!(second.is_some(), "then the other address");
        assert!(mine[1].as_mut().now_or_never().is_none());
    }

    #[test]
    fn who_has_gone_leaves_the_place_and_the_permit() {
        let queue = CheckQueue::with_permits(1);
        let held = queue.acquire(peer(1)).now_or_never().flatten();
        let gone: Vec<_> = (0..WAITING)
            .map(|_| {
                let mut waiting = Box::pin(queue.acquire(peer(1)));
                assert!(waiting.as_mut().now_or_never().is_none());
                waiting
            })
            .collect();
        drop(gone);
        let mut here = Box::pin(queue.acquire(peer(1)));
        assert!(
            here.as_mut().now_or_never().is_none(),
            "there is room again"
        );
        drop(held);
        drop(here);
        // The permit was on its way to one who had gone.
        let again = queue.acquire(peer(1)).now_or_never().flatten();
        assert!(again.is_some());
        drop(again);
        assert_eq!(queue.lock().free, 1);
    }
}
