//! Lines as ztunnel writes them, and what becomes of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::mesh::key;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, KeyValueList, any_value},
    logs::v1::LogRecord,
    trace::v1::{Span, span::SpanKind},
};
use proptest::prelude::*;
use std::time::Duration;

/// From the source's node, as release 1.24 and later write it.
const OUTBOUND: &str = "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
    src.addr=10.244.0.24:46238 src.workload=\"shell-6d8bcd654d-t88gp\" src.namespace=\"default\" \
    src.identity=\"spiffe://cluster.local/ns/default/sa/default\" src.cluster=\"east\" \
    dst.addr=10.244.0.42:15008 dst.hbone_addr=10.244.0.42:8080 \
    dst.service=\"httpbin.default.svc.cluster.local\" dst.workload=\"httpbin-54845dfb75-4tsvd\" \
    dst.namespace=\"default\" dst.identity=\"spiffe://cluster.local/ns/default/sa/httpbin\" \
    direction=\"outbound\" bytes_sent=67 bytes_recv=490 duration=\"13ms\"";

/// The same in `LOG_FORMAT=json`.
const OUTBOUND_JSON: &str = r#"{"level":"info","time":"2025-04-01T14:01:02.476412Z","scope":"access","message":"connection complete","src.addr":"10.244.0.24:46238","src.workload":"shell-6d8bcd654d-t88gp","src.namespace":"default","src.identity":"spiffe://cluster.local/ns/default/sa/default","src.cluster":"east","dst.addr":"10.244.0.42:15008","dst.hbone_addr":"10.244.0.42:8080","dst.service":"httpbin.default.svc.cluster.local","dst.workload":"httpbin-54845dfb75-4tsvd","dst.namespace":"default","dst.identity":"spiffe://cluster.local/ns/default/sa/httpbin","direction":"outbound","bytes_sent":67,"bytes_recv":490,"duration":"13ms"}"#;

/// From the destination's node.
const INBOUND: &str = "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
    src.addr=10.244.3.9:52462 src.workload=\"simple-547d6d7b8b-4xckr\" src.namespace=\"default\" \
    dst.addr=10.244.3.8:15008 dst.hbone_addr=10.244.3.8:8080 \
    dst.service=\"httpbin.default.svc.cluster.local\" dst.workload=\"httpbin-54845dfb75-4tsvd\" \
    dst.namespace=\"default\" direction=\"inbound\" bytes_sent=564 bytes_recv=156 duration=\"5013ms\"";

const END: u64 = 1_743_516_062_476_412_000;

fn text(value: &str) -> AnyValue {
    AnyValue {
        value: Some(any_value::Value::StringValue(value.to_owned())),
    }
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn of_body(body: &str) -> LogRecord {
    LogRecord {
        body: Some(text(body)),
        ..LogRecord::default()
    }
}

fn connection(body: &str) -> Connection {
    Connection::of(&of_body(body)).unwrap_or_else(|why| panic!("{why}: {body}"))
}

fn tag<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|kv| kv.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// The fields of the line in JSON, as a parser makes them.
fn attributes() -> Vec<KeyValue> {
    let object: serde_json::Map<_, _> = serde_json::from_str(OUTBOUND_JSON).unwrap();
    object
        .into_iter()
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => attribute(&key, any_value::Value::StringValue(text)),
            other => attribute(&key, any_value::Value::IntValue(other.as_i64().unwrap())),
        })
        .collect()
}

fn nested() -> Vec<KeyValue> {
    let (mut sides, mut rest) = ([Vec::new(), Vec::new()], Vec::new());
    for kv in attributes() {
        match kv.key.split_once('.') {
            Some((side, name)) => {
                let inner = KeyValue {
                    key: name.to_owned(),
                    ..kv.clone()
                };
                sides[usize::from(side == "dst")].push(inner);
            }
            None => rest.push(kv),
        }
    }
    for (name, values) in ["src", "dst"].into_iter().zip(sides) {
        let list = any_value::Value::KvlistValue(KeyValueList { values });
        rest.push(attribute(name, list));
    }
    rest
}

