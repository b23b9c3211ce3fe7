//! Zipkin's lists of spans: every version and compression arrives as OTLP, and a
//! refusal says what to do.

use crate::spans::good;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::json;
use testkit::{Backend, Grpc, Setup, Wayspan, frames, free_port, http};

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");
const V2: &str = "/api/v2/spans";
const V1: &str = "/api/v1/spans";

/// A wayspan with a `zipkin` receiver, and its port.
fn start(backend: &Backend) -> (Wayspan, u16) {
    let port = free_port();
    let layer = json!({
        "receivers": {"zipkin": {"endpoint": format!("127.0.0.1:{port}")}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp", "zipkin"]}}},
    });
    let setup = Setup::to(backend).layer(layer.to_string());
    (Wayspan::start(setup), port)
}

/// A list of one span of version 2, as Envoy's tracer writes it.
fn version_2(id: u32) -> String {
    json!([{
        "traceId": format!("{id:016x}"), "id": format!("{id:016x}"), "name": "reviews:9080/*",
        "kind": "CLIENT", "timestamp": 1_700_000_000_000_000_u64, "duration": 1500,
        "localEndpoint": {"ipv4": "10.0.0.7", "port": 0, "serviceName": "productpage.bookinfo"},
        "tags": {
            "component": "proxy", "http.status_code": "500", "error": "true",
            "upstream_cluster": "outbound|9080||reviews.bookinfo.svc.cluster.local",
            "node_id": "sidecar~10.0.0.7~productpage-v1-abc.bookinfo~bookinfo.svc.cluster.local",
        },
    }])
    .to_string()
}

/// The same of version 1.
fn version_1(id: u32) -> String {
    let endpoint = json!({"serviceName": "productpage.bookinfo", "ipv4": "10.0.0.7"});
    json!([{
        "traceId": format!("{id:016x}"), "id": format!("{id:016x}"), "name": "reviews:9080/*",
        "annotations": [
            {"timestamp": 1_700_000_000_000_000_u64, "value": "cs", "endpoint": endpoint},
            {"timestamp": 1_700_000_000_001_500_u64, "value": "cr", "endpoint": endpoint},
        ],
        "binaryAnnotations": [{"key": "error", "value": "true", "endpoint": endpoint}],
    }])
    .to_string()
}

/// The same of version 2 in protobuf.
fn protobuf(id: u8) -> Vec<u8> {
    let mut list = Vec::new();
    testkit::wire::put_message(1, &mut list, |span| {
        testkit::wire::put_bytes(1, &[&[0; 15][..], &[id]].concat(), span);
        testkit::wire::put_bytes(3, &[0, 0, 0, 0, 0, 0, 0, id], span);
        testkit::wire::put_number(4, 1, span);
        testkit::wire::put_bytes(5, b"reviews:9080/*", span);
        testkit::wire::put_fixed64(6, 1_700_000_000_000_000, span);
        testkit::wire::put_number(7, 1500, span);
        testkit::wire::put_message(8, span, |endpoint| {
            testkit::wire::put_bytes(1, b"productpage.bookinfo", endpoint);
        });
        testkit::wire::put_message(11, span, |tag| {
            testkit::wire::put_bytes(1, b"error", tag);
            testkit::wire::put_bytes(2, b"true", tag);
        });
    });
    list
}

/// Headers of a request.
type Headers = [(&'static str, &'static str)];

#[tokio::test]
async fn every_version_and_compression_arrives() {
    let backend = Backend::grpc();
    let (wayspan, port) = start(&backend);
    let (first, other) = (version_2(1).into_bytes(), version_1(4).into_bytes());
    let requests: [(&str, &Headers, Vec<u8>); 7] = [
        (V2, &[JSON], first),
        ("/", &[], version_2(2).into_bytes()),
        (
            V2,
            &[("content-encoding", "gzip")],
            frames::gzip(version_2(3).as_bytes()),
        ),
        (V1, &[JSON], other),
        (
            V1,
            &[JSON, ("content-encoding", "deflate")],
            frames::deflate(version_1(5).as_bytes()),
        ),
        (V2, &[PROTO], protobuf(6)),
        (
            V2,
            &[PROTO, ("content-encoding", "zstd")],
            frames::zstd(&protobuf(7)),
        ),
    ];
    let sent = requests.len();
    for (path, headers, body) in requests {
        let reply = http(port, "POST", path, headers, &body).await;
        assert_eq!((reply.status, &*reply.text()), (202, ""), "{path}");
    }
    let mut ids: Vec<u8> = Vec::new();
    for span in backend.wait(sent) {
        ids.push(span.span_id[7]);
        assert_eq!(
            (span.trace_id.len(), span.trace_id[15]),
            (16, span.span_id[7])
        );
        assert_eq!(span.name, "reviews:9080/*");
        assert_eq!(span.kind, 3);
        assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_000_000);
        assert_eq!(span.end_time_unix_nano, 1_700_000_000_001_500_000);
        assert_eq!(span.status.unwrap_or_default().code, 2);
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
    for resource in backend.resource_spans() {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let service = attributes.iter().find(|a| a.key == "service.name").unwrap();
        assert!(format!("{:?}", service.value).contains("productpage.bookinfo"));
    }
    let selector = "otelcol_receiver_accepted_spans{receiver=\"zipkin\"}";
    wayspan.wait_metric(selector, |count| count == 7.0);
}

#[tokio::test]
async fn a_list_too_long_for_one_turn_arrives() {
    let backend = Backend::grpc();
    let (_wayspan, port) = start(&backend);
    let spans: Vec<String> = (1..3000)
        .map(|id| version_2(id).trim_matches(['[', ']']).to_owned())
        .collect();
    let body = format!("[{}]", spans.join(","));
    assert!(body.len() > 1 << 20);
    let reply = http(port, "POST", V2, &[JSON], body.as_bytes()).await;
    assert_eq!((reply.status, &*reply.text()), (202, ""));
    backend.wait(spans.len());
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let backend = Backend::grpc();
    let (wayspan, port) = start(&backend);
    let thrift = ("content-type", "application/x-thrift");
    let cases: [(&str, &str, &Headers, &str, u16, &str); 8] = [
        (
            "POST",
            V1,
            &[thrift],
            "",
            415,
            "application/x-thrift\" is not supported: use application/json",
        ),
        ("POST", V1, &[PROTO], "", 415, "with /api/v2/spans"),
        ("GET", V2, &[], "", 405, "use POST"),
        (
            "POST",
            "/v1/traces",
            &[PROTO],
            "",
            404,
            "OTLP goes to the ports of an otlp receiver",
        ),
        (
            "POST",
            V2,
            &[JSON],
            "[{\"id\":\"1\"},{\"id\":\"x\"}]",
            400,
            "[1].id: not 64 bits in hexadecimal",
        ),
        ("POST", V1, &[JSON], "{}", 400, "expected an array"),
        (
            "POST",
            V2,
            &[PROTO],
            "\n\u{5}abc",
            400,
            "not protobuf of zipkin.proto3",
        ),
        (
            "POST",
            V2,
            &[JSON, ("content-encoding", "br")],
            "",
            415,
            "content-encoding",
        ),
    ];
    for (method, path, headers, body, status, said) in cases {
        let reply = http(port, method, path, headers, body.as_bytes()).await;
        let text = reply.text();
        assert_eq!(reply.status, status, "{method} {path}: {text}");
        assert!(text.contains(said), "{method} {path}: {text}");
    }
    // A span without a trace is dropped; the others of its list are not.
    let body = "[{\"id\":\"1\",\"timestamp\":1},{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":1}]";
    let reply = http(port, "POST", V2, &[JSON], body.as_bytes()).await;
    assert_eq!(reply.status, 202);
    assert!(
        reply.text().starts_with("1 spans were dropped: "),
        "{}",
        reply.text()
    );
    assert_eq!(backend.wait(1)[0].span_id[7], 2);
    wayspan.assert_alive();
}

