//! A request as lines, and the difference of two.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn value(of: Option<&AnyValue>) -> String {
    match of.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => format!("s:{text}"),
        Some(Value::BoolValue(b)) => format!("b:{b}"),
        Some(Value::IntValue(n)) => format!("i:{n}"),
        Some(Value::DoubleValue(n)) => format!("d:{:016x}", n.to_bits()),
        Some(Value::BytesValue(bytes)) => format!("y:{}", hex(bytes)),
        Some(Value::KvlistValue(map)) => {
            let pair = |kv: &KeyValue| format!("{}={}", kv.key, value(kv.value.as_ref()));
            let mut pairs: Vec<_> = map.values.iter().map(pair).collect();
            pairs.sort();
            format!("m:{{{}}}", pairs.join(";"))
        }
        Some(Value::ArrayValue(list)) => {
            let values: Vec<_> = list.values.iter().map(|v| value(Some(v))).collect();
            format!("l:[{}]", values.join(";"))
        }
        _ => "n:".to_owned(),
    }
}

pub(super) fn render(request: &ExportTraceServiceRequest) -> Vec<String> {
    let mut lines = Vec::new();
    let attributes = |of: &str, list: &[KeyValue], lines: &mut Vec<String>| {
        for kv in list {
            lines.push(format!("{of}[{}]={}", kv.key, value(kv.value.as_ref())));
        }
    };
    for resource in &request.resource_spans {
        let of = resource.resource.clone().unwrap_or_default();
        lines.push(format!("r.url={}", resource.schema_url));
        lines.push(format!("r.dropped={}", of.dropped_attributes_count));
        attributes("r", &of.attributes, &mut lines);
        for scope in &resource.scope_spans {
            let of = scope.scope.clone().unwrap_or_default();
            lines.push(format!("c.url={}", scope.schema_url));
            lines.push(format!("c.name={}", of.name));
            lines.push(format!("c.version={}", of.version));
            attributes("c", &of.attributes, &mut lines);
            for (k, span) in scope.spans.iter().enumerate() {
                let status = span.status.clone().unwrap_or_default();
                lines.extend([
                    format!("{k}.trace={}", hex(&span.trace_id)),
                    format!("{k}.span={}", hex(&span.span_id)),
                    format!("{k}.parent={}", hex(&span.parent_span_id)),
                    format!("{k}.state={}", span.trace_state),
                    format!("{k}.name={}", span.name),
                    format!("{k}.kind={}", kind(span.kind)),
                    format!("{k}.start={}", span.start_time_unix_nano),
                    format!("{k}.end={}", span.end_time_unix_nano),
                    format!(
                        "{k}.dropped={},{},{}",
                        span.dropped_attributes_count,
                        span.dropped_events_count,
                        span.dropped_links_count
                    ),
                    format!("{k}.status={},{}", code(status.code), status.message),
                    format!("{k}.flags={}", span.flags),
                    format!("{k}.links={}", span.links.len()),
                ]);
                attributes(&k.to_string(), &span.attributes, &mut lines);
                for (e, event) in span.events.iter().enumerate() {
                    lines.push(format!("{k}.e{e}.name={}", event.name));
                    lines.push(format!("{k}.e{e}.time={}", event.time_unix_nano));
                    lines.push(format!(
                        "{k}.e{e}.dropped={}",
                        event.dropped_attributes_count
                    ));
                    attributes(&format!("{k}.e{e}"), &event.attributes, &mut lines);
                }
            }
        }
    }
    lines
}

fn kind(number: i32) -> &'static str {
    let words = [
        "Unspecified",
        "Internal",
        "Server",
        "Client",
        "Producer",
        "Consumer",
    ];
    usize::try_from(number)
        .ok()
        .and_then(|n| words.get(n))
        .unwrap_or(&"")
}

fn code(number: i32) -> &'static str {
    let words = ["Unset", "Ok", "Error"];
    usize::try_from(number)
        .ok()
        .and_then(|n| words.get(n))
        .unwrap_or(&"")
}

/// Lines that only one has, in order.
pub(super) fn differences(before: &[String], after: &[String]) -> Vec<String> {
    let only = |a: &[String], b: &[String], sign: &str| {
        let mut others = b.to_vec();
        let mut lines = Vec::new();
        for line in a {
            match others.iter().position(|other| other == line) {
                Some(at) => drop(others.swap_remove(at)),
                None => lines.push(format!("{sign} {line}")),
            }
        }
        lines
    };
    let mut lines = only(before, after, "-");
    lines.extend(only(after, before, "+"));
    lines.sort();
    lines
}
