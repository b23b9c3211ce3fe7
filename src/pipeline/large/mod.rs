/*!
The lane of large requests: what is too long for one turn of a shard is read on a
thread of its own, one request at a time.

A request of 2 kB may inflate to 64 MiB, and reading that takes a second. On a
shard every other sender would wait for it, so a shard reads only requests whose
cost is in proportion to what came over the wire, and gives all others to this
lane. What comes back is validated and indexed; the shard then appends it in
pieces, between which it serves others.

Invariants:

- One large request is in memory at a time, until the shard is done with it, so
  what they all take together is what one may take ([`Memory::work`]).
- Senders take turns by address: one with many requests waits for itself.
- What waits holds its body as it came, which counts as a half-received one.

[`Memory::work`]: crate::queue::Memory::work
*/

use super::{PreparedRequest, Refusal};
use crate::{
    queue::{Lease, Memory},
    telemetry::Health,
    threads::{ThreadError, Watchdog},
    turns::Turns,
};
use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// Reads one large request, in so many bytes of memory.
pub(crate) type Reading = Box<dyn FnOnce(usize) -> Result<PreparedRequest, Refusal> + Send>;

/// What reading a large request came to; with it goes the lane's one place, which
/// is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct LargeResult {
    prepared: Option<Result<PreparedRequest, Refusal>>,
    _place: Option<Place>,
}

impl LargeResult {
    /// Takes the request, or why it is refused. The place stays taken.
    ///
    /// # Errors
    ///
    /// When the request is refused.
    pub(crate) fn take(&mut self) -> Result<PreparedRequest, Refusal> {
        self.prepared
            .take()
            .unwrap_or_else(|| Err(Refusal::failed()))
    }
}

/// The way to the lane. Clones are the same lane.
#[derive(Clone, Debug)]
pub(crate) struct LargeLane {
    shared: Arc<Shared>,
    has_thread: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    memory: Memory,
}

#[derive(Debug, Default)]
struct State {
    turns: Turns<Job>,
    /// A request is being read, or has been and is being appended.
    is_taken: bool,
    is_closed: bool,
}

struct Job {
    read: Reading,
    reply: oneshot::Sender<LargeResult>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The lane's one place, and what is held for it.
#[derive(Debug)]
struct Place {
    shared: Arc<Shared>,
    lease: Option<Lease>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lease = None;
        self.shared.lock().is_taken = false;
        self.shared.changed.notify_all();
    }
}

impl LargeLane {
    /// Starts the lane's thread; a request may take what `memory` has for it.
    ///
    /// # Errors
    ///
    /// When the system refuses the thread.
    pub(crate) fn start(
        memory: &Memory,
        health: Health,
    ) -> Result<(Self, JoinHandle<()>), ThreadError> {
        let lane = Self::new(memory.clone(), true);
        let shared = Arc::clone(&lane.shared);
        let watchdog = Watchdog::new("large requests", health);
        let thread = thread::Builder::new()
            .name("wayspan-large".to_owned())
            .spawn(move || {
                let _watchdog = watchdog;
                while let Some(job) = shared.next() {
                    shared.read(job);
                }
            });
        let thread = thread.map_err(|source| ThreadError {
            name: "large requests".to_owned(),
            source,
        })?;
        Ok((lane, thread))
    }

    /// Makes a lane without a thread, which reads where it is asked to: for a
    /// caller that nobody waits for.
    pub(crate) fn inline(memory: &Memory) -> Self {
        Self::new(memory.clone(), false)
    }

    fn new(memory: Memory, has_thread: bool) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            memory,
        };
        Self {
            shared: Arc::new(shared),
            has_thread,
        }
    }

    /// Gives a request that `peer` sent to the lane. The receiver fails when the
    /// lane was closed. Dropping it before the request's turn takes it back.
    pub(crate) fn submit(&self, peer: IpAddr, read: Reading) -> oneshot::Receiver<LargeResult> {
        let (reply, result) = oneshot::channel();
        if !self.has_thread {
            let _ = reply.send(LargeResult {
                prepared: Some(read(self.shared.memory.work())),
                _place: None,
            });
            return result;
        }
        let mut state = self.shared.lock();
        if !state.is_closed {
            state.turns.push(peer, Job { read, reply });
            self.shared.changed.notify_all();
        }
        result
    }

    /// Ends the thread, and what waits.
    pub(crate) fn close(&self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        state.turns = Turns::default();
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next request whose sender still wants it; None: the lane was
    /// closed.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if !state.is_taken
                && let Some(job) = state.turns.pop()
            {
                if job.reply.is_closed() {
                    continue;
                }
                state.is_taken = true;
                return Some(job);
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(self: &Arc<Self>, job: Job) {
        let (memory, lease) = self.memory.for_large();
        let mut place = Place {
            shared: Arc::clone(self),
            lease: Some(lease),
        };
        // The panic hook has logged it and turned the health check red.
        let prepared = catch_unwind(AssertUnwindSafe(|| (job.read)(memory)))
            .unwrap_or_else(|_| Err(Refusal::failed()));
        // Of what it could have taken, it holds what it did take.
        let taken = prepared.as_ref().map_or(0, PreparedRequest::bytes);
        let beyond = taken.saturating_sub(self.memory.work());
        place.lease = Some(self.memory.accepted.lease(beyond));
        // Nobody may be left to take it; then it is dropped here, place and all.
        let _ = job.reply.send(LargeResult {
            prepared: Some(prepared),
            _place: Some(place),
        });
    }
}

#[cfg(test)]
mod tests;
