//! What one sender does must not harm another: not by size, not by memory.

use crate::spans::{good, request, span};
use prost::Message;
use testkit::{Backend, Grpc, Setup, Wayspan, free_port, http};
use wayspan::pdata::wire;

/// A request with an unknown field 99 of `len` bytes, and no span or one.
fn with_unknown_field(len: usize, spans: &[u8]) -> Vec<u8> {
    let mut request = spans.to_vec();
    wire::put_bytes(99, &vec![7; len], &mut request);
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_of_a_request_do_not_swell_the_batch_of_others() {
    let backend = Backend::grpc();
    let mut wayspan = Wayspan::start(Setup::to(&backend).batching("1h"));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=20 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
        let no_span = with_unknown_field(5 << 20, &[]);
        assert_eq!(client.export(&no_span).await.grpc_status(), Some(0));
        let with_span = with_unknown_field(5 << 20, &good(100 + n));
        assert_eq!(client.export(&with_span).await.grpc_status(), Some(0));
    }
    let dropped = wayspan
        .metric("wayspan_unknown_field_bytes_dropped")
        .unwrap();
    assert!(dropped >= 100e6, "{dropped}");
    let largest = wayspan.metric("otelcol_process_memory_rss").unwrap();
    assert!(largest < 300e6, "100 MB were sent and not kept: {largest}");
    wayspan.stop();
    assert_eq!(backend.spans().len(), 40);
}

#[tokio::test]
async fn without_room_senders_are_told_when_to_try_again_and_empty_requests_succeed() {
    // Nobody takes what is held, and 1 MiB of it fills the limit.
    let setup = Setup::to_grpc(free_port()).layer("processors: {memory_limiter: {limit_mib: 1}}");
    let wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    let large = request("orders", vec![span(1, &"x".repeat(64 << 10))]).encode_to_vec();
    let mut sent = 0;
    let refused = loop {
        let reply = client.export(&large).await;
        if reply.grpc_status() != Some(0) {
            break reply;
        }
        sent += 1;
        assert!(sent < 4096, "256 MiB fit into 1 MiB");
    };
    assert_eq!(refused.grpc_status(), Some(8), "{refused:?}");
    assert!(
        refused.fields.contains_key("grpc-status-details-bin"),
        "RetryInfo: {refused:?}"
    );
    assert!(
        refused.message().contains("memory limit"),
        "{}",
        refused.message()
    );
    assert_eq!(client.export(&[]).await.grpc_status(), Some(0));
    let headers = [("content-type", "application/x-protobuf")];
    // An open batch is counted by the quarter of a MiB, a sealed one to the byte:
    // once it is sealed, a few more may fit.
    let mut refused = http(wayspan.http, "POST", "/v1/traces", &headers, &large).await;
    for _ in 0..16 {
        if refused.status != 200 {
            break;
        }
        refused = http(wayspan.http, "POST", "/v1/traces", &headers, &large).await;
    }
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.headers["retry-after"].parse::<u32>().unwrap() >= 1);
    wayspan.assert_alive();
}
