#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::{Full, protocol::CLOSED};
use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Barrier, Mutex, atomic::Ordering},
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
