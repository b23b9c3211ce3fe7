//! ztunnel's access log in, as OTLP logs on the ports of traces; spans out.

use crate::spans::{good, text};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    trace::v1::{ResourceSpans, span::SpanKind},
};
use prost::Message;
use testkit::{Backend, Grpc, HttpReply, Setup, Signal, Wayspan, frames, http, root};

const EXPORT_LOGS: &str = Signal::Logs.grpc_path();
const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// With `pipelines/ztunnel-connections.yaml`.
fn taking(backend: &Backend) -> Wayspan {
    let file = root().join("pipelines/ztunnel-connections.yaml");
    Wayspan::start(Setup::file(file).exporter("otlp_grpc/jaeger", backend.port))
}

/// A line from the node of `side`.
fn line(port: u16, direction: &str) -> String {
    format!(
        "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
         src.addr=10.244.0.24:{port} src.workload=\"web-v1-6d8bcd654d-t88gp\" src.namespace=\"shop\" \
         src.identity=\"spiffe://cluster.local/ns/shop/sa/web\" dst.addr=10.244.0.42:15008 \
         dst.hbone_addr=10.244.0.42:6379 dst.service=\"redis.shop.svc.cluster.local\" \
         dst.workload=\"redis-54845dfb75-4tsvd\" dst.namespace=\"shop\" direction=\"{direction}\" \
         bytes_sent=67 bytes_recv=490 duration=\"13ms\""
    )
}

/// The same as a JSON object.
fn object(port: u16) -> serde_json::Value {
    serde_json::json!({
        "level": "info", "time": "2025-04-01T14:01:02.476412Z", "scope": "access",
        "message": "connection complete", "src.addr": format!("10.244.0.24:{port}"),
        "src.workload": "web-v1-6d8bcd654d-t88gp", "src.namespace": "shop",
        "src.identity": "spiffe://cluster.local/ns/shop/sa/web",
        "dst.addr": "10.244.0.42:15008", "dst.hbone_addr": "10.244.0.42:6379",
        "dst.service": "redis.shop.svc.cluster.local", "dst.workload": "redis-54845dfb75-4tsvd",
        "dst.namespace": "shop", "direction": "outbound", "bytes_sent": 67, "bytes_recv": 490,
        "duration": "13ms",
    })
}

fn body(line: &str) -> LogRecord {
    LogRecord {
        body: Some(AnyValue {
            value: Some(Value::StringValue(line.to_owned())),
        }),
        ..LogRecord::default()
    }
}

fn logs(records: Vec<LogRecord>) -> Vec<u8> {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
    .encode_to_vec()
}

fn value<'a>(of: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match of.iter().find(|kv| kv.key == key)?.value.as_ref()?.value {
        Some(Value::StringValue(ref text)) => Some(text),
        _ => None,
    }
}

