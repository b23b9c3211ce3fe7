/*!
The two protocols of the hand-off.

The batches stand in a `crossbeam_queue::ArrayQueue`. Around it are two small
protocols:

**Sleeping.** A consumer registers for a wake-up *before* it looks at the queue
and sleeps only if it then finds nothing (look, register, look again). A
producer first adds its batch and then notifies one waiter. So a batch that a
sleeper did not see was added after the sleeper had registered, and its
notification went to some registered waiter, one notification per such batch,
each to a different waiter. Every notified waiter looks again, and takes at
most one batch per notification, so either they take all of those batches or
one of them finds the queue empty. A waiter that is dropped after it was
notified, because its `pop` found a batch by itself or was cancelled, passes
the notification on (`tokio::sync::Notify` does that).

**Closing.** `state` holds a closed bit and the number of pushes under way. A
push announces itself and learns in the same atomic step whether the queue is
closed. A consumer ends only when it reads "closed, no push under way" and,
*after* that, finds the queue empty. A push that announced itself before the
closing is therefore waited for and popped; one that came later is refused.
Nothing falls between. The last push to end after a closing wakes the waiters,
since they may be waiting for exactly that.

`tests/loom` compiles this file with other [`parts`](super) and tries every order
in which its steps can happen.
*/

use super::parts::{ArrayQueue, AtomicUsize, Notify, Ordering};
use std::pin::pin;

/// The queue had no room, or was closed; the batch comes back.
#[derive(Debug)]
pub struct Full<T>(pub(crate) T);

/// A bounded queue of sealed batches, many producers, many consumers.
#[derive(Debug)]
pub struct Queue<T> {
    pub(super) batches: ArrayQueue<T>,
    /// [`CLOSED`] and, below it, the number of pushes under way.
    pub(super) state: AtomicUsize,
    pub(super) arrived: Notify,
}

pub(super) const CLOSED: usize = 1 << (usize::BITS - 1);

impl<T> Queue<T> {
    /// A queue for `capacity` batches (at least 1).
    pub fn new(capacity: usize) -> Self {
        Self {
            batches: ArrayQueue::new(capacity.max(1)),
            state: AtomicUsize::new(0),
            arrived: Notify::new(),
        }
    }

    /// Adds a batch. Never blocks.
    ///
    /// # Errors
    ///
    /// Gives the batch back when the queue is full or closed.
    pub fn push(&self, batch: T) -> Result<(), Full<T>> {
        let before = self.state.fetch_add(1, Ordering::SeqCst);
        let pushed = if before & CLOSED == 0 {
            self.batches.push(batch).map_err(Full)
        } else {
            Err(Full(batch))
        };
        let now = self.state.fetch_sub(1, Ordering::SeqCst) - 1;
        if now == CLOSED {
            self.arrived.notify_waiters();
        } else if pushed.is_ok() {
            self.arrived.notify_one();
        }
        pushed
    }

    /// The next batch in order; waits for one. None once closed and empty.
    ///
    /// Cancel safe: a batch is taken only in the step that returns it.
    pub async fn pop(&self) -> Option<T> {
        loop {
            if let Some(batch) = self.batches.pop() {
                return Some(batch);
            }
            let mut wake = pin!(self.arrived.notified());
            wake.as_mut().enable();
            // Read before the look at the queue: see "Closing" above.
            let ended = self.state.load(Ordering::SeqCst) == CLOSED;
            if let Some(batch) = self.batches.pop() {
                return Some(batch);
            }
            if ended {
                return None;
            }
            wake.await;
        }
    }

    /// No more batches will be taken; wakes all consumers. What is queued can
    /// still be popped.
    pub fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::SeqCst);
        self.arrived.notify_waiters();
    }

    /// Returns true if [`Queue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.state.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Batches waiting.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Returns true if nothing waits in it.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Room in batches.
    pub(crate) fn capacity(&self) -> usize {
        self.batches.capacity()
    }
}
