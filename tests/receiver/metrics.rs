//! Metrics, which a receiver takes where a pipeline of metrics has it.

use crate::harness::*;
use tonic::Code;
use wayspan::{
    pipeline::Taken,
    receiver::{Protocol, otlp::http_protocol},
};

const EXPORT_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// An `ExportMetricsServiceRequest` with one empty `ResourceMetrics`.
const REQUEST: [u8; 2] = [0x0a, 0];

fn partly() -> Taken {
    Taken {
        rejected: 2,
        message: "why".to_owned(),
        ..Taken::default()
    }
}

#[tokio::test]
async fn grpc_takes_them_and_says_what_it_does_not_take() {
    let server = Server::with_metrics(Protocol::Grpc(grpc_settings()));
    let grpc = [("content-type", "application/grpc")];
    let got = http2(&server, post(EXPORT_METRICS, &grpc, framed(0, &REQUEST))).await;
    assert_eq!(got.grpc().code(), Code::Ok);
    assert_eq!(server.taken(), [REQUEST.to_vec()]);

    server.answers(Ok(partly()));
    let got = http2(&server, post(EXPORT_METRICS, &grpc, framed(0, &REQUEST))).await;
    // partial_success { rejected_data_points: 2, error_message: "why" }
    assert_eq!(&got.body[5..], b"\x0a\x07\x08\x02\x12\x03why");

    let refused = export(&server, &[], framed(0, &body("a"))).await.grpc();
    assert_eq!(refused.code(), Code::Unimplemented);
    for words in [
        "takes metrics, not traces",
        "a traces pipeline",
        "MetricsService (Export)",
    ] {
        assert!(refused.message().contains(words), "{refused:?}");
    }
    assert_eq!(server.counts(), (2, 1));
}

#[tokio::test]
async fn http_takes_them_as_protobuf_and_json() {
    let server = Server::with_metrics(http_protocol(http_settings()));
    let send = async |content: &str, body: &[u8]| {
        let headers = [("content-type", content)];
        http1(&server, post("/v1/metrics", &headers, body.to_vec())).await
    };
    assert_eq!(send(PROTOBUF, &REQUEST).await.status, 200);
    assert_eq!(send(JSON, b"{\"resourceMetrics\":[{}]}").await.status, 200);
    assert_eq!(server.taken(), [REQUEST.to_vec(), REQUEST.to_vec()]);

    server.answers(Ok(partly()));
    let got = send(JSON, b"{}").await;
    let said = String::from_utf8_lossy(&got.body).into_owned();
    assert!(said.contains(r#""rejectedDataPoints":"2""#), "{said}");

    let headers = [("content-type", PROTOBUF)];
    let got = http1(&server, post("/v1/traces", &headers, body("a"))).await;
    assert_eq!(got.status, 404);
    let said = got.rpc_status().message;
    assert!(
        said.contains("a traces pipeline") && said.contains("/v1/metrics"),
        "{said}"
    );
}
