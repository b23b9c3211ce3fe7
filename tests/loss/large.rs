//! Spans that are larger than a segment, and than what a route keeps in memory.

use crate::service::{Service, Setup};
use bytes::Bytes;
use std::net::SocketAddr;
use testkit::{
    Backend, Protocol, Signal,
    frames::{PREFIX, fill_prefix},
    load::{Answer, Link, ids},
    wait_for,
    wire::{put_bytes, put_message},
};
use tokio::task::LocalSet;

/// MiB, beside segments of 16 and 24 in memory.
const SIZES: [usize; 6] = [1, 17, 1, 30, 20, 40];

/// A request with one span of so many MiB, framed.
fn request(n: u64, mib: usize) -> Bytes {
    let mut frame = vec![0; PREFIX];
    put_message(1, &mut frame, |resource_spans| {
        put_message(2, resource_spans, |scope_spans| {
            put_message(2, scope_spans, |span| {
                put_bytes(1, &ids::trace_id(n), span);
                put_bytes(2, &ids::span_id(n), span);
                put_bytes(5, &vec![b'x'; mib << 20], span);
            });
        });
    });
    fill_prefix(0, &mut frame);
    frame.into()
}

fn send(port: u16, requests: impl Iterator<Item = Bytes>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    LocalSet::new().block_on(&runtime, async {
        let mut links = Link::connect(to, Signal::Traces, Protocol::Grpc, false, 1)
            .await
            .unwrap();
        for request in requests {
            match links[0].post(request).await.unwrap() {
                Answer::Taken { rejected } => assert_eq!(rejected, 0),
                Answer::Refused { why, .. } => panic!("{why}"),
            }
        }
    });
}

#[test]
fn spans_larger_than_a_segment_survive_a_kill() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    // A body that comes in pieces may have a sixteenth of the memory limit, and more
    // where there are few shards.
    let mut service = Service::start(&Setup {
        memory_mib: 1024,
        ..Setup::logged(backend.port)
    });
    let requests = SIZES.iter().zip(1..).map(|(mib, n)| request(n, *mib));
    send(service.ports[0], requests);
    service.kill();
    service.restart();
    service.wait_recovered();
    assert_eq!(service.account().recovered, SIZES.len() as u64);
    backend.back();
    service.wait_delivered();
    assert_eq!(backend.records().taken.received, SIZES.len() as u64);
    wait_for("their segments to be deleted", || {
        service.segments().is_empty().then_some(())
    });
}
