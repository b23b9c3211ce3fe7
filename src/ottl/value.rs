/*!
Values while a statement runs: borrowed from the item, from the program or from the arena.

Lists and maps stay encoded, as OTLP's `ArrayValue` and `KeyValueList`. Conversions are those of the Collector's getters.
*/

mod compare;
mod convert;
mod json;

pub(super) use compare::compare;

use super::{Arena, EvalError, record::Record};
use crate::pdata::{
    AnyValue,
    wire::{WireFields, WireValue, put_bytes, put_fixed64, put_message, put_number},
};

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'v> {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(&'v str),
    Bytes(&'v [u8]),
    /// Payload of an `ArrayValue`.
    List(&'v [u8]),
    /// Payload of a `KeyValueList`.
    Map(&'v [u8]),
    /// The attributes of a message under edit.
    Attributes(&'v Record),
    TraceId([u8; 16]),
    SpanId([u8; 8]),
    Time(Time),
    /// Nanoseconds.
    Duration(i64),
    /// Payload of a `Status`.
    Status(&'v [u8]),
    /// The events or links of a span, which are the fields of this number.
    Messages(&'v Record, u32),
}

/// A point in time, and the clock that tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// Since 1970 in UTC.
    pub(super) nanos: i64,
    /// Seconds by which the clock is ahead of UTC.
    pub(super) offset: i32,
}

impl Time {
    /// So many nanoseconds after 1970, told in UTC.
    pub(super) fn utc(nanos: i64) -> Self {
        Self { nanos, offset: 0 }
    }
}

/// An index, as of a list or map.
#[derive(Clone, Copy, Debug)]
pub(super) enum Index<'v> {
    Str(&'v str),
    Int(i64),
}

impl<'v> Value<'v> {
    /// The value in an `AnyValue` payload.
    pub(super) fn of(payload: &'v [u8]) -> Self {
        match AnyValue::new(payload) {
            AnyValue::Empty | AnyValue::StringIndex(_) => Self::Nil,
            AnyValue::String(text) => Self::Str(text),
            AnyValue::Bool(b) => Self::Bool(b),
            AnyValue::Int(n) => Self::Int(n),
            AnyValue::Double(n) => Self::Double(n),
            AnyValue::Array(list) => Self::List(list),
            AnyValue::KvList(map) => Self::Map(map),
            AnyValue::Bytes(bytes) => Self::Bytes(bytes),
        }
    }

    pub(super) fn is_nil(self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Appends it as the payload of an `AnyValue`.
    ///
    /// # Errors
    /// When attributes cannot have such a value.
    pub(super) fn encode(self, out: &mut Vec<u8>) -> Result<(), EvalError> {
        match self {
            Self::Nil => {}
            Self::Str(text) => put_bytes(1, text.as_bytes(), out),
            Self::Bool(b) => put_number(2, u64::from(b), out),
            Self::Int(n) => put_number(3, n as u64, out),
            Self::Double(n) => put_fixed64(4, n.to_bits(), out),
            Self::List(list) => put_bytes(5, list, out),
            Self::Map(map) => put_bytes(6, map, out),
            Self::Attributes(record) => {
                put_message(6, out, |out| record.write_attributes(1, out));
            }
            Self::Bytes(bytes) => put_bytes(7, bytes, out),
            _ => {
                return Err(EvalError::new(
                    "an attribute cannot have a value of this type",
                ));
            }
        }
        Ok(())
    }

    /// Copies it out of the item, which may then be changed.
    pub(super) fn detach(self, arena: &Arena) -> Result<Value<'_>, EvalError> {
        Ok(match self {
            Self::Nil => Value::Nil,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(n) => Value::Int(n),
            Self::Double(n) => Value::Double(n),
            Self::Str(text) => Value::Str(arena.text(text)?),
            Self::Bytes(bytes) => Value::Bytes(arena.bytes(bytes)?),
            Self::List(list) => Value::List(arena.bytes(list)?),
            Self::Map(map) => Value::Map(arena.bytes(map)?),
            Self::Attributes(record) => Value::Map(arena.build(|out| {
                record.write_attributes(1, out);
                Ok(())
            })?),
            Self::TraceId(id) => Value::TraceId(id),
            Self::SpanId(id) => Value::SpanId(id),
            Self::Time(time) => Value::Time(time),
            Self::Duration(n) => Value::Duration(n),
            Self::Status(status) => Value::Status(arena.bytes(status)?),
            Self::Messages(..) => {
                return Err(EvalError::new("events and links cannot be copied"));
            }
        })
    }
}

/// So many messages may nest below a value that an attribute is set to: protobuf's readers
/// stop at 100, and an event's attribute is some six levels deep.
const MOST_NESTED: u32 = 80;

/// Refuses a value that nests deeper than any reader would follow.
pub(super) fn check_depth(value: Value<'_>) -> Result<(), EvalError> {
    match fits(value, MOST_NESTED) {
        true => Ok(()),
        false => Err(EvalError::new("lists and maps nest too deeply")),
    }
}

fn fits(value: Value<'_>, left: u32) -> bool {
    match value {
        Value::Map(map) => {
            left >= 3 && entries(map).all(|(_, payload)| fits(Value::of(payload), left - 3))
        }
        Value::List(list) => {
            left >= 2 && elements(list).all(|payload| fits(Value::of(payload), left - 2))
        }
        _ => true,
    }
}

/// Whether a list has a map in it, or in a list that is in it.
pub(super) fn has_maps(list: &[u8]) -> bool {
    elements(list).any(|payload| match Value::of(payload) {
        Value::Map(_) => true,
        Value::List(list) => has_maps(list),
        _ => false,
    })
}

/// The payloads of the elements of a list.
pub(super) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let fields = WireFields::new(list).filter(|field| field.number == 1);
    fields.filter_map(|field| field.bytes())
}

/// Keys and payloads of values of a map.
pub(super) fn entries(map: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    elements(map).map(|pair| {
        let (mut key, mut value) = (&[][..], &[][..]);
        for field in WireFields::new(pair) {
            match (field.number, field.value) {
                (1, WireValue::Len(bytes)) => key = bytes,
                (2, WireValue::Len(bytes)) => value = bytes,
                _ => {}
            }
        }
        (key, value)
    })
}

/// Gives `each` the keys and payloads of values of a map.
pub(super) fn each_entry<'v>(
    map: Value<'v>,
    mut each: impl FnMut(&'v [u8], &'v [u8]) -> Result<(), EvalError>,
) -> Result<(), EvalError> {
    match map {
        Value::Map(map) => entries(map).try_for_each(|(key, value)| each(key, value)),
        Value::Attributes(record) => {
            let mut attributes = record.attributes();
            attributes.try_for_each(|(key, value)| each(key, value))
        }
        _ => Ok(()),
    }
}

/// Appends an entry of a map.
pub(super) fn put_entry(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    put_message(1, out, |out| {
        put_bytes(1, key, out);
        put_bytes(2, value, out);
    });
}

/// Text that validation has seen to be UTF-8.
pub(super) fn text_of(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_default()
}
