#![allow(clippy::unwrap_used, clippy::expect_used)]
mod bounds;

use super::{pieces::Pieces, print::write_request};
use crate::{exporter::debug::Verbosity, pdata::Signal};
use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Histogram, HistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics, metric::Data,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link, SpanKind},
        status::StatusCode,
    },
};
use prost::Message as _;
use std::io::{self, Write};

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue {
        key: key.into(),
        value,
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Some(any(Value::StringValue(value.into()))))
}

fn request() -> ExportTraceServiceRequest {
    let every = vec![
        text("s", "a\nb\u{1b}[31m"),
        pair("b", Some(any(Value::BoolValue(true)))),
        pair("i", Some(any(Value::IntValue(-5)))),
        pair("d", Some(any(Value::DoubleValue(1.5)))),
        pair("y", Some(any(Value::BytesValue(vec![1, 0xab])))),
        pair(
            "a",
            Some(any(Value::ArrayValue(ArrayValue {
                values: vec![any(Value::IntValue(1)), AnyValue { value: None }],
            }))),
        ),
        pair(
            "m",
            Some(any(Value::KvlistValue(KeyValueList {
                values: vec![text("k", "v")],
            }))),
        ),
        pair("n", None),
    ];
    let span = Span {
        trace_id: vec![0x11; 16],
        span_id: vec![0x22; 8],
        parent_span_id: vec![0x33; 8],
        name: "GET /".into(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 1_002_500_000,
        attributes: every,
        events: vec![Event {
            name: "retry".into(),
            time_unix_nano: u64::MAX,
            attributes: vec![text("why", "503")],
            ..Default::default()
        }],
        links: vec![Link {
            trace_id: vec![0x44; 16],
            span_id: vec![0x55; 8],
            attributes: vec![text("from", "queue")],
            ..Default::default()
        }],
        status: Some(Status {
            message: "boom".into(),
            code: StatusCode::Error.into(),
        }),
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "reviews")],
                ..Default::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

fn shown(verbosity: Verbosity) -> String {
    let [basic, normal, detailed] = all(Signal::Traces, &request().encode_to_vec());
    match verbosity {
        Verbosity::Basic => basic,
        Verbosity::Normal => normal,
        Verbosity::Detailed => detailed,
    }
}

#[test]
fn basic_is_a_line_per_batch() {
    let bytes = request().encoded_len();
    assert_eq!(
        shown(Verbosity::Basic),
        format!("traces: 1 spans, 1 resources, {bytes} bytes\n")
    );
}

#[test]
fn normal_is_a_line_per_span() {
    let shown = shown(Verbosity::Normal);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 2);
    let (trace, span) = ("11".repeat(16), "22".repeat(8));
    assert!(lines[1].starts_with(&format!("reviews: GET / {trace} {span} 2.5ms s=a\\nb")));
    assert!(lines[1].ends_with(
        "b=true i=-5 d=1.5 y=Bytes(01ab) a=Slice([Int(1), Empty()]) m=Map({k: Str(v)}) n="
    ));
}

#[test]
fn detailed_shows_every_kind_of_value_events_and_links() {
    let shown = shown(Verbosity::Detailed);
    for line in [
        "ResourceSpans #0",
        "     -> service.name: Str(reviews)",
        "    Parent ID      : 3333333333333333",
        "    Kind           : Server",
        "    Start time     : 1970-01-01T00:00:01.000000000Z",
        "    Status code    : Error",
        "    Status message : boom",
        "     -> s: Str(a\\nb\\u{1b}[31m)",
        "     -> b: Bool(true)",
        "     -> i: Int(-5)",
        "     -> d: Double(1.5)",
        "     -> y: Bytes(01ab)",
        "     -> a: Slice([Int(1), Empty()])",
        "     -> m: Map({k: Str(v)})",
        "     -> n: Empty()",
        "     -> Timestamp: 2554-07-21T23:34:33.709551615Z",
        "          -> why: Str(503)",
        "SpanLink #0",
        "          -> from: Str(queue)",
    ] {
        assert!(shown.lines().any(|l| l == line), "no {line:?} in\n{shown}");
    }
}

#[test]
fn a_broken_output_is_an_error_not_a_panic() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let chunks = [Bytes::from(request().encode_to_vec())];
    let (signal, verbosity) = (Signal::Traces, Verbosity::Detailed);
    assert!(write_request(&mut Broken, signal, Pieces::new(&chunks), verbosity).is_err());
}

/// What is shown of a request at every verbosity.
fn all(signal: Signal, request: &[u8]) -> [String; 3] {
    all_of(signal, &[Bytes::copy_from_slice(request)])
}

fn all_of(signal: Signal, chunks: &[Bytes]) -> [String; 3] {
    [Verbosity::Basic, Verbosity::Normal, Verbosity::Detailed].map(|verbosity| {
        let mut out = Vec::new();
        write_request(&mut out, signal, Pieces::new(chunks), verbosity).unwrap();
        String::from_utf8(out).unwrap()
    })
}

fn logs() -> ExportLogsServiceRequest {
    let record = LogRecord {
        time_unix_nano: 1_000_000_000,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(any(Value::StringValue("took\na while".into()))),
        attributes: vec![text("why", "503")],
        trace_id: vec![0x11; 16],
        ..Default::default()
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![record],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

#[test]
fn log_records_are_shown_at_every_verbosity() {
    let [basic, normal, detailed] = all(Signal::Logs, &logs().encode_to_vec());
    assert!(
        basic.starts_with("logs: 1 log records, 1 resources, "),
        "{basic}"
    );
    assert!(
        normal.ends_with("(no service.name): INFO took\\na while why=503\n"),
        "{normal}"
    );
    for line in [
        "LogRecord #0",
        "    time_unix_nano: 1970-01-01T00:00:01.000000000Z",
        "    severity_number: SEVERITY_NUMBER_INFO",
        "    body: Str(took\\na while)",
        "    -> why: Str(503)",
        "    trace_id: 11111111111111111111111111111111",
    ] {
        assert!(
            detailed.lines().any(|l| l == line),
            "no {line:?} in\n{detailed}"
        );
    }
}

fn metrics() -> ExportMetricsServiceRequest {
    let point = HistogramDataPoint {
        count: 3,
        sum: Some(1.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        attributes: vec![text("route", "/")],
        ..Default::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: "latency".into(),
                    unit: "s".into(),
                    data: Some(Data::Histogram(Histogram {
                        data_points: vec![point.clone(), point],
                        aggregation_temporality: 2,
                    })),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

#[test]
fn metrics_are_shown_at_every_verbosity() {
    let [basic, normal, detailed] = all(Signal::Metrics, &metrics().encode_to_vec());
    assert!(
        basic.starts_with("metrics: 2 data points, 1 resources, "),
        "{basic}"
    );
    assert!(normal.ends_with("latency s 2 data points\n"), "{normal}");
    for line in [
        "Metric #0",
        "    name: latency",
        "    histogram:",
        "        data_points:",
        "            count: 3",
        "            sum: 1.5",
        "            bucket_counts: 1 2",
        "            explicit_bounds: 0.5",
        "            -> route: Str(/)",
        "        aggregation_temporality: AGGREGATION_TEMPORALITY_CUMULATIVE",
    ] {
        assert!(
            detailed.lines().any(|l| l == line),
            "no {line:?} in\n{detailed}"
        );
    }
}
