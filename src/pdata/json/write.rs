/*!
Protobuf in, JSON out, field by field of the table.

Protobuf allows fields in any order and any number; JSON wants each once. So a
message is passed over once per field of its type (a handful), which needs no
memory but the output's. Defaults are left out, as protobuf's JSON does.
*/

use super::{
    JsonError, MAX_DEPTH,
    schema::{Field, Kind, Label, Message, REQUEST},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use prost::{
    DecodeError,
    bytes::Buf,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use std::borrow::Cow;

/// Protobuf bytes of an `ExportTraceServiceRequest` (valid) to OTLP/JSON.
/// Unknown fields have no JSON form and are left out; invalid UTF-8 is replaced
/// by U+FFFD.
///
/// # Errors
/// When the bytes are not valid protobuf.
pub fn request_to_json(bytes: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(2));
    match message(&REQUEST, bytes, MAX_DEPTH, &mut out) {
        Ok(()) => Ok(out),
        Err(error) => Err(JsonError(error.to_string())),
    }
}

/// A field's value on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message's payload that its type knows, as (number, value).
struct Fields<'a> {
    message: &'static Message,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, DecodeError> {
        while !self.rest.is_empty() {
            let (number, wire_type) = decode_key(&mut self.rest)?;
            let Some(field) = self.message.fields.iter().find(|f| f.number == number) else {
                skip_field(wire_type, number, &mut self.rest, DecodeContext::default())?;
                continue;
            };
            if wire_type as u32 != field.kind.wire_type() {
                return Err(invalid("a field has the wrong wire type"));
            }
            let value = match wire_type {
                WireType::Varint => Wire::Number(decode_varint(&mut self.rest)?),
                WireType::SixtyFourBit => Wire::Number(fixed(&mut self.rest, Buf::try_get_u64_le)?),
                WireType::ThirtyTwoBit => {
                    Wire::Number(fixed(&mut self.rest, Buf::try_get_u32_le)?.into())
                }
                _ => {
                    let len = usize::try_from(decode_varint(&mut self.rest)?).ok();
                    let Some((bytes, rest)) = len.and_then(|l| self.rest.split_at_checked(l))
                    else {
                        return Err(invalid("a field is longer than its message"));
                    };
                    self.rest = rest;
                    Wire::Bytes(bytes)
                }
            };
            return Ok(Some((number, value)));
        }
        Ok(None)
    }
}

fn fixed<'a, T, E>(
    rest: &mut &'a [u8],
    get: impl Fn(&mut &'a [u8]) -> Result<T, E>,
) -> Result<T, DecodeError> {
    get(rest).map_err(|_| invalid("a field is longer than its message"))
}

fn invalid(what: &'static str) -> DecodeError {
    #[allow(deprecated)] // prost keeps it for implementors of its traits.
    DecodeError::new(what)
}

fn message(
    message: &'static Message,
    payload: &[u8],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    out.push(b'{');
    let mut first = true;
    let variant = variant(message, payload)?;
    for field in message.fields {
        match field.label {
            Label::Many => many(field, message, payload, depth, &mut first, out)?,
            Label::OneOf if variant != Some(field.number) => {}
            Label::One | Label::OneOf => {
                let Some(value) = single(field, message, payload)? else {
                    continue;
                };
                if field.label == Label::OneOf || !value.is_default(field) {
                    name(field, &mut first, out);
                    value.print(field, depth, out)?;
                }
            }
        }
    }
    out.push(b'}');
    Ok(())
}

/// The number of the oneof field that counts: the last on the wire.
fn variant(message: &'static Message, payload: &[u8]) -> Result<Option<u32>, DecodeError> {
    let mut last = None;
    let mut fields = Fields {
        message,
        rest: payload,
    };
    while let Some((number, _)) = fields.next()? {
        if message
            .fields
            .iter()
            .any(|f| f.number == number && f.label == Label::OneOf)
        {
            last = Some(number);
        }
    }
    Ok(last)
}

fn many(
    field: &'static Field,
    message: &'static Message,
    payload: &[u8],
    depth: usize,
    first: &mut bool,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut begun = false;
    let mut fields = Fields {
        message,
        rest: payload,
    };
    while let Some((number, value)) = fields.next()? {
        if number != field.number {
            continue;
        }
        if begun {
            out.push(b',');
        } else {
            name(field, first, out);
            out.push(b'[');
            begun = true;
        }
        Value::of(value).print(field, depth, out)?;
    }
    if begun {
        out.push(b']');
    }
    Ok(())
}

