/*! Writing attributes, and the values that texts may stand for. */

use crate::pdata::wire::{put_bytes, put_fixed64, put_message, put_number};

/// An attribute's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
}

/// Appends an attribute as the field `number`.
pub(super) fn put_attribute(number: u32, key: &[u8], value: Value<'_>, out: &mut Vec<u8>) {
    put_message(number, out, |out| {
        put_bytes(1, key, out);
        put_message(2, out, |out| match value {
            Value::Text(text) => put_bytes(1, text, out),
            Value::Bool(value) => put_number(2, u64::from(value), out),
            Value::Int(value) => put_number(3, value as u64, out),
            Value::Double(value) => put_fixed64(4, value.to_bits(), out),
        });
    });
}

/// Returns what a text stands for: `-?digits`, `-?digits.digits`, `true` or `false`;
/// else itself. Numbers that are too large become the largest there are.
pub(super) fn typed(text: &[u8]) -> Value<'_> {
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let (is_negative, number) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // What has only digits, a sign and a point is UTF-8.
    let as_str = std::str::from_utf8(text).unwrap_or_default();
    let mut parts = number.splitn(2, |octet| *octet == b'.');
    match (parts.next(), parts.next()) {
        (Some(whole), None) if is_digits(whole) => {
            let largest = if is_negative { i64::MIN } else { i64::MAX };
            Value::Int(as_str.parse().unwrap_or(largest))
        }
        (Some(whole), Some(fraction)) if is_digits(whole) && is_digits(fraction) => {
            as_str.parse().map_or(Value::Text(text), Value::Double)
        }
        _ => match text {
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            _ => Value::Text(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_look_like_values_are_such() {
        for (text, value) in [
            ("0", Value::Int(0)),
            ("-12", Value::Int(-12)),
            ("9223372036854775808", Value::Int(i64::MAX)),
            ("-9223372036854775809", Value::Int(i64::MIN)),
            ("1.50", Value::Double(1.5)),
            ("-0.25", Value::Double(-0.25)),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
        ] {
            assert_eq!(typed(text.as_bytes()), value, "{text}");
        }
        for text in [
            "", "-", "+1", "1.", ".5", "1.2.3", "1e3", "True", "--1", "-.1", " 1",
        ] {
            assert_eq!(typed(text.as_bytes()), Value::Text(text.as_bytes()));
        }
        let large = format!("{}.0", "9".repeat(400));
        assert_eq!(typed(large.as_bytes()), Value::Double(f64::INFINITY));
    }
}