#[test]
fn every_shape_says_the_same() {
    let want = connection(OUTBOUND);
    assert_eq!((want.end, want.duration), (END, Duration::from_millis(13)));
    assert_eq!(want.direction, Direction::Outbound);
    assert_eq!(want.fields["bytes_recv"], FieldValue::Int(490));
    assert_eq!(want.fields.len(), 15);

    let spaced = OUTBOUND.replace('\t', " ");
    let old = OUTBOUND.replace("\tinfo\taccess\t", "  INFO access: ");
    let in_a_container = format!("2025-04-01T14:01:09.1Z stdout F {OUTBOUND}\n");
    for body in [OUTBOUND_JSON, &spaced, &old, &in_a_container] {
        assert_eq!(connection(body), want, "{body}");
    }
    let list = any_value::Value::KvlistValue(KeyValueList {
        values: attributes(),
    });
    let mut floats = attributes();
    for kv in &mut floats {
        if let Some(AnyValue {
            value: Some(any_value::Value::IntValue(n)),
        }) = kv.value
        {
            *kv = attribute(&kv.key, any_value::Value::DoubleValue(n as f64));
        }
    }
    let without_time = |mut list: Vec<KeyValue>| {
        list.retain(|kv| !["time", "level", "scope", "message"].contains(&kv.key.as_str()));
        list
    };
    for (name, record) in [
        (
            "a body of values",
            LogRecord {
                body: Some(AnyValue { value: Some(list) }),
                ..LogRecord::default()
            },
        ),
        (
            "attributes of a parser, the line left as body",
            LogRecord {
                attributes: [
                    attributes(),
                    vec![attribute(
                        "log.file.path",
                        any_value::Value::StringValue("/var/log/x".to_owned()),
                    )],
                ]
                .concat(),
                ..of_body(OUTBOUND_JSON)
            },
        ),
        (
            "numbers of a parser that knows one kind",
            LogRecord {
                attributes: floats,
                ..LogRecord::default()
            },
        ),
        (
            "nested attributes",
            LogRecord {
                attributes: nested(),
                ..LogRecord::default()
            },
        ),
        (
            "attributes beside the message, as an exporter of its own would send",
            LogRecord {
                time_unix_nano: END,
                attributes: without_time(attributes()),
                ..of_body("connection complete")
            },
        ),
        (
            "attributes alone, only just seen",
            LogRecord {
                observed_time_unix_nano: END,
                attributes: without_time(attributes()),
                ..LogRecord::default()
            },
        ),
    ] {
        assert_eq!(Connection::of(&record).unwrap(), want, "{name}");
    }
}

#[test]
fn the_records_time_counts_first() {
    let record = LogRecord {
        time_unix_nano: 7,
        observed_time_unix_nano: 9,
        ..of_body(OUTBOUND)
    };
    assert_eq!(Connection::of(&record).unwrap().end, 7);
    let record = LogRecord {
        observed_time_unix_nano: 9,
        ..of_body(OUTBOUND)
    };
    assert_eq!(Connection::of(&record).unwrap().end, END);
}

