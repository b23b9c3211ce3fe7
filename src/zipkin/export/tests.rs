//! Everything in a table is written as the Collector's translator writes it; the table
//! has its answers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::{
    pdata::{Signal, json::request_from_json},
    zipkin::{ImportOptions, ZipkinFormat, read},
};
use base64::Engine;
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    name: String,
    otlp: Value,
    /// Missing where the Collector gives the request up.
    json: Option<Value>,
    proto: Option<String>,
}

/// `ListOfSpans`, as `zipkin.proto3` has it.
#[derive(Clone, PartialEq, prost::Message)]
struct ListOfSpans {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, optional, tag = "8")]
    local_endpoint: Option<ProtoEndpoint>,
    #[prost(message, optional, tag = "9")]
    remote_endpoint: Option<ProtoEndpoint>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<ProtoAnnotation>,
    #[prost(btree_map = "string, string", tag = "11")]
    tags: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtoEndpoint {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtoAnnotation {
    #[prost(fixed64, tag = "1")]
    timestamp: u64,
    #[prost(string, tag = "2")]
    value: String,
}

fn cases() -> Vec<Case> {
    let table = include_str!("../../../tests/fixtures/zipkin/from_otlp.json");
    serde_json::from_str(table).unwrap()
}

fn request(otlp: &Value) -> Vec<u8> {
    request_from_json(Signal::Traces, otlp.to_string().as_bytes()).unwrap()
}

fn exported(otlp: &Value, options: &ExportOptions) -> (Value, u64) {
    let mut out = Vec::new();
    let without_ids = write_json(&request(otlp), options, &mut out);
    (serde_json::from_slice(&out).unwrap(), without_ids)
}

#[test]
fn json_is_that_of_the_collector() {
    let mut written = 0;
    for case in cases() {
        let (ours, _) = exported(&case.otlp, &ExportOptions::default());
        let Some(theirs) = &case.json else { continue };
        assert_eq!(&ours, theirs, "{}: ours is first", case.name);
        written += 1;
    }
    assert!(written > 60, "only {written} cases");
}

/// The Collector writes IPv4 addresses in the form of IPv6, and a root's parent as
/// zeros.
fn as_ours(mut list: ListOfSpans) -> ListOfSpans {
    for span in &mut list.spans {
        if span.parent_id == [0; 8] {
            span.parent_id.clear();
        }
        for endpoint in [&mut span.local_endpoint, &mut span.remote_endpoint] {
            if let Some(endpoint) = endpoint
                && endpoint.ipv4.len() == 16
            {
                endpoint.ipv4.drain(..12);
            }
        }
    }
    list
}

#[test]
fn protobuf_is_that_of_the_collector() {
    for case in cases() {
        let mut ours = Vec::new();
        write_proto(&request(&case.otlp), &ExportOptions::default(), &mut ours);
        let ours = ListOfSpans::decode(&*ours).unwrap();
        let Some(theirs) = &case.proto else { continue };
        let theirs = base64::prelude::BASE64_STANDARD.decode(theirs).unwrap();
        let theirs = as_ours(ListOfSpans::decode(&*theirs).unwrap());
        assert_eq!(ours, theirs, "{}: ours is first", case.name);
    }
}

/// What the Collector gives a whole request up for costs at most the span.
#[test]
fn what_the_collector_refuses_is_written_or_left_out() {
    let refused: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.json.is_none())
        .collect();
    let names: Vec<&str> = refused.iter().map(|case| &*case.name).collect();
    assert_eq!(names, ["backwards", "no trace id"]);
    let (backwards, without_ids) = exported(&refused[0].otlp, &ExportOptions::default());
    assert_eq!((backwards[0].get("duration"), without_ids), (None, 0));
    let (none, without_ids) = exported(&refused[1].otlp, &ExportOptions::default());
    assert_eq!((none, without_ids), (json!([]), 1));
}

#[test]
fn the_default_service_name_is_used_where_it_is_set() {
    let span = json!({"traceId": "463ac35c9f6413ad48485a3953bb6124", "spanId": "a2fb4a1d1a96d312"});
    let otlp = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    let options = ExportOptions {
        default_service_name: Some("nobody".to_owned()),
    };
    let (spans, _) = exported(&otlp, &options);
    assert_eq!(spans[0]["localEndpoint"]["serviceName"], "nobody");
}

#[test]
fn an_event_without_a_time_has_that_of_its_span() {
    let otlp = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "463ac35c9f6413ad48485a3953bb6124", "spanId": "a2fb4a1d1a96d312",
        "startTimeUnixNano": "5000000000", "events": [{"name": "e"}],
    }]}]}]});
    let (spans, _) = exported(&otlp, &ExportOptions::default());
    assert_eq!(spans[0]["annotations"][0]["timestamp"], 5_000_000);
}

#[test]
fn scopes_do_not_tag_the_spans_of_others() {
    let span = |id: &str| json!({"traceId": "463ac35c9f6413ad48485a3953bb6124", "spanId": id});
    let named = json!({"scope": {"name": "lib"}, "spans": [span("a2fb4a1d1a96d312")]});
    let other = json!({"spans": [span("a2fb4a1d1a96d313")]});
    let otlp = json!({"resourceSpans": [{"scopeSpans": [named, other]}]});
    let (spans, _) = exported(&otlp, &ExportOptions::default());
    assert_eq!(spans[0]["tags"]["otel.library.name"], "lib");
    assert_eq!(spans[1].get("tags"), None);
}

/// What our own exporter writes, our receiver reads as it was, as far as Zipkin can say
/// it.
#[test]
fn both_directions_fit_together() {
    let options = ImportOptions {
        parse_string_tags: false,
        now: 0,
        most: usize::MAX,
    };
    let otlp = json!({"resourceSpans": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "k8s.pod.name", "value": {"stringValue": "shop-1"}},
        ]},
        "scopeSpans": [{
            "scope": {"name": "lib", "version": "2"},
            "spans": [{
                "traceId": "463ac35c9f6413ad48485a3953bb6124", "spanId": "a2fb4a1d1a96d312",
                "parentSpanId": "0020000000000001", "name": "get", "kind": 1,
                "traceState": "a=b",
                "startTimeUnixNano": "1556604172355737000",
                "endTimeUnixNano": "1556604172357168000",
                "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
                "events": [{
                    "timeUnixNano": "1556604172355800000", "name": "e",
                    "attributes": [{"key": "n", "value": {"intValue": "7"}}],
                    "droppedAttributesCount": 2,
                }],
                "links": [{
                    "traceId": "463ac35c9f6413ad48485a3953bb6124", "spanId": "0000000000000001",
                    "attributes": [{"key": "l", "value": {"boolValue": true}}],
                }],
                "status": {"code": 2, "message": "boom"},
            }],
        }],
    }]});
    let (first, second) = (request(&otlp), ExportOptions::default());
    let (mut in_json, mut in_proto) = (Vec::new(), Vec::new());
    write_json(&first, &second, &mut in_json);
    write_proto(&first, &second, &mut in_proto);
    for (format, list) in [
        (ZipkinFormat::V2Json, in_json),
        (ZipkinFormat::V2Proto, in_proto),
    ] {
        let back = read(format, &list, options).unwrap();
        type Request = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
        let sort = |request: &[u8]| {
            let mut request = Request::decode(request).unwrap();
            for group in &mut request.resource_spans {
                let resource = group.resource.as_mut().unwrap();
                resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            }
            request
        };
        assert_eq!(sort(&back), sort(&first), "{format:?}");
    }
}
