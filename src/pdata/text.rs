/*!
Attribute values as text, as the Collector's `AsString` makes it: lists and maps are JSON, bytes
base64, no value is the empty text.

In JSON keys are sorted, the last of several values of a key counts, and what JSON has no words for (NaN,
infinities) makes the whole text empty.
*/

use super::{
    number::ShowFloat,
    view::{AnyValue, KeyValue, messages},
    wire::MAX_DEPTH,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;

/// Appends `value` as text.
pub(crate) fn put_text(value: AnyValue<'_>, out: &mut String) {
    // Writing to a String does not fail.
    let _ = match value {
        AnyValue::Empty => Ok(()),
        AnyValue::String(text) => out.write_str(text),
        AnyValue::Bool(value) => write!(out, "{value}"),
        AnyValue::Int(value) => write!(out, "{value}"),
        AnyValue::Double(value) => write!(out, "{}", ShowFloat(value)),
        AnyValue::Bytes(bytes) => {
            STANDARD.encode_string(bytes, out);
            Ok(())
        }
        AnyValue::Array(_) | AnyValue::KvList(_) => {
            let before = out.len();
            if put_json(value, MAX_DEPTH, out).is_none() {
                out.truncate(before);
            }
            Ok(())
        }
        AnyValue::StringIndex(index) => write!(out, "{index}"),
    };
}

/// Appends `value` as JSON. None where JSON has no words for it.
fn put_json(value: AnyValue<'_>, depth: u32, out: &mut String) -> Option<()> {
    let below = depth.checked_sub(1)?;
    match value {
        AnyValue::Empty => out.push_str("null"),
        AnyValue::String(text) => put_json_text(text, out),
        AnyValue::Bool(_) | AnyValue::Int(_) | AnyValue::StringIndex(_) => put_text(value, out),
        AnyValue::Double(value) if !value.is_finite() => return None,
        AnyValue::Double(_) => put_text(value, out),
        AnyValue::Bytes(_) => {
            out.push('"');
            put_text(value, out);
            out.push('"');
        }
        AnyValue::Array(array) => {
            out.push('[');
            for (at, value) in messages(array, 1).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                put_json(AnyValue::new(value), below, out)?;
            }
            out.push(']');
        }
        AnyValue::KvList(list) => {
            put_pairs(messages(list, 1).map(KeyValue::new), below, out)?;
        }
    }
    Some(())
}

/// Appends attributes as a JSON object. None where JSON has no words for one of them.
pub(crate) fn put_object<'a>(
    attributes: impl Iterator<Item = KeyValue<'a>>,
    out: &mut String,
) -> Option<()> {
    put_pairs(attributes, MAX_DEPTH, out)
}

fn put_pairs<'a>(
    pairs: impl Iterator<Item = KeyValue<'a>>,
    depth: u32,
    out: &mut String,
) -> Option<()> {
    let mut pairs: Vec<_> = pairs.enumerate().collect();
    pairs.sort_unstable_by_key(|(at, pair)| (pair.key, std::cmp::Reverse(*at)));
    pairs.dedup_by_key(|(_, pair)| pair.key);
    out.push('{');
    for (at, (_, pair)) in pairs.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_json_text(pair.key, out);
        out.push(':');
        put_json(pair.value, depth, out)?;
    }
    out.push('}');
    Some(())
}

fn put_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Go escapes these two for the sake of JavaScript.
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1 as proto;
    use prost::Message;
    use proto::any_value::Value;

    fn any(value: Value) -> proto::AnyValue {
        proto::AnyValue { value: Some(value) }
    }

    fn pair(key: &str, value: proto::AnyValue) -> proto::KeyValue {
        proto::KeyValue {
            key: key.to_owned(),
            value: Some(value),
            ..proto::KeyValue::default()
        }
    }

    fn shown(value: proto::AnyValue) -> String {
        let mut text = String::new();
        put_text(AnyValue::new(&value.encode_to_vec()), &mut text);
        text
    }

    #[test]
    fn values_are_shown_as_the_collector_shows_them() {
        let list = |values| Value::ArrayValue(proto::ArrayValue { values });
        let map = |values| Value::KvlistValue(proto::KeyValueList { values });
        let text = |text: &str| any(Value::StringValue(text.to_owned()));
        for (value, expected) in [
            (proto::AnyValue::default(), ""),
            (text("<a>"), "<a>"),
            (any(Value::BoolValue(true)), "true"),
            (any(Value::IntValue(-5)), "-5"),
            (any(Value::DoubleValue(1e21)), "1e+21"),
            (any(Value::BytesValue(vec![1, 2, 3, 4])), "AQIDBA=="),
            (any(list(vec![])), "[]"),
            (
                any(list(vec![
                    text("<\"\u{1}\u{8}\u{2028}é"),
                    proto::AnyValue::default(),
                    any(Value::BytesValue(vec![0])),
                ])),
                "[\"<\\\"\\u0001\\b\\u2028é\",null,\"AA==\"]",
            ),
            (
                any(map(vec![
                    pair("b", any(Value::DoubleValue(1.0))),
                    pair("a", any(list(vec![any(Value::IntValue(1))]))),
                    pair("b", any(Value::DoubleValue(1e-7))),
                ])),
                r#"{"a":[1],"b":1e-7}"#,
            ),
            (any(list(vec![any(Value::DoubleValue(f64::NAN))])), ""),
        ] {
            assert_eq!(shown(value), expected);
        }
    }
}
