//! The receiver `kafka` with a real broker: from wayspan through Kafka to wayspan, and on.

use crate::broker::Broker;
use crate::jaeger::Jaeger;
use crate::kafka::{exporting, merge, request, send, wait_traces};
use krafka::Kafka;
use krafka::producer::Record;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::TempDir;
use testkit::{Backend, Setup, Wayspan, wait_for};

/// Traces from a topic of a broker to a backend, with more of the file.
pub fn receiving(broker: &Broker, backend: &Backend, more: Value) -> Setup {
    Setup::to(backend).layer(layer(broker, more))
}

/// A layer that receives from a topic of a broker, and has more.
fn layer(broker: &Broker, more: Value) -> String {
    let kafka = json!({
        "brokers": [broker.address()],
        "initial_offset": "earliest",
        "session_timeout": "6s",
        "heartbeat_interval": "1s",
        "autocommit": {"interval": "100ms"},
    });
    let mut layer = json!({
        "receivers": {"kafka": kafka},
        "service": {"pipelines": {"traces": {"receivers": ["kafka"]}}},
    });
    merge(&mut layer, more);
    layer.to_string()
}

/// The ids of the spans that a backend has, and how many spans it has.
fn taken(backend: &Backend) -> (BTreeSet<Vec<u8>>, usize) {
    let spans = backend.spans();
    let count = spans.len();
    let ids = spans.into_iter().map(|span| span.span_id).collect();
    (ids, count)
}

/// Waits until every span with numbers below `count` has come; how many have come more than once.
pub fn wait_all(backend: &Backend, count: u64) -> usize {
    let sent: BTreeSet<_> = (1..=count).map(|id| id.to_be_bytes().to_vec()).collect();
    wait_for("all spans", || {
        (taken(backend).0.len() as u64 >= count).then_some(())
    });
    let (ids, spans) = taken(backend);
    assert_eq!(ids, sent, "all that were sent, and no other");
    spans - sent.len()
}

/// Writes values to a topic as they are.
async fn write(broker: &Broker, topic: &str, values: impl IntoIterator<Item = Vec<u8>>) {
    let kafka = Kafka::builder(broker.address()).allow_auto_create_topics(true);
    let kafka = kafka.connect().await.unwrap();
    let producer = kafka.producer().metrics_push(false).build().await.unwrap();
    for value in values {
        let _ = producer.send(Record::new(topic, value)).await.unwrap();
    }
    producer.close().await.unwrap();
}

/// Both encodings and every compression, a topic that a pattern finds, and one that is made after the
/// reader has started; and what is not a request is counted, told of with its place, and passed.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_wayspan_writes_another_reads() {
    let broker = Broker::start(4);
    for encoding in ["otlp_proto", "otlp_json"] {
        let backend = Backend::grpc();
        let traces = json!({"topic": encoding, "encoding": encoding});
        let compressions = ["none", "gzip", "snappy", "lz4", "zstd"];
        for (compression, at) in compressions.into_iter().zip(0..) {
            let keys = json!({"traces": traces, "producer": {"compression": compression}});
            let writer = Wayspan::start(exporting(&broker, keys));
            send(&writer, at * 60..(at + 1) * 60).await;
            writer.wait_metric("otelcol_exporter_sent_spans", |spans| spans == 60.0);
        }
        let topics = [format!("^{encoding}$")];
        let traces = json!({"topics": topics, "encoding": encoding});
        let more = json!({"receivers": {"kafka": {"traces": traces, "group_id": encoding}}});
        let reader = Wayspan::start(receiving(&broker, &backend, more));
        assert_eq!(wait_all(&backend, 300), 0, "{encoding}");
        let accepted = "otelcol_receiver_accepted_spans{receiver=\"kafka\",transport=\"kafka\"}";
        reader.wait_metric(accepted, |spans| spans == 300.0);
    }
    let backend = Backend::grpc();
    let reader = Wayspan::start(receiving(&broker, &backend, json!({})));
    reader.wait_said("not to be seen by this user: topic otlp_spans");
    let unreadable = b"\x0a\xffno request".to_vec();
    write(
        &broker,
        "otlp_spans",
        [request(0..10), unreadable, request(10..20)],
    )
    .await;
    assert_eq!(wait_all(&backend, 20), 0);
    reader.wait_said("of topic otlp_spans cannot be taken as traces");
    let refused = "wayspan_receiver_refused_requests{receiver=\"kafka\",reason=\"malformed\"}";
    reader.wait_metric(refused, |records| records == 1.0);
}

