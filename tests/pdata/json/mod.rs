/*!
OTLP/JSON: read as the specification shows it, written by its rules, and the
same once written and read again; the derives of opentelemetry-proto, where they
read it, agree. Cases are in the files beside this one, one a line.
*/

mod properties;

use crate::Request;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::metric::Data,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use wayspan::pdata::{
    Index, Keys, Signal, admit,
    json::{JsonError, request_from_json, request_to_json},
};

fn from_json(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    request_from_json(Signal::Traces, json)
}

fn to_json(request: &[u8]) -> Vec<u8> {
    request_to_json(Signal::Traces, request).unwrap()
}

/// The cases of a file: what stands before and behind `=>` in each line.
fn cases(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let case = line.split_once("=>");
        let (json, expected) = case.unwrap_or_else(|| panic!("{line}: no =>"));
        (json.trim(), expected.trim())
    })
}

fn read(json: &str) -> Request {
    let bytes = from_json(json.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{json}"));
    Request::decode(&bytes[..]).unwrap()
}

fn refusal(json: &str) -> String {
    from_json(json.as_bytes()).unwrap_err().to_string()
}

/// A span with one attribute whose value is `json`.
fn value(json: &str) -> Result<Option<Value>, String> {
    let json = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{json}}}]}}}}]}}"#
    );
    let bytes = from_json(json.as_bytes()).map_err(|e| e.to_string())?;
    let mut request = Request::decode(&bytes[..]).unwrap();
    let resource = request.resource_spans.remove(0).resource.unwrap();
    Ok(resource.attributes[0].value.clone().and_then(|v| v.value))
}

/// The JSON of a request with one span, whose fields are `fields`.
fn span_json(fields: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#)
}

fn span(fields: &str) -> Span {
    read(&span_json(fields))
        .resource_spans
        .remove(0)
        .scope_spans
        .remove(0)
        .spans
        .remove(0)
}

#[test]
fn reads_logs() {
    let json = r#"{"resourceLogs": [{"resource": {}, "schemaUrl": "r", "scopeLogs": [{
        "scope": {"name": "s"}, "schemaUrl": "t", "logRecords": [{
            "timeUnixNano": "1", "observedTimeUnixNano": 2, "severityNumber": 9,
            "severityText": "info", "body": {"stringValue": "b"},
            "attributes": [{"key": "k", "value": {"intValue": "3"}}],
            "droppedAttributesCount": 4, "flags": 5, "traceId": "0A0B", "spanId": "0c",
            "eventName": "e"}]}]}]}"#;
    let text = |text: &str| {
        Some(AnyValue {
            value: Some(Value::StringValue(text.to_owned())),
        })
    };
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "info".to_owned(),
        body: text("b"),
        attributes: vec![KeyValue {
            key: "k".to_owned(),
            value: Some(AnyValue {
                value: Some(Value::IntValue(3)),
            }),
            ..KeyValue::default()
        }],
        dropped_attributes_count: 4,
        flags: 5,
        trace_id: vec![10, 11],
        span_id: vec![12],
        event_name: "e".to_owned(),
    };
    let want = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource::default()),
            scope_logs: vec![ScopeLogs {
                scope: Some(InstrumentationScope {
                    name: "s".to_owned(),
                    ..InstrumentationScope::default()
                }),
                log_records: vec![record],
                schema_url: "t".to_owned(),
            }],
            schema_url: "r".to_owned(),
        }],
    };
    for json in [json, &json.replace(": 9,", ": \"SEVERITY_NUMBER_INFO\",")] {
        let bytes = request_from_json(Signal::Logs, json.as_bytes()).unwrap();
        assert_eq!(ExportLogsServiceRequest::decode(&bytes[..]).unwrap(), want);
    }
    let refused =
        request_from_json(Signal::Logs, br#"{"resourceLogs": [{"scopeLogs": [7]}]}"#).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.starts_with("resourceLogs[0].scopeLogs[0]: "),
        "{refused}"
    );
}

