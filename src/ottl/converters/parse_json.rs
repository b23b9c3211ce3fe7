/*! `ParseJSON`: a JSON list or object as a list or map of attribute values. */

use crate::ottl::{
    Arena, EvalError,
    arena::TOO_MUCH,
    value::{Value, put_entry},
};
use crate::pdata::wire::put_message;
use serde_json::Value as Json;

/// Nesting costs a copy of what is inside.
const MOST: usize = 4 << 20;

pub(super) fn parse<'v>(text: &str, arena: &'v Arena) -> Result<Value<'v>, EvalError> {
    // A value of JSON takes some dozens of bytes in memory.
    arena.charge(text.len().saturating_mul(4))?;
    if text.len() > MOST {
        return Err(TOO_MUCH);
    }
    let json: Json =
        serde_json::from_str(text).map_err(|_| EvalError::new("the string is not JSON"))?;
    match &json {
        Json::Array(values) => Ok(Value::List(arena.build(|out| {
            list(values, out);
            Ok(())
        })?)),
        Json::Object(fields) => Ok(Value::Map(arena.build(|out| {
            map(fields, out);
            Ok(())
        })?)),
        _ => Err(EvalError::new("the JSON is no list and no object")),
    }
}

fn list(values: &[Json], out: &mut Vec<u8>) {
    for value in values {
        put_message(1, out, |out| put(value, out));
    }
}

fn map(fields: &serde_json::Map<String, Json>, out: &mut Vec<u8>) {
    for (key, value) in fields {
        let mut payload = Vec::new();
        put(value, &mut payload);
        put_entry(key.as_bytes(), &payload, out);
    }
}

/// Appends a value. All numbers are doubles, as in Go.
fn put(value: &Json, out: &mut Vec<u8>) {
    let simple = match value {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Double(n.as_f64().unwrap_or_default()),
        Json::String(text) => Value::Str(text),
        Json::Array(values) => return put_message(5, out, |out| list(values, out)),
        Json::Object(fields) => return put_message(6, out, |out| map(fields, out)),
    };
    // Simple values can always be encoded.
    let _ = simple.encode(out);
}
