/*!
Protobuf in, JSON out, field by field of the table.

Protobuf allows fields in any order and any number; JSON wants each once. So a
message is passed over once per field of its type (a handful), which needs no
memory but the output's. Defaults are left out, as protobuf's JSON does.
*/

use super::error::{JsonError, MAX_DEPTH};
use crate::pdata::{
    schema::{SchemaField, SchemaKind as Kind, SchemaLabel, SchemaMessage},
    signal::Signal,
    wire::{self, WireReason, WireType},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

/// Turns the protobuf bytes of the signal's request (valid) into OTLP/JSON.
/// Unknown fields have no JSON form and are left out; invalid UTF-8 is replaced
/// by U+FFFD.
///
/// # Errors
/// When the bytes are not valid protobuf.
pub fn request_to_json(signal: Signal, bytes: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(2));
    match message(SchemaMessage::request(signal), bytes, MAX_DEPTH, &mut out) {
        Ok(()) => Ok(out),
        Err(error) => Err(JsonError(error.to_string())),
    }
}

/// A field's value on the wire.
#[derive(Clone, Copy)]
enum OnWire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Numbers in a row, without tags.
    Packed(&'a [u8]),
}

/// The fields of a message's payload that its type knows.
struct KnownFields<'a> {
    message: SchemaMessage,
    payload: &'a [u8],
    pos: usize,
    /// How many levels the message may still nest, as [`wire::skip`] counts.
    depth: u32,
}

impl<'a> KnownFields<'a> {
    fn new(message: SchemaMessage, payload: &'a [u8], depth: usize) -> Self {
        Self {
            message,
            payload,
            pos: 0,
            depth: depth as u32 + 1,
        }
    }

    fn next(&mut self) -> Result<Option<(&'static SchemaField, OnWire<'a>)>, WireReason> {
        let buf = self.payload;
        while self.pos < buf.len() {
            let (tag, pos) = wire::tag(buf, self.pos)?;
            let mut fields = self.message.fields().iter();
            let Some(field) = fields.find(|f| f.number == tag.number) else {
                self.pos = wire::skip(buf, pos, tag, self.depth)?;
                continue;
            };
            let expected = field.kind.wire();
            if tag.wire == WireType::Len {
                let (start, end) = wire::len_delimited(buf, pos)?;
                self.pos = end;
                let bytes = buf.get(start..end).unwrap_or_default();
                if expected == WireType::Len {
                    return Ok(Some((field, OnWire::Bytes(bytes))));
                }
                if field.label == SchemaLabel::Many {
                    return Ok(Some((field, OnWire::Packed(bytes))));
                }
            }
            if tag.wire != expected {
                let found = tag.wire;
                return Err(WireReason::WrongWireType { found, expected });
            }
            let (value, end) = number_at(field.kind, buf, pos)?;
            self.pos = end;
            return Ok(Some((field, OnWire::Number(value))));
        }
        Ok(None)
    }
}

/// Reads a number at `pos`; returns it and the position after it.
fn number_at(kind: Kind, buf: &[u8], pos: usize) -> Result<(u64, usize), WireReason> {
    let rest = buf.get(pos..).unwrap_or_default();
    match kind.wire() {
        WireType::Fixed64 => match rest.first_chunk() {
            Some(bytes) => Ok((u64::from_le_bytes(*bytes), pos + 8)),
            None => Err(WireReason::FixedCut),
        },
        WireType::Fixed32 => match rest.first_chunk() {
            Some(bytes) => Ok((u32::from_le_bytes(*bytes).into(), pos + 4)),
            None => Err(WireReason::FixedCut),
        },
        _ => wire::varint(buf, pos),
    }
}

