#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::telemetry::{BATCH_SEND_SIZE, Registry};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{metric::Data, number_data_point::Value as PointValue},
};
use prost::Message;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

const SENT: Metric = Metric::counter("otelcol_exporter_sent_{items}", "Items.", &["exporter"]);
const ITEMS: Metric = Metric::counter(
    "otelcol_processor_incoming_items",
    "Items.",
    &["processor", "otel_signal"],
);
const UPTIME: Metric = Metric::counter("otelcol_process_uptime", "Since start.", &[]);
const QUEUE: Metric = Metric::gauge("otelcol_exporter_queue_size", "Waits.", &["exporter"]);

/// A registry whose counters have the value that is returned with it.
fn registry() -> (Registry, Arc<AtomicU64>) {
    let registry = Registry::default();
    let value = Arc::new(AtomicU64::new(0));
    let read = || {
        let value = Arc::clone(&value);
        move || value.load(Relaxed)
    };
    let sent = SENT.of(crate::pdata::Signal::Traces);
    registry.counter(&sent, &["otlp"], read());
    registry.counter(&ITEMS.in_unit("{item}"), &["batch", "traces"], read());
    let uptime = read();
    registry.counter(&UPTIME.in_unit("s"), &[], move || uptime() as f64 / 2.0);
    registry.gauge(&QUEUE.in_unit("{batch}"), &["otlp"], read());
    (registry, value)
}

fn read(registry: &Registry) -> Snapshot {
    let mut snapshot = Snapshot::default();
    registry.read(&mut snapshot);
    snapshot
}

/// Metrics as `scope name unit temporality value`, with attributes.
fn shown(request: &[u8]) -> Vec<String> {
    let request = ExportMetricsServiceRequest::decode(request).unwrap();
    let [group] = &request.resource_metrics[..] else {
        panic!("{request:?}");
    };
    let mut shown = Vec::new();
    for scope in &group.scope_metrics {
        let name = &scope.scope.as_ref().unwrap().name;
        let scope_name = name.rsplit('/').next().unwrap();
        for metric in &scope.metrics {
            let begin = format!("{scope_name} {} {}", metric.name, metric.unit);
            let number = |value: &Option<PointValue>| match value.unwrap() {
                PointValue::AsInt(value) => value.to_string(),
                PointValue::AsDouble(value) => format!("{value:?}"),
            };
            let (rest, attributes) = match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => {
                    assert!(sum.is_monotonic);
                    let [point] = &sum.data_points[..] else {
                        panic!("{sum:?}");
                    };
                    assert!(point.start_time_unix_nano <= point.time_unix_nano);
                    let value = number(&point.value);
                    (
                        format!("{} {value}", sum.aggregation_temporality),
                        point.attributes.clone(),
                    )
                }
                Data::Gauge(gauge) => (
                    format!("gauge {}", number(&gauge.data_points[0].value)),
                    gauge.data_points[0].attributes.clone(),
                ),
                Data::Histogram(histogram) => {
                    let point = &histogram.data_points[0];
                    let temporality = histogram.aggregation_temporality;
                    let sum = point.sum.unwrap();
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    (
                        format!("{temporality} {} {sum}", point.count),
                        point.attributes.clone(),
                    )
                }
                other => panic!("{other:?}"),
            };
            let names = attributes.iter().map(|attribute| attribute.key.as_str());
            shown.push(format!(
                "{begin} {rest} {}",
                names.collect::<Vec<_>>().join(",")
            ));
        }
    }
    shown
}

#[test]
fn metrics_are_called_as_the_collector_calls_them() {
    let (registry, value) = registry();
    registry
        .histogram(&BATCH_SEND_SIZE, &["batch"])
        .record(60.0);
    value.store(3, Relaxed);
    let writer = PointWriter::new(&Resource::default(), TemporalityPreference::Cumulative);
    let request = writer.write(&read(&registry), SystemTime::now());
    assert_eq!(
        shown(&request),
        [
            "exporterhelper otelcol_exporter_queue_size {batch} gauge 3 exporter",
            "exporterhelper otelcol_exporter_sent_spans {span} 2 3 exporter",
            "batchprocessor otelcol_processor_batch_batch_send_size {unit} 2 1 60 processor",
            "processorhelper otelcol_processor_incoming_items {item} 2 3 processor,otel.signal",
            "service otelcol_process_uptime s 2 1.5 ",
        ]
    );
    let decoded = ExportMetricsServiceRequest::decode(request.as_slice()).unwrap();
    let resource = decoded.resource_metrics[0].resource.as_ref().unwrap();
    let names: Vec<_> = resource.attributes.iter().map(|a| a.key.as_str()).collect();
    assert_eq!(
        names,
        ["service.instance.id", "service.name", "service.version"]
    );
}

#[test]
fn deltas_tell_what_came_since_the_backend_was_told_last() {
    let (registry, value) = registry();
    let mut writer = PointWriter::new(&Resource::default(), TemporalityPreference::LowMemory);
    let mut tell = |now, is_told| {
        value.store(now, Relaxed);
        let (snapshot, time) = (read(&registry), SystemTime::now());
        let told = shown(&writer.write(&snapshot, time));
        if is_told {
            writer.told(snapshot, time);
        }
        let of = |name: &str| {
            let line = told.iter().find(|line| line.contains(name)).unwrap();
            line.split(' ').nth(4).unwrap().to_owned()
        };
        [of("sent_spans"), of("queue_size"), of("uptime")]
    };
    assert_eq!(tell(3, true), ["3", "3", "1.5"]);
    // The backend was away.
    assert_eq!(tell(5, false), ["2", "5", "2.5"]);
    assert_eq!(tell(9, true), ["6", "9", "4.5"]);
    // A reload has begun anew.
    assert_eq!(tell(2, true), ["2", "2", "1.0"]);
}
