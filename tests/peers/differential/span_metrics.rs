//! `span_metrics` against the Collector's: the same spans become the same series with the same
//! values.
//!
//! Idea: each case is a connector with a namespace of its own, and all see the same spans. Both
//! products make metrics several times a second; they are compared once neither says anything new.

use super::{
    requests::{self, Request},
    side::Product,
};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{AggregationTemporality, metric::Data, number_data_point::Value as Number},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
};
use prost::Message;
use std::{
    collections::BTreeMap,
    fs,
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{Backend, Grpc, PATIENCE, Process, Signal, free_port};

/// Keys of connectors, in flow style.
const CASES: &[&str] = &[
    "",
    "dimensions: [{name: http.method, default: none}, {name: zone}, {name: upstream_cluster.name}], \
     exclude_dimensions: [span.name, status.code]",
    "histogram: {unit: s, explicit: {buckets: [1ms, 5ms, 100ms, 10s]}, dimensions: [{name: http.method}]}, \
     calls_dimensions: [{name: zone}]",
    "histogram: {exponential: {max_size: 10}}, exclude_dimensions: [span.name]",
    "histogram: {exponential: {}}",
    "aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA",
    "events: {enabled: true, dimensions: [{name: exception.type}, {name: zone}]}, histogram: {disable: true}",
    "resource_metrics_key_attributes: [service.name], include_instrumentation_scope: [lib], \
     enable_metrics_sampling_method: true",
    "aggregation_cardinality_limit: 2, resource_metrics_key_attributes: [telemetry.sdk.name]",
];

/// A product, and what stands behind it.
struct Metered {
    _process: Process,
    backend: Backend,
    port: u16,
}

impl Metered {
    fn start(product: Product, name: &str, dir: &Path) -> Self {
        let (backend, port) = (Backend::grpc(), free_port());
        let ids: Vec<_> = (0..CASES.len())
            .map(|n| format!("span_metrics/c{n}"))
            .collect();
        let connectors: String = (ids.iter().zip(CASES).enumerate())
            .map(|(n, (id, keys))| {
                let comma = if keys.is_empty() { "" } else { ", " };
                format!("  {id}: {{namespace: c{n}, metrics_flush_interval: 250ms{comma}{keys}}}\n")
            })
            .collect();
        let ids = ids.join(", ");
        let to = backend.port;
        let config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n\
             connectors:\n{connectors}\
             exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:{to}', tls: {{insecure: true}}}}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}\n  pipelines:\n    \
             traces: {{receivers: [otlp], exporters: [{ids}]}}\n    \
             metrics: {{receivers: [{ids}], exporters: [otlp_grpc]}}\n"
        );
        let file = dir.join(format!("{name}.yaml"));
        fs::write(&file, config).unwrap();
        let mut process = Process::start(dir, name, &mut product.command(&[], &file));
        process.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self {
            _process: process,
            backend,
            port,
        }
    }

    async fn send(&self, requests: &[ExportTraceServiceRequest]) {
        let mut client = Grpc::connect(self.port).await;
        for request in requests {
            let reply = client.export(&request.encode_to_vec()).await;
            assert_eq!(reply.grpc_status(), Some(0), "{}", reply.message());
        }
    }

    /// The values of all series: of cumulative ones the last, of deltas the sum.
    fn series(&self) -> BTreeMap<String, String> {
        let mut cumulative = BTreeMap::new();
        let mut deltas = BTreeMap::<String, [f64; 2]>::new();
        for received in &self.backend.records().requests {
            if received.signal != Signal::Metrics {
                continue;
            }
            let request = ExportMetricsServiceRequest::decode(&received.message[..]).unwrap();
            for group in request.resource_metrics {
                let resource = pairs(&group.resource.unwrap_or_default().attributes);
                for metric in group
                    .scope_metrics
                    .into_iter()
                    .flat_map(|scope| scope.metrics)
                {
                    let of = format!("{} [{}] {{{resource}}}", metric.name, metric.unit);
                    for point in points(metric.data.unwrap()) {
                        let series = format!("{of} {}", point.attributes);
                        if point.is_delta {
                            let sums = deltas.entry(series).or_default();
                            sums[0] += point.count;
                            sums[1] += point.sum;
                        } else {
                            cumulative.insert(series, point.text);
                        }
                    }
                }
            }
        }
        let deltas = deltas
            .into_iter()
            .map(|(series, [count, sum])| (series, format!("{count} {sum:.6}")));
        cumulative.into_iter().chain(deltas).collect()
    }
}

/// One point, as it is compared.
struct Shown {
    attributes: String,
    is_delta: bool,
    count: f64,
    sum: f64,
    text: String,
}

