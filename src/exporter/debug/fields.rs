/*!
A message field by field, as the schema names them: log records and metrics.

Fields are written as they stand on the wire, one line each, and what a nested
message has is indented below its name.
*/

use super::text::{Clean, Timestamp, Typed};
use crate::pdata::{
    AnyValue, KeyValue,
    message::{Message, text_of},
    number::ShowHex,
    schema::{SchemaField, SchemaKind, SchemaMessage},
    wire::{WireFields, WireValue, fixed, varint},
};
use std::io::{self, Write};

/// Writes the fields of `message`, each line behind `indent` spaces.
pub(super) fn write_fields(
    out: &mut dyn Write,
    message: SchemaMessage,
    payload: Message<'_>,
    indent: usize,
) -> io::Result<()> {
    for field in WireFields::new(payload.0) {
        let known = message.fields().iter();
        let Some(schema) = known.clone().find(|schema| schema.number == field.number) else {
            continue;
        };
        write!(out, "{:indent$}", "")?;
        match (schema.kind, field.value) {
            (SchemaKind::Nested(SchemaMessage::KeyValue), WireValue::Len(pair)) => {
                let KeyValue { key, value } = KeyValue::new(pair);
                writeln!(out, "-> {}: {}", Clean(key), Typed::new(value))?;
            }
            (SchemaKind::Nested(SchemaMessage::AnyValue), WireValue::Len(value)) => {
                writeln!(out, "{}: {}", schema.name, Typed::new(AnyValue::new(value)))?;
            }
            (SchemaKind::Nested(nested), WireValue::Len(nested_payload)) => {
                writeln!(out, "{}:", schema.name)?;
                write_fields(out, nested, Message(nested_payload), indent + 4)?;
            }
            (SchemaKind::Text, WireValue::Len(text)) => {
                writeln!(out, "{}: {}", schema.name, Clean(text_of(text)))?;
            }
            (SchemaKind::Hex | SchemaKind::Base64, WireValue::Len(bytes)) => {
                writeln!(out, "{}: {}", schema.name, ShowHex(bytes))?;
            }
            (_, WireValue::Len(packed)) => {
                write!(out, "{}:", schema.name)?;
                write_packed(out, schema, packed)?;
                writeln!(out)?;
            }
            (_, value) => {
                write!(out, "{}: ", schema.name)?;
                write_scalar(out, schema, value)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// Writes the numbers of a packed field.
fn write_packed(out: &mut dyn Write, schema: &SchemaField, packed: &[u8]) -> io::Result<()> {
    let mut at = 0;
    while at < packed.len() {
        let value = match schema.kind {
            SchemaKind::Fixed64 | SchemaKind::SignedFixed64 | SchemaKind::Double => {
                let bytes = packed.get(at..).and_then(<[u8]>::first_chunk);
                bytes
                    .map(|bytes| WireValue::Fixed64(u64::from_le_bytes(*bytes)))
                    .zip(fixed(packed, at, 8).ok())
            }
            _ => varint(packed, at)
                .ok()
                .map(|(value, end)| (WireValue::Varint(value), end)),
        };
        let Some((value, end)) = value else {
            return Ok(());
        };
        at = end;
        write!(out, " ")?;
        write_scalar(out, schema, value)?;
    }
    Ok(())
}

/// Writes a number as its type has it; a time is shown as a date.
fn write_scalar(out: &mut dyn Write, schema: &SchemaField, value: WireValue<'_>) -> io::Result<()> {
    match (schema.kind, value) {
        (SchemaKind::Enum(names), WireValue::Varint(value)) => {
            let name = usize::try_from(value).ok().and_then(|at| names.get(at));
            write!(out, "{}", name.copied().unwrap_or("Unknown"))
        }
        (SchemaKind::Bool, WireValue::Varint(value)) => write!(out, "{}", value != 0),
        (SchemaKind::I32 | SchemaKind::I64, WireValue::Varint(value)) => {
            write!(out, "{}", value.cast_signed())
        }
        (SchemaKind::ZigZag32, WireValue::Varint(value)) => {
            let sign = if value & 1 == 1 { -1 } else { 0 };
            write!(out, "{}", (value >> 1).cast_signed() ^ sign)
        }
        (_, WireValue::Varint(value)) => write!(out, "{value}"),
        (SchemaKind::Fixed64, WireValue::Fixed64(value)) if schema.name.ends_with("_unix_nano") => {
            write!(out, "{}", Timestamp(value))
        }
        (SchemaKind::Double, WireValue::Fixed64(value)) => write!(out, "{}", f64::from_bits(value)),
        (SchemaKind::SignedFixed64, WireValue::Fixed64(value)) => {
            write!(out, "{}", value.cast_signed())
        }
        (_, WireValue::Fixed64(value)) => write!(out, "{value}"),
        (_, WireValue::Fixed32(value)) => write!(out, "{value}"),
        (_, WireValue::Len(_) | WireValue::Group) => Ok(()),
    }
}
