//! The exporter `kafka` with a real broker, and a real Jaeger that reads what it wrote.
//!
//! Idea: every span has an id of its own, so that what is in a topic can be held against what
//! wayspan has answered for, span by span.

use crate::broker::{Broker, PASSWORD, USER};
use crate::jaeger::{Jaeger, Search};
use bytes::Bytes;
use krafka::Kafka;
use krafka::consumer::AutoOffsetReset;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::wire::{put_bytes, put_fixed64, put_message};
use testkit::{Grpc, PATIENCE, Setup, Signal, Wayspan, frames, samples};

/// A request of spans with these numbers, which are their ids. Ten of them share a trace; traces
/// are spread over two resources with two scopes each.
pub fn request(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let mut request = Vec::new();
    for (service, half) in [("orders", 0), ("payments", 1)] {
        put_message(1, &mut request, |out| {
            put_message(1, out, |out| {
                put_message(1, out, |out| {
                    put_bytes(1, b"service.name", out);
                    put_message(2, out, |out| put_bytes(1, service.as_bytes(), out));
                });
            });
            for scope in [0, 1] {
                put_message(2, out, |out| {
                    put_message(1, out, |out| {
                        put_bytes(1, format!("s{scope}").as_bytes(), out)
                    });
                    for number in numbers
                        .clone()
                        .filter(|n| (n / 10 % 2, n / 5 % 2) == (half, scope))
                    {
                        put_message(2, out, |out| {
                            put_bytes(1, &trace_id(number), out);
                            put_bytes(2, &(number + 1).to_be_bytes(), out);
                            put_bytes(5, b"GET /", out);
                            put_fixed64(7, now, out);
                            put_fixed64(8, now + 1000, out);
                        });
                    }
                });
            }
        });
    }
    request
}

fn trace_id(number: u64) -> [u8; 16] {
    // Spread over all bytes, as ids that are random.
    let trace = u128::from(number / 10 + 1);
    trace
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .to_be_bytes()
}

/// Traces to topics of a broker, with more keys of the exporter.
pub fn exporting(broker: &Broker, more: Value) -> Setup {
    let mut keys = json!({"brokers": [broker.address()]});
    merge(&mut keys, more);
    let layer = json!({
        "exporters": {"kafka": keys},
        "service": {"pipelines": {"traces": {
            "receivers": ["otlp"],
            "processors": ["memory_limiter", "batch"],
            "exporters": ["kafka"],
        }}},
    });
    Setup::usual().layer(layer.to_string())
}

pub fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// A record of a topic.
struct Record {
    partition: i32,
    key: Option<Bytes>,
    value: Bytes,
}

impl Record {
    fn request(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(&self.value[..]).unwrap()
    }
}

/// Reads a topic from its beginning until `enough`.
async fn read(broker: &Broker, topic: &str, enough: impl Fn(&[Record]) -> bool) -> Vec<Record> {
    let kafka = Kafka::builder(broker.address()).connect().await.unwrap();
    let consumer = kafka.consumer_without_group();
    let consumer = consumer.auto_offset_reset(AutoOffsetReset::Earliest);
    let consumer = consumer.metrics_push(false).build().await.unwrap();
    consumer.subscribe([topic]).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    while !enough(&records) {
        assert!(
            Instant::now() < deadline,
            "{} record(s) of {topic}",
            records.len()
        );
        for record in consumer
            .poll(Duration::from_millis(100))
            .await
            .unwrap_or_default()
        {
            records.push(Record {
                partition: record.partition,
                key: record.key,
                value: record.value.unwrap(),
            });
        }
    }
    consumer.close().await.unwrap();
    records
}

/// The numbers of the spans in records, as often as they are there.
fn numbers(records: &[Record]) -> Vec<u64> {
    let spans = records
        .iter()
        .flat_map(|record| record.request().resource_spans);
    let spans = spans
        .flat_map(|group| group.scope_spans)
        .flat_map(|group| group.spans);
    let number = |id: Vec<u8>| u64::from_be_bytes(id.try_into().unwrap()) - 1;
    spans.map(|span| number(span.span_id)).collect()
}

fn has(count: u64) -> impl Fn(&[Record]) -> bool {
    move |records| BTreeSet::from_iter(numbers(records)).len() as u64 == count
}

/// Sends spans with these numbers, which must be taken.
pub async fn send(wayspan: &Wayspan, numbers: std::ops::Range<u64>) {
    send_request(wayspan, &request(numbers)).await;
}

async fn send_request(wayspan: &Wayspan, request: &[u8]) {
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(request).await.grpc_status(), Some(0));
}

