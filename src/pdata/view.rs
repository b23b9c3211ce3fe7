/*!
Borrowed views of canonical bytes: read a field when asked, keep nothing.

Each accessor walks the message's top level, so take what you need once; the
hot path uses [`text_at`] instead, which goes straight to a place the
validating walk noted. Views never fail and never panic: on bytes that were
not validated they just yield less, and a string that is not UTF-8 reads as
empty. Absent fields read as protobuf's defaults.
*/

use super::plain::plain_attribute;
use super::wire::{Fields, Value};

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
    /// `array_value`, the payload of the `ArrayValue`; see [`array_values`].
    Array(&'a [u8]),
    /// `kvlist_value`, the payload of the `KeyValueList`; see [`kvlist_values`].
    KvList(&'a [u8]),
    /// `bytes_value`
    Bytes(&'a [u8]),
    /// `string_value_strindex` (profiles only)
    StringIndex(i32),
}

impl<'a> AnyValue<'a> {
    /// Reads the payload of an `AnyValue`.
    pub fn new(payload: &'a [u8]) -> Self {
        let mut value = AnyValue::Empty;
        for field in Fields::new(payload) {
            value = match (field.number, field.value) {
                (1, Value::Len(text)) => AnyValue::String(str_of(text)),
                (2, Value::Varint(v)) => AnyValue::Bool(v != 0),
                (3, Value::Varint(v)) => AnyValue::Int(v as i64),
                (4, Value::Fixed64(v)) => AnyValue::Double(f64::from_bits(v)),
                (5, Value::Len(array)) => AnyValue::Array(array),
                (6, Value::Len(list)) => AnyValue::KvList(list),
                (7, Value::Len(bytes)) => AnyValue::Bytes(bytes),
                (8, Value::Varint(v)) => AnyValue::StringIndex(v as i32),
                _ => value,
            };
        }
        value
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            AnyValue::String(text) => Some(text),
            _ => None,
        }
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
        let mut this = KeyValue {
            key: "",
            value: AnyValue::Empty,
        };
        for field in Fields::new(payload) {
            match (field.number, field.value) {
                (1, Value::Len(key)) => this.key = str_of(key),
                (2, Value::Len(value)) => this.value = AnyValue::new(value),
                _ => {}
            }
        }
        this
    }
}

/// The elements of an [`AnyValue::Array`] payload.
pub fn array_values(array: &[u8]) -> impl Iterator<Item = AnyValue<'_>> + Clone {
    messages(array, 1).map(AnyValue::new)
}

/// The entries of an [`AnyValue::KvList`] payload.
pub fn kvlist_values(list: &[u8]) -> impl Iterator<Item = KeyValue<'_>> + Clone {
    messages(list, 1).map(KeyValue::new)
}

/// Attributes of a Resource payload.
pub fn resource_attributes(resource: &[u8]) -> impl Iterator<Item = KeyValue<'_>> + Clone {
    messages(resource, 1).map(KeyValue::new)
}

/// `dropped_attributes_count` of a Resource payload.
pub fn resource_dropped_attributes_count(resource: &[u8]) -> u32 {
    varint(resource, 2) as u32
}

/// A borrowed InstrumentationScope payload.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a> {
    bytes: &'a [u8],
}

impl<'a> ScopeView<'a> {
    /// Views a scope payload.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Name of the instrumentation.
    pub fn name(&self) -> &'a str {
        str_of(bytes(self.bytes, 1))
    }

    /// Version of the instrumentation.
    pub fn version(&self) -> &'a str {
        str_of(bytes(self.bytes, 2))
    }

    /// Attributes in wire order.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValue<'a>> + Clone + use<'a> {
        messages(self.bytes, 3).map(KeyValue::new)
    }

    /// How many attributes the sender dropped.
    pub fn dropped_attributes_count(&self) -> u32 {
        varint(self.bytes, 4) as u32
    }
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

    /// `trace_id`: 16 bytes, unless the span has a [`super::Fault`].
    pub fn trace_id(&self) -> &'a [u8] {
        bytes(self.bytes, 1)
    }

    /// `span_id`: 8 bytes, unless the span has a [`super::Fault`].
    pub fn span_id(&self) -> &'a [u8] {
        bytes(self.bytes, 2)
    }

    /// W3C `tracestate`.
    pub fn trace_state(&self) -> &'a str {
        str_of(bytes(self.bytes, 3))
    }

    /// `parent_span_id`: 8 bytes, or none for a root.
    pub fn parent_span_id(&self) -> &'a [u8] {
        bytes(self.bytes, 4)
    }

    /// Name.
    pub fn name(&self) -> &'a str {
        str_of(bytes(self.bytes, 5))
    }

    /// `SpanKind`.
    pub fn kind(&self) -> i32 {
        varint(self.bytes, 6) as i32
    }

    /// Start, nanoseconds since 1970.
    pub fn start_time_unix_nano(&self) -> u64 {
        fixed64(self.bytes, 7)
    }

    /// End, nanoseconds since 1970.
    pub fn end_time_unix_nano(&self) -> u64 {
        fixed64(self.bytes, 8)
    }

    /// Attributes in wire order.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValue<'a>> + Clone + use<'a> {
        messages(self.bytes, 9).map(KeyValue::new)
    }

    /// How many attributes the sender dropped.
    pub fn dropped_attributes_count(&self) -> u32 {
        varint(self.bytes, 10) as u32
    }

    /// Events in wire order.
    pub fn events(&self) -> impl Iterator<Item = EventView<'a>> + Clone + use<'a> {
        messages(self.bytes, 11).map(|bytes| EventView { bytes })
    }

    /// How many events the sender dropped.
    pub fn dropped_events_count(&self) -> u32 {
        varint(self.bytes, 12) as u32
    }

    /// Links in wire order.
    pub fn links(&self) -> impl Iterator<Item = LinkView<'a>> + Clone + use<'a> {
        messages(self.bytes, 13).map(|bytes| LinkView { bytes })
    }

    /// How many links the sender dropped.
    pub fn dropped_links_count(&self) -> u32 {
        varint(self.bytes, 14) as u32
    }

    /// Status, if the span has one: code and message.
    pub fn status(&self) -> Option<(i32, &'a str)> {
        let status = messages(self.bytes, 15).next()?;
        Some((varint(status, 3) as i32, str_of(bytes(status, 2))))
    }

    /// `flags`: W3C trace flags and the is-remote bits.
    pub fn flags(&self) -> u32 {
        fixed32(self.bytes, 16)
    }
}

