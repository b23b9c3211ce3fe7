/*!
Every order in which the steps of the hand-off can happen, tried by loom.

The code is the product's own, `src/queue/handoff/protocol.rs`, compiled here
with parts that loom controls. A lost wake-up shows as a deadlock, a lost batch
as a wrong count.

The queue and the bell are stand-ins with a lock each, so that one operation is
one step: that crossbeam's queue and tokio's `Notify` are themselves right is
their own tests' affair. Every order of atomic operations of the protocols, and
every value that the memory model lets them read, is real.
*/
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bell;
#[allow(dead_code, reason = "the product uses all of it")]
#[path = "../../src/queue/handoff/protocol.rs"]
mod protocol;
mod ring;

/// What `protocol` is made of here.
mod parts {
    pub use crate::{bell::Bell as Notify, ring::Ring as ArrayQueue};
    pub use loom::sync::atomic::{AtomicUsize, Ordering};
}

use loom::{future::block_on, sync::Arc, thread};
use protocol::Queue;
use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
};

/// Runs `model` in every order, with at most this many switches away from a
/// thread that could go on. Nearly all mistakes need fewer.
const PREEMPTIONS: usize = 3;

fn every_order(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

fn queue(capacity: usize) -> Arc<Queue<u32>> {
    Arc::new(Queue::new(capacity))
}

/// Takes everything until the queue ends.
fn drain(queue: &Queue<u32>) -> Vec<u32> {
    block_on(async {
        let mut got = Vec::new();
        while let Some(batch) = queue.pop().await {
            got.push(batch);
        }
        got
    })
}

#[test]
fn a_sleeper_is_woken_by_the_batch_it_did_not_see() {
    every_order(|| {
        let queue = queue(2);
        let producers: Vec<_> = [1, 2]
            .map(|batch| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.push(batch).unwrap())
            })
            .into();
        let mut got = [block_on(queue.pop()), block_on(queue.pop())];
        got.sort();
        assert_eq!(got, [Some(1), Some(2)]);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn two_sleepers_take_two_batches() {
    every_order(|| {
        let queue = queue(2);
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.pop()))
        };
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.push(1).unwrap();
                queue.push(2).unwrap();
            })
        };
        let mut got = [block_on(queue.pop()), other.join().unwrap()];
        got.sort();
        assert_eq!(got, [Some(1), Some(2)]);
        producer.join().unwrap();
    });
}

#[test]
fn a_cancelled_pop_passes_its_wake_up_on() {
    every_order(|| {
        let queue = queue(2);
        let cancelled = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let once = block_on(poll_fn(|cx| match pin!(queue.pop()).poll(cx) {
                    Poll::Ready(batch) => Poll::Ready(batch),
                    Poll::Pending => Poll::Ready(None),
                }));
                // It was to be somebody else's.
                if let Some(batch) = once {
                    queue.push(batch).unwrap();
                }
            })
        };
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(7).unwrap())
        };
        assert_eq!(block_on(queue.pop()), Some(7));
        cancelled.join().unwrap();
        producer.join().unwrap();
    });
}

#[test]
fn a_push_that_races_with_closing_is_refused_or_popped() {
    every_order(|| {
        let queue = queue(2);
        let producers: Vec<_> = [1, 2]
            .map(|batch| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.push(batch).is_ok())
            })
            .into();
        let consumer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || drain(&queue))
        };
        queue.close();
        let taken = producers.into_iter().map(|p| p.join().unwrap());
        let taken = taken.filter(|ok| *ok).count();
        assert_eq!(consumer.join().unwrap().len(), taken);
        assert!(queue.push(3).is_err());
    });
}

#[test]
fn every_consumer_ends_after_closing() {
    every_order(|| {
        let queue = queue(2);
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(1).is_ok())
        };
        let consumer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || drain(&queue))
        };
        queue.close();
        let got = drain(&queue).len() + consumer.join().unwrap().len();
        assert_eq!(got, usize::from(producer.join().unwrap()));
    });
}

#[test]
fn a_full_queue_gives_back_and_loses_nothing() {
    every_order(|| {
        let queue = queue(1);
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || [1, 2].map(|batch| queue.push(batch).is_ok()))
        };
        let consumer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || drain(&queue))
        };
        let taken = producer.join().unwrap();
        assert!(taken[0]);
        queue.close();
        let got = consumer.join().unwrap();
        assert_eq!(got, [1, 2][..taken.iter().filter(|ok| **ok).count()]);
    });
}
