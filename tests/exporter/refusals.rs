//! Batches refused as too large or as invalid: what is at fault is lost, the
//! rest arrives, once.

use crate::support::*;
use tonic::Status;

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
        (stats.sent_spans.get(), stats.send_failed_spans.get()),
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
        (stats.sent_spans.get(), stats.send_failed_spans.get()),
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
        (stats.sent_spans.get(), stats.send_failed_spans.get()),
        (97, 3)
    );
}

#[tokio::test]
async fn a_backend_that_refuses_everything_is_not_asked_about_every_span() {
    let (address, log) = grpc_server(|_, _| Reply::Status(Status::invalid_argument("never"))).await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..4096));
    let (_, stats) = running.finish().await;
    assert_eq!(stats.send_failed_spans.get(), 4096);
    assert!(log.len() <= 256 + 13, "{} requests", log.len());
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
        (stats.sent_spans.get(), stats.send_failed_spans.get()),
        (63, 1)
    );
}