#[test]
fn reads_what_the_specification_shows() {
    let request = read(
        r#"{ "resourceSpans": [ {
          "resource": { "attributes": [
            { "key": "service.name", "value": { "stringValue": "cart.shop" } } ] },
          "scopeSpans": [ {
            "scope": { "name": "lib", "version": "1.0.0", "attributes": [
              { "key": "a", "value": { "boolValue": false } } ] },
            "spans": [ {
              "traceId": "5B8EFFF798038103D269B633813FC60C",
              "spanId": "EEE19B7EC3C1B174",
              "parentSpanId": "eee19b7ec3c1b173",
              "traceState": "a=b",
              "name": "GET /cart",
              "startTimeUnixNano": "1544712660000000000",
              "endTimeUnixNano": 1544712661000000000,
              "kind": 2,
              "flags": 257,
              "droppedAttributesCount": 3,
              "status": { "code": "STATUS_CODE_ERROR", "message": "no" },
              "attributes": [ { "key": "n", "value": { "intValue": "-9223372036854775808" } },
                              { "key": "m", "value": { "intValue": 7 } } ],
              "events": [ { "timeUnixNano": "1", "name": "e", "attributes": [] } ],
              "links": [ { "traceId": "5b8efff798038103d269b633813fc60c",
                           "spanId": "eee19b7ec3c1b174", "flags": 1 } ]
            } ] } ] } ] }"#,
    );
    let resource = &request.resource_spans[0];
    let scope = &resource.scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().version, "1.0.0");
    let span = &scope.spans[0];
    assert_eq!(span.trace_id[..3], [0x5B, 0x8E, 0xFF]);
    assert_eq!(span.span_id[..2], [0xEE, 0xE1]);
    assert_eq!(span.parent_span_id[7], 0x73);
    assert_eq!(span.start_time_unix_nano, 1_544_712_660_000_000_000);
    assert_eq!(span.end_time_unix_nano, 1_544_712_661_000_000_000);
    assert_eq!(
        (span.kind, span.flags, span.dropped_attributes_count),
        (2, 257, 3)
    );
    assert_eq!(span.status.as_ref().unwrap().code, 2);
    let values: Vec<_> = span
        .attributes
        .iter()
        .map(|a| a.value.clone().unwrap().value)
        .collect();
    assert_eq!(
        values,
        [Some(Value::IntValue(i64::MIN)), Some(Value::IntValue(7))]
    );
    assert_eq!(span.events[0].time_unix_nano, 1);
    assert_eq!(span.links[0].trace_id, span.trace_id);
}

#[test]
fn reads_every_kind_of_value() {
    for (json, expected) in cases(include_str!("values.txt")) {
        let read = value(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let read = read.map_or("none".to_owned(), |value| format!("{value:?}"));
        assert_eq!(read, expected, "{json}");
    }
}

#[test]
fn refuses_values_that_do_not_fit_and_names_the_place() {
    for (fields, path) in cases(include_str!("refused.txt")) {
        let error = refusal(&span_json(fields));
        let place = format!("resourceSpans[0].scopeSpans[0].spans[0].{path}: ");
        assert!(error.starts_with(&place), "{fields}: {error}");
    }
    for text in [
        "",
        "[]",
        "1",
        "null",
        "{",
        "{} x",
        r#"{"resourceSpans":[{]}"#,
        "\u{1}",
    ] {
        assert!(from_json(text.as_bytes()).is_err(), "{text:?}");
    }
}

/// The JSON of a request with one metric, whose data is `data`.
fn metric_json(data: &str) -> String {
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{data}}}]}}]}}]}}"#)
}

/// The data of that metric.
fn metric(data: &str) -> Result<Option<Data>, JsonError> {
    let bytes = request_from_json(Signal::Metrics, metric_json(data).as_bytes())?;
    let mut request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
    let mut scope = request.resource_metrics.remove(0).scope_metrics.remove(0);
    Ok(scope.metrics.remove(0).data)
}