#[test]
fn what_is_no_connection_says_why() {
    let without = |field: &str| {
        let (before, after) = OUTBOUND.split_once(field).unwrap();
        let after = after.split_once(' ').map_or("", |(_, rest)| rest);
        format!("{before}{after}")
    };
    let opened = OUTBOUND.replace("complete", "opened");
    let early = "2025-04-01T14:01:02Z\twarn\taccess\tconnection failed\tsrc.addr=10.0.0.1:5 \
                 dst.addr=10.0.0.2:80 direction=\"outbound\" error=\"unknown source\"";
    let cut = &OUTBOUND[..OUTBOUND.len() - 3];
    let other = "2025-04-01T14:01:02Z\tinfo\tproxy::inbound:inbound{id=4bf92f3577b34da6a3ce929d0e0e4736}\t\
                 dst.addr=\"x\" direction=\"outbound\"";
    let envoy = r#"{"direction":"west","message":"connection complete"}"#;
    for (body, why) in [
        ("", Ignored::Other),
        ("hello", Ignored::Other),
        ("{\"a\": 1}", Ignored::Other),
        ("{", Ignored::Other),
        (envoy, Ignored::Other),
        (other, Ignored::Other),
        (cut, Ignored::Other),
        (&opened, Ignored::NotComplete),
        (early, Ignored::NotComplete),
        (&without("src.workload="), Ignored::Without("src.workload")),
        (&without("duration="), Ignored::Without("duration")),
        (
            &OUTBOUND.replace("13ms", "long"),
            Ignored::Without("duration"),
        ),
        (
            &OUTBOUND.replace("2025-04-01T14:01:02.476412Z", ""),
            Ignored::Without("time"),
        ),
        (
            &OUTBOUND.replace("13ms", "99999999999999999999s"),
            Ignored::Without("duration"),
        ),
        (
            &INBOUND.replace("dst.workload", "dst.x"),
            Ignored::Without("dst.workload"),
        ),
    ] {
        assert_eq!(Connection::of(&of_body(body)).unwrap_err(), why, "{body}");
    }
}

#[test]
fn a_span_of_the_source() {
    let span = connection(OUTBOUND).span();
    assert_eq!(span.name, "httpbin.default.svc.cluster.local:8080");
    assert_eq!(span.kind(), SpanKind::Client);
    assert_eq!(span.start_time_unix_nano, END - 13_000_000);
    assert_eq!(span.end_time_unix_nano, END);
    assert!(span.parent_span_id.is_empty() && span.links.is_empty());
    assert_eq!(span.status, None);
    for (name, want) in [
        (key::SYNTHETIC, "true"),
        (key::CLUSTER_ID, "east"),
        ("peer.address", "10.244.0.42:15008"),
        ("src.workload", "shell-6d8bcd654d-t88gp"),
        (
            "dst.identity",
            "spiffe://cluster.local/ns/default/sa/httpbin",
        ),
        ("duration", "13ms"),
    ] {
        assert_eq!(tag(&span, name), Some(want), "{name}");
    }
    assert_eq!(tag(&span, "error"), None);
    let sent = span.attributes.iter().find(|kv| kv.key == "bytes_sent");
    assert_eq!(
        sent.unwrap().value.as_ref().unwrap().value,
        Some(any_value::Value::IntValue(67))
    );
}

#[test]
fn a_span_of_the_destination() {
    let span = connection(INBOUND).span();
    assert_eq!(span.kind(), SpanKind::Server);
    assert_eq!(span.name, "httpbin.default.svc.cluster.local:8080");
    assert_eq!(tag(&span, "peer.address"), Some("10.244.3.9:52462"));
    assert_eq!(tag(&span, key::CLUSTER_ID), None);
}

#[test]
fn names_of_destinations() {
    let service = "dst.service=\"httpbin.default.svc.cluster.local\" ";
    let target = "dst.hbone_addr=10.244.0.42:8080";
    let plain = OUTBOUND
        .replace(service, "")
        .replace(target, "")
        .replace(":15008", ":8080");
    for (line, want) in [
        (OUTBOUND.replace(service, ""), "httpbin.default:8080"),
        (plain.clone(), "httpbin.default:8080"),
        (plain.replace("dst.namespace", "x"), "10.244.0.42:8080"),
        (
            plain
                .replace("dst.namespace", "x")
                .replace("10.244.0.42", "[fd00::1]"),
            "[fd00::1]:8080",
        ),
        (
            OUTBOUND.replace(target, ""),
            "httpbin.default.svc.cluster.local",
        ),
        (
            OUTBOUND
                .replace(service, "")
                .replace(target, "dst.hbone_addr=remote.default.svc.cluster.local:80"),
            "remote.default.svc.cluster.local:80",
        ),
        (
            // As releases up to 1.22 wrote it.
            OUTBOUND.replace(target, "dst.hbone_addr=\"10.96.108.116:80\""),
            "httpbin.default.svc.cluster.local:80",
        ),
    ] {
        assert_eq!(connection(&line).span().name, want, "{line}");
    }
    let nowhere = plain.replace("dst.", "x.");
    assert_eq!(connection(&nowhere).span().name, "connection");
}

