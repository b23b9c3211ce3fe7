/*!
Spans as Jaeger gives them back, over gRPC and over HTTP, made into the spans that the questions
of [`crate::mesh::pages`] are asked about.
*/

use crate::mesh::{key, model::Span};
use serde::Deserialize;
use std::collections::HashMap;

/// The answers of `jaeger.api_v2` (jaegertracing/jaeger-idl, `query.proto`, `model.proto`).
pub(super) mod api {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(in super::super) struct Chunk {
        #[prost(message, repeated, tag = "1")]
        pub(in super::super) spans: Vec<Span>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in super::super) struct Span {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) span_id: Vec<u8>,
        #[prost(string, tag = "3")]
        pub(super) operation_name: String,
        #[prost(message, repeated, tag = "4")]
        pub(super) references: Vec<Reference>,
        #[prost(message, optional, tag = "6")]
        pub(super) start_time: Option<Time>,
        #[prost(message, optional, tag = "7")]
        pub(super) duration: Option<Time>,
        #[prost(message, repeated, tag = "8")]
        pub(super) tags: Vec<KeyValue>,
        #[prost(message, optional, tag = "10")]
        pub(super) process: Option<Process>,
    }

    /// A `Timestamp` or a `Duration`, which have the same fields.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Time {
        #[prost(int64, tag = "1")]
        pub(super) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(super) nanos: i32,
    }

    impl Time {
        /// Returns it in nanoseconds; what is negative counts as 0.
        pub(super) fn nanoseconds(self) -> u64 {
            let seconds = u64::try_from(self.seconds).unwrap_or(0);
            let nanos = u64::try_from(self.nanos).unwrap_or(0);
            seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
        }
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Reference {
        #[prost(bytes = "vec", tag = "2")]
        pub(super) span_id: Vec<u8>,
        /// 0: child of; 1: follows from.
        #[prost(int32, tag = "3")]
        pub(super) ref_type: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct KeyValue {
        #[prost(string, tag = "1")]
        pub(super) key: String,
        #[prost(string, tag = "3")]
        pub(super) text: String,
        #[prost(bool, tag = "4")]
        pub(super) truth: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Process {
        #[prost(string, tag = "1")]
        pub(super) service_name: String,
        #[prost(message, repeated, tag = "2")]
        pub(super) tags: Vec<KeyValue>,
    }
}

/// The answer over HTTP (jaegertracing/jaeger `model/json`).
#[derive(Deserialize)]
struct Traces {
    data: Option<Vec<JsonTrace>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct JsonTrace {
    spans: Vec<JsonSpan>,
    processes: HashMap<String, JsonProcess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct JsonSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    references: Vec<JsonReference>,
    /// In microseconds, as is the next.
    start_time: u64,
    duration: u64,
    tags: Vec<JsonTag>,
    #[serde(rename = "processID")]
    process_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct JsonReference {
    ref_type: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct JsonProcess {
    service_name: String,
    tags: Vec<JsonTag>,
}

#[derive(Deserialize)]
struct JsonTag {
    key: String,
    #[serde(default)]
    value: serde_json::Value,
}

/// Makes a span of what Jaeger made of an OTLP span: it keeps kind and status in tags.
fn span(mut span: Span, service: String, tags: Vec<(String, String)>) -> Span {
    for (name, text) in &tags {
        match (&**name, &**text) {
            ("span.kind", kind) => {
                span.kind = match kind {
                    "internal" => 1,
                    "server" => 2,
                    "client" => 3,
                    "producer" => 4,
                    "consumer" => 5,
                    _ => 0,
                };
            }
            ("otel.status_code", "OK") => span.status = 1,
            ("otel.status_code", "ERROR") => span.status = 2,
            (key::ERROR, "true") => span.error = true,
            _ => {}
        }
    }
    span.attributes = tags;
    span.resource.push((key::SERVICE_NAME.to_owned(), service));
    span
}

impl From<api::Span> for Span {
    fn from(from: api::Span) -> Self {
        let tags = |tags: Vec<api::KeyValue>| {
            let pair = |tag: api::KeyValue| match tag.truth {
                true => (tag.key, "true".to_owned()),
                false => (tag.key, tag.text),
            };
            tags.into_iter().map(pair).collect::<Vec<_>>()
        };
        let process = from.process.unwrap_or_default();
        let nanoseconds = |time: Option<api::Time>| time.unwrap_or_default().nanoseconds();
        let start = nanoseconds(from.start_time);
        let parent = from.references.into_iter().find(|one| one.ref_type == 0);
        let bare = Span {
            trace_id: from.trace_id,
            span_id: from.span_id,
            parent_span_id: parent.map(|one| one.span_id).unwrap_or_default(),
            name: from.operation_name,
            start,
            end: start.saturating_add(nanoseconds(from.duration)),
            resource: tags(process.tags),
            ..Span::default()
        };
        span(bare, process.service_name, tags(from.tags))
    }
}

/// Reads an answer over HTTP.
pub(super) fn read(body: &[u8]) -> Option<Vec<Span>> {
    let traces: Traces = serde_json::from_slice(body).ok()?;
    let tags = |tags: &[JsonTag]| {
        let pair = |tag: &JsonTag| {
            let text = match &tag.value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Bool(true) => "true".to_owned(),
                _ => String::new(),
            };
            (tag.key.clone(), text)
        };
        tags.iter().map(pair).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for trace in traces.data.unwrap_or_default() {
        for one in trace.spans {
            let process = trace.processes.get(&one.process_id);
            let parent = one.references.iter().find(|to| to.ref_type == "CHILD_OF");
            let bare = Span {
                trace_id: bytes(&one.trace_id)?,
                span_id: bytes(&one.span_id)?,
                parent_span_id: match parent {
                    Some(parent) => bytes(&parent.span_id)?,
                    None => Vec::new(),
                },
                name: one.operation_name,
                start: one.start_time.saturating_mul(1000),
                end: one
                    .start_time
                    .saturating_add(one.duration)
                    .saturating_mul(1000),
                resource: process.map(|one| tags(&one.tags)).unwrap_or_default(),
                ..Span::default()
            };
            let service = process.map(|one| one.service_name.clone());
            all.push(span(bare, service.unwrap_or_default(), tags(&one.tags)));
        }
    }
    Some(all)
}

/// Reads an id in hexadecimal, of which old Jaegers leave out leading zeros.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let even = match text.len() % 2 {
        0 => text.to_owned(),
        _ => format!("0{text}"),
    };
    if even.len() > 32 || !even.is_ascii() {
        return None;
    }
    let digit = |at: usize| u8::from_str_radix(even.get(at..at + 2)?, 16).ok();
    (0..even.len()).step_by(2).map(digit).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_ways_of_asking_give_the_same_span() {
        let body = br#"{"data": [{"traceID": "0a", "spans": [{
            "traceID": "000102030405060708090a0b0c0d0e0f", "spanID": "1112131415161718",
            "startTime": 1764374400000001, "duration": 1500, "operationName": "reviews.bookinfo.svc.cluster.local:9080/*",
            "references": [{"refType": "FOLLOWS_FROM", "spanID": "01"}, {"refType": "CHILD_OF", "spanID": "2122232425262728"}],
            "tags": [{"key": "node_id", "type": "string", "value": "waypoint~1"}, {"key": "n", "type": "int64", "value": 1},
                {"key": "span.kind", "value": "server"}, {"key": "error", "type": "bool", "value": true},
                {"key": "otel.status_code", "value": "ERROR"}],
            "processID": "p1"}],
            "processes": {"p1": {"serviceName": "waypoint.bookinfo", "tags": [{"key": "hostname", "value": "h"}]}}}],
            "errors": null, "total": 0}"#;
        let tag = |key: &str, text: &str| api::KeyValue {
            key: key.to_owned(),
            text: text.to_owned(),
            truth: false,
        };
        let of_grpc = api::Span {
            trace_id: (0..16).collect(),
            span_id: (0x11..0x19).collect(),
            operation_name: "reviews.bookinfo.svc.cluster.local:9080/*".to_owned(),
            start_time: Some(api::Time {
                seconds: 1_764_374_400,
                nanos: 1_000,
            }),
            duration: Some(api::Time {
                seconds: 0,
                nanos: 1_500_000,
            }),
            references: vec![
                api::Reference {
                    span_id: vec![1],
                    ref_type: 1,
                },
                api::Reference {
                    span_id: (0x21..0x29).collect(),
                    ref_type: 0,
                },
            ],
            tags: vec![
                tag("node_id", "waypoint~1"),
                tag("n", ""),
                tag("span.kind", "server"),
                api::KeyValue {
                    truth: true,
                    ..tag("error", "")
                },
                tag("otel.status_code", "ERROR"),
            ],
            process: Some(api::Process {
                service_name: "waypoint.bookinfo".to_owned(),
                tags: vec![tag("hostname", "h")],
            }),
        };
        let of_http = read(body).unwrap();
        assert_eq!(of_http, [Span::from(of_grpc)]);
        let [span] = &of_http[..] else {
            panic!("{of_http:?}")
        };
        assert_eq!(span.service_name(), "waypoint.bookinfo");
        assert_eq!((span.kind, span.status, span.error), (2, 2, true));
        assert_eq!(span.end - span.start, 1_500_000);
    }

    #[test]
    fn rubbish_is_no_answer() {
        for body in [
            &b""[..],
            b"[]",
            b"{\"data\": 1}",
            br#"{"data": [{"spans": [{"traceID": "xyz"}]}]}"#,
            br#"{"data": [{"spans": [{"traceID": "000102030405060708090a0b0c0d0e0f00"}]}]}"#,
        ] {
            assert_eq!(read(body), None, "{body:?}");
        }
        assert_eq!(read(b"{\"data\": null}"), Some(Vec::new()));
        assert_eq!(bytes("abc"), Some(vec![0x0a, 0xbc]));
    }
}
