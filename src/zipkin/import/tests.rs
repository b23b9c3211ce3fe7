//! Everything in a table is read as the Collector's translator reads it; the table has
//! its answers. Where we are more lenient stands in the table of departures.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::pdata::{Index, Keys, Signal, admit, json};
use base64::Engine;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::KeyValue,
};
use prost::Message;
use serde::Deserialize;

const NOW: u64 = 1_700_000_000_000_000_000;

#[derive(Deserialize)]
struct Case {
    name: String,
    format: String,
    #[serde(default)]
    parse_string_tags: bool,
    text: Option<String>,
    body: Option<serde_json::Value>,
    proto: Option<String>,
    otlp: Option<serde_json::Value>,
}

/// What the Collector refuses and wayspan takes, and the reverse.
const DEPARTURES: &[&str] = &[
    "link cut",
    "link bad id",
    "event text",
    "event dropped",
    "event large dropped",
    "event no object",
    "proto short trace id",
    "v1 boolean",
    "v1 parent '0000000000000000'",
];

fn options() -> ImportOptions {
    ImportOptions {
        parse_string_tags: false,
        now: NOW,
        most: usize::MAX,
    }
}

fn cases() -> Vec<Case> {
    let table = include_str!("../../../tests/fixtures/zipkin/to_otlp.json");
    serde_json::from_str(table).unwrap()
}

fn imported(case: &Case) -> Result<Vec<u8>, ZipkinError> {
    let format = match &*case.format {
        "v1" => ZipkinFormat::V1Json,
        "v2" => ZipkinFormat::V2Json,
        _ => ZipkinFormat::V2Proto,
    };
    let proto = |text: &String| base64::prelude::BASE64_STANDARD.decode(text).unwrap();
    let text = || case.text.clone().map(String::into_bytes);
    let body = || case.body.as_ref().map(|body| body.to_string().into_bytes());
    let bytes = case.proto.as_ref().map(proto).or_else(text).or_else(body);
    let options = ImportOptions {
        parse_string_tags: case.parse_string_tags,
        ..options()
    };
    read(format, &bytes.unwrap(), options)
}

fn sorted(mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
    attributes
}