#[test]
fn reads_every_kind_of_metric() {
    for (json, expected) in cases(include_str!("metrics.txt")) {
        let read = metric(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let read = read.map_or("none".to_owned(), |data| format!("{data:?}"));
        assert_eq!(read, expected, "{json}");
    }
}

#[test]
fn refuses_metrics_that_do_not_fit_and_names_the_place() {
    for (json, path) in cases(include_str!("refused_metrics.txt")) {
        let error = metric(json).unwrap_err().to_string();
        let place = format!("resourceMetrics[0].scopeMetrics[0].metrics[0].{path}: ");
        assert!(error.starts_with(&place), "{json}: {error}");
    }
}

/// JSON to admitted spans, and how many texts were repaired.
fn repaired(json: &[u8]) -> (Vec<Span>, u64) {
    let bytes = from_json(json).unwrap();
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, &bytes, &Keys::default(), &mut index).unwrap();
    let mut request = Request::decode(&admitted.bytes[..]).unwrap();
    let spans = request.resource_spans.remove(0).scope_spans.remove(0).spans;
    (spans, admitted.utf8_replaced)
}

#[test]
fn text_that_is_not_unicode_is_replaced_and_counted() {
    let fields = r#""name":"a\ud83d b","attributes":[{"key":"\udc00","value":{"stringValue":"\ud83d\ude00"}}]"#;
    let (spans, count) = repaired(span_json(fields).as_bytes());
    assert_eq!((&*spans[0].name, count), ("a\u{FFFD} b", 2));
    let attribute = &spans[0].attributes[0];
    assert_eq!(attribute.key, "\u{FFFD}");
    let text = Value::StringValue("\u{1F600}".to_owned());
    assert_eq!(attribute.value.clone().unwrap().value, Some(text));
    // Raw bytes, beside a neighbour and in what nobody reads.
    let json = span_json(r#""name":"x@y","n@w":{"a@":["@"]}},{"name":"whole""#);
    let json: Vec<u8> = json
        .bytes()
        .map(|b| if b == b'@' { 0xFF } else { b })
        .collect();
    let (spans, count) = repaired(&json);
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!((&names[..], count), (&["x\u{FFFD}y", "whole"][..], 1));
    // An id is no text.
    for id in [r#""\ud83d""#, r#""é""#, r#""0102\ud83d""#] {
        assert!(refusal(&span_json(&format!(r#""traceId":{id}"#))).contains("traceId: "));
    }
    let mut json = span_json(r#""spanId":"@""#).into_bytes();
    for byte in &mut json {
        *byte = if *byte == b'@' { 0xFF } else { *byte };
    }
    assert!(from_json(&json).is_err());
}

#[test]
fn is_lenient_about_names_nulls_and_the_unknown() {
    let span = span(
        r#""trace_id":"0102","kind":"SPAN_KIND_CLIENT","events":null,"status":null,"name":null,
           "start_time_unix_nano":"1e3","new":{"a":[{"b":null}]},"dropped_links_count":"4""#,
    );
    assert_eq!(span.trace_id, [1, 2]);
    assert_eq!((span.kind, span.start_time_unix_nano), (3, 1000));
    assert_eq!((span.status, span.dropped_links_count), (None, 4));
    assert_eq!(read("{}"), Request::default());
    assert_eq!(read(r#"{"resourceSpans":[]}"#), Request::default());
}

#[test]
fn an_id_of_the_wrong_length_stays_wrong_but_passes() {
    for digits in 0..70 {
        let id = "a".repeat(digits);
        let span = span(&format!(r#""traceId":"{id}","parentSpanId":"{id}""#));
        assert_eq!(span.trace_id.len() == 16, digits == 32, "{digits}");
        assert_eq!(span.parent_span_id.len() == 8, digits == 16, "{digits}");
        assert_eq!(span.parent_span_id.is_empty(), digits == 0, "{digits}");
    }
}

#[test]
fn whatever_depth_is_read_can_be_decoded() {
    for (open, close) in [
        (r#"{"arrayValue":{"values":["#, "]}}"),
        (r#"{"kvlistValue":{"values":[{"value":"#, "}]}}"),
    ] {
        let mut read = 0;
        for depth in 1..100 {
            let json = format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{}{{}}{}}}]}}]}}]}}]}}"#,
                open.repeat(depth),
                close.repeat(depth)
            );
            match from_json(json.as_bytes()) {
                Ok(bytes) => {
                    let request = Request::decode(&bytes[..]).expect("decodes");
                    let back = to_json(&bytes);
                    let again = from_json(&back).expect("reads its own output");
                    assert_eq!(Request::decode(&again[..]).unwrap(), request);
                    read = depth;
                }
                Err(error) => assert!(
                    error.0.contains("recursion") || error.0.contains("deeper"),
                    "{error}"
                ),
            }
        }
        assert!(read > 15, "{read}");
    }
    // Unknown values are skipped without recursion, however deep.
    let json = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(from_json(json.as_bytes()), Ok(Vec::new()));
}

