#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest as Request,
    common::v1::{
        AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
        any_value::Value,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link},
    },
};
use prop::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn read(json: &str) -> Request {
    let bytes = request_from_json(json.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{json}"));
    Request::decode(&bytes[..]).unwrap()
}

fn refusal(json: &str) -> String {
    request_from_json(json.as_bytes()).unwrap_err().to_string()
}

/// A span with one attribute whose value is `json`.
fn value(json: &str) -> Result<Option<Value>, String> {
    let json = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{json}}}]}}}}]}}"#
    );
    let bytes = request_from_json(json.as_bytes()).map_err(|e| e.to_string())?;
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
    use opentelemetry_proto::tonic::{
        collector::logs::v1::ExportLogsServiceRequest,
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    };
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
        let bytes = logs_from_json(json.as_bytes()).unwrap();
        assert_eq!(ExportLogsServiceRequest::decode(&bytes[..]).unwrap(), want);
    }
    let refused = logs_from_json(br#"{"resourceLogs": [{"scopeLogs": [7]}]}"#).unwrap_err();
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
    for (json, expected) in [
        (
            r#"{"stringValue":""}"#,
            Some(Value::StringValue(String::new())),
        ),
        (r#"{"boolValue":false}"#, Some(Value::BoolValue(false))),
        (r#"{"intValue":"0"}"#, Some(Value::IntValue(0))),
        (r#"{"intValue":1e3}"#, Some(Value::IntValue(1000))),
        (
            r#"{"intValue":"9223372036854775807"}"#,
            Some(Value::IntValue(i64::MAX)),
        ),
        (r#"{"doubleValue":1.5}"#, Some(Value::DoubleValue(1.5))),
        (r#"{"doubleValue":2}"#, Some(Value::DoubleValue(2.0))),
        (r#"{"doubleValue":"2.5"}"#, Some(Value::DoubleValue(2.5))),
        (
            r#"{"doubleValue":"-Infinity"}"#,
            Some(Value::DoubleValue(f64::NEG_INFINITY)),
        ),
        (
            r#"{"bytesValue":"AP8="}"#,
            Some(Value::BytesValue(vec![0, 255])),
        ),
        (
            r#"{"bytesValue":"AP8"}"#,
            Some(Value::BytesValue(vec![0, 255])),
        ),
        (
            r#"{"bytesValue":"_-8="}"#,
            Some(Value::BytesValue(vec![255, 239])),
        ),
        (r#"{"bytes_value":""}"#, Some(Value::BytesValue(vec![]))),
        (
            r#"{"arrayValue":{}}"#,
            Some(Value::ArrayValue(ArrayValue::default())),
        ),
        (
            r#"{"arrayValue":{"values":[{"intValue":1},{},null]}}"#,
            Some(Value::ArrayValue(ArrayValue {
                values: vec![
                    AnyValue {
                        value: Some(Value::IntValue(1)),
                    },
                    AnyValue::default(),
                    AnyValue::default(),
                ],
            })),
        ),
        (
            r#"{"kvlistValue":{"values":[{"key":"a"}]}}"#,
            Some(Value::KvlistValue(KeyValueList {
                values: vec![KeyValue {
                    key: "a".to_owned(),
                    ..Default::default()
                }],
            })),
        ),
        ("{}", None),
        ("null", None),
        (
            r#"{"stringValue":null,"intValue":"1"}"#,
            Some(Value::IntValue(1)),
        ),
        (r#"{"someday":{"x":[1,{}]}}"#, None),
    ] {
        assert_eq!(
            value(json).unwrap_or_else(|e| panic!("{json}: {e}")),
            expected,
            "{json}"
        );
    }
    let Ok(Some(Value::DoubleValue(nan))) = value(r#"{"doubleValue":"NaN"}"#) else {
        panic!()
    };
    assert!(nan.is_nan());
}

#[test]
fn refuses_values_that_do_not_fit_and_names_the_place() {
    let place = "resourceSpans[0].scopeSpans[0].spans[0]";
    for (fields, path) in [
        (r#""traceId":"W47/95gDgQPSabYzgT/GDA==""#, "traceId"),
        (r#""traceId":7"#, "traceId"),
        (r#""startTimeUnixNano":"-1""#, "startTimeUnixNano"),
        (
            r#""startTimeUnixNano":"18446744073709551616""#,
            "startTimeUnixNano",
        ),
        (r#""startTimeUnixNano":1.5"#, "startTimeUnixNano"),
        (r#""startTimeUnixNano":"""#, "startTimeUnixNano"),
        (r#""kind":"SPAN_KIND_NOVEL""#, "kind"),
        (r#""kind":2147483648"#, "kind"),
        (r#""flags":4294967296"#, "flags"),
        (r#""name":1"#, "name"),
        (r#""name":{}"#, "name"),
        (r#""name":"a","name":"b""#, "name"),
        (r#""traceId":"","trace_id":"""#, "traceId"),
        (r#""attributes":{}"#, "attributes"),
        (r#""attributes":[null]"#, "attributes[0]"),
        (r#""attributes":[{},{"key":1}]"#, "attributes[1].key"),
        (r#""attributes":[{"value":"x"}]"#, "attributes[0].value"),
        (
            r#""attributes":[{"value":{"intValue":1,"boolValue":true}}]"#,
            "attributes[0].value.boolValue",
        ),
        (
            r#""attributes":[{"value":{"intValue":"x"}}]"#,
            "attributes[0].value.intValue",
        ),
        (
            r#""attributes":[{"value":{"bytesValue":"*"}}]"#,
            "attributes[0].value.bytesValue",
        ),
        (
            r#""attributes":[{"value":{"doubleValue":"inf"}}]"#,
            "attributes[0].value.doubleValue",
        ),
        (
            r#""attributes":[{"value":{"boolValue":1}}]"#,
            "attributes[0].value.boolValue",
        ),
        (r#""links":[{"spanId":"zz"}]"#, "links[0].spanId"),
        (r#""status":[]"#, "status"),
    ] {
        let error = refusal(&span_json(fields));
        assert!(
            error.starts_with(&format!("{place}.{path}: ")),
            "{fields}: {error}"
        );
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
        assert!(request_from_json(text.as_bytes()).is_err(), "{text:?}");
    }
}

/// JSON to admitted spans, and how many texts were repaired.
fn repaired(json: &[u8]) -> (Vec<Span>, u64) {
    let bytes = request_from_json(json).unwrap();
    let (keys, mut index) = Default::default();
    let admitted =
        crate::pdata::admit(crate::pdata::Signal::Traces, &bytes, &keys, &mut index).unwrap();
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
    assert!(request_from_json(&json).is_err());
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
            match request_from_json(json.as_bytes()) {
                Ok(bytes) => {
                    let request = Request::decode(&bytes[..]).expect("decodes");
                    let back = request_to_json(&bytes).expect("prints");
                    let again = request_from_json(&back).expect("reads its own output");
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
    assert_eq!(request_from_json(json.as_bytes()), Ok(Vec::new()));
}

#[test]
fn small_objects_stay_small() {
    let spans = vec!["{}"; 100_000].join(",");
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let bytes = request_from_json(json.as_bytes()).unwrap();
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
    let json = String::from_utf8(request_to_json(&request.encode_to_vec()).unwrap()).unwrap();
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
    let json = request_to_json(&bytes).unwrap();
    let again = request_from_json(&json).unwrap();
    assert_eq!(Request::decode(&again[..]).unwrap(), model);
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        ".{0,8}".prop_map(|s| Some(Value::StringValue(s))),
        any::<bool>().prop_map(|b| Some(Value::BoolValue(b))),
        any::<i64>().prop_map(|i| Some(Value::IntValue(i))),
        prop_oneof![
            any::<f64>().prop_filter("NaN is not equal to itself", |d| !d.is_nan()),
            Just(f64::INFINITY),
            Just(-0.0),
        ]
        .prop_map(|d| Some(Value::DoubleValue(d))),
        vec(any::<u8>(), 0..5).prop_map(|b| Some(Value::BytesValue(b))),
        any::<i32>().prop_map(|i| Some(Value::StringValueStrindex(i))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| AnyValue {
                value: Some(Value::ArrayValue(ArrayValue { values }))
            }),
            vec((".{0,4}", prop::option::of(inner)), 0..3).prop_map(|pairs| AnyValue {
                value: Some(Value::KvlistValue(KeyValueList {
                    values: pairs
                        .into_iter()
                        .map(|(key, value)| KeyValue {
                            key,
                            value,
                            key_strindex: 0
                        })
                        .collect(),
                }))
            }),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let attribute = (
        ".{0,6}",
        prop::option::of(any_value()),
        prop_oneof![Just(0), any::<i32>()],
    )
        .prop_map(|(key, value, key_strindex)| KeyValue {
            key,
            value,
            key_strindex,
        });
    vec(attribute, 0..3)
}

prop_compose! {
    fn event()(time_unix_nano: u64, name in ".{0,6}", attributes in attributes(),
               dropped_attributes_count: u32) -> Event {
        Event { time_unix_nano, name, attributes, dropped_attributes_count }
    }
}

prop_compose! {
    fn link()(trace_id in vec(any::<u8>(), 0..18), span_id in vec(any::<u8>(), 0..10),
              trace_state in ".{0,6}", attributes in attributes(),
              dropped_attributes_count: u32, flags: u32) -> Link {
        Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags }
    }
}

prop_compose! {
    fn any_span()(
        ids in (vec(any::<u8>(), 0..18), vec(any::<u8>(), 0..10), vec(any::<u8>(), 0..10)),
        texts in (".{0,6}", ".{0,12}"),
        numbers in (any::<u32>(), any::<i32>(), any::<u64>(), any::<u64>()),
        counts in (any::<u32>(), any::<u32>(), 0_u32..2),
        attributes in attributes(),
        events in vec(event(), 0..2),
        links in vec(link(), 0..2),
        status in prop::option::of((".{0,6}", any::<i32>())),
    ) -> Span {
        Span {
            trace_id: ids.0, span_id: ids.1, parent_span_id: ids.2,
            trace_state: texts.0, name: texts.1,
            flags: numbers.0, kind: numbers.1,
            start_time_unix_nano: numbers.2, end_time_unix_nano: numbers.3,
            attributes, events, links,
            dropped_attributes_count: counts.0, dropped_events_count: counts.1,
            dropped_links_count: counts.2,
            status: status.map(|(message, code)| Status { message, code }),
        }
    }
}

prop_compose! {
    fn resource()(
        attributes in attributes(),
        dropped_attributes_count: u32,
        refs in vec((".{0,3}", ".{0,3}", vec(".{0,3}", 0..3)), 0..2),
    ) -> Resource {
        Resource {
            attributes, dropped_attributes_count,
            entity_refs: refs.into_iter().map(|(schema_url, r#type, id_keys)| EntityRef {
                schema_url, r#type, description_keys: id_keys.clone(), id_keys,
            }).collect(),
        }
    }
}

prop_compose! {
    fn scope()(name in ".{0,6}", version in ".{0,3}", attributes in attributes(),
               dropped_attributes_count: u32) -> InstrumentationScope {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    }
}

fn request() -> impl Strategy<Value = Request> {
    let scope_spans = (prop::option::of(scope()), vec(any_span(), 0..3), ".{0,4}").prop_map(
        |(scope, spans, schema_url)| ScopeSpans {
            scope,
            spans,
            schema_url,
        },
    );
    let resource_spans = (
        prop::option::of(resource()),
        vec(scope_spans, 0..3),
        ".{0,4}",
    )
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        });
    vec(resource_spans, 0..3).prop_map(|resource_spans| Request { resource_spans })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn there_and_back(model in request()) {
        let json = request_to_json(&model.encode_to_vec()).unwrap();
        let bytes = request_from_json(&json).unwrap();
        prop_assert_eq!(Request::decode(&bytes[..]).unwrap(), model);
    }

    /// Any JSON writer may put whitespace, order and escapes as it likes.
    #[test]
    fn another_writer_is_read_alike(model in request()) {
        let json = request_to_json(&model.encode_to_vec()).unwrap();
        let sorted: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let bytes = request_from_json(&serde_json::to_vec_pretty(&sorted).unwrap()).unwrap();
        prop_assert_eq!(Request::decode(&bytes[..]).unwrap(), model);
    }

    #[test]
    fn damaged_text_does_no_harm(model in request(), at: prop::sample::Index, with: u8) {
        let mut json = request_to_json(&model.encode_to_vec()).unwrap();
        let at = at.index(json.len());
        json[at] = with;
        if let Ok(bytes) = request_from_json(&json) {
            // Text need not be Unicode before it is admitted.
            let (keys, mut index) = Default::default();
            let admitted = crate::pdata::admit(crate::pdata::Signal::Traces, &bytes, &keys, &mut index).unwrap();
            prop_assert!(Request::decode(&admitted.bytes[..]).is_ok());
        }
        json.truncate(at);
        prop_assert!(request_from_json(&json).is_err());
    }

    /// What the writer takes is what prost takes, UTF-8 aside.
    #[test]
    fn damaged_bytes_are_refused_where_prost_refuses(
        model in request(), at: prop::sample::Index, with: u8,
    ) {
        let mut bytes = model.encode_to_vec();
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] = with;
        let decoded = Request::decode(&bytes[..]);
        let printed = request_to_json(&bytes);
        match (decoded, printed) {
            (Ok(model), Ok(json)) => {
                let again = request_from_json(&json).unwrap();
                let again = Request::decode(&again[..]).unwrap();
                prop_assert_eq!(format!("{again:?}"), format!("{model:?}"));
            }
            (Err(_), Err(_)) => {}
            (Err(error), Ok(_)) => prop_assert!(error.to_string().contains("UTF-8"), "{}", error),
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn noise_does_no_harm(noise: Vec<u8>) {
        let _ = request_from_json(&noise);
        let _ = request_to_json(&noise);
    }
}
