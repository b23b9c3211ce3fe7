//! Shutdown: what can still be delivered is, what cannot is counted.

use crate::support::*;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tonic::Status;
use wayspan::pdata::Signal::Traces;
use wayspan::pipeline::{Logged, Offer};

#[tokio::test]
async fn what_hangs_is_abandoned_at_the_deadline_and_counted() {
    let (address, log) = grpc_server(|_, _| Reply::Hang).await;
    let mut settings = grpc(address);
    settings.queue.consumers = 2;
    let running = Running::start(&settings);
    for start in 0..5 {
        running.push(batch(start * 10..start * 10 + 10));
    }
    until(|| log.len() == 2).await;
    running
        .deadline
        .send(Some(Instant::now() + Duration::from_millis(50)))
        .unwrap();
    let (drained, stats) = running.finish().await;
    assert_eq!(drained.abandoned, 50);
    assert_eq!(
        (
            stats.items[Traces].send_failed.get(),
            stats.items[Traces].sent.get()
        ),
        (50, 0)
    );
    assert_eq!(log.len(), 2);
}

#[tokio::test]
async fn a_deadline_moved_to_now_ends_the_drain_at_once() {
    let (address, log) = grpc_server(|_, _| Reply::Hang).await;
    let mut settings = grpc(address);
    settings.queue.consumers = 2;
    settings.timeout = Duration::from_secs(3600);
    // With the queue open, and with it closed: the drain waits elsewhere then.
    for close in [false, true] {
        let before = log.len();
        let running = Running::start(&settings);
        for start in 0..5 {
            running.push(batch(start * 10..start * 10 + 10));
        }
        let later = Instant::now() + Duration::from_secs(3600);
        running.deadline.send(Some(later)).unwrap();
        if close {
            running.queue.close();
        }
        until(|| log.len() == before + 2).await;
        running.deadline.send(Some(Instant::now())).unwrap();
        let queue = Arc::clone(&running.queue);
        until(|| queue.is_closed() && queue.is_empty()).await;
        let (drained, stats) = running.finish().await;
        assert_eq!(drained.abandoned, 50);
        assert_eq!(stats.items[Traces].send_failed.get(), 50);
    }
}

#[tokio::test]
async fn shutdown_cuts_a_long_wait_short_and_delivers() {
    let (address, log) = grpc_server(|number, _| match number {
        0..3 => Reply::Status(Status::unavailable("starting")),
        _ => Reply::Ok,
    })
    .await;
    let mut settings = grpc(address);
    settings.retry.initial_interval = Duration::from_secs(3600);
    settings.retry.max_interval = Duration::from_secs(3600);
    let running = Running::start(&settings);
    running.push(batch(0..5));
    let stats = Arc::clone(&running.stats);
    until(|| stats.items[Traces].requests_ended.get() == 1).await;
    running
        .deadline
        .send(Some(Instant::now() + Duration::from_secs(50)))
        .unwrap();
    let (drained, stats) = running.finish().await;
    assert_eq!(drained.abandoned, 0);
    assert_eq!(log.accepted(), [0, 1, 2, 3, 4]);
    assert_eq!(stats.retries.get(), 3);
}

#[tokio::test]
async fn what_is_queued_is_delivered_before_the_end() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let mut settings = grpc(address);
    settings.queue.consumers = 1;
    let running = Running::start(&settings);
    running
        .deadline
        .send(Some(Instant::now() + Duration::from_secs(50)))
        .unwrap();
    for start in 0..50 {
        running.push(batch(start..start + 1));
    }
    let (drained, _) = running.finish().await;
    assert_eq!(drained.abandoned, 0);
    assert_eq!(log.accepted(), (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_the_undelivered_parts_of_a_batch_are_abandoned() {
    // Halves of the batch are taken until the last ones hang.
    let (address, log) = grpc_server(|_, request| match span_ids(request) {
        ids if ids.len() > 4 => {
            Reply::Status(Status::resource_exhausted("message larger than max"))
        }
        ids if ids.iter().all(|id| id % 2 == 0) => Reply::Ok,
        _ => Reply::Hang,
    })
    .await;
    let running = Running::start(&grpc(address));
    // Even ids stand before odd ones in the request.
    running.push(batch(0..16));
    until(|| log.accepted().len() == 8).await;
    let stats = Arc::clone(&running.stats);
    until(|| stats.items[Traces].sent.get() == 8).await;
    running.deadline.send(Some(Instant::now())).unwrap();
    let (drained, stats) = running.finish().await;
    assert_eq!(drained.abandoned, 8);
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (8, 8)
    );
}

#[tokio::test]
async fn a_queue_left_open_is_closed_at_the_deadline() {
    let (listener, address) = listen().await;
    drop(listener);
    let running = Running::start(&grpc(address));
    running.push(batch(0..5));
    running.deadline.send(Some(Instant::now())).unwrap();
    let queue = Arc::clone(&running.queue);
    until(|| queue.is_closed()).await;
    let late = running.route.offer(&batch(5..6), Logged::No);
    assert_eq!(late, Offer::NoRoom, "a batch that nobody would deliver");
    let (drained, _) = running.finish().await;
    assert_eq!(drained.abandoned, 5);
}

#[tokio::test]
async fn a_deadline_channel_that_goes_away_means_no_deadline() {
    let (address, log) = grpc_server(|number, _| match number {
        0 => Reply::Status(Status::unavailable("once")),
        _ => Reply::Ok,
    })
    .await;
    let mut running = Running::start(&grpc(address));
    running.deadline = tokio::sync::watch::channel(None).0;
    running.push(batch(0..5));
    let (drained, _) = running.finish().await;
    assert_eq!((drained.abandoned, log.accepted().len()), (0, 5));
}

#[tokio::test]
async fn the_debug_exporter_takes_everything() {
    let basic = wayspan::exporter::debug::Verbosity::Basic;
    let running = Running::start(&settings(basic));
    for start in 0..5 {
        running.push(batch(start * 10..start * 10 + 10));
    }
    let (drained, stats) = running.finish().await;
    assert_eq!((drained.abandoned, stats.items[Traces].sent.get()), (0, 50));
}
