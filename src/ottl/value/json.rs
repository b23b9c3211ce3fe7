/*!
Values as the JSON that Go writes: keys in order, `<`, `>` and `&` escaped, bytes in base64.
*/

use super::{Value, elements, entries, text_of};
use crate::ottl::EvalError;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;

/// Appends a value.
pub(super) fn write(value: Value<'_>, out: &mut String) -> Result<(), EvalError> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(b) => out.push_str(if b { "true" } else { "false" }),
        // Writing to a String cannot fail.
        Value::Int(n) | Value::Duration(n) => drop(write!(out, "{n}")),
        Value::Double(n) => double(n, out)?,
        Value::Str(text) => string(text, out),
        Value::Bytes(bytes) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        Value::List(list) => {
            out.push('[');
            for (i, element) in elements(list).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(Value::of(element), out)?;
            }
            out.push(']');
        }
        Value::Map(map) => object(entries(map).collect(), out)?,
        Value::Attributes(record) => object(record.attributes().collect(), out)?,
        Value::TraceId(id) => numbers(&id, out),
        Value::SpanId(id) => numbers(&id, out),
        _ => return Err(EvalError::of_type("a value of this type has no text")),
    }
    Ok(())
}

fn object(mut entries: Vec<(&[u8], &[u8])>, out: &mut String) -> Result<(), EvalError> {
    entries.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (i, (key, value)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(text_of(key), out);
        out.push(':');
        write(Value::of(value), out)?;
    }
    out.push('}');
    Ok(())
}

/// Go writes an array of bytes as a list of numbers.
fn numbers(bytes: &[u8], out: &mut String) {
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    let _ = write!(out, "[{}]", numbers.join(","));
}

fn double(n: f64, out: &mut String) -> Result<(), EvalError> {
    if !n.is_finite() {
        return Err(EvalError::of_type("infinite numbers and NaN have no text"));
    }
    let size = n.abs();
    let text = format!("{n:e}");
    let _ = match text.split_once('e') {
        // Go's exponents have a sign and two digits at least.
        Some((digits, exponent)) if size != 0.0 && !(1e-6..1e21).contains(&size) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            write!(out, "{digits}e{sign}{exponent:0>2}")
        }
        _ => write!(out, "{n}"),
    };
    Ok(())
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
