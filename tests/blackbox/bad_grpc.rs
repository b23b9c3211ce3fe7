//! Bad input on the OTLP/gRPC port: the specified status, a message that says
//! what was wrong, neighbours unharmed, the process alive.

use crate::spans::{good, request, span};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use testkit::{Backend, EXPORT, Grpc, GrpcReply, Setup, Wayspan, frames, http};

const INVALID_ARGUMENT: u16 = 3;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;

/// Sends `bad` between two good requests on the same connection and checks
/// that both of those are delivered.
async fn between_neighbours<F>(bad: impl FnOnce(Grpc) -> F) -> GrpcReply
where
    F: Future<Output = GrpcReply>,
{
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend).grpc("max_recv_msg_size_mib: 1"));
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    let reply = bad(client.clone()).await;
    assert_eq!(client.export(&good(2)).await.grpc_status(), Some(0));
    let spans = backend.wait(2);
    assert!(spans.iter().all(|span| span.name == "good"), "{spans:?}");
    wayspan.assert_alive();
    reply
}

#[tokio::test]
async fn a_truncated_request_is_refused_with_the_place() {
    let reply = between_neighbours(async |mut client: Grpc| {
        let whole = good(9);
        client.export(&whole[..whole.len() - 3]).await
    })
    .await;
    assert_eq!(reply.grpc_status(), Some(INVALID_ARGUMENT), "{reply:?}");
    assert!(reply.message().contains("byte"), "{}", reply.message());
}