#[test]
fn small_objects_stay_small() {
    let spans = vec!["{}"; 100_000].join(",");
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let bytes = from_json(json.as_bytes()).unwrap();
    assert!(
        bytes.capacity() <= json.len(),
        "{} of {}",
        bytes.capacity(),
        json.len()
    );
    assert_eq!(
        Request::decode(&bytes[..]).unwrap().resource_spans[0].scope_spans[0]
            .spans
            .len(),
        100_000
    );
}

#[test]
fn prints_by_the_rules() {
    let request = Request {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    trace_id: vec![0xAB; 16],
                    kind: 3,
                    name: "a\"\\\n\u{1}ü".to_owned(),
                    end_time_unix_nano: u64::MAX,
                    status: Some(Status::default()),
                    attributes: [
                        Value::IntValue(0),
                        Value::DoubleValue(f64::NAN),
                        Value::DoubleValue(0.1),
                        Value::BytesValue(vec![0, 255]),
                    ]
                    .map(|value| KeyValue {
                        value: Some(AnyValue { value: Some(value) }),
                        ..Default::default()
                    })
                    .to_vec(),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    let json = String::from_utf8(to_json(&request.encode_to_vec())).unwrap();
    assert_eq!(
        json,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abababababababababababababababab","#
            .to_owned()
            + r#""name":"a\"\\\n\u0001ü","kind":3,"endTimeUnixNano":"18446744073709551615","#
            + r#""attributes":[{"value":{"intValue":"0"}},{"value":{"doubleValue":"NaN"}},"#
            + r#"{"value":{"doubleValue":0.1}},{"value":{"bytesValue":"AP8="}}],"status":{}}]}]}]}"#
    );
}

#[test]
fn prints_merged_fields_as_protobuf_means_them() {
    // AnyValue: an array of one, a string, an array of one, and one more.
    let array = [0x2A, 0x04, 0x0A, 0x02, 0x18, 0x01];
    let value = [&array[..], &[0x0A, 0x01, b'x'], &array, &array].concat();
    let wrap = |tag: u8, inner: &[u8]| [&[tag, u8::try_from(inner.len()).unwrap()], inner].concat();
    let resource = wrap(0x0A, &wrap(0x0A, &wrap(0x12, &value)));
    let more = wrap(0x0A, &[0x10, 0x05, 0x10, 0x06]);
    let bytes = wrap(0x0A, &[resource, more].concat());
    let model = Request::decode(&bytes[..]).unwrap();
    let json = to_json(&bytes);
    let again = from_json(&json).unwrap();
    assert_eq!(Request::decode(&again[..]).unwrap(), model);
}
