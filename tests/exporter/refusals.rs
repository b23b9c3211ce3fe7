//! Batches refused as too large or as invalid: what is at fault is lost, the
//! rest arrives, once.

use crate::support::*;
use prost::Message;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Status;
use wayspan::pdata::Signal::Traces;

#[tokio::test]
async fn a_batch_too_large_arrives_in_parts() {
    // tonic refuses before it decodes, as grpc-go does: the script sees only
    // what fits.
    let (listener, address) = listen().await;
    let log = grpc_server_on(listener, 4096, |_, _| Reply::Ok);
    let running = Running::start(&grpc(address));
    running.push(seal(&request(0..301, 100)));
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..301).collect::<Vec<_>>());
    assert!(log.len() > 8);
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (301, 0)
    );
    assert_eq!(stats.retries.get(), 0, "a part is a new request, no retry");
}

#[tokio::test]
async fn a_span_too_large_by_itself_is_lost_alone() {
    let (address, log) = grpc_server(|_, request| {
        let big = request
            .resource_spans
            .iter()
            .flat_map(|r| &r.scope_spans)
            .any(|scope| {
                scope
                    .spans
                    .iter()
                    .any(|span| span.span_id == 13_u64.to_be_bytes())
            });
        match big {
            true => Reply::Status(Status::resource_exhausted(
                "grpc: received message larger than max (5000000 vs. 4194304)",
            )),
            false => Reply::Ok,
        }
    })
    .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..40));
    let (_, stats) = running.finish().await;
    assert_eq!(
        log.accepted(),
        (0..40).filter(|id| *id != 13).collect::<Vec<_>>()
    );
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (39, 1)
    );
}

#[tokio::test]
async fn invalid_spans_do_not_take_the_others_with_them() {
    let bad = [3, 50, 51];
    let (address, log) =
        grpc_server(
            move |_, request| match span_ids(request).iter().any(|id| bad.contains(id)) {
                true => Reply::Status(Status::invalid_argument("bad attribute")),
                false => Reply::Ok,
            },
        )
        .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..100));
    let (_, stats) = running.finish().await;
    assert_eq!(
        log.accepted(),
        (0..100).filter(|id| !bad.contains(id)).collect::<Vec<_>>()
    );
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (97, 3)
    );
}

#[tokio::test]
async fn a_backend_that_refuses_everything_is_not_asked_about_every_span() {
    let (address, log) = grpc_server(|_, _| Reply::Status(Status::invalid_argument("never"))).await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..4096));
    let (_, stats) = running.finish().await;
    assert_eq!(stats.items[Traces].send_failed.get(), 4096);
    assert!(log.len() <= 256 + 13, "{} requests", log.len());

    // Nor one that calls everything too large, even after a limit was learned.
    let (address, log) = http_server(|number, request| match span_ids(request).len() {
        ids if number > 2 || ids > 1 => Some(Raw::http(413, &[], "")),
        _ => None,
    })
    .await;
    let mut settings = http(address);
    settings.queue.consumers = 1;
    let running = Running::start(&settings);
    running.push(batch(0..2));
    let stats = Arc::clone(&running.stats);
    until(|| stats.items[Traces].sent.get() == 2).await;
    running.push(batch(0..4096));
    let (_, stats) = running.finish().await;
    assert_eq!(stats.items[Traces].send_failed.get(), 4096);
    assert!(log.len() <= 3 + 256 + 13, "{} requests", log.len());
}

#[tokio::test]
async fn what_is_known_to_be_too_large_is_cut_before_it_is_sent() {
    let (address, log) =
        http_server(|_, request| (request.encoded_len() > 8192).then(|| Raw::http(413, &[], "")))
            .await;
    let mut settings = http(address);
    settings.queue.consumers = 1;
    let running = Running::start(&settings);
    let refusals = |log: &Log| log.all().iter().filter(|got| !got.accepted).count();
    running.push(seal(&request(0..600, 100)));
    let stats = Arc::clone(&running.stats);
    until(|| stats.items[Traces].sent.get() == 600).await;
    let first = refusals(&log);
    assert!((1..=8).contains(&first), "one way down, not all: {first}");
    for start in 1..4 {
        running.push(seal(&request(start * 600..start * 600 + 600, 100)));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..2400).collect::<Vec<_>>());
    assert_eq!(stats.items[Traces].send_failed.get(), 0);
    assert_eq!(refusals(&log), first, "no later batch needs a refusal");
}

#[tokio::test]
async fn a_passing_failure_between_the_parts_loses_nothing() {
    let (address, log) = grpc_server(|number, request| match number % 2 {
        0 => Reply::Status(Status::unavailable("now and then")),
        _ if span_ids(request).len() > 4 => {
            Reply::Status(Status::resource_exhausted("message larger than max"))
        }
        _ => Reply::Ok,
    })
    .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..33));
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..33).collect::<Vec<_>>());
    assert!(stats.retries.get() > 0);
}

#[tokio::test]
async fn the_same_over_http() {
    let (address, log) = http_server(|_, request| {
        let ids = span_ids(request);
        if ids.len() > 10 {
            Some(Raw::http(413, &[], ""))
        } else if ids.contains(&17) {
            Some(Raw::http(
                400,
                &[("content-type", "text/plain")],
                "bad span",
            ))
        } else {
            None
        }
    })
    .await;
    let running = Running::start(&http(address));
    running.push(batch(0..64));
    let (_, stats) = running.finish().await;
    assert_eq!(
        log.accepted(),
        (0..64).filter(|id| *id != 17).collect::<Vec<_>>()
    );
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (63, 1)
    );
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_body_is_read_counts() {
    // Megabytes to a backend that answers as soon as it has seen the length,
    // over HTTP/2 (tonic) and HTTP/1.1 (one that closes, body unread).
    let (listener, address) = listen().await;
    let log = grpc_server_on(listener, 1 << 20, |_, _| Reply::Ok);
    let running = Running::start(&grpc(address));
    running.push(seal(&request(0..3000, 1000)));
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..3000).collect::<Vec<_>>());
    assert_eq!(stats.retries.get(), 0);

    let (listener, address) = listen().await;
    let (behind, log) = http_server(|_, _| None).await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(refuse_over(1 << 20, socket, behind));
        }
    });
    let running = Running::start(&http(address));
    running.push(seal(&request(0..3000, 1000)));
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..3000).collect::<Vec<_>>());
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (3000, 0)
    );
}

/// Reads a request's head and answers 413 if its body is longer than `limit`;
/// else lets `behind` answer.
async fn refuse_over(limit: usize, mut socket: TcpStream, behind: SocketAddr) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.unwrap() == 0 {
            return;
        }
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    if length > limit {
        let answer =
            b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        socket.write_all(answer).await.unwrap();
        return;
    }
    let mut next = TcpStream::connect(behind).await.unwrap();
    next.write_all(&head).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut socket, &mut next).await;
}