/// A borrowed span event.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    bytes: &'a [u8],
}

impl<'a> EventView<'a> {
    /// When, nanoseconds since 1970.
    pub fn time_unix_nano(&self) -> u64 {
        fixed64(self.bytes, 1)
    }

    /// Name.
    pub fn name(&self) -> &'a str {
        str_of(bytes(self.bytes, 2))
    }

    /// Attributes in wire order.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValue<'a>> + Clone + use<'a> {
        messages(self.bytes, 3).map(KeyValue::new)
    }

    /// How many attributes the sender dropped.
    pub fn dropped_attributes_count(&self) -> u32 {
        varint(self.bytes, 4) as u32
    }
}

/// A borrowed link to another span.
#[derive(Clone, Copy, Debug)]
pub struct LinkView<'a> {
    bytes: &'a [u8],
}

impl<'a> LinkView<'a> {
    /// Trace of the linked span.
    pub fn trace_id(&self) -> &'a [u8] {
        bytes(self.bytes, 1)
    }

    /// The linked span.
    pub fn span_id(&self) -> &'a [u8] {
        bytes(self.bytes, 2)
    }

    /// W3C `tracestate`.
    pub fn trace_state(&self) -> &'a str {
        str_of(bytes(self.bytes, 3))
    }

    /// Attributes in wire order.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValue<'a>> + Clone + use<'a> {
        messages(self.bytes, 4).map(KeyValue::new)
    }

    /// How many attributes the sender dropped.
    pub fn dropped_attributes_count(&self) -> u32 {
        varint(self.bytes, 5) as u32
    }

    /// Flags of the linked span.
    pub fn flags(&self) -> u32 {
        fixed32(self.bytes, 6)
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
    let attribute = Fields::from(request, at).next()?.bytes()?;
    let value = messages(attribute, 2).next()?;
    Fields::new(value).find(|f| f.number == 1)?.bytes()
}

/// The value of the span attribute whose field begins at `at` of the request.
pub fn value_at(request: &[u8], at: usize) -> Option<AnyValue<'_>> {
    let attribute = Fields::from(request, at).next()?.bytes()?;
    Some(KeyValue::new(attribute).value)
}

/// Payloads of the length-delimited fields `number`.
pub(super) fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> + Clone {
    Fields::new(message)
        .filter(move |f| f.number == number)
        .filter_map(|f| f.bytes())
}

fn bytes(message: &[u8], number: u32) -> &[u8] {
    messages(message, number).next().unwrap_or_default()
}

fn str_of(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_default()
}

fn varint(message: &[u8], number: u32) -> u64 {
    Fields::new(message)
        .find_map(|f| match f.value {
            Value::Varint(v) if f.number == number => Some(v),
            _ => None,
        })
        .unwrap_or_default()
}

fn fixed64(message: &[u8], number: u32) -> u64 {
    Fields::new(message)
        .find_map(|f| match f.value {
            Value::Fixed64(v) if f.number == number => Some(v),
            _ => None,
        })
        .unwrap_or_default()
}

fn fixed32(message: &[u8], number: u32) -> u32 {
    Fields::new(message)
        .find_map(|f| match f.value {
            Value::Fixed32(v) if f.number == number => Some(v),
            _ => None,
        })
        .unwrap_or_default()
}
