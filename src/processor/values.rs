/*! Values of the file as attribute values. */

use crate::{
    config::RawValue,
    pdata::wire::{WireType, put_bytes, put_message, put_tag, put_varint},
};

/// Encodes a value of the file as an `AnyValue`.
pub(super) fn encode(value: &RawValue) -> Vec<u8> {
    let mut out = Vec::new();
    put_value(value, &mut out);
    out
}

fn put_value(value: &RawValue, out: &mut Vec<u8>) {
    match value {
        RawValue::Null => {}
        RawValue::Text(text) => put_bytes(1, text.as_bytes(), out),
        RawValue::Bool(value) => {
            put_tag(2, WireType::Varint, out);
            put_varint(u64::from(*value), out);
        }
        RawValue::Int(value) => {
            put_tag(3, WireType::Varint, out);
            put_varint(value.cast_unsigned(), out);
        }
        RawValue::Float(value) => {
            put_tag(4, WireType::Fixed64, out);
            out.extend_from_slice(&value.to_le_bytes());
        }
        RawValue::List(values) => put_message(5, out, |out| {
            for value in values {
                put_message(1, out, |out| put_value(value, out));
            }
        }),
        RawValue::Map(pairs) => put_message(6, out, |out| {
            for (key, value) in pairs {
                put_message(1, out, |out| {
                    put_bytes(1, key.as_bytes(), out);
                    put_message(2, out, |out| put_value(value, out));
                });
            }
        }),
    }
}
