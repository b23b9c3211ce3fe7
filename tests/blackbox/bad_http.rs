//! Bad input on the OTLP/HTTP port: status, body in the request's content
//! type, neighbours unharmed, the process alive.

use crate::spans::{good, request, span};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use testkit::{Backend, HttpReply, Setup, Wayspan, frames, http};

const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// `google.rpc.Status`, as far as the tests read it.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn status(reply: &HttpReply) -> Status {
    assert_eq!(
        reply.headers["content-type"], "application/x-protobuf",
        "{reply:?}"
    );
    let status = Status::decode(&reply.body[..]).unwrap();
    assert!(!status.message.is_empty(), "{reply:?}");
    status
}

async fn between_neighbours<F>(bad: impl FnOnce(u16) -> F) -> HttpReply
where
    F: Future<Output = HttpReply>,
{
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend).http("max_request_body_size: 1048576"));
    assert_eq!(
        http(wayspan.http, "POST", "/v1/traces", &[PROTO], &good(1))
            .await
            .status,
        200
    );
    let reply = bad(wayspan.http).await;
    assert_eq!(
        http(wayspan.http, "POST", "/v1/traces", &[PROTO], &good(2))
            .await
            .status,
        200
    );
    let spans = backend.wait(2);
    assert!(spans.iter().all(|span| span.name == "good"), "{spans:?}");
    wayspan.assert_alive();
    reply
}

async fn post(port: u16, headers: &[(&str, &str)], body: &[u8]) -> HttpReply {
    http(port, "POST", "/v1/traces", headers, body).await
}

#[tokio::test]
async fn truncated_protobuf_is_400_with_a_status_that_names_the_place() {
    let reply = between_neighbours(async |port| {
        let whole = good(9);
        post(port, &[PROTO], &whole[..whole.len() - 3]).await
    })
    .await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(status(&reply).message.contains("byte"));
}

#[tokio::test]
async fn bad_json_is_400_with_a_status_in_json() {
    for body in [
        r#"{"resourceSpans": ["#,
        r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}"#,
        "[]",
    ] {
        let reply =
            between_neighbours(async |port| post(port, &[JSON], body.as_bytes()).await).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(reply.headers["content-type"], "application/json");
        let status: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(!status["message"].as_str().unwrap().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn too_large_is_413_by_length_or_by_what_it_inflates_to() {
    let reply =
        between_neighbours(async |port| post(port, &[PROTO], &vec![0; (1 << 20) + 1]).await).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    assert!(status(&reply).message.contains("max_request_body_size"));

    let reply = between_neighbours(async |port| {
        post(port, &[PROTO, GZIP], &frames::gzip(&vec![0; 64 << 20])).await
    })
    .await;
    assert_eq!(reply.status, 413, "{reply:?}");
}

#[tokio::test]
async fn damaged_gzip_is_400() {
    let reply = between_neighbours(async |port| {
        let mut packed = frames::gzip(&good(9));
        packed.truncate(packed.len() - 9);
        post(port, &[PROTO, GZIP], &packed).await
    })
    .await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(status(&reply).message.contains("gzip"));
}

#[tokio::test]
async fn wrong_type_encoding_method_and_path_have_their_statuses() {
    let reply = between_neighbours(async |port| {
        post(port, &[("content-type", "text/plain")], &good(9)).await
    })
    .await;
    assert_eq!(reply.status, 415, "{reply:?}");
    assert!(
        reply.text().contains("application/x-protobuf"),
        "{}",
        reply.text()
    );

    let reply = between_neighbours(async |port| post(port, &[], &good(9)).await).await;
    assert_eq!(reply.status, 415, "no content type: {reply:?}");

    let reply = between_neighbours(async |port| {
        post(port, &[PROTO, ("content-encoding", "br")], &good(9)).await
    })
    .await;
    assert_eq!(reply.status, 415, "{reply:?}");

    let reply =
        between_neighbours(async |port| http(port, "GET", "/v1/traces", &[], &[]).await).await;
    assert_eq!(reply.status, 405, "{reply:?}");
    assert_eq!(reply.headers["allow"], "POST");

    let reply =
        between_neighbours(async |port| http(port, "POST", "/v2/spans", &[PROTO], &good(9)).await)
            .await;
    assert_eq!(reply.status, 404, "{reply:?}");
}

#[tokio::test]
async fn faulty_ids_are_a_partial_success_in_both_encodings() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut faulty = span(3, "faulty");
    faulty.trace_id.pop();
    let both = request("orders", vec![span(1, "proto"), faulty]);

    let reply = post(wayspan.http, &[PROTO], &both.encode_to_vec()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = ExportTraceServiceResponse::decode(&reply.body[..]).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 1);

    let json = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
         "name": "json", "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": 1544712661000000000, "kind": 2},
        {"traceId": "00", "spanId": "EEE19B7EC3C1B174", "name": "faulty"}]}]}]}"#;
    let reply = post(wayspan.http, &[JSON], json.as_bytes()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let rejected = &answer["partialSuccess"]["rejectedSpans"];
    assert!(*rejected == "1" || *rejected == 1, "{answer}");

    backend.wait(2);
    assert_eq!(backend.names(), ["json", "proto"]);
}

#[tokio::test]
async fn full_success_says_nothing_more() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let reply = post(wayspan.http, &[PROTO], &good(1)).await;
    assert_eq!(
        (reply.status, reply.headers["content-type"].as_str()),
        (200, "application/x-protobuf")
    );
    assert_eq!(reply.body, b"");
    let reply = post(wayspan.http, &[JSON], b"{}").await;
    assert_eq!(
        (reply.status, reply.headers["content-type"].as_str()),
        (200, "application/json")
    );
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer, serde_json::json!({}));
    backend.wait(1);
}
