//! Pipelines of logs and metrics: what goes in comes out byte for byte, over
//! every protocol, and is counted under the Collector's names.

use bytes::Bytes;
use testkit::{Backend, Grpc, Protocol, Setup, Signal, Wayspan, frames, http, samples, wait_for};

const OTHERS: [Signal; 2] = [Signal::Logs, Signal::Metrics];
const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A pipeline of each signal to the backend.
fn all_signals(backend: &Backend) -> Setup {
    let exporter = match backend.protocol() {
        Protocol::Grpc => "otlp_grpc",
        Protocol::Http => "otlp_http",
    };
    let pipeline = |signal: &str| {
        format!(
            "    {signal}: {{receivers: [otlp], processors: [memory_limiter, batch], \
             exporters: [{exporter}]}}\n"
        )
    };
    let pipelines = pipeline("logs") + &pipeline("metrics");
    Setup::to(backend).layer(format!("service:\n  pipelines:\n{pipelines}"))
}

/// Sends each request over gRPC or over HTTP, in turn and compressed in turn.
async fn send(wayspan: &Wayspan, signal: Signal, requests: &[Vec<u8>]) {
    let mut grpc = Grpc::connect(wayspan.grpc).await;
    for (n, request) in requests.iter().enumerate() {
        match n % 4 {
            0 | 1 => {
                let (flag, message) = match n % 4 {
                    0 => (0, request.clone()),
                    _ => (1, frames::gzip(request)),
                };
                let headers = [("grpc-encoding", "gzip")];
                let path = signal.grpc_path();
                let framed = frames::grpc(flag, &message);
                let reply = grpc.send("POST", path, &headers, framed).await;
                assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
                assert_eq!(reply.body, frames::grpc(0, b""), "no partial success");
            }
            2 => {
                let path = signal.http_path();
                let reply = http(wayspan.http, "POST", path, &[PROTO], request).await;
                assert_eq!((reply.status, &*reply.text()), (200, ""));
            }
            _ => {
                let headers = [PROTO, ("content-encoding", "zstd")];
                let packed = frames::zstd(request);
                let reply = http(wayspan.http, "POST", signal.http_path(), &headers, &packed).await;
                assert_eq!((reply.status, &*reply.text()), (200, ""));
            }
        }
    }
}

/// The items of requests, sorted.
fn items(requests: &[Vec<u8>]) -> Vec<Bytes> {
    let all = requests.iter().flat_map(|request| Signal::items(request));
    let mut items: Vec<_> = all.map(Bytes::copy_from_slice).collect();
    items.sort_unstable();
    items
}