/// The same spans in the same places, whatever groups they are in.
fn placed(
    requests: impl IntoIterator<Item = ExportTraceServiceRequest>,
) -> BTreeMap<Vec<u8>, String> {
    let mut found = BTreeMap::new();
    for resource in requests
        .into_iter()
        .flat_map(|request| request.resource_spans)
    {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let place = format!("{:?} {:?} {span:?}", resource.resource, scope.scope);
                assert_eq!(found.insert(span.span_id.clone(), place), None, "twice");
            }
        }
    }
    found
}

/// Traces stay in one partition, the one that a Collector's hash gives them, in one record a
/// partition; or in the Collector's own shape.
#[tokio::test]
async fn traces_keep_together() {
    let broker = Broker::start(4);
    let request = request(0..400);
    let sent = placed([ExportTraceServiceRequest::decode(&request[..]).unwrap()]);
    for (topic, more) in [
        ("by-partition", json!({})),
        (
            "by-murmur2",
            json!({"record_partitioner": {"sticky_key": {"hasher": "murmur2"}}}),
        ),
        ("by-trace", json!({"partition_traces_by_id": true})),
    ] {
        let mut keys = json!({"traces": {"topic": topic}});
        merge(&mut keys, more);
        let wayspan = Wayspan::start(exporting(&broker, keys));
        send_request(&wayspan, &request).await;
        let records = read(&broker, topic, has(400)).await;
        assert_eq!(placed(records.iter().map(Record::request)), sent, "{topic}");
        for record in &records {
            for number in numbers(std::slice::from_ref(record)) {
                let key = hex(&trace_id(number));
                let expected = match topic {
                    "by-murmur2" => krafka::producer::murmur2(key.as_bytes()) & 0x7fff_ffff,
                    // Sarama: the hash as a signed number, its remainder without the sign.
                    _ => (fnv1a(key.as_bytes()).cast_signed() % 4).unsigned_abs(),
                } % 4;
                assert_eq!(record.partition.cast_unsigned(), expected, "{topic} {key}");
                if topic == "by-trace" {
                    assert_eq!(record.key.as_deref(), Some(key.as_bytes()));
                } else {
                    assert_eq!(record.key, None);
                }
            }
        }
        match topic {
            // A trace of ten spans is in two scopes, and a Collector makes a record of each.
            "by-trace" => assert_eq!(records.len(), 80),
            _ => assert_eq!(records.len(), 4, "{topic}"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fnv1a(text: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
    text.iter().fold(2_166_136_261, step)
}

/// A batch over the limits of exporter and topic comes whole in smaller records; a span over them
/// is rejected alone.
#[tokio::test]
async fn nothing_is_refused_for_size_but_a_span_alone() {
    // The broker takes a fifth of what the exporter thinks it does.
    let broker = Broker::start_with(2, "message.max.bytes=20000");
    let keys = json!({"producer": {"max_message_bytes": 100_000}});
    let wayspan = Wayspan::start(exporting(&broker, keys));
    send(&wayspan, 0..4000).await;
    let records = read(&broker, "otlp_spans", has(4000)).await;
    assert_eq!(numbers(&records).len(), 4000, "none twice");
    assert!(records.iter().all(|record| record.value.len() < 20_000));
    let mut long = request(4000..4001);
    put_message(1, &mut long, |out| {
        put_message(2, out, |out| {
            put_message(2, out, |out| {
                put_bytes(1, &[1; 16], out);
                put_bytes(2, &[0xff; 8], out);
                put_bytes(5, &[b'x'; 30_000], out);
            });
        });
    });
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&long).await.grpc_status(), Some(0));
    read(&broker, "otlp_spans", has(4001)).await;
    wayspan.wait_metric("wayspan_exporter_rejected_spans", |rejected| {
        rejected == 1.0
    });
}

/// What each compression, signal and encoding makes can be read again.
#[tokio::test]
async fn whatever_is_written_can_be_read() {
    let broker = Broker::start(1);
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let keys = json!({
            "traces": {"topic": compression},
            "producer": {"compression": compression},
        });
        let wayspan = Wayspan::start(exporting(&broker, keys));
        send(&wayspan, 0..500).await;
        let records = read(&broker, compression, has(500)).await;
        assert_eq!(numbers(&records).len(), 500, "{compression}");
    }
    let pipeline = json!({"receivers": ["otlp"], "processors": ["batch"], "exporters": ["kafka"]});
    let layer = json!({
        "exporters": {"kafka": {
            "logs": {"encoding": "otlp_json"}, "metrics": {"topic": "measured"},
            "record_headers": {"from": "mesh"},
        }},
        "service": {"pipelines": {"logs": pipeline, "metrics": pipeline}},
    });
    let wayspan = Wayspan::start(exporting(&broker, json!({})).layer(layer.to_string()));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for (signal, topic) in [(Signal::Logs, "otlp_logs"), (Signal::Metrics, "measured")] {
        let sent = samples::request(signal, 1, 3);
        let message = frames::grpc(0, &sent);
        let answer = client.send("POST", signal.grpc_path(), &[], message).await;
        assert_eq!(answer.grpc_status(), Some(0));
        let records = read(&broker, topic, |records| !records.is_empty()).await;
        let text = String::from_utf8_lossy(&records[0].value);
        assert_eq!(records.len(), 1);
        assert!(text.contains("orders second 1 2"), "{topic}: {text}");
        assert_eq!(
            text.starts_with("{\"resourceLogs\""),
            topic == "otlp_logs",
            "{text}"
        );
    }
}

/// Passwords and certificates, right and wrong: what is wrong is said, and nothing is lost.
#[tokio::test]
async fn signing_in() {
    let broker = Broker::start(1);
    let sasl = |mechanism: &str, password: &str| {
        json!({
            "brokers": [format!("127.0.0.1:{}", broker.sasl)],
            "auth": {"sasl": {"mechanism": mechanism, "username": USER, "password": password}},
        })
    };
    let tls = |tls: Value| json!({"brokers": [format!("localhost:{}", broker.tls)], "tls": tls});
    let ca = broker.ca.path("ca.crt");
    let (mut sent, mut spans) = (0, 0);
    for (name, keys, said) in [
        ("PLAIN", sasl("PLAIN", PASSWORD), None),
        ("SCRAM-SHA-256", sasl("SCRAM-SHA-256", PASSWORD), None),
        ("SCRAM-SHA-512", sasl("SCRAM-SHA-512", PASSWORD), None),
        ("TLS", tls(json!({"ca_file": ca})), None),
        (
            "wrong password",
            sasl("SCRAM-SHA-512", "guessed"),
            Some("check auth.sasl"),
        ),
        ("unknown authority", tls(json!({})), Some("certificate")),
        (
            "plaintext to TLS",
            json!({"brokers": [format!("localhost:{}", broker.tls)]}),
            Some("delivery failed"),
        ),
    ] {
        let wayspan = Wayspan::start(exporting(&broker, keys));
        send(&wayspan, sent..sent + 10).await;
        match said {
            None => {
                spans += 10;
                read(&broker, "otlp_spans", has(spans)).await;
            }
            Some(words) => {
                wayspan.wait_said(words);
                let lost = wayspan.metric("otelcol_exporter_send_failed_spans");
                assert_eq!(lost, Some(0.0), "{name}");
                continue;
            }
        }
        sent += 10;
    }
}

/// A broker that is killed twice while spans come: what was answered is in the topic.
#[tokio::test]
async fn a_broker_that_is_killed_loses_nothing() {
    let mut broker = Broker::start(3);
    let wayspan = Wayspan::start(exporting(&broker, json!({"timeout": "2s"})));
    let mut sent = 0;
    for round in 0..30 {
        if round % 12 == 6 {
            broker.kill();
        } else if round % 12 == 9 {
            broker.restart();
        }
        send(&wayspan, sent..sent + 100).await;
        sent += 100;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let records = read(&broker, "otlp_spans", has(sent)).await;
    let twice = numbers(&records).len() as u64 - sent;
    assert!(twice <= 600, "{twice} of {sent} spans twice");
}

/// Jaeger's own receiver reads the topic, and Kiali's questions are answered.
#[test]
fn jaeger_reads_the_topic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let broker = Broker::start(4);
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::reading(dir.path(), &broker.address(), "jaeger-spans");
    let keys = json!({"traces": {"topic": "jaeger-spans"}, "producer": {"compression": "zstd"}});
    let wayspan = Wayspan::start(exporting(&broker, keys));
    runtime.block_on(send(&wayspan, 0..400));
    wait_traces(&jaeger);
}

/// Waits until Jaeger finds the traces of all spans with numbers below 400.
pub fn wait_traces(jaeger: &Jaeger) {
    let search = |service| Search {
        service,
        tags: &[],
        limit: 100,
    };
    for service in ["orders", "payments"] {
        testkit::wait_for("the traces of a service", || {
            let found = jaeger.find_http(&search(service)).ok()?;
            let spans: usize = found.iter().map(|trace| trace.spans.len()).sum();
            ((found.len(), spans) == (20, 200)).then_some(())
        });
    }
}