fn points(data: Data) -> Vec<Shown> {
    const DELTA: i32 = AggregationTemporality::Delta as i32;
    match data {
        Data::Sum(sum) => {
            let is_delta = sum.aggregation_temporality == DELTA;
            let points = sum.data_points.into_iter();
            let shown = points.map(|point| {
                let Some(Number::AsInt(count)) = point.value else {
                    panic!("{point:?}")
                };
                Shown {
                    attributes: pairs(&point.attributes),
                    is_delta,
                    count: count as f64,
                    sum: 0.0,
                    text: count.to_string(),
                }
            });
            shown.collect()
        }
        Data::Histogram(histogram) => {
            let is_delta = histogram.aggregation_temporality == DELTA;
            let points = histogram.data_points.into_iter();
            let shown = points.map(|point| Shown {
                attributes: pairs(&point.attributes),
                is_delta,
                count: point.count as f64,
                sum: point.sum.unwrap(),
                text: format!(
                    "{} {:.6} {:?} {:?}",
                    point.count,
                    point.sum.unwrap(),
                    point.explicit_bounds,
                    point.bucket_counts
                ),
            });
            shown.collect()
        }
        Data::ExponentialHistogram(histogram) => {
            let points = histogram.data_points.into_iter();
            let shown = points.map(|point| {
                let positive = point.positive.unwrap_or_default();
                Shown {
                    attributes: pairs(&point.attributes),
                    is_delta: false,
                    count: point.count as f64,
                    sum: point.sum.unwrap(),
                    text: format!(
                        "{} {:.6} {} {} {:?} {:?} {:?} {:?}",
                        point.count,
                        point.sum.unwrap(),
                        point.scale,
                        point.zero_count,
                        positive.offset,
                        positive.bucket_counts,
                        point.min,
                        point.max
                    ),
                }
            });
            shown.collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Attributes in order, but for the id of the process.
fn pairs(attributes: &[KeyValue]) -> String {
    let is_compared = |pair: &&KeyValue| pair.key != "collector.instance.id";
    let pairs = attributes.iter().filter(is_compared);
    let mut pairs: Vec<_> = pairs
        .map(|pair| {
            format!(
                "{}={:?}",
                pair.key,
                pair.value.as_ref().and_then(|v| v.value.as_ref())
            )
        })
        .collect();
    pairs.sort();
    pairs.join(", ")
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// Spans with what matters here and others have not: events, odd kinds and times, trace states
/// with a threshold, attributes of the resource.
fn own() -> ExportTraceServiceRequest {
    let event = |pairs| Event {
        attributes: pairs,
        ..Event::default()
    };
    let spans = (0..40_u64).map(|n| Span {
        trace_id: vec![n as u8 + 1; 16],
        span_id: vec![n as u8 + 1; 8],
        trace_state: ["", "ot=th:8", "ot=th:c;rv:ffffffffffffff", "ot=th:zz"][n as usize % 4]
            .to_owned(),
        name: format!("span {}", n % 5),
        kind: (n % 7) as i32,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_000_000_000 - 1000 + n * n * 1_234_567,
        attributes: vec![
            text("http.method", ["GET", "PUT"][n as usize % 2]),
            text("zone", ["a", "b", "c"][n as usize % 3]),
        ],
        events: match n % 3 {
            0 => Vec::new(),
            1 => vec![event(vec![text("exception.type", "E")])],
            _ => vec![event(vec![text("zone", "of the event")]), event(Vec::new())],
        },
        status: (n % 3 > 0).then(|| Status {
            code: (n % 3) as i32,
            ..Status::default()
        }),
        ..Span::default()
    });
    let group = |service: Option<&str>, spans: Vec<Span>| ResourceSpans {
        resource: Some(Resource {
            attributes: service
                .map(|name| text("service.name", name))
                .into_iter()
                .chain([
                    text("zone", "of the resource"),
                    text("telemetry.sdk.name", "x"),
                ])
                .collect(),
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "lib".to_owned(),
                version: "1".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    let spans: Vec<_> = spans.collect();
    ExportTraceServiceRequest {
        resource_spans: vec![
            group(Some("shop"), spans.clone()),
            group(Some("cart"), spans[..10].to_vec()),
            group(None, spans),
        ],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_spans_become_the_same_series() {
    let dir = TempDir::new().unwrap();
    let sets = ["captured".to_owned(), "few".to_owned()];
    let mut requests: Vec<_> = requests::named(&sets)
        .into_iter()
        .filter_map(|request| match request {
            Request::Otlp(request) => Some(request),
            Request::Json(..) => None,
        })
        .collect();
    requests.push(own());
    let [collector, wayspan] = [
        Metered::start(Product::Collector, "collector", dir.path()),
        Metered::start(Product::Wayspan, "wayspan", dir.path()),
    ];
    collector.send(&requests).await;
    wayspan.send(&requests).await;
    let end = Instant::now() + PATIENCE;
    loop {
        let [expected, made] = [collector.series(), wayspan.series()];
        if made == expected && made.values().any(|value| !value.starts_with('0')) {
            println!("  span_metrics: {} series alike", made.len());
            return;
        }
        if Instant::now() > end {
            let mut lines = Vec::new();
            for (series, value) in &expected {
                if made.get(series) != Some(value) {
                    lines.push(format!(
                        "{series}\n  Collector {value}\n  wayspan   {:?}",
                        made.get(series)
                    ));
                }
            }
            let more = made.keys().filter(|series| !expected.contains_key(*series));
            lines.extend(more.map(|series| format!("{series}\n  only wayspan")));
            panic!("{} series differ:\n{}", lines.len(), lines.join("\n"));
        }
        thread::sleep(Duration::from_millis(250));
    }
}
