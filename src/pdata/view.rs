/*!
Borrowed views of canonical bytes: read a field when asked, keep nothing.

Each accessor walks the message's top level, so take what you need once; the
hot path uses [`text_at`] instead, which goes straight to a place the
validating walk noted. Views never fail and never panic: on bytes that were
not validated they just yield less, and a string that is not UTF-8 reads as
empty. Absent fields read as protobuf's defaults.
*/

use super::plain::{key_value, plain_attribute, plain_text};
use super::wire::{WireFields, WireValue};

/// An attribute value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnyValue<'a> {
    /// No value.
    Empty,
    /// `string_value`
    String(&'a str),
    /// `bool_value`
    Bool(bool),
    /// `int_value`
    Int(i64),
    /// `double_value`
    Double(f64),
    /// `array_value`, the payload of the `ArrayValue`.
    Array(&'a [u8]),
    /// `kvlist_value`, the payload of the `KeyValueList`.
    KvList(&'a [u8]),
    /// `bytes_value`
    Bytes(&'a [u8]),
    /// `string_value_strindex` (profiles only)
    StringIndex(i32),
}

impl<'a> AnyValue<'a> {
    /// Reads the payload of an `AnyValue`.
    pub fn new(payload: &'a [u8]) -> Self {
        if let Some(text) = plain_text(payload) {
            return AnyValue::String(str_of(text));
        }
        let mut value = AnyValue::Empty;
        for field in WireFields::new(payload) {
            value = match (field.number, field.value) {
                (1, WireValue::Len(text)) => AnyValue::String(str_of(text)),
                (2, WireValue::Varint(v)) => AnyValue::Bool(v != 0),
                (3, WireValue::Varint(v)) => AnyValue::Int(v as i64),
                (4, WireValue::Fixed64(v)) => AnyValue::Double(f64::from_bits(v)),
                (5, WireValue::Len(array)) => AnyValue::Array(array),
                (6, WireValue::Len(list)) => AnyValue::KvList(list),
                (7, WireValue::Len(bytes)) => AnyValue::Bytes(bytes),
                (8, WireValue::Varint(v)) => AnyValue::StringIndex(v as i32),
                _ => value,
            };
        }
        value
    }
}

/// A key and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyValue<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: AnyValue<'a>,
}

impl<'a> KeyValue<'a> {
    /// Reads the payload of a `KeyValue`.
    pub fn new(payload: &'a [u8]) -> Self {
        let (key, value) = key_value(payload);
        let at = |range| payload.get(range).unwrap_or_default();
        KeyValue {
            key: str_of(at(key)),
            value: AnyValue::new(at(value)),
        }
    }
}

/// Attributes of a Resource payload.
pub fn resource_attributes(resource: &[u8]) -> impl Iterator<Item = KeyValue<'_>> + Clone {
    messages(resource, 1).map(KeyValue::new)
}

/// Attributes of a span payload.
pub fn span_attributes(span: &[u8]) -> impl Iterator<Item = KeyValue<'_>> + Clone {
    messages(span, 9).map(KeyValue::new)
}

/// A borrowed span payload of canonical bytes.
#[derive(Clone, Copy, Debug)]
pub struct SpanView<'a> {
    bytes: &'a [u8],
}

impl<'a> SpanView<'a> {
    /// Views a span payload.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// `trace_id`: 16 bytes, unless the span has a [`super::SpanFault`].
    pub fn trace_id(&self) -> &'a [u8] {
        bytes(self.bytes, 1)
    }

    /// `span_id`: 8 bytes, unless the span has a [`super::SpanFault`].
    pub fn span_id(&self) -> &'a [u8] {
        bytes(self.bytes, 2)
    }

    /// `parent_span_id`: 8 bytes, or none for a root.
    pub fn parent_span_id(&self) -> &'a [u8] {
        bytes(self.bytes, 4)
    }
}

/// The string value of the span attribute whose field begins at `at` of the
/// request, see [`super::Index::attr`]; as bytes, which are UTF-8 once admitted.
/// None if it is not a string.
#[inline]
pub fn text_at(request: &[u8], at: usize) -> Option<&[u8]> {
    if let Some((_, text, _)) = plain_attribute(request, at) {
        return Some(text);
    }
    let attribute = WireFields::from(request, at).next()?.bytes()?;
    let value = messages(attribute, 2).next()?;
    WireFields::new(value).find(|f| f.number == 1)?.bytes()
}

/// The value of the span attribute whose field begins at `at` of the request.
pub fn value_at(request: &[u8], at: usize) -> Option<AnyValue<'_>> {
    let attribute = WireFields::from(request, at).next()?.bytes()?;
    Some(KeyValue::new(attribute).value)
}

/// Payloads of the length-delimited fields `number`.
pub(crate) fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> + Clone {
    WireFields::new(message)
        .filter(move |f| f.number == number)
        .filter_map(|f| f.bytes())
}

fn bytes(message: &[u8], number: u32) -> &[u8] {
    messages(message, number).next().unwrap_or_default()
}

fn str_of(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_default()
}
