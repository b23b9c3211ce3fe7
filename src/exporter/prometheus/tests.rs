//! From requests to the page.

#![allow(clippy::unwrap_used)]

use super::{
    page, read,
    settings::Settings,
    store::{NotTaken, Store},
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
        SummaryDataPoint, exemplar, metric::Data, number_data_point::Value as Number,
        summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
};
use prost::Message;
use std::time::{Duration, Instant};

fn settings() -> Settings {
    Settings {
        endpoint: ([127, 0, 0, 1], 0).into(),
        tls: None,
        namespace: String::new(),
        has_suffixes: true,
        const_labels: Vec::new(),
        resource_labels: false,
        service_labels: true,
        scope_labels: false,
        has_timestamps: false,
        expiration: Duration::from_secs(300),
        has_open_metrics: false,
    }
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue((*value).to_owned())),
        }),
        ..KeyValue::default()
    };
    pairs.iter().map(pair).collect()
}

fn request(resource: &[(&str, &str)], metrics: Vec<Metric>) -> Vec<u8> {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes(resource),
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "lib".to_owned(),
                    attributes: attributes(&[("team", "a"), ("name", "no")]),
                    ..InstrumentationScope::default()
                }),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
    .encode_to_vec()
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// A sum's point at `time`, since `start`.
fn sum(value: i64, temporality: i32, (start, time): (u64, u64), pairs: &[(&str, &str)]) -> Metric {
    let point = NumberDataPoint {
        attributes: attributes(pairs),
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(Number::AsInt(value)),
        ..NumberDataPoint::default()
    };
    metric(
        "calls",
        "",
        Data::Sum(Sum {
            data_points: vec![point],
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
    )
}

fn taken(settings: &Settings, requests: &[Vec<u8>]) -> Store {
    let mut store = Store::default();
    for request in requests {
        store
            .take(read::read(request, settings), Instant::now())
            .unwrap();
    }
    store
}

/// The samples of the page, without the lines about metrics.
fn samples(settings: &Settings, requests: &[Vec<u8>]) -> Vec<String> {
    let text = page::write(&taken(settings, requests), settings, false);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

fn histogram() -> Metric {
    metric(
        "duration",
        "ms",
        Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                attributes: attributes(&[("service.name", "a\"\\\nb")]),
                time_unix_nano: 1_500_000_000,
                count: 1_000_005,
                sum: Some(12.5),
                explicit_bounds: vec![0.5, 2.0],
                bucket_counts: vec![1, 2, 1_000_002],
                exemplars: vec![Exemplar {
                    time_unix_nano: 1_250_000_000,
                    value: Some(exemplar::Value::AsDouble(1.0)),
                    trace_id: vec![0xab; 16],
                    span_id: vec![0; 8],
                    ..Exemplar::default()
                }],
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: 2,
        }),
    )
}

#[test]
fn the_page_has_what_the_collectors_has() {
    let gauge = metric(
        "up.time",
        "s",
        Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                value: Some(Number::AsDouble(0.000_01)),
                ..NumberDataPoint::default()
            }],
        }),
    );
    let exponential = metric(
        "size",
        "By",
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![ExponentialHistogramDataPoint {
                count: 3,
                sum: Some(7.0),
                ..Default::default()
            }],
            aggregation_temporality: 2,
        }),
    );
    let summary = metric(
        "wait",
        "s",
        Data::Summary(Summary {
            data_points: vec![SummaryDataPoint {
                count: 2,
                sum: 3.0,
                quantile_values: vec![ValueAtQuantile {
                    quantile: 0.5,
                    value: f64::NAN,
                }],
                ..SummaryDataPoint::default()
            }],
        }),
    );
    let resource = [
        ("service.name", "shop"),
        ("service.namespace", "n"),
        ("service.instance.id", "i"),
        ("zone", "a"),
    ];
    let request = request(&resource, vec![gauge, histogram(), exponential, summary]);
    let text = page::write(
        &taken(&settings(), std::slice::from_ref(&request)),
        &settings(),
        false,
    );
    let expected = "\
# HELP duration_milliseconds 
# TYPE duration_milliseconds histogram
duration_milliseconds_bucket{instance=\"i\",job=\"n/shop\",service_name=\"a\\\"\\\\\\nb\",le=\"0.5\"} 1
duration_milliseconds_bucket{instance=\"i\",job=\"n/shop\",service_name=\"a\\\"\\\\\\nb\",le=\"2\"} 3
duration_milliseconds_bucket{instance=\"i\",job=\"n/shop\",service_name=\"a\\\"\\\\\\nb\",le=\"+Inf\"} 1.000005e+06
duration_milliseconds_sum{instance=\"i\",job=\"n/shop\",service_name=\"a\\\"\\\\\\nb\"} 12.5
duration_milliseconds_count{instance=\"i\",job=\"n/shop\",service_name=\"a\\\"\\\\\\nb\"} 1.000005e+06
# HELP size_bytes 
# TYPE size_bytes histogram
size_bytes_bucket{instance=\"i\",job=\"n/shop\",le=\"+Inf\"} 3
size_bytes_sum{instance=\"i\",job=\"n/shop\"} 7
size_bytes_count{instance=\"i\",job=\"n/shop\"} 3
# HELP up_time_seconds 
# TYPE up_time_seconds gauge
up_time_seconds{instance=\"i\",job=\"n/shop\"} 1e-05
# HELP wait_seconds 
# TYPE wait_seconds summary
wait_seconds{instance=\"i\",job=\"n/shop\",quantile=\"0.5\"} NaN
wait_seconds_sum{instance=\"i\",job=\"n/shop\"} 3
wait_seconds_count{instance=\"i\",job=\"n/shop\"} 2
# HELP target_info Target metadata
# TYPE target_info gauge
target_info{instance=\"i\",job=\"n/shop\",zone=\"a\"} 1
";
    assert_eq!(text, expected);
}

#[test]
fn open_metrics_has_exemplars() {
    let settings = Settings {
        has_open_metrics: true,
        has_timestamps: true,
        ..settings()
    };
    let request = request(&[], vec![histogram(), sum(7, 2, (1, 1_500_000_000), &[])]);
    let text = page::write(&taken(&settings, &[request]), &settings, true);
    for line in [
        "# TYPE calls counter\ncalls_total 7.0 1.5\n",
        "le=\"2.0\"} 3 1.5 # {trace_id=\"abababababababababababababababab\"} 1.0 1.25\n",
        "le=\"+Inf\"} 1000005 1.5\n",
        "# EOF\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn labels_follow_the_settings() {
    let resource = [
        ("service.name", "s"),
        ("zone", "a"),
        ("k", "of the resource"),
    ];
    let of = |settings: &Settings| {
        let request = request(
            &resource,
            vec![sum(1, 2, (0, 1), &[("k", "v"), ("zone.b", "x")])],
        );
        samples(settings, &[request]).join("\n")
    };
    let some = settings();
    for (settings, expected) in [
        (some.clone(), r#"calls_total{job="s",k="v",zone_b="x"} 1"#),
        (
            Settings {
                namespace: "m-x".to_owned(),
                has_suffixes: false,
                const_labels: vec![("c".to_owned(), "1".to_owned())],
                ..some.clone()
            },
            r#"m_x_calls{c="1",job="s",k="v",zone_b="x"} 1"#,
        ),
        (
            Settings {
                scope_labels: true,
                ..some.clone()
            },
            r#"calls_total{job="s",k="v",otel_scope_name="lib",otel_scope_schema_url="",otel_scope_team="a",otel_scope_version="",zone_b="x"} 1"#,
        ),
        (
            Settings {
                resource_labels: true,
                ..some.clone()
            },
            r#"calls_total{job="s",k="of the resource",service_name="s",zone="a",zone_b="x"} 1"#,
        ),
        (
            Settings {
                resource_labels: true,
                service_labels: false,
                ..some
            },
            r#"calls_total{job="s",k="of the resource",zone="a",zone_b="x"} 1"#,
        ),
    ] {
        assert_eq!(of(&settings), expected);
    }
    // Two labels of one name.
    let twice = request(&[], vec![sum(1, 2, (0, 1), &[("a.b", "1"), ("a_b", "2")])]);
    assert_eq!(read::read(&twice, &settings()).left_out, 1);
}

#[test]
fn later_points_take_the_place_of_others_and_deltas_are_added() {
    let of = |points: &[(i64, i32, (u64, u64))]| {
        let requests = points.iter().map(|(value, temporality, times)| {
            request(&[], vec![sum(*value, *temporality, *times, &[])])
        });
        samples(&settings(), &requests.collect::<Vec<_>>()).join("\n")
    };
    const DELTA: i32 = 1;
    const CUMULATIVE: i32 = 2;
    for (points, expected) in [
        (
            vec![(5, CUMULATIVE, (1, 10)), (7, CUMULATIVE, (1, 20))],
            "calls_total 7",
        ),
        (
            vec![(7, CUMULATIVE, (1, 20)), (5, CUMULATIVE, (1, 10))],
            "calls_total 7",
        ),
        (
            vec![
                (5, DELTA, (1, 10)),
                (7, DELTA, (10, 20)),
                (1, DELTA, (20, 30)),
            ],
            "calls_total 13",
        ),
        (
            vec![(5, DELTA, (1, 10)), (7, DELTA, (15, 20))],
            "calls_total 7",
        ),
        (vec![(5, 0, (1, 10))], ""),
    ] {
        assert_eq!(of(&points), expected, "{points:?}");
    }
}

#[test]
fn series_end_and_are_bounded() {
    let settings = settings();
    let mut store = taken(
        &settings,
        &[request(
            &[("service.name", "a"), ("service.instance.id", "i")],
            vec![histogram()],
        )],
    );
    let later = Instant::now() + settings.expiration + Duration::from_secs(2);
    store.expire(later, settings.expiration);
    assert_eq!(page::write(&store, &settings, false), "");

    // Names of another kind are not taken.
    let request_of = |data| request(&[], vec![metric("calls_total", "", data)]);
    store
        .take(
            read::read(
                &request_of(Data::Gauge(Gauge {
                    data_points: vec![NumberDataPoint::default()],
                })),
                &settings,
            ),
            later,
        )
        .unwrap();
    let counter = read::read(&request(&[], vec![sum(1, 2, (0, 1), &[])]), &settings);
    assert_eq!(store.take(counter, later), Err(NotTaken::OtherKind));

    let long = "x".repeat(100_000);
    let mut result = Ok(());
    for n in 0..1000 {
        let name = format!("{n}{long}");
        let request = request(&[], vec![sum(1, 2, (0, 1), &[("a", &name)])]);
        let mut fresh = read::read(&request, &settings);
        fresh.metrics[0].0 = "many".to_owned();
        result = store.take(fresh, later);
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result, Err(NotTaken::Full));
}
