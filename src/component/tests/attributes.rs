//! `attributes`: which items are selected, and that the others stay as they are.

use super::{Through, attributes, refused, shown, span};
use crate::pdata::Signal;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, InstrumentationScope, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, metric::Data,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use serde_json::json;

const ACTIONS: &str = "actions: [{key: hit, value: true, action: insert}]";

fn spans() -> Vec<Span> {
    let kinds = [
        ("get /a", 2, json!([["http.status", 200], ["user", "ann"]])),
        ("db", 3, json!([["d", 0.5]])),
        ("odd", 9, json!([])),
    ];
    let spans = kinds
        .into_iter()
        .enumerate()
        .map(|(n, (name, kind, pairs))| Span {
            kind,
            span_id: vec![n as u8 + 1; 8],
            ..span(name, pairs)
        });
    spans.collect()
}

/// The names of the spans that a processor with this selection acts on: those of a scope `lib` 1.2
/// in the resource of `shop`.
fn hit(selection: &str) -> String {
    let processor = format!("  attributes: {{{selection}, {ACTIONS}}}");
    let through = Through::new(&processor, "attributes");
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(
                    &json!([["service.name", "shop"], ["list", [1, {"b": 2, "a": 1}]]]),
                ),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "lib".to_owned(),
                    version: "1.2".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans: spans(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let sent = through.send(&request.encode_to_vec(), "::1").unwrap();
    let sent = ExportTraceServiceRequest::decode(&sent[..]).unwrap();
    let sent = &sent.resource_spans[0].scope_spans[0].spans;
    let mut names = Vec::new();
    for (mut after, before) in sent.clone().into_iter().zip(spans()) {
        if after.attributes.len() > before.attributes.len() {
            assert_eq!(after.attributes.pop().unwrap().key, "hit");
            names.push(after.name.clone());
        }
        assert_eq!(after, before, "nothing else is changed");
    }
    names.join(",")
}

#[test]
fn spans_are_selected_as_the_collector_selects_them() {
    for (selection, expected) in [
        (
            "include: {match_type: strict, services: [shop]}",
            "get /a,db,odd",
        ),
        ("include: {match_type: strict, services: [sho]}", ""),
        (
            "include: {match_type: regexp, services: [sho]}",
            "get /a,db,odd",
        ),
        (
            "include: {match_type: strict, span_names: [db, odd]}",
            "db,odd",
        ),
        (
            "include: {match_type: regexp, span_names: ['^d', '/']}",
            "get /a,db",
        ),
        (
            "exclude: {match_type: regexp, span_names: ['^d', '/']}",
            "odd",
        ),
        (
            "include: {match_type: strict, span_kinds: [SPAN_KIND_SERVER]}",
            "get /a",
        ),
        // A kind that does not exist is the empty text.
        ("include: {match_type: regexp, span_kinds: ['^$']}", "odd"),
        (
            "include: {match_type: strict, libraries: [{name: lib}]}",
            "get /a,db,odd",
        ),
        (
            "include: {match_type: strict, libraries: [{name: lib, version: ''}]}",
            "",
        ),
        (
            "include: {match_type: regexp, libraries: [{name: l, version: ^1}]}",
            "get /a,db,odd",
        ),
        (
            "include: {match_type: strict, libraries: [{name: lib}, {name: other}]}",
            "",
        ),
        (
            "include: {match_type: strict, attributes: [{key: user}]}",
            "get /a",
        ),
        ("include: {attributes: [{key: user}]}", "get /a"),
        (
            "include: {match_type: strict, attributes: [{key: http.status, value: 200}]}",
            "get /a",
        ),
        (
            "include: {match_type: strict, attributes: [{key: http.status, value: '200'}]}",
            "",
        ),
        (
            "include: {match_type: strict, attributes: [{key: http.status, value: 200.0}]}",
            "",
        ),
        (
            "include: {match_type: regexp, attributes: [{key: http.status, value: '^2..$'}]}",
            "get /a",
        ),
        (
            "include: {match_type: regexp, attributes: [{key: d, value: '^0\\.5$'}]}",
            "db",
        ),
        (
            "include: {match_type: strict, attributes: [{key: user}, {key: d}]}",
            "",
        ),
        (
            "include: {match_type: strict, resources: [{key: list, value: [1, {a: 1, b: 2}]}]}",
            "get /a,db,odd",
        ),
        (
            "include: {match_type: strict, resources: [{key: list, value: [1, {a: 1}]}]}",
            "",
        ),
        (
            "include: {match_type: regexp, resources: [{key: list, value: '1'}]}",
            "",
        ),
        (
            "include: {match_type: strict, services: [shop], span_names: [db, odd]}, \
             exclude: {match_type: regexp, attributes: [{key: d, value: '.'}]}",
            "odd",
        ),
        (
            "exclude: {match_type: strict, services: [other]}",
            "get /a,db,odd",
        ),
    ] {
        assert_eq!(hit(selection), expected, "{selection}");
    }
}

#[test]
fn log_records_are_selected_and_changed() {
    let record = |body: &str, severity: i32| LogRecord {
        body: Some(AnyValue {
            value: Some(Value::StringValue(body.to_owned())),
        }),
        severity_number: severity,
        attributes: attributes(&json!([["user", "ann"]])),
        ..LogRecord::default()
    };
    let hits = |selection: &str| {
        let through = Through::of(
            Signal::Logs,
            &format!("  attributes: {{{selection}, actions: [{{key: user, action: delete}}]}}"),
            "attributes",
        );
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    log_records: vec![record("in", 9), record("out", 17), record("none", 0)],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        };
        let sent = through.send(&request.encode_to_vec(), "::1").unwrap();
        let sent = ExportLogsServiceRequest::decode(&sent[..]).unwrap();
        let records = sent.resource_logs[0].scope_logs[0].log_records.iter();
        let hit: Vec<_> = records.map(|record| record.attributes.is_empty()).collect();
        hit
    };
    for (selection, expected) in [
        (
            "include: {match_type: regexp, log_bodies: [^o]}",
            [false, true, false],
        ),
        (
            "include: {match_type: strict, log_severity_number: {min: 10}}",
            [false, true, false],
        ),
        (
            "include: {match_type: strict, log_severity_number: {min: 10, match_undefined: true}}",
            [false, true, true],
        ),
        (
            "exclude: {match_type: strict, attributes: [{key: user}]}",
            [false; 3],
        ),
    ] {
        assert_eq!(hits(selection), expected, "{selection}");
    }
}