fn group(all: &[ResourceSpans], kind: SpanKind) -> &ResourceSpans {
    let of_kind =
        |group: &&ResourceSpans| group.scope_spans[0].spans.iter().all(|s| s.kind() == kind);
    all.iter().find(of_kind).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_connection_become_spans_of_their_workloads() {
    let backend = Backend::grpc();
    let wayspan = taking(&backend);
    let mut client = Grpc::connect(wayspan.grpc).await;
    let trace = [7; 16];
    let linked = LogRecord {
        trace_id: trace.to_vec(),
        span_id: vec![9; 8],
        ..body(&line(1, "outbound"))
    };
    let request = logs(vec![linked, body(&line(1, "inbound"))]);
    let reply = client
        .send("POST", EXPORT_LOGS, &[], frames::grpc(0, &request))
        .await;
    assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
    assert_eq!(reply.body, frames::grpc(0, b""), "no partial success");

    backend.wait(2);
    let all = backend.resource_spans();
    for (kind, service, hostname) in [
        (SpanKind::Client, "web.shop", "web-v1-6d8bcd654d-t88gp"),
        (SpanKind::Server, "redis.shop", "redis-54845dfb75-4tsvd"),
    ] {
        let group = group(&all, kind);
        let resource = &group.resource.as_ref().unwrap().attributes;
        assert_eq!(value(resource, "service.name"), Some(service));
        assert_eq!(value(resource, "hostname"), Some(hostname));
        let span = &group.scope_spans[0].spans[0];
        assert_eq!(span.name, "redis.shop.svc.cluster.local:6379");
        assert_eq!(
            span.end_time_unix_nano - span.start_time_unix_nano,
            13_000_000
        );
        for (key, want) in [
            ("wayspan.synthetic", "true"),
            ("istio.cluster_id", "Kubernetes"),
            ("istio.source_workload", "web-v1"),
            ("istio.source_namespace", "shop"),
            ("istio.destination_workload", "redis"),
            ("istio.destination_namespace", "shop"),
            ("istio.destination_canonical_service", "redis"),
            ("src.identity", "spiffe://cluster.local/ns/shop/sa/web"),
        ] {
            assert_eq!(value(&span.attributes, key), Some(want), "{key}");
        }
        assert!(span.parent_span_id.is_empty());
        assert_ne!(span.trace_id, trace);
        let links: Vec<_> = span.links.iter().map(|link| &link.trace_id[..]).collect();
        let want = [&trace[..]];
        // Only one of the lines named a trace.
        let named = usize::from(kind == SpanKind::Client);
        assert_eq!(links, want[..named]);
    }
    assert_eq!(wayspan.metric("wayspan_ztunnel_connections"), Some(2.0));
    assert_eq!(wayspan.metric("otelcol_receiver_accepted_spans"), Some(2.0));
    assert_eq!(wayspan.metric("wayspan_logs_ignored_records"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_over_every_protocol_is_the_same_span() {
    let backend = Backend::grpc();
    let wayspan = taking(&backend);
    let object_of_line = object(1);
    let attributes = object_of_line
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            let number = |n: i64| KeyValue {
                key: key.clone(),
                value: Some(AnyValue {
                    value: Some(Value::IntValue(n)),
                }),
                ..KeyValue::default()
            };
            value
                .as_i64()
                .map_or_else(|| text(key, value.as_str().unwrap()), number)
        });
    let parsed = LogRecord {
        attributes: attributes.collect(),
        ..LogRecord::default()
    };
    let mut client = Grpc::connect(wayspan.grpc).await;
    let shapes = [
        logs(vec![body(&line(1, "outbound"))]),
        logs(vec![body(&object(1).to_string())]),
        logs(vec![parsed]),
    ];
    for request in &shapes {
        let plain = client.send("POST", EXPORT_LOGS, &[], frames::grpc(0, request));
        assert_eq!(plain.await.grpc_status(), Some(0));
        let gzipped = frames::grpc(1, &frames::gzip(request));
        let headers = [("grpc-encoding", "gzip")];
        let reply = client.send("POST", EXPORT_LOGS, &headers, gzipped).await;
        assert_eq!(reply.grpc_status(), Some(0));
        let reply = http(wayspan.http, "POST", "/v1/logs", &[PROTO], request).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &b""[..]));
        let zstd = zstd::encode_all(&request[..], 1).unwrap();
        let headers = [PROTO, ("content-encoding", "zstd")];
        let reply = http(wayspan.http, "POST", "/v1/logs", &headers, &zstd).await;
        assert_eq!(reply.status, 200);
    }
    let json = serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"observedTimeUnixNano": "5", "severityText": "info",
         "body": {"stringValue": line(1, "outbound")}},
    ]}]}]});
    let reply = http(
        wayspan.http,
        "POST",
        "/v1/logs",
        &[JSON],
        json.to_string().as_bytes(),
    )
    .await;
    assert_eq!((reply.status, &*reply.text()), (200, "{}"));

    let spans = backend.wait(13);
    assert_eq!(spans.len(), 13);
    assert!(spans.iter().all(|span| *span == spans[0]), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_logs_are_ignored_counted_and_told() {
    let backend = Backend::grpc();
    let wayspan = taking(&backend);
    let mut client = Grpc::connect(wayspan.grpc).await;
    let opened = line(2, "outbound").replace("complete", "opened");
    let request = logs(vec![
        body("GET / 200"),
        body(&line(1, "outbound")),
        body(&opened),
    ]);
    let partial = |bytes: &[u8]| {
        let response = ExportLogsServiceResponse::decode(bytes).unwrap();
        response.partial_success.unwrap()
    };
    for _ in 0..2 {
        let reply = client
            .send("POST", EXPORT_LOGS, &[], frames::grpc(0, &request))
            .await;
        assert_eq!(reply.grpc_status(), Some(0));
        let partial = partial(&reply.body[5..]);
        assert_eq!(partial.rejected_log_records, 2);
        assert!(
            partial
                .error_message
                .contains("no line of ztunnel's access log"),
            "{partial:?}"
        );
    }
    let reply = http(wayspan.http, "POST", "/v1/logs", &[PROTO], &request).await;
    assert_eq!(partial(&reply.body).rejected_log_records, 2);
    let json = br#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": "SEVERITY_NUMBER_INFO"}]}]}]}"#;
    let reply = http(wayspan.http, "POST", "/v1/logs", &[JSON], json).await;
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(said["partialSuccess"]["rejectedLogRecords"], "1", "{said}");

    backend.wait(3);
    assert_eq!(wayspan.metric("wayspan_ztunnel_connections"), Some(3.0));
    assert_eq!(wayspan.metric("wayspan_logs_ignored_records"), Some(7.0));
    let log = wayspan.log();
    assert_eq!(log.matches("log record(s) ignored").count(), 1, "{log}");
    assert!(log.contains("wayspan_logs_ignored_records"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_logs_are_refused_as_broken_traces_are() {
    let backend = Backend::grpc();
    let wayspan = taking(&backend);
    let mut client = Grpc::connect(wayspan.grpc).await;
    let whole = logs(vec![body(&line(1, "outbound"))]);
    let cut = &whole[..whole.len() - 3];
    let reply = client
        .send("POST", EXPORT_LOGS, &[], frames::grpc(0, cut))
        .await;
    assert_eq!(reply.grpc_status(), Some(3));
    assert!(reply.message().contains("resource_logs"), "{reply:?}");
    let reply = http(wayspan.http, "POST", "/v1/logs", &[PROTO], cut).await;
    assert_eq!(reply.status, 400);
    for json in ["{", r#"{"resourceLogs": [{"scopeLogs": 1}]}"#] {
        let reply: HttpReply =
            http(wayspan.http, "POST", "/v1/logs", &[JSON], json.as_bytes()).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    let reply = http(wayspan.http, "GET", "/v1/logs", &[], b"").await;
    assert_eq!(reply.status, 405);
    let reply = http(wayspan.http, "POST", "/v1/metrics", &[PROTO], b"").await;
    assert_eq!(reply.status, 404);

    // Traces go on.
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    let spans = backend.wait(1);
    assert_eq!(spans[0].name, "good");
    assert_eq!(wayspan.metric("wayspan_ztunnel_connections"), Some(0.0));
    assert!(!wayspan.log().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_logs_are_not_taken_the_answer_names_the_remedy() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut client = Grpc::connect(wayspan.grpc).await;
    let request = logs(vec![body(&line(1, "outbound"))]);
    let reply = client
        .send("POST", EXPORT_LOGS, &[], frames::grpc(0, &request))
        .await;
    assert_eq!(reply.grpc_status(), Some(12));
    assert!(
        reply.message().contains("ztunnel_connections: on"),
        "{reply:?}"
    );
    let reply = http(wayspan.http, "POST", "/v1/logs", &[JSON], b"{}").await;
    assert_eq!(reply.status, 404);
    assert!(
        reply.text().contains("ztunnel_connections: on"),
        "{reply:?}"
    );
    wayspan.assert_alive();
}
