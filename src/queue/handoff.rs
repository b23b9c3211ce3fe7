/*!
The hand-off from shard threads to an exporter: bounded, lock-free, and awaited
without losing a wake-up or a batch.

The batches stand in a `crossbeam_queue::ArrayQueue`. Around it are two small
protocols.

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
*/

use super::Parcel;
use crossbeam_queue::ArrayQueue;
use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// The queue had no room, or was closed; the batch comes back.
#[derive(Debug)]
pub struct Full<T = Parcel>(pub T);

/// A bounded queue of sealed batches, many producers, many consumers.
#[derive(Debug)]
pub struct Queue<T = Parcel> {
    batches: ArrayQueue<T>,
    /// [`CLOSED`] and, below it, the number of pushes under way.
    state: AtomicUsize,
    arrived: Notify,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

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

    /// Whether [`Queue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.state.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Batches waiting.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Room in batches.
    pub fn capacity(&self) -> usize {
        self.batches.capacity()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::{
        collections::HashSet,
        future::Future,
        sync::{Arc, Barrier, Mutex},
        task::{Context, Poll, Wake, Waker},
        thread,
        time::Duration,
    };

    /// A batch, of which the queue knows nothing, by its number.
    #[derive(Debug)]
    struct Numbered {
        spans: u32,
    }

    type Queue = super::Queue<Numbered>;

    fn batch(spans: u32) -> Numbered {
        Numbered { spans }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            // Not a measurement: a lost wake-up would otherwise hang the run.
            .block_on(async { tokio::time::timeout(Duration::from_secs(120), future).await })
            .expect("a consumer was never woken")
    }

    struct Flag(Mutex<u32>);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn keeps_order_refuses_when_full_and_drains_when_closed() {
        let queue = Queue::new(2);
        queue.push(batch(1)).unwrap();
        queue.push(batch(2)).unwrap();
        let Full(back) = queue.push(batch(3)).unwrap_err();
        assert_eq!(back.spans, 3);
        assert_eq!((queue.len(), queue.capacity()), (2, 2));
        queue.close();
        assert!(queue.is_closed());
        assert_eq!(queue.push(batch(4)).unwrap_err().0.spans, 4);
        block_on(async {
            assert_eq!(queue.pop().await.unwrap().spans, 1);
            assert_eq!(queue.pop().await.unwrap().spans, 2);
            assert!(queue.pop().await.is_none());
            assert!(queue.pop().await.is_none());
        });
        assert!(queue.is_empty());
    }

    #[test]
    fn a_sleeper_is_woken_once_per_batch_and_a_cancelled_one_passes_it_on() {
        let queue = Queue::new(4);
        let (first, second) = (Arc::new(Flag(Mutex::new(0))), Arc::new(Flag(Mutex::new(0))));
        let (w1, w2) = (Waker::from(first.clone()), Waker::from(second.clone()));
        let mut a = Box::pin(queue.pop());
        let mut b = Box::pin(queue.pop());
        assert!(a.as_mut().poll(&mut Context::from_waker(&w1)).is_pending());
        assert!(b.as_mut().poll(&mut Context::from_waker(&w2)).is_pending());
        queue.push(batch(7)).unwrap();
        assert_eq!(
            (*first.0.lock().unwrap(), *second.0.lock().unwrap()),
            (1, 0)
        );
        drop(a);
        assert_eq!(
            *second.0.lock().unwrap(),
            1,
            "the wake-up went down with the cancelled pop"
        );
        match b.as_mut().poll(&mut Context::from_waker(&w2)) {
            Poll::Ready(Some(batch)) => assert_eq!(batch.spans, 7),
            other => panic!("{other:?}"),
        };
    }

    #[test]
    fn a_push_under_way_at_closing_is_waited_for() {
        let queue = Queue::new(4);
        let flag = Arc::new(Flag(Mutex::new(0)));
        let waker = Waker::from(flag.clone());
        // The first half of a push, up to its announcement.
        assert_eq!(queue.state.fetch_add(1, Ordering::SeqCst) & CLOSED, 0);
        queue.close();
        let mut pop = Box::pin(queue.pop());
        assert!(
            pop.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        // A refused push meanwhile does not end the waiting.
        assert!(queue.push(batch(9)).is_err());
        assert!(
            pop.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        queue.batches.push(batch(5)).unwrap();
        queue.state.fetch_sub(1, Ordering::SeqCst);
        queue.arrived.notify_waiters();
        assert!(*flag.0.lock().unwrap() >= 1);
        match pop.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(batch)) => assert_eq!(batch.spans, 5),
            other => panic!("{other:?}"),
        };
    }

    /// `producers` × `each` batches through `consumers` threads, everything
    /// exactly once, with a queue so short that both sides keep running into
    /// its ends.
    fn exactly_once(producers: u32, each: u32, consumers: usize, capacity: usize) {
        let queue = Arc::new(Queue::new(capacity));
        let readers: Vec<_> = (0..consumers)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    block_on(async move {
                        let mut got = Vec::new();
                        while let Some(batch) = queue.pop().await {
                            got.push(batch.spans);
                        }
                        got
                    })
                })
            })
            .collect();
        let writers: Vec<_> = (0..producers)
            .map(|p| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for i in 0..each {
                        let mut next = batch(p * each + i);
                        while let Err(Full(back)) = queue.push(next) {
                            next = back;
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        queue.close();
        let got: Vec<u32> = readers
            .into_iter()
            .flat_map(|r| r.join().unwrap())
            .collect();
        assert_eq!(got.len() as u32, producers * each);
        assert_eq!(
            got.iter().collect::<HashSet<_>>().len(),
            got.len(),
            "something came twice"
        );
    }

    #[test]
    fn every_batch_arrives_once_whatever_the_shape() {
        for (producers, consumers, capacity) in [
            (1, 1, 1),
            (4, 1, 1),
            (4, 1, 16),
            (1, 4, 1),
            (4, 4, 2),
            (8, 3, 64),
        ] {
            exactly_once(producers, 3_000, consumers, capacity);
        }
    }

    #[test]
    fn a_push_racing_with_close_is_refused_or_popped() {
        for round in 0..1_500 {
            let queue = Arc::new(Queue::new(8));
            let start = Arc::new(Barrier::new(4));
            let pushers: Vec<_> = (0..2)
                .map(|p| {
                    let (queue, start) = (Arc::clone(&queue), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        (0..3)
                            .filter(|i| queue.push(batch(p * 3 + i)).is_ok())
                            .count()
                    })
                })
                .collect();
            let popper = {
                let (queue, start) = (Arc::clone(&queue), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    block_on(async move {
                        let mut got = 0;
                        while queue.pop().await.is_some() {
                            got += 1;
                        }
                        got
                    })
                })
            };
            start.wait();
            if round % 3 == 0 {
                thread::yield_now();
            }
            queue.close();
            let taken: usize = pushers.into_iter().map(|p| p.join().unwrap()).sum();
            assert_eq!(popper.join().unwrap(), taken, "round {round}");
            assert!(queue.is_empty());
        }
    }
}