#[test]
fn each_data_point_of_a_metric_is_changed() {
    let through = Through::of(
        Signal::Metrics,
        "  attributes: {include: {match_type: strict, metric_names: [g, h]}, actions: [{key: a, value: 2, action: update}]}",
        "attributes",
    );
    let point = || NumberDataPoint {
        attributes: attributes(&json!([["a", 1]])),
        ..NumberDataPoint::default()
    };
    let gauge = |name: &str| Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(Data::Gauge(Gauge {
            data_points: vec![point(), NumberDataPoint::default(), point()],
        })),
        ..Metric::default()
    };
    let histogram = Metric {
        name: "h".to_owned(),
        data: Some(Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                attributes: attributes(&json!([["a", 1]])),
                bucket_counts: vec![1, 2],
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: 2,
        })),
        ..Metric::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![gauge("g"), histogram, gauge("other")],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let sent = through.send(&request.encode_to_vec(), "::1").unwrap();
    let sent = ExportMetricsServiceRequest::decode(&sent[..]).unwrap();
    let points = sent.resource_metrics[0].scope_metrics[0].metrics.iter();
    let points = points.map(|metric| match &metric.data {
        Some(Data::Gauge(gauge)) => {
            assert_eq!(metric.unit, "s");
            gauge
                .data_points
                .iter()
                .map(|point| shown(&point.attributes))
                .collect()
        }
        Some(Data::Histogram(histogram)) => {
            assert_eq!(histogram.aggregation_temporality, 2);
            histogram
                .data_points
                .iter()
                .map(|point| shown(&point.attributes))
                .collect()
        }
        other => panic!("{other:?}"),
    });
    let points: Vec<Vec<_>> = points.collect();
    let (one, two, none) = (json!([["a", 1]]), json!([["a", 2]]), json!([]));
    assert_eq!(points[0], [two.clone(), none.clone(), two.clone()]);
    assert_eq!(points[1], [two]);
    assert_eq!(points[2], [one.clone(), none, one]);
}

#[test]
fn selections_that_make_no_sense_are_refused() {
    for (selection, part) in [
        ("include: {match_type: strict}", "selects nothing"),
        ("include: {services: [a]}", "match_type is missing"),
        (
            "include: {match_type: glob, services: [a]}",
            "expected one of strict, regexp",
        ),
        (
            "include: {match_type: regexp, services: ['(']}",
            "unclosed group",
        ),
        (
            "include: {match_type: strict, span_kinds: [SPAN_KIND_UNSPECIFIED]}",
            "expected one of SPAN_KIND_INTERNAL",
        ),
        (
            "include: {match_type: regexp, attributes: [{key: a, value: 1}]}",
            "is a pattern",
        ),
        (
            "include: {match_type: strict, attributes: [{value: 1}]}",
            "key is missing",
        ),
        (
            "include: {match_type: strict, log_bodies: [a]}",
            "is for logs",
        ),
        (
            "include: {match_type: strict, metric_names: [a], services: [b]}",
            "selects nothing of any signal",
        ),
        (
            "include: {match_type: strict, services: [a]}, exclude: {match_type: strict, log_bodies: [b]}",
            "different signals",
        ),
    ] {
        let said = refused(
            &format!("  attributes: {{{selection}, {ACTIONS}}}"),
            "attributes",
        );
        assert!(said.contains(part), "{selection}: {said}");
    }
}
