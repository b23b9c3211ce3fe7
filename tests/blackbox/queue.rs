//! The keys of an exporter's queue, seen from outside.

use crate::spans::{good, request, span};
use prost::Message as _;
use std::sync::Arc;
use testkit::{Backend, Grpc, Mode, Protocol, Reply, Setup, Wayspan, free_port, http, wait_for};

/// To a backend on this port, with these keys of the queue. Batches are of one request.
fn setup(port: u16, queue: &str) -> Setup {
    Setup::to_grpc(port).layer(format!(
        "exporters: {{otlp_grpc: {{sending_queue: {{num_consumers: 1, {queue}}}, \
         retry_on_failure: {{initial_interval: 50ms, max_interval: 100ms}}}}}}\n\
         processors: {{batch: {{timeout: 0s}}}}"
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_wait_for_room_where_they_are_to() {
    let port = free_port();
    let mut wayspan = Wayspan::start(setup(port, "queue_size: 1, block_on_overflow: true"));
    // What is on its way, what waits, what the shard holds, and those that find no room.
    let senders: Vec<_> = (1..=8)
        .map(|n| {
            let port = wayspan.grpc;
            tokio::spawn(async move {
                let mut client = Grpc::connect(port).await;
                client.export(&good(n)).await.grpc_status()
            })
        })
        .collect();
    let answered = || senders.iter().filter(|sender| sender.is_finished()).count();
    wayspan.wait_metric("otelcol_exporter_queue_size", |size| size == 1.0);
    wait_for("some answers", || (answered() > 1).then_some(()));
    assert!(answered() < 8, "nobody waits");
    let backend = Backend::start(port, Protocol::Grpc, true);
    for sender in senders {
        assert_eq!(sender.await.unwrap(), Some(0));
    }
    backend.wait(8);
    assert_eq!(wayspan.metric("otelcol_receiver_refused_spans"), Some(0.0));
    wayspan.stop();
}

#[tokio::test]
async fn the_size_of_a_queue_is_counted_in_its_unit() {
    let mut wayspan = Wayspan::start(setup(free_port(), "sizer: items, queue_size: 100"));
    assert_eq!(
        wayspan.metric("otelcol_exporter_queue_capacity"),
        Some(100.0)
    );
    let mut client = Grpc::connect(wayspan.grpc).await;
    // One is on its way, and one more waits beside the queue.
    let mut statuses = Vec::new();
    for n in 0..8 {
        let spans = (0..30).map(|at| span(100 * n + at + 1, "good")).collect();
        let message = request("orders", spans).encode_to_vec();
        statuses.push(client.export(&message).await.grpc_status());
    }
    wayspan.wait_metric("otelcol_exporter_queue_size", |size| size == 90.0);
    assert_eq!(statuses[0], Some(0));
    // RESOURCE_EXHAUSTED
    assert_eq!(statuses[7], Some(8), "{statuses:?}");
    wayspan.kill();
}

#[tokio::test]
async fn a_queue_without_a_batch_processor_says_how_is_batched() {
    let backend = Backend::grpc();
    let queue = "batch: {flush_timeout: 1h, min_size: 6, max_size: 6}";
    let setup = setup(backend.port, queue)
        .layer("service: {pipelines: {traces: {processors: [memory_limiter]}}}");
    let wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=5 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
    }
    assert!(backend.spans().is_empty());
    let spans = (6..=12).map(|n| span(n, "good")).collect();
    let message = request("orders", spans).encode_to_vec();
    assert_eq!(client.export(&message).await.grpc_status(), Some(0));
    backend.wait(12);
    let sizes = "otelcol_exporter_queue_batch_send_size_count";
    assert_eq!(wayspan.metric(sizes), Some(2.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_wait_for_the_result_where_they_are_to() {
    let port = free_port();
    let mut wayspan = Wayspan::start(setup(port, "wait_for_result: true"));
    let grpc = wayspan.grpc;
    let over_grpc = tokio::spawn(async move {
        let mut client = Grpc::connect(grpc).await;
        client.export(&good(1)).await.grpc_status()
    });
    let port_of_http = wayspan.http;
    let over_http = tokio::spawn(async move {
        let headers = [("content-type", "application/x-protobuf")];
        http(port_of_http, "POST", "/v1/traces", &headers, &good(2))
            .await
            .status
    });
    wayspan.wait_metric("otelcol_receiver_accepted_spans", |spans| spans == 2.0);
    assert!(!over_grpc.is_finished() && !over_http.is_finished());
    let backend = Backend::start(port, Protocol::Grpc, true);
    assert_eq!(over_grpc.await.unwrap(), Some(0));
    assert_eq!(over_http.await.unwrap(), 200);
    assert_eq!(backend.spans().len(), 2);

    // What the backend refuses for good, the sender hears: INVALID_ARGUMENT.
    backend.set(Mode::Script(Arc::new(|_, _| Reply::Invalid)));
    let mut client = Grpc::connect(grpc).await;
    let reply = client.export(&good(7)).await;
    assert_eq!(reply.grpc_status(), Some(3), "{}", reply.message());
    backend.set(Mode::Take);
    assert_eq!(client.export(&good(8)).await.grpc_status(), Some(0));
    wayspan.stop();
}

#[tokio::test]
async fn what_is_given_up_is_told_to_senders_that_wait() {
    let setup = setup(free_port(), "wait_for_result: true")
        .layer("exporters: {otlp_grpc: {retry_on_failure: {max_elapsed_time: 200ms}}}");
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    // UNAVAILABLE: it may be sent again.
    let reply = client.export(&good(1)).await;
    assert_eq!(reply.grpc_status(), Some(14), "{}", reply.message());
    assert!(
        reply.message().contains("connection refused"),
        "{}",
        reply.message()
    );
    wayspan.stop();
}