fn name(field: &Field, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(field.name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// The one value of a field: the last of a scalar's; a message's occurrences
/// merged, which is what their payloads mean in a row. In a oneof, another
/// variant in between ends what came before.
fn single<'a>(
    field: &Field,
    message: &'static Message,
    payload: &'a [u8],
) -> Result<Option<Value<'a>>, DecodeError> {
    let mut found: Option<Value<'a>> = None;
    let mut fields = Fields {
        message,
        rest: payload,
    };
    while let Some((number, value)) = fields.next()? {
        if number == field.number {
            found = Some(match (found.take(), field.kind, value) {
                (Some(Value::Bytes(before)), Kind::Message(_), Wire::Bytes(more)) => {
                    Value::Bytes(Cow::Owned([&before[..], more].concat()))
                }
                (_, _, value) => Value::of(value),
            });
        } else if field.label == Label::OneOf {
            found = None;
        }
    }
    Ok(found)
}

enum Value<'a> {
    Number(u64),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    fn of(wire: Wire<'a>) -> Self {
        match wire {
            Wire::Number(number) => Value::Number(number),
            Wire::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// Whether the value is what absence means too. A message is present even
    /// when it is empty.
    fn is_default(&self, field: &Field) -> bool {
        match (self, field.kind) {
            (_, Kind::Message(_)) => false,
            // Varints wider than their type are cut by protobuf.
            (Value::Number(n), Kind::U32 | Kind::I32 | Kind::Enum(_)) => *n as u32 == 0,
            (Value::Number(n), _) => *n == 0,
            (Value::Bytes(bytes), _) => bytes.is_empty(),
        }
    }

    fn print(
        &self,
        field: &'static Field,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        match (self, field.kind) {
            (Value::Number(n), kind) => number(*n, kind, out),
            (Value::Bytes(bytes), Kind::Message(inner)) => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(invalid("recursion limit reached"));
                };
                message(inner, bytes, depth, out)?;
            }
            (Value::Bytes(bytes), Kind::Hex) => {
                quoted(out, |out| {
                    for byte in bytes.iter() {
                        for digit in [byte >> 4, byte & 15] {
                            out.push(b"0123456789abcdef"[usize::from(digit)]);
                        }
                    }
                });
            }
            (Value::Bytes(bytes), Kind::Base64) => {
                quoted(out, |out| {
                    out.extend_from_slice(STANDARD.encode(bytes).as_bytes())
                });
            }
            (Value::Bytes(bytes), _) => text(&String::from_utf8_lossy(bytes), out),
        }
        Ok(())
    }
}

fn number(n: u64, kind: Kind, out: &mut Vec<u8>) {
    // The casts are protobuf's: a value wider than its type is cut.
    let shown = match kind {
        Kind::Bool => (n != 0).to_string(),
        Kind::U32 | Kind::Fixed32 => (n as u32).to_string(),
        Kind::I32 | Kind::Enum(_) => (n as i32).to_string(),
        Kind::I64 => format!("\"{}\"", n as i64),
        Kind::Double => match f64::from_bits(n) {
            v if v.is_nan() => "\"NaN\"".to_owned(),
            f64::INFINITY => "\"Infinity\"".to_owned(),
            f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            // The shortest text that reads back as the same number.
            v => format!("{v:?}"),
        },
        _ => format!("\"{n}\""),
    };
    out.extend_from_slice(shown.as_bytes());
}

fn quoted(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    fill(out);
    out.push(b'"');
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b'\n' => "\\n".to_owned(),
            0..=0x1F => format!("\\u{byte:04x}"),
            _ => continue,
        };
        // Escaped bytes are ASCII, so these cuts fall between characters.
        out.extend_from_slice(text.as_bytes().get(plain..at).unwrap_or_default());
        out.extend_from_slice(escape.as_bytes());
        plain = at + 1;
    }
    out.extend_from_slice(text.as_bytes().get(plain..).unwrap_or_default());
    out.push(b'"');
}