/// The spans of a request with their resources and scopes, in an order of their own.
fn spans(request: &[u8]) -> Vec<String> {
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let mut all = Vec::new();
    for group in request.resource_spans {
        let resource = sorted(group.resource.unwrap_or_default().attributes);
        for scoped in group.scope_spans {
            let scope = scoped.scope.unwrap_or_default();
            for mut span in scoped.spans {
                // JSON has no id where all of it is 0.
                if span.trace_id.iter().all(|octet| *octet == 0) {
                    span.trace_id.clear();
                }
                span.attributes = sorted(span.attributes);
                let status = Some(span.status.take().unwrap_or_default());
                span.status = status;
                for event in &mut span.events {
                    event.attributes = sorted(std::mem::take(&mut event.attributes));
                }
                for link in &mut span.links {
                    link.attributes = sorted(std::mem::take(&mut link.attributes));
                }
                all.push(format!("{resource:#?} {scope:#?} {span:#?}"));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn all_is_read_as_the_collector_reads_it() {
    let mut taken = 0;
    for case in cases() {
        let ours = imported(&case);
        if DEPARTURES.contains(&&*case.name) {
            assert!(case.otlp.is_none(), "{}: no departure", case.name);
            assert!(ours.is_ok(), "{}: {ours:?}", case.name);
            continue;
        }
        let Some(theirs) = &case.otlp else {
            assert!(ours.is_err(), "{} is taken", case.name);
            continue;
        };
        let ours = ours.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let theirs =
            json::request_from_json(Signal::Traces, theirs.to_string().as_bytes()).unwrap();
        let (ours, theirs) = (spans(&ours), spans(&theirs));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{}: ours is first", case.name);
        }
        assert_eq!(ours.len(), theirs.len(), "{}", case.name);
        taken += ours.len();
    }
    assert!(taken > 140, "only {taken} spans");
}

#[test]
fn what_is_made_needs_no_repair() {
    for case in cases() {
        let Ok(request) = imported(&case) else {
            continue;
        };
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, &request, &Keys::default(), &mut index).unwrap();
        assert!(
            matches!(admitted.bytes, std::borrow::Cow::Borrowed(_)),
            "{}",
            case.name
        );
    }
}

fn json_spans(body: &str) -> Result<Vec<String>, ZipkinError> {
    read(ZipkinFormat::V2Json, body.as_bytes(), options()).map(|request| spans(&request))
}

#[test]
fn errors_name_the_span_and_the_member() {
    for (body, start) in [
        (r#"[{"id":"1"},{"id":"x"}]"#, "[1].id: not 64 bits"),
        (
            r#"[{"id":"1","localEndpoint":{"port":70000}}]"#,
            "[0].localEndpoint.port: ",
        ),
        (
            r#"[{"id":"1","tags":{"a":1}}]"#,
            "[0].tags: invalid type: integer `1`",
        ),
        (r#"[{"traceId":"1"}]"#, "[0].id: a span needs an id"),
        (r#"[{"id":"1"},]"#, "[1]: "),
        ("", "[0]: EOF"),
    ] {
        let error = json_spans(body).unwrap_err().to_string();
        assert!(error.starts_with(start), "{body}: {error}");
    }
    let error = read(ZipkinFormat::V2Proto, b"\x0a\x02\x1a\x01", options()).unwrap_err();
    assert!(error.0.starts_with("[0]: not protobuf"), "{error}");
}

#[test]
fn text_that_is_not_in_a_form_stays_text() {
    let event = r#"[{"id":"1","annotations":[{"timestamp":1,"value":"a|b|c"}]}]"#;
    let found = json_spans(event).unwrap();
    assert!(found[0].contains("name: \"a|b|c\""), "{}", found[0]);
    let link = r#"[{"id":"1","tags":{"otlp.link.0":"a|b|c|d|e"}}]"#;
    let found = json_spans(link).unwrap();
    assert!(found[0].contains("key: \"otlp.link.0\""), "{}", found[0]);
    assert!(found[0].contains("links: []"), "{}", found[0]);
}

#[test]
fn spans_of_one_service_with_other_resource_tags_have_their_own() {
    let span = |pod: &str| {
        format!(
            r#"{{"id":"1","localEndpoint":{{"serviceName":"s"}},"tags":{{"k8s.pod.name":"{pod}"}}}}"#
        )
    };
    let body = format!("[{},{},{}]", span("a"), span("b"), span("a"));
    let request = read(ZipkinFormat::V2Json, body.as_bytes(), options()).unwrap();
    let decoded = ExportTraceServiceRequest::decode(&*request).unwrap();
    let sizes = decoded.resource_spans.iter();
    let sizes: Vec<usize> = sizes
        .map(|group| group.scope_spans[0].spans.len())
        .collect();
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn a_span_of_version_1_without_a_time_has_that_of_its_arrival() {
    let body = br#"[{"traceId":"0ed2e63cbe71f5a8","id":"0ed2e63cbe71f5a8"}]"#;
    let request = read(ZipkinFormat::V1Json, body, options()).unwrap();
    let decoded = ExportTraceServiceRequest::decode(&*request).unwrap();
    let span = &decoded.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (NOW, NOW)
    );
    assert_eq!(span.attributes[0].key, "otel.zipkin.absentField.startTime");
}

#[test]
fn no_more_is_made_than_may_be() {
    let body = format!("[{}]", vec![r#"{"id":"1"}"#; 1000].join(","));
    let within = |most| {
        let options = ImportOptions { most, ..options() };
        read(ZipkinFormat::V2Json, body.as_bytes(), options)
    };
    let all = within(usize::MAX).unwrap().len();
    assert!(within(all * 3).is_ok());
    let error = within(all).unwrap_err();
    assert!(error.0.contains("more than"), "{error}");
    let tags = vec![r#""a":"""#; (1 << 16) + 1].join(",");
    let error = json_spans(&format!(r#"[{{"id":"1","tags":{{{tags}}}}}]"#)).unwrap_err();
    assert!(error.0.contains("65536"), "{error}");
}

#[test]
fn text_need_not_be_unicode() {
    let body = b"[{\"id\":\"1\",\"name\":\"\xff\",\"tags\":{\"\\ud800\":\"\xc3\"}}]";
    let request = read(ZipkinFormat::V2Json, body, options()).unwrap();
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, &request, &Keys::default(), &mut index).unwrap();
    assert!(admitted.utf8_replaced >= 3);
    spans(&admitted.bytes);
}
