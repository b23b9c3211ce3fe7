//! A backend that is down, or busy: who asks it how often, and in which order.

use crate::support::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tonic::Status;
use wayspan::exporter::ConfiguredExporter;
use wayspan::pdata::Signal::Traces;

fn every(settings: ConfiguredExporter, interval: Duration) -> ConfiguredExporter {
    let mut settings = settings;
    settings.retry.initial_interval = interval;
    settings.retry.max_interval = interval;
    settings
}

#[tokio::test]
async fn one_asks_for_all_while_the_backend_is_down() {
    let up = Arc::new(AtomicBool::new(false));
    let its_up = Arc::clone(&up);
    let (address, log) = grpc_server(move |_, _| match its_up.load(Ordering::SeqCst) {
        false => Reply::Status(Status::unavailable("down")),
        true => Reply::Ok,
    })
    .await;
    let interval = Duration::from_millis(50);
    let settings = every(grpc(address), interval);
    let running = Running::start(&settings);
    for id in 0..40 {
        running.push(batch(id..id + 1));
    }
    let at_once = settings.queue.consumers;
    until(|| log.len() >= at_once + 10).await;
    let got = log.all();
    // Those that went before anything was known, and a probe an interval.
    let took = got.last().unwrap().at - got[0].at;
    let probes = took.as_millis() / interval.as_millis() + 1;
    assert!(
        got.len() - at_once <= probes as usize,
        "{} requests in {took:?}",
        got.len()
    );
    assert!(running.stats.outage.since().is_some());
    up.store(true, Ordering::SeqCst);
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..40).collect::<Vec<_>>());
    assert_eq!(stats.outage.since(), None);
}

#[tokio::test]
async fn batches_that_waited_go_oldest_first() {
    let (listener, address) = listen().await;
    drop(listener);
    let running = Running::start(&every(grpc(address), Duration::from_millis(100)));
    // Fewer than may be in flight at once: all are waiting.
    for id in 0..8 {
        running.push(batch(id..id + 1));
    }
    let stats = Arc::clone(&running.stats);
    until(|| stats.retries.get() >= 3).await;
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let order = Arc::default();
    tokio::spawn(serve_in_order(listener, Arc::clone(&order)));
    let (_, stats) = running.finish().await;
    assert_eq!(stats.items[Traces].sent.get(), 8);
    let order: Vec<u64> = order.lock().unwrap().clone();
    // The first was the probe; the others went when it was answered.
    let (probe, others) = order.split_first().unwrap();
    let expected: Vec<u64> = (0..8).filter(|id| id != probe).collect();
    assert_eq!(others, expected, "after probe {probe}");
}

#[tokio::test]
async fn what_the_backend_asks_for_is_asked_of_all() {
    let wish = Duration::from_millis(400);
    let (address, log) = grpc_server(move |number, _| match number {
        0 => over_quota(wish),
        _ => Reply::Ok,
    })
    .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..1));
    let stats = Arc::clone(&running.stats);
    until(|| stats.outage.since().is_some()).await;
    for id in 1..6 {
        running.push(batch(id..id + 1));
    }
    running.finish().await;
    assert_eq!(log.accepted(), (0..6).collect::<Vec<_>>());
    let got = log.all();
    for later in &got[1..] {
        assert!(later.at - got[0].at >= wish);
    }
}

#[tokio::test]
async fn a_batch_that_never_passes_holds_up_no_other() {
    let (address, log) = grpc_server(|_, request| match span_ids(request)[0] {
        0 => Reply::Status(Status::unavailable("not this one")),
        _ => Reply::Ok,
    })
    .await;
    let mut settings = every(grpc(address), Duration::from_millis(50));
    settings.queue.consumers = 2;
    let running = Running::start(&settings);
    for id in 0..50 {
        running.push(batch(id..id + 1));
    }
    until(|| log.accepted() == (1..50).collect::<Vec<_>>()).await;
    let asked = |id| log.all().iter().filter(|got| got.ids == [id]).count();
    assert!((1..50).all(|id| asked(id) == 1));
    running
        .deadline
        .send(Some(std::time::Instant::now()))
        .unwrap();
    let (drained, _) = running.finish().await;
    assert_eq!(drained.abandoned, 1);
}

#[tokio::test]
async fn batches_whose_time_is_over_are_given_up_with_the_cause() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut settings = grpc(address);
    settings.retry.max_elapsed = Some(Duration::from_millis(200));
    let running = Running::start(&settings);
    for id in 0..10 {
        running.push(batch(id * 5..id * 5 + 5));
    }
    let (drained, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].send_failed.get(), drained.abandoned),
        (50, 0)
    );
    assert!(stats.outage.since().is_some());
}

#[tokio::test]
async fn without_retries_each_batch_has_its_one_attempt() {
    let (address, log) = grpc_server(|number, _| match number {
        0..5 => Reply::Status(Status::unavailable("no")),
        _ => Reply::Ok,
    })
    .await;
    let mut settings = every(grpc(address), Duration::from_secs(3600));
    settings.retry.enabled = false;
    settings.queue.consumers = 1;
    let running = Running::start(&settings);
    for id in 0..10 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (5..10).collect::<Vec<_>>());
    assert_eq!((log.len(), stats.items[Traces].send_failed.get()), (10, 5));
    assert_eq!((stats.retries.get(), stats.outage.since()), (0, None));
}