/// Zipkin out, Zipkin in: what one wayspan sends, another reads as it was.
async fn passes_on(format: &str, compression: &str) {
    let backend = Backend::grpc();
    let (_last, port) = start(&backend);
    let exporter = json!({
        "endpoint": format!("http://127.0.0.1:{port}/api/v2/spans"),
        "format": format, "compression": compression,
    });
    let layer = json!({
        "exporters": {"zipkin": exporter},
        "service": {"pipelines": {"traces": {"exporters": ["zipkin"]}}},
    });
    let nowhere = Backend::grpc();
    let first = Wayspan::start(Setup::to(&nowhere).layer(layer.to_string()));
    let mut sender = Grpc::connect(first.grpc).await;
    for id in 1..=3 {
        assert_eq!(sender.export(&good(id)).await.grpc_status(), Some(0));
    }
    let spans = backend.wait(3);
    let sent = ExportTraceServiceRequest::decode(&*good(1)).unwrap();
    let sent = &sent.resource_spans[0].scope_spans[0].spans[0];
    let got = spans
        .iter()
        .find(|span| span.span_id == sent.span_id)
        .unwrap();
    assert_eq!(got.trace_id, sent.trace_id);
    assert_eq!(got.name, sent.name.to_lowercase());
    let selector = "otelcol_exporter_sent_spans{exporter=\"zipkin\"}";
    first.wait_metric(selector, |count| count == 3.0);
}

#[tokio::test]
async fn what_is_sent_in_json_arrives() {
    passes_on("json", "none").await;
}

#[tokio::test]
async fn what_is_sent_in_protobuf_arrives() {
    passes_on("proto", "gzip").await;
}
