/*! Attribute values as text, as the Collector shows them. */

use crate::pdata::{
    AnyValue, KeyValue,
    text::{put_object, put_text},
};
use std::borrow::Cow;

/// Returns a value as text: lists and maps in JSON, octets in base64.
pub(super) fn as_text(value: AnyValue<'_>) -> Cow<'_, str> {
    if let AnyValue::String(text) = value {
        return text.into();
    }
    let mut text = String::new();
    put_text(value, &mut text);
    text.into()
}

/// Returns attributes as an object, as Go writes JSON that may stand in a web page. It is
/// empty where JSON has no words for one of them.
pub(super) fn object<'a>(attributes: impl Iterator<Item = KeyValue<'a>>) -> String {
    let mut json = String::new();
    if put_object(attributes, &mut json).is_none() {
        return "{}".to_owned();
    }
    // These stand in strings only.
    for (character, escape) in [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")] {
        if json.contains(character) {
            json = json.replace(character, escape);
        }
    }
    json
}

/// Appends a JSON string.
pub(super) fn put_json_text(text: &str, out: &mut Vec<u8>) {
    // Writing text to a vector does not fail.
    let _ = serde_json::to_writer(out, text);
}