/// Kafka between two wayspans, and Jaeger at the end.
#[test]
fn jaeger_finds_what_has_passed_through_kafka() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let broker = Broker::start(4);
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let writer = Wayspan::start(exporting(&broker, json!({})));
    let to_jaeger = Setup::to_grpc(jaeger.otlp_grpc).layer(layer(&broker, json!({})));
    let _reader = Wayspan::start(to_jaeger);
    runtime.block_on(send(&writer, 0..400));
    wait_traces(&jaeger);
}

/// Nothing is committed that a backend has not got, even by a reader that is killed or whose
/// exporter gives up; what it has got is not read again.
#[tokio::test(flavor = "multi_thread")]
async fn offsets_follow_delivery() {
    let broker = Broker::start(2);
    let writer = Wayspan::start(exporting(&broker, json!({})));
    send(&writer, 0..200).await;
    let backend = Backend::grpc();
    backend.away();
    let gives_up = json!({"exporters": {"otlp_grpc": {"retry_on_failure": {
        "initial_interval": "50ms", "max_interval": "100ms", "max_elapsed_time": "500ms",
    }}}});
    let mut reader = Wayspan::start(receiving(&broker, &backend, gives_up));
    reader.wait_said("was not delivered, and is read again from offset 0");
    reader.kill();
    reader.restart();
    reader.wait_said("was not delivered, and is read again from offset 0");
    backend.back();
    wait_all(&backend, 200);
    reader.stop();
    let before = taken(&backend).1;
    reader.restart();
    send(&writer, 200..210).await;
    wait_all(&backend, 210);
    assert_eq!(taken(&backend).1, before + 10, "nothing again");
}

/// A backend that is away for longer than a member may be silent: its partitions are paused, and
/// stay its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_room_keeps_its_partitions() {
    let broker = Broker::start_with(2, "group.min.session.timeout.ms=2000");
    let writer = Wayspan::start(exporting(&broker, json!({})));
    let backend = Backend::grpc();
    backend.away();
    let small = json!({
        "processors": {"batch": {"send_batch_size": 10, "timeout": "10ms"}},
        "exporters": {"otlp_grpc": {"sending_queue": {"queue_size": 1, "num_consumers": 1}}},
        "receivers": {"kafka": {"session_timeout": "2s", "heartbeat_interval": "500ms"}},
    });
    let reader = Wayspan::start(receiving(&broker, &backend, small));
    for round in 0..20 {
        send(&writer, round * 20..(round + 1) * 20).await;
    }
    let accepted = || {
        reader
            .metric("otelcol_receiver_accepted_spans")
            .unwrap_or(0.0)
    };
    wait_for("spans", || (accepted() > 0.0).then_some(()));
    // Longer than a member may be silent: no condition can tell that it was.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(accepted() < 400.0, "{} of 400 were read", accepted());
    let lag = "otelcol_kafka_receiver_offset_lag";
    assert!(reader.metric(lag).unwrap() > 0.0);
    backend.back();
    assert_eq!(wait_all(&backend, 400), 0);
    reader.wait_metric(lag, |records| records == 0.0);
    let assigned = reader.log().matches("partition(s)").count();
    assert!(assigned <= 4, "assigned anew:\n{}", reader.log());
}

/// Two readers share the partitions; one leaves and comes under load, and one is killed.
#[tokio::test(flavor = "multi_thread")]
async fn readers_come_and_go() {
    let broker = Broker::start(4);
    let writer = Wayspan::start(exporting(&broker, json!({})));
    let backend = Backend::grpc();
    let mut first = Wayspan::start(receiving(&broker, &backend, json!({})));
    let mut second = Wayspan::prepare(receiving(&broker, &backend, json!({})));
    let mut sent = 0;
    for round in 0..36 {
        match round {
            4 => second.restart(),
            12 => first.stop(),
            18 => first.restart(),
            24 => second.kill(),
            _ => {}
        }
        send(&writer, sent..sent + 50).await;
        sent += 50;
        // A load that goes on meanwhile, and not all at once.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let twice = wait_all(&backend, sent);
    println!("{twice} of {sent} spans came twice");
    assert!(twice as u64 <= sent / 2, "{twice} of {sent} twice");
}