/// Sends 24 requests of each signal at once and finds every item of each in its
/// own signal, as it was sent.
async fn passes_byte_for_byte(backend: Backend) {
    const REQUESTS: usize = 24;
    const ITEMS: usize = 30;
    let mut wayspan = Wayspan::start(all_signals(&backend));
    for signal in Signal::ALL {
        let requests: Vec<_> = (0..REQUESTS)
            .map(|n| samples::request(signal, n, ITEMS))
            .collect();
        send(&wayspan, signal, &requests).await;
        let sent = items(&requests);
        let got = backend.wait_items(signal, sent.len());
        assert!(got == sent, "{signal:?}: {} of {}", got.len(), sent.len());
    }
    for signal in Signal::ALL {
        let count = (REQUESTS * samples::count(signal, ITEMS)) as f64;
        let items = signal.plural();
        for name in [
            format!("otelcol_receiver_accepted_{items}"),
            format!("otelcol_exporter_sent_{items}"),
        ] {
            wayspan.wait_metric(&name, |value| value == count);
        }
        let refused = format!("otelcol_receiver_refused_{items}");
        assert_eq!(wayspan.metric(&refused), Some(0.0));
    }
    wayspan.assert_alive();
    wayspan.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_signal_passes_byte_for_byte_to_a_grpc_backend() {
    passes_byte_for_byte(Backend::grpc()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_signal_passes_byte_for_byte_to_an_http_backend() {
    passes_byte_for_byte(Backend::http()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_of_logs_and_metrics_becomes_protobuf() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(all_signals(&backend));
    let logs = r#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": "5", "severityText": "WARN", "body": {"stringValue": "said"}}]}]}]}"#;
    let metrics = r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "requests", "sum": {"dataPoints": [{"timeUnixNano": "5", "asInt": "7"}],
         "aggregationTemporality": 2, "isMonotonic": true}}]}]}]}"#;
    for (signal, json) in [(Signal::Logs, logs), (Signal::Metrics, metrics)] {
        let path = signal.http_path();
        let reply = http(wayspan.http, "POST", path, &[JSON], json.as_bytes()).await;
        assert_eq!((reply.status, &*reply.text()), (200, "{}"));
    }
    let record = b"\x09\x05\0\0\0\0\0\0\0\x1a\x04WARN\x2a\x06\x0a\x04said";
    assert_eq!(backend.wait_items(Signal::Logs, 1), [&record[..]]);
    let point = b"\x19\x05\0\0\0\0\0\0\0\x31\x07\0\0\0\0\0\0\0";
    let sum = [&b"\x0a\x12"[..], point, b"\x10\x02\x18\x01"].concat();
    let metric = [&b"\x0a\x08requests\x3a\x18"[..], &sum].concat();
    assert_eq!(backend.wait_items(Signal::Metrics, 1), [&metric[..]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_is_refused_and_harms_no_other() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(all_signals(&backend));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for signal in OTHERS {
        let good = samples::request(signal, 1, 3);
        let cut = frames::grpc(0, &good[..good.len() - 3]);
        let reply = client.send("POST", signal.grpc_path(), &[], cut).await;
        assert_eq!(reply.grpc_status(), Some(3), "{reply:?}");
        send(&wayspan, signal, std::slice::from_ref(&good)).await;
        assert_eq!(backend.wait_items(signal, 12), items(&[good]));
    }
    wayspan.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_pipeline_a_signal_is_refused() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for signal in OTHERS {
        let request = samples::request(signal, 1, 1);
        let framed = frames::grpc(0, &request);
        let reply = client.send("POST", signal.grpc_path(), &[], framed).await;
        assert_eq!(reply.grpc_status(), Some(12), "{reply:?}");
        let path = signal.http_path();
        let reply = http(wayspan.http, "POST", path, &[PROTO], &request).await;
        assert_eq!(reply.status, 404, "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_prints_logs_and_metrics() {
    let setup = Setup::usual().layer(
        "exporters: {debug: {verbosity: detailed}}\n\
         service:\n  pipelines:\n    \
         logs: {receivers: [otlp], processors: [batch], exporters: [debug]}\n    \
         metrics: {receivers: [otlp], processors: [batch], exporters: [debug]}\n",
    );
    let wayspan = Wayspan::start(setup);
    for signal in OTHERS {
        send(&wayspan, signal, &[samples::request(signal, 17, 1)]).await;
        wayspan.wait_metric(
            &format!("otelcol_exporter_sent_{}", signal.plural()),
            |value| value == samples::count(signal, 1) as f64,
        );
    }
    let printed = "payments second 17 0";
    wait_for("both signals in the output", || {
        (wayspan.log().matches(printed).count() == 2).then_some(())
    });
}

/// A line of ztunnel's access log in a record.
fn ztunnel_line() -> &'static str {
    "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
     src.addr=10.244.0.24:46238 src.workload=\"web-v1-6d8bcd654d-t88gp\" src.namespace=\"shop\" \
     dst.addr=10.244.0.42:15008 dst.hbone_addr=10.244.0.42:6379 \
     dst.service=\"redis.shop.svc.cluster.local\" dst.workload=\"redis-54845dfb75-4tsvd\" \
     dst.namespace=\"shop\" direction=\"outbound\" bytes_sent=67 bytes_recv=490 duration=\"13ms\""
}

/// All records go the way of logs, and ztunnel's become spans besides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ztunnels_access_log_is_read_beside_a_pipeline_of_logs() {
    let backend = Backend::grpc();
    let setup = all_signals(&backend).layer(
        "processors: {mesh: {ztunnel_connections: on}}\n\
         service: {pipelines: {traces: {processors: [memory_limiter, mesh, batch]}}}",
    );
    let wayspan = Wayspan::start(setup);
    let json = serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"body": {"stringValue": ztunnel_line()}},
        {"body": {"stringValue": "GET / 200"}},
    ]}]}]});
    let path = Signal::Logs.http_path();
    let body = json.to_string();
    let reply = http(wayspan.http, "POST", path, &[JSON], body.as_bytes()).await;
    assert_eq!((reply.status, &*reply.text()), (200, "{}"), "all are taken");
    assert_eq!(backend.wait_items(Signal::Logs, 2).len(), 2);
    let spans = backend.wait(1);
    assert_eq!(spans[0].name, "redis.shop.svc.cluster.local:6379");
    for (selector, count) in [
        ("otelcol_receiver_accepted_log_records", 2.0),
        ("otelcol_receiver_accepted_spans", 1.0),
        ("wayspan_ztunnel_connections", 1.0),
    ] {
        assert_eq!(wayspan.metric(selector), Some(count), "{selector}");
    }
}