#[tokio::test]
async fn random_bytes_are_refused() {
    let reply = between_neighbours(async |mut client: Grpc| {
        let noise: Vec<u8> = (0..4096u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        client.export(&noise).await
    })
    .await;
    assert_eq!(reply.grpc_status(), Some(INVALID_ARGUMENT), "{reply:?}");
}

#[tokio::test]
async fn an_oversized_request_is_refused_for_good_and_names_the_key() {
    let reply =
        between_neighbours(async |mut client: Grpc| client.export(&vec![0; (1 << 20) + 1]).await)
            .await;
    assert_eq!(reply.grpc_status(), Some(RESOURCE_EXHAUSTED), "{reply:?}");
    assert!(
        reply.message().contains("max_recv_msg_size_mib"),
        "{}",
        reply.message()
    );
    // RetryInfo would make the sender try the same again.
    assert!(
        !reply.fields.contains_key("grpc-status-details-bin"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_length_that_is_only_claimed_reserves_nothing_and_is_refused() {
    let reply = between_neighbours(async |mut client: Grpc| {
        let mut claims = frames::grpc(0, b"short");
        claims[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
        client.send("POST", EXPORT, &[], claims).await
    })
    .await;
    assert_eq!(reply.grpc_status(), Some(RESOURCE_EXHAUSTED), "{reply:?}");
}

#[tokio::test]
async fn a_message_cut_short_of_its_own_length_is_refused() {
    let reply = between_neighbours(async |mut client: Grpc| {
        let mut short = frames::grpc(0, &good(9));
        short.pop();
        client.send("POST", EXPORT, &[], short).await
    })
    .await;
    assert!(
        reply.grpc_status().is_some_and(|status| status != 0),
        "{reply:?}"
    );
    assert!(!reply.message().is_empty());
}

#[tokio::test]
async fn damaged_gzip_is_refused() {
    let reply = between_neighbours(async |mut client: Grpc| {
        let mut packed = frames::gzip(&good(9));
        let middle = packed.len() / 2;
        packed[middle] ^= 0xff;
        client
            .send(
                "POST",
                EXPORT,
                &[("grpc-encoding", "gzip")],
                frames::grpc(1, &packed),
            )
            .await
    })
    .await;
    assert!(
        reply.grpc_status().is_some_and(|status| status != 0),
        "{reply:?}"
    );
    assert!(reply.message().contains("gzip"), "{}", reply.message());
}

#[tokio::test]
async fn a_compression_bomb_is_cut_at_the_limit() {
    let reply = between_neighbours(async |mut client: Grpc| {
        let bomb = frames::gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20, "small when packed: {}", bomb.len());
        client
            .send(
                "POST",
                EXPORT,
                &[("grpc-encoding", "gzip")],
                frames::grpc(1, &bomb),
            )
            .await
    })
    .await;
    assert_eq!(reply.grpc_status(), Some(RESOURCE_EXHAUSTED), "{reply:?}");
}

#[tokio::test]
async fn an_unknown_encoding_is_answered_with_the_known_ones() {
    let reply = between_neighbours(async |mut client: Grpc| {
        client
            .send(
                "POST",
                EXPORT,
                &[("grpc-encoding", "lz4")],
                frames::grpc(1, &good(9)),
            )
            .await
    })
    .await;
    assert_eq!(reply.grpc_status(), Some(UNIMPLEMENTED), "{reply:?}");
    let accepted = reply
        .fields
        .get("grpc-accept-encoding")
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        accepted.contains("gzip") && accepted.contains("zstd"),
        "{accepted}"
    );
}

#[tokio::test]
async fn an_unknown_service_or_method_is_unimplemented() {
    for path in [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/example.Nothing/Here",
    ] {
        let reply = between_neighbours(async |mut client: Grpc| {
            client.send("POST", path, &[], frames::grpc(0, &[])).await
        })
        .await;
        assert_eq!(
            reply.grpc_status(),
            Some(UNIMPLEMENTED),
            "{path}: {reply:?}"
        );
        assert!(
            reply.message().contains("TraceService"),
            "{}",
            reply.message()
        );
    }
}

#[tokio::test]
async fn a_wrong_content_type_is_http_415() {
    let reply = between_neighbours(async |mut client: Grpc| {
        client
            .send(
                "POST",
                EXPORT,
                &[("content-type", "text/html")],
                frames::grpc(0, &good(9)),
            )
            .await
    })
    .await;
    assert_eq!(reply.http_status, 415, "{reply:?}");
}

#[tokio::test]
async fn faulty_ids_cost_only_their_own_spans() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut short_trace = span(11, "short trace id");
    short_trace.trace_id.pop();
    let mut zero_span = span(12, "zero span id");
    zero_span.span_id = vec![0; 8];
    let mut long_parent = span(13, "long parent id");
    long_parent.parent_span_id = vec![1; 9];
    let spans = vec![
        span(1, "first"),
        short_trace,
        zero_span,
        long_parent,
        span(2, "last"),
    ];

    let mut client = Grpc::connect(wayspan.grpc).await;
    let reply = client
        .export(&request("orders", spans).encode_to_vec())
        .await;
    assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
    let answer = ExportTraceServiceResponse::decode(&reply.body[5..]).unwrap();
    let partial = answer.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 3);
    assert!(
        partial.error_message.contains("trace_id"),
        "{}",
        partial.error_message
    );

    backend.wait(2);
    assert_eq!(backend.names(), ["first", "last"]);
    assert_eq!(
        wayspan.metric("otelcol_receiver_refused_spans{receiver=\"otlp\",transport=\"grpc\"}"),
        Some(3.0)
    );
    wayspan.assert_alive();
}

#[tokio::test]
async fn invalid_utf8_is_replaced_and_counted() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut bytes = request("orders", vec![span(1, "caf?")]).encode_to_vec();
    let at = bytes.windows(4).position(|w| w == b"caf?").unwrap();
    bytes[at + 3] = 0xE9; // Latin-1 for é

    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&bytes).await.grpc_status(), Some(0));
    backend.wait(1);
    assert_eq!(backend.names(), ["caf\u{FFFD}"]);
    assert_eq!(wayspan.metric("wayspan_utf8_replaced_strings"), Some(1.0));
}

#[tokio::test]
async fn grpc_over_http_1_1_is_told_the_cause_once_in_the_log() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    for _ in 0..2 {
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let reply = http(
            wayspan.grpc,
            "POST",
            EXPORT,
            &headers,
            &frames::grpc(0, &good(1)),
        )
        .await;
        assert!((400..600).contains(&reply.status), "{reply:?}");
        assert!(
            reply.text().contains("appProtocol: grpc"),
            "{}",
            reply.text()
        );
    }
    let log = wayspan.log();
    assert_eq!(log.matches("appProtocol: grpc").count(), 1, "{log}");
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(2)).await.grpc_status(), Some(0));
    wayspan.assert_alive();
}

#[tokio::test]
async fn an_empty_request_succeeds() {
    let reply = between_neighbours(async |mut client: Grpc| client.export(&[]).await).await;
    assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
    assert_eq!(&reply.body[..], [0; 5], "no partial success");
}
