/*! Values of the file as attribute values. */

use crate::{
    config::RawValue,
    pdata::wire::{put_bytes, put_fixed64, put_message, put_number},
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
            put_number(2, u64::from(*value), out);
        }
        RawValue::Int(value) => {
            put_number(3, value.cast_unsigned(), out);
        }
        RawValue::Float(value) => {
            put_fixed64(4, value.to_bits(), out);
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
