/*! Attribute values as text, as the Collector shows them. */

use crate::pdata::{
    AnyValue, KeyValue,
    message::Message,
    wire::{WireFields, WireValue},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{borrow::Cow, collections::BTreeMap};

/// Returns a value as text: lists and maps in JSON, octets in base64.
pub(super) fn as_text(value: AnyValue<'_>) -> Cow<'_, str> {
    match value {
        AnyValue::Empty => "".into(),
        AnyValue::String(text) => text.into(),
        AnyValue::Bool(true) => "true".into(),
        AnyValue::Bool(false) => "false".into(),
        AnyValue::Int(number) => number.to_string().into(),
        AnyValue::StringIndex(number) => number.to_string().into(),
        AnyValue::Double(number) if number.is_nan() => "NaN".into(),
        AnyValue::Double(f64::INFINITY) => "Infinity".into(),
        AnyValue::Double(f64::NEG_INFINITY) => "-Infinity".into(),
        AnyValue::Double(number) => double(number).into(),
        AnyValue::Bytes(octets) => BASE64_STANDARD.encode(octets).into(),
        AnyValue::Array(_) | AnyValue::KvList(_) => {
            let mut json = Vec::new();
            put_json(value, &mut json);
            escaped(json, &ESCAPED).into()
        }
    }
}

/// Returns attributes as an object, as Go writes JSON that may stand in a web page.
pub(super) fn object<'a>(attributes: impl Iterator<Item = KeyValue<'a>>) -> String {
    let mut json = Vec::new();
    put_json_object(attributes, &mut json);
    escaped(json, &ESCAPED_FOR_PAGES)
}

/// Characters that Go writes as escapes, and JSON need not. They stand in strings only.
const ESCAPED: [(char, &str); 2] = [('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
const ESCAPED_FOR_PAGES: [(char, &str); 5] = [
    ('<', "\\u003c"),
    ('>', "\\u003e"),
    ('&', "\\u0026"),
    ('\u{2028}', "\\u2028"),
    ('\u{2029}', "\\u2029"),
];

fn escaped(json: Vec<u8>, escapes: &[(char, &str)]) -> String {
    let json = String::from_utf8(json).unwrap_or_default();
    let escape = |c: char| escapes.iter().find(|(character, _)| *character == c);
    if !json.contains(|c| escape(c).is_some()) {
        return json;
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match escape(c) {
            Some((_, escape)) => text.push_str(escape),
            None => text.push(c),
        }
    }
    text
}

/// Appends a value in JSON.
fn put_json(value: AnyValue<'_>, out: &mut Vec<u8>) {
    match value {
        AnyValue::Empty => out.extend_from_slice(b"null"),
        AnyValue::Double(number) if !number.is_finite() => out.extend_from_slice(b"null"),
        AnyValue::String(text) => put_json_text(text, out),
        AnyValue::Bytes(_) => put_json_text(&as_text(value), out),
        AnyValue::Bool(_) | AnyValue::Int(_) | AnyValue::Double(_) | AnyValue::StringIndex(_) => {
            out.extend_from_slice(as_text(value).as_bytes());
        }
        AnyValue::Array(payload) => {
            out.push(b'[');
            for (number, item) in values(payload).enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                put_json(item, out);
            }
            out.push(b']');
        }
        AnyValue::KvList(payload) => {
            put_json_object(Message(payload).attributes(1), out);
        }
    }
}

/// Appends attributes as an object: each name once, in order.
fn put_json_object<'a>(attributes: impl Iterator<Item = KeyValue<'a>>, out: &mut Vec<u8>) {
    let named: BTreeMap<&str, AnyValue<'_>> = attributes
        .map(|attribute| (attribute.key, attribute.value))
        .collect();
    out.push(b'{');
    for (number, (name, value)) in named.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        put_json_text(name, out);
        out.push(b':');
        put_json(value, out);
    }
    out.push(b'}');
}

/// Appends a JSON string.
pub(super) fn put_json_text(text: &str, out: &mut Vec<u8>) {
    // Writing text to a vector does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// Iterates over the values of a list. An item that is no message is empty.
fn values(list: &[u8]) -> impl Iterator<Item = AnyValue<'_>> {
    WireFields::new(list).filter_map(|field| match (field.number, field.value) {
        (1, WireValue::Len(value)) => Some(AnyValue::new(value)),
        _ => None,
    })
}

/// Returns a finite number as Go's JSON has it: with an exponent only where it is very
/// small or large.
fn double(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        };
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_does() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (3.0, "3"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-7"),
            (0.000001, "0.000001"),
            (-1.5e300, "-1.5e+300"),
        ] {
            assert_eq!(double(number), text);
        }
    }
}
