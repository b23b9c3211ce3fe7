//! `redaction` takes away what the Collector 0.155 takes away.
//!
//! The vectors are what its processor made of each line's attributes, a configuration a paragraph.

use super::{Through, attributes, refused, shown, span};
use crate::pdata::Signal;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{InstrumentationScope, KeyValue},
    logs::v1::LogRecord,
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span,
        span::{Event, Link},
    },
};
use prost::Message;
use serde_json::{Value, json};

/// A request with these attributes wherever there are some.
fn request(pairs: &Value) -> Vec<u8> {
    let attributes = || attributes(pairs);
    let span = Span {
        events: vec![Event {
            time_unix_nano: 5,
            attributes: attributes(),
            ..Event::default()
        }],
        links: vec![Link {
            trace_id: vec![3; 16],
            attributes: attributes(),
            ..Link::default()
        }],
        ..span("n", pairs.clone())
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(),
                dropped_attributes_count: 3,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "lib".to_owned(),
                    attributes: attributes(),
                    ..InstrumentationScope::default()
                }),
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

#[test]
fn attributes_are_redacted_as_the_collector_does_it() {
    let mut seen = 0;
    for paragraph in include_str!("vectors/redacted.txt").trim().split("\n\n") {
        let (config, lines) = paragraph.split_once('\n').unwrap();
        let through = Through::new(&format!("  redaction: {config}"), "redaction");
        for line in lines.lines() {
            let (before, expected) = line.split_once(" | ").unwrap();
            let (before, expected): (Value, Value) = (
                serde_json::from_str(before).unwrap(),
                serde_json::from_str(expected).unwrap(),
            );
            let sent = through.send(&request(&before), "::1").unwrap();
            let sent = ExportTraceServiceRequest::decode(&sent[..]).unwrap();
            let group = &sent.resource_spans[0];
            let resource = group.resource.clone().unwrap();
            let scope = group.scope_spans[0].scope.clone().unwrap();
            let span = &group.scope_spans[0].spans[0];
            for (what, pairs) in [
                ("resource", &resource.attributes),
                ("scope", &scope.attributes),
                ("span", &span.attributes),
                ("event", &span.events[0].attributes),
            ] {
                assert_eq!(shown(pairs), expected, "{what}, {config}: {before}");
            }
            assert_eq!(shown(&span.links[0].attributes), before);
            let kept = (resource.dropped_attributes_count, &*scope.name, &*span.name);
            assert_eq!(kept, (3, "lib", "n"));
            assert_eq!(span.events[0].time_unix_nano, 5);
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}

#[test]
fn nothing_is_taken_by_half() {
    for (keys, part) in [
        (
            "url_sanitizer: {enabled: true, attributes: [url]}",
            "what it takes away would leave",
        ),
        (
            "db_sanitizer: {sql: {enabled: true}}",
            "what it takes away would leave",
        ),
        ("blocked_values: ['(?=a)']", "there is no looking around"),
        ("hash_function: sha256", "expected one of"),
        (
            "hash_function: hmac-sha256, hmac_key: short",
            "32 bytes at least",
        ),
        ("hash_function: hmac-sha512", "64 bytes at least"),
        ("summary: verbose", "expected one of"),
        ("allowed_key: [a]", "did you mean \"allowed_keys\""),
    ] {
        let said = refused(&format!("  redaction: {{{keys}}}"), "redaction");
        assert!(said.contains(part), "{keys}: {said}");
        assert!(!said.contains("short"), "{said}");
    }
    let sanitizers = "url_sanitizer: {enabled: false}, db_sanitizer: {sql: {enabled: false}}";
    let through = Through::new(&format!("  redaction: {{{sanitizers}}}"), "redaction");
    let sent = through.spans(json!([["a", 1]]), vec![span("n", json!([]))]);
    assert_eq!(sent[0].0, json!([]));
}

#[test]
fn bodies_of_log_records_are_redacted_as_the_collector_does_it() {
    let mut seen = 0;
    for paragraph in include_str!("vectors/redacted-bodies.txt")
        .trim()
        .split("\n\n")
    {
        let (config, lines) = paragraph.split_once('\n').unwrap();
        let through = Through::of(Signal::Logs, &format!("  redaction: {config}"), "redaction");
        for line in lines.lines() {
            let parts: Vec<Value> = (line.split(" | "))
                .map(|part| serde_json::from_str(part).unwrap())
                .collect();
            let [before, expected, told] = &parts[..] else {
                panic!("{line}")
            };
            // A body is made and shown as an attribute's value is.
            let body = attributes(&json!([["body", before]])).remove(0).value;
            let record = LogRecord {
                severity_text: "INFO".to_owned(),
                body: body.filter(|body| body.value.is_some()),
                attributes: attributes(&json!([["a", "x"]])),
                ..LogRecord::default()
            };
            let record = through.record(record).unwrap();
            let body = KeyValue {
                value: record.body.clone(),
                ..KeyValue::default()
            };
            assert_eq!(shown(&[body]), json!([["", expected]]), "{config}: {line}");
            assert_eq!(shown(&record.attributes), *told, "{config}: {line}");
            assert_eq!(record.severity_text, "INFO");
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}

/// A pattern that matches everywhere makes 130 bytes of one: such a request is refused, before
/// that much is made.
#[test]
fn a_text_that_grows_beyond_bounds_is_refused() {
    let key = "k".repeat(64);
    let through = Through::new(
        &format!(
            "  redaction: {{allow_all_keys: true, blocked_values: [.], hash_function: hmac-sha512, hmac_key: {key}}}"
        ),
        "redaction",
    );
    let long = |len: usize| request(&json!([["a", "x".repeat(len)]]));
    assert!(through.send(&long(100), "::1").is_some());
    assert!(through.refuses(&long(20_000)));
    assert!(through.send(&long(100), "::1").is_some());
}