fn message(
    message: SchemaMessage,
    payload: &[u8],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireReason> {
    out.push(b'{');
    let mut first = true;
    let variant = variant(message, payload, depth)?;
    for field in message.fields() {
        match field.label {
            SchemaLabel::Many => many(field, message, payload, depth, &mut first, out)?,
            SchemaLabel::OneOf if variant != Some(field.number) => {}
            SchemaLabel::One | SchemaLabel::Optional | SchemaLabel::OneOf => {
                let Some(value) = single(field, message, payload, depth)? else {
                    continue;
                };
                if field.label != SchemaLabel::One || !value.is_default(field) {
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
fn variant(
    message: SchemaMessage,
    payload: &[u8],
    depth: usize,
) -> Result<Option<u32>, WireReason> {
    let mut last = None;
    let mut fields = KnownFields::new(message, payload, depth);
    while let Some((field, _)) = fields.next()? {
        if field.label == SchemaLabel::OneOf {
            last = Some(field.number);
        }
    }
    Ok(last)
}

fn many(
    field: &'static SchemaField,
    message: SchemaMessage,
    payload: &[u8],
    depth: usize,
    first: &mut bool,
    out: &mut Vec<u8>,
) -> Result<(), WireReason> {
    let mut begun = false;
    let mut item = |value: JsonValue<'_>, out: &mut Vec<u8>| {
        if begun {
            out.push(b',');
        } else {
            name(field, first, out);
            out.push(b'[');
            begun = true;
        }
        value.print(field, depth, out)
    };
    let mut fields = KnownFields::new(message, payload, depth);
    while let Some((found, value)) = fields.next()? {
        if found.number != field.number {
            continue;
        }
        match value {
            OnWire::Number(number) => item(JsonValue::Number(number), out)?,
            OnWire::Bytes(bytes) => item(JsonValue::Bytes(Cow::Borrowed(bytes)), out)?,
            OnWire::Packed(packed) => {
                let mut pos = 0;
                while pos < packed.len() {
                    let (number, end) = number_at(field.kind, packed, pos)?;
                    item(JsonValue::Number(number), out)?;
                    pos = end;
                }
            }
        }
    }
    if begun {
        out.push(b']');
    }
    Ok(())
}

fn name(field: &SchemaField, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(field.json_name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// The one value of a field: the last of a scalar's; a message's occurrences
/// merged, which is what their payloads mean in a row. In a oneof, another
/// variant in between ends what came before.
fn single<'a>(
    field: &SchemaField,
    message: SchemaMessage,
    payload: &'a [u8],
    depth: usize,
) -> Result<Option<JsonValue<'a>>, WireReason> {
    let mut found: Option<JsonValue<'a>> = None;
    let mut fields = KnownFields::new(message, payload, depth);
    while let Some((other, value)) = fields.next()? {
        if other.number == field.number {
            found = match (found.take(), field.kind, value) {
                (Some(JsonValue::Bytes(before)), Kind::Nested(_), OnWire::Bytes(more)) => {
                    Some(JsonValue::Bytes(Cow::Owned([&before[..], more].concat())))
                }
                (_, _, OnWire::Bytes(bytes)) => Some(JsonValue::Bytes(Cow::Borrowed(bytes))),
                (_, _, OnWire::Number(number)) => Some(JsonValue::Number(number)),
                // Only repeated fields are packed.
                (before, _, OnWire::Packed(_)) => before,
            };
        } else if field.label == SchemaLabel::OneOf && other.label == SchemaLabel::OneOf {
            found = None;
        }
    }
    Ok(found)
}

enum JsonValue<'a> {
    Number(u64),
    Bytes(Cow<'a, [u8]>),
}

impl JsonValue<'_> {
    /// Whether the value is what absence means too. A message is present even
    /// when it is empty.
    fn is_default(&self, field: &SchemaField) -> bool {
        match (self, field.kind) {
            (_, Kind::Nested(_)) => false,
            // Varints wider than their type are cut by protobuf.
            (JsonValue::Number(n), Kind::U32 | Kind::I32 | Kind::ZigZag32 | Kind::Enum(_)) => {
                *n as u32 == 0
            }
            (JsonValue::Number(n), _) => *n == 0,
            (JsonValue::Bytes(bytes), _) => bytes.is_empty(),
        }
    }

    fn print(
        &self,
        field: &'static SchemaField,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), WireReason> {
        match (self, field.kind) {
            (JsonValue::Number(n), kind) => number(*n, kind, out),
            (JsonValue::Bytes(bytes), Kind::Nested(inner)) => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(WireReason::TooDeep);
                };
                message(inner, bytes, depth, out)?;
            }
            (JsonValue::Bytes(bytes), Kind::Hex) => {
                quoted(out, |out| {
                    for byte in bytes.iter() {
                        for digit in [byte >> 4, byte & 15] {
                            out.push(b"0123456789abcdef"[usize::from(digit)]);
                        }
                    }
                });
            }
            (JsonValue::Bytes(bytes), Kind::Base64) => {
                quoted(out, |out| {
                    out.extend_from_slice(STANDARD.encode(bytes).as_bytes())
                });
            }
            (JsonValue::Bytes(bytes), _) => text(&String::from_utf8_lossy(bytes), out),
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
        Kind::ZigZag32 => zigzag(n as u32).to_string(),
        Kind::I64 | Kind::SignedFixed64 => format!("\"{}\"", n as i64),
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

/// The integer whose zigzag form is `n`.
fn zigzag(n: u32) -> i32 {
    (n >> 1) as i32 ^ -((n & 1) as i32)
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
