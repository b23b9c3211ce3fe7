/*!
The queue of an exporter: a hand-off whose size is counted in batches, in their items, or
in their bytes.
*/

use super::handoff::{Full, Queue};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Batches that may wait at most where the size is counted otherwise: room for them is
/// taken at the start.
const MOST_BATCHES: usize = 1 << 16;

/// In what a queue's size is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizer {
    /// In batches, each of which is a request to the backend.
    Requests,
    /// In spans, data points and log records.
    Items,
    /// In bytes of the batches.
    Bytes,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSize {
    /// `sizer`.
    pub sizer: Sizer,
    /// `queue_size`.
    pub limit: usize,
}

/// What a queue asks of what stands in it. The answers never change.
pub(crate) trait QueueEntry {
    /// Returns its items.
    fn items(&self) -> usize;
    /// Returns its bytes.
    fn bytes(&self) -> usize;
}

/// A bounded queue, many producers, many consumers. See [`Queue`].
#[derive(Debug)]
pub struct SizedQueue<T> {
    entries: Queue<T>,
    size: QueueSize,
    /// The sum of what waits, unless it is counted in requests.
    held: AtomicUsize,
}

#[allow(private_bounds, reason = "what stands in it is a matter of this crate")]
impl<T: QueueEntry> SizedQueue<T> {
    /// A queue for so much.
    pub fn new(size: QueueSize) -> Self {
        let room = match size.sizer {
            Sizer::Requests => size.limit,
            Sizer::Items | Sizer::Bytes => size.limit.min(MOST_BATCHES),
        };
        Self {
            entries: Queue::new(room),
            size,
            held: AtomicUsize::new(0),
        }
    }

    /// Adds a batch, if there is room for all of it; where nothing waits, there is. Never
    /// blocks.
    ///
    /// # Errors
    ///
    /// Gives the batch back when the queue is full or closed.
    pub fn push(&self, entry: T) -> Result<(), Full<T>> {
        let weight = self.weigh(&entry);
        // Counted before it is there, so that taking it out never counts below nothing.
        let before = self.held.fetch_add(weight, Relaxed);
        let pushed = match before == 0 || before.saturating_add(weight) <= self.size.limit {
            true => self.entries.push(entry),
            false => Err(Full(entry)),
        };
        if pushed.is_err() {
            self.held.fetch_sub(weight, Relaxed);
        }
        pushed
    }

    /// The next batch in order; waits for one. None once closed and empty. Cancel safe.
    pub async fn pop(&self) -> Option<T> {
        let entry = self.entries.pop().await?;
        self.held.fetch_sub(self.weigh(&entry), Relaxed);
        Some(entry)
    }

    /// No more batches will be taken; what is queued can still be popped.
    pub fn close(&self) {
        self.entries.close();
    }

    /// Returns true if [`SizedQueue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.entries.is_closed()
    }

    /// Returns true if nothing waits in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns true unless it is full.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.len() < self.entries.capacity() && self.len() < self.size.limit
    }

    /// Batches waiting.
    pub(crate) fn batches(&self) -> usize {
        self.entries.len()
    }

    /// What waits, as its size is counted.
    pub(crate) fn len(&self) -> usize {
        match self.size.sizer {
            Sizer::Requests => self.entries.len(),
            Sizer::Items | Sizer::Bytes => self.held.load(Relaxed),
        }
    }

    /// How much may wait.
    pub(crate) fn limit(&self) -> usize {
        self.size.limit
    }

    fn weigh(&self, entry: &T) -> usize {
        match self.size.sizer {
            Sizer::Requests => 0,
            Sizer::Items => entry.items(),
            Sizer::Bytes => entry.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use futures_util::FutureExt;

    #[derive(Debug, PartialEq)]
    struct Entry(usize);

    impl QueueEntry for Entry {
        fn items(&self) -> usize {
            self.0
        }

        fn bytes(&self) -> usize {
            100 * self.0
        }
    }

    fn queue(sizer: Sizer, limit: usize) -> SizedQueue<Entry> {
        SizedQueue::new(QueueSize { sizer, limit })
    }

    fn pop(queue: &SizedQueue<Entry>) -> Option<Entry> {
        queue.pop().now_or_never().flatten()
    }

    #[test]
    fn counts_in_its_unit() {
        for (sizer, limit, unit) in [
            (Sizer::Requests, 2, 0),
            (Sizer::Items, 10, 1),
            (Sizer::Bytes, 1000, 100),
        ] {
            let queue = queue(sizer, limit);
            queue.push(Entry(6)).unwrap();
            assert!(queue.has_room());
            queue.push(Entry(4)).unwrap();
            assert!(!queue.has_room(), "{sizer:?}");
            assert_eq!(queue.len(), if unit == 0 { 2 } else { 10 * unit });
            assert_eq!(queue.push(Entry(1)).unwrap_err().0, Entry(1));
            assert_eq!(pop(&queue), Some(Entry(6)));
            assert_eq!(
                (queue.len(), queue.batches()),
                (if unit == 0 { 1 } else { 4 * unit }, 1)
            );
            queue.push(Entry(6)).unwrap();
            assert_eq!(queue.limit(), limit);
        }
    }

    #[test]
    fn what_is_larger_than_the_queue_goes_in_alone() {
        let queue = queue(Sizer::Items, 10);
        queue.push(Entry(1)).unwrap();
        assert!(queue.push(Entry(20)).is_err());
        assert_eq!(queue.len(), 1);
        pop(&queue);
        queue.push(Entry(20)).unwrap();
        assert!(!queue.has_room());
        assert!(queue.push(Entry(0)).is_err());
        pop(&queue);
        queue.close();
        assert!(queue.push(Entry(1)).is_err());
        assert_eq!((queue.len(), pop(&queue)), (0, None));
    }
}