#[test]
fn errors_become_a_status() {
    let line = format!(
        "{} error=\"http status: 401 \\\"no\\\"\\n\\u{{e9}}\"",
        OUTBOUND.replace("info", "error")
    );
    let span = connection(&line).span();
    let status = span.status.as_ref().unwrap();
    assert_eq!(
        (status.code, &*status.message),
        (2, "http status: 401 \"no\"\né")
    );
    assert_eq!(tag(&span, "error"), Some("true"));
    assert_ne!(span.trace_id, connection(OUTBOUND).span().trace_id);
}

#[test]
fn a_named_trace_is_linked_and_never_the_parent() {
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    let of_record = LogRecord {
        trace_id: bytes(trace),
        span_id: bytes(parent),
        ..of_body(OUTBOUND)
    };
    for (record, span_id) in [
        (of_record, bytes(parent)),
        (
            of_body(&format!(
                "{OUTBOUND} traceparent=\"00-{trace}-{parent}-00\""
            )),
            bytes(parent),
        ),
        (of_body(&format!("{OUTBOUND} id={trace}")), vec![0; 8]),
        (
            of_body(&format!(
                "{OUTBOUND} trace_id=\"{trace}\" span_id=\"{parent}\""
            )),
            bytes(parent),
        ),
    ] {
        let span = Connection::of(&record).unwrap().span();
        let link = &span.links[0];
        assert_eq!((&link.trace_id, &link.span_id), (&bytes(trace), &span_id));
        assert!(span.parent_span_id.is_empty());
        assert_ne!(span.trace_id, bytes(trace));
    }
    for bad in ["id=7", "traceparent=\"00-x-y-00\"", "trace_id=\"\"", "id=ü"] {
        let span = connection(&format!("{OUTBOUND} {bad}")).span();
        assert!(span.links.is_empty(), "{bad}");
    }
}

#[test]
fn ids_follow_from_the_connection() {
    let ids = |line: &str| {
        let span = connection(line).span();
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        (span.trace_id, span.span_id)
    };
    assert_eq!(ids(OUTBOUND), ids(OUTBOUND_JSON));
    for other in [
        OUTBOUND.replace("46238", "46239"),
        OUTBOUND.replace("476412", "476413"),
        OUTBOUND.replace("bytes_sent=67", "bytes_sent=68"),
        INBOUND.to_owned(),
    ] {
        assert_ne!(ids(OUTBOUND).0, ids(&other).0);
        assert_ne!(ids(OUTBOUND).1, ids(&other).1);
    }
}

#[test]
fn a_span_never_begins_at_zero() {
    let line = OUTBOUND.replace("13ms", "9999999999s");
    assert_eq!(connection(&line).span().start_time_unix_nano, 1);
}

/// Pieces of which lines are made, so that arbitrary text gets past the first word.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        ".{0,12}",
        prop::sample::select(
            &[
                OUTBOUND,
                INBOUND,
                OUTBOUND_JSON,
                "\taccess\tconnection complete\t",
                "src.workload=\"a\\",
                "duration=\"\\u{",
                "\\u{110000}\"",
                "direction=\"inbound\" ",
                "=",
                " \"",
                "{",
                "}",
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(
        body in texts(), cut in any::<prop::sample::Index>(), time: u64, key in texts()
    ) {
        let at = body.floor_char_boundary(cut.index(body.len() + 1));
        for body in [&body[..at], &body[at..], &body] {
            let record = LogRecord {
                time_unix_nano: time,
                attributes: vec![attribute("dst.addr", any_value::Value::StringValue(key.clone()))],
                ..of_body(body)
            };
            if let Ok(connection) = Connection::of(&record) {
                let span = connection.span();
                prop_assert!(span.start_time_unix_nano > 0 && !span.name.is_empty());
                prop_assert!(span.trace_id.iter().any(|b| *b != 0));
            }
        }
    }
}
