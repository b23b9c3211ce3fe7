//! The Collector's own components at the other end of a topic: its exporter writes for the receiver
//! `kafka`, its receiver reads what the exporter `kafka` wrote.
//!
//! Idea: Jaeger is a build of the Collector that has them, so nothing else has to be installed. Each
//! case has requests of its own, and what arrives is held against what was sent, span by span.

use crate::broker::Broker;
use crate::differential::{compare::differences, fields, generated};
use crate::installed::peer;
use crate::kafka::exporting;
use crate::kafka_receiver::receiving;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;
use serde_json::{Map, Value, json};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use testkit::{Backend, Grpc, Process, Wayspan, free_port, wait_for};

const ENCODINGS: [&str; 2] = ["otlp_proto", "otlp_json"];
const COMPRESSIONS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// A Collector with a pipeline of traces from each of these receivers to the exporter beside it.
fn collector(dir: &Path, pipelines: Vec<[(String, Value); 2]>) -> Process {
    let (mut receivers, mut exporters, mut traces) = (Map::new(), Map::new(), Map::new());
    for (number, [(receiver, reads), (exporter, writes)]) in pipelines.into_iter().enumerate() {
        let ids = json!({"receivers": [&receiver], "exporters": [&exporter]});
        traces.insert(format!("traces/{number}"), ids);
        receivers.insert(receiver, reads);
        exporters.insert(exporter, writes);
    }
    let config = json!({
        "receivers": receivers,
        "exporters": exporters,
        "service": {
            "pipelines": traces,
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "info"}},
        },
    });
    let file = dir.join("collector.yaml");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(peer("bin/jaeger"));
    let mut process = Process::start(dir, "collector", command.arg("--config").arg(&file));
    let log = dir.join("collector.log");
    process.wait_ready(|| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        log.contains("Everything is ready")
    });
    process
}

/// The requests of a case.
fn requests(case: usize) -> Vec<ExportTraceServiceRequest> {
    generated::requests(case as u64, 20)
}

async fn send(port: u16, case: usize) {
    let mut client = Grpc::connect(port).await;
    for request in requests(case) {
        let answer = client.export(&request.encode_to_vec()).await;
        assert_eq!(answer.grpc_status(), Some(0));
    }
}

/// Waits until a backend has the spans of these cases, and finds each as it was sent.
fn check(what: &str, backend: &Backend, cases: impl Iterator<Item = usize>) {
    let sent: Vec<ResourceSpans> = cases
        .flat_map(requests)
        .flat_map(|request| request.resource_spans)
        .collect();
    let sent = fields::spans(&sent);
    assert!(sent.len() > 100, "{} spans", sent.len());
    wait_for(what, || {
        let arrived = backend.spans().len();
        (arrived >= sent.len()).then_some(())
    });
    let arrived = fields::spans(&backend.resource_spans());
    let found = differences(&[sent, arrived], [&[], &[]]);
    assert!(
        found.is_empty(),
        "{what} (the first side is what was sent):\n{found}"
    );
}

/// The numbers of the cases of an encoding, one for each compression.
fn cases(encoding: usize) -> std::ops::Range<usize> {
    encoding * COMPRESSIONS.len()..(encoding + 1) * COMPRESSIONS.len()
}

/// What the Collector writes, whatever the encoding and the compression.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_collector_writes_is_read() {
    let broker = Broker::start(4);
    let dir = TempDir::new().unwrap();
    let (mut pipelines, mut ports) = (Vec::new(), Vec::new());
    for encoding in ENCODINGS {
        for compression in COMPRESSIONS {
            let name = format!("{encoding}-{compression}");
            let port = free_port();
            let endpoint = format!("127.0.0.1:{port}");
            let reads = json!({"protocols": {"grpc": {"endpoint": endpoint}}});
            let writes = json!({
                "brokers": [broker.address()],
                "traces": {"topic": name, "encoding": encoding},
                "producer": {"compression": compression},
            });
            ports.push(port);
            pipelines.push([
                (format!("otlp/{name}"), reads),
                (format!("kafka/{name}"), writes),
            ]);
        }
    }
    let _collector = collector(dir.path(), pipelines);
    for (case, port) in ports.into_iter().enumerate() {
        wait_for("a receiver of the Collector", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        send(port, case).await;
    }
    for (number, encoding) in ENCODINGS.into_iter().enumerate() {
        let backend = Backend::grpc();
        let topics = COMPRESSIONS.map(|compression| format!("{encoding}-{compression}"));
        let traces = json!({"topics": topics, "encoding": encoding});
        let more = json!({"receivers": {"kafka": {"traces": traces, "group_id": encoding}}});
        let _reader = Wayspan::start(receiving(&broker, &backend, more));
        check(encoding, &backend, cases(number));
    }
}

/// What wayspan writes, whatever the encoding and the compression.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_the_collector_reads() {
    let broker = Broker::start(4);
    let dir = TempDir::new().unwrap();
    let mut case = 0;
    for encoding in ENCODINGS {
        for compression in COMPRESSIONS {
            let keys = json!({
                "traces": {"topic": encoding, "encoding": encoding},
                "producer": {"compression": compression},
            });
            let writer = Wayspan::start(exporting(&broker, keys));
            send(writer.grpc, case).await;
            let sent = requests(case);
            let groups = sent.iter().flat_map(|request| &request.resource_spans);
            let scopes = groups.flat_map(|group| &group.scope_spans);
            let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
            writer.wait_metric("otelcol_exporter_sent_spans", |sent| sent == spans as f64);
            case += 1;
        }
    }
    let backends = ENCODINGS.map(|_| Backend::grpc());
    let pipelines = ENCODINGS.iter().zip(&backends).map(|(encoding, backend)| {
        let reads = json!({
            "brokers": [broker.address()],
            "traces": {"topic": encoding, "encoding": encoding},
            "group_id": encoding,
            "initial_offset": "earliest",
        });
        let endpoint = format!("127.0.0.1:{}", backend.port);
        let writes = json!({"endpoint": endpoint, "tls": {"insecure": true}});
        [
            (format!("kafka/{encoding}"), reads),
            (format!("otlp/{encoding}"), writes),
        ]
    });
    let _collector = collector(dir.path(), pipelines.collect());
    for (number, backend) in backends.iter().enumerate() {
        check(ENCODINGS[number], backend, cases(number));
    }
}
