/*!
Scalars of JSON: whatever JSON shows a number, a string or bytes as, into
protobuf.
*/

use crate::pdata::{
    schema::{SchemaField, SchemaKind as Kind, SchemaLabel},
    wire::{self, WireType},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::de::{Error, Unexpected, Visitor};
use std::fmt;

/// Whether repeated values of this kind are packed.
pub(super) fn is_packable(kind: Kind) -> bool {
    kind.wire() != WireType::Len
}

/// Reads a scalar from whatever JSON shows it as.
pub(super) struct JsonScalar<'a> {
    pub(super) field: &'static SchemaField,
    pub(super) out: &'a mut Vec<u8>,
}

impl JsonScalar<'_> {
    /// Whether the value must be written although it is the default.
    fn explicit(&self) -> bool {
        self.field.label != SchemaLabel::One
    }

    /// Writes the field's tag, unless the values are packed.
    fn tag(&mut self) {
        if self.field.label != SchemaLabel::Many {
            wire::put_tag(self.field.number, self.field.kind.wire(), self.out);
        }
    }

    fn bytes(self, bytes: &[u8]) {
        if self.explicit() || !bytes.is_empty() {
            wire::put_bytes(self.field.number, bytes, self.out);
        }
    }

    fn integer<E: Error>(mut self, value: i128) -> Result<(), E> {
        let range = match self.field.kind {
            Kind::U32 | Kind::Fixed32 => 0..=i128::from(u32::MAX),
            Kind::I32 | Kind::ZigZag32 | Kind::Enum(_) => {
                i128::from(i32::MIN)..=i128::from(i32::MAX)
            }
            Kind::I64 | Kind::SignedFixed64 => i128::from(i64::MIN)..=i128::from(i64::MAX),
            Kind::U64 | Kind::Fixed64 => 0..=i128::from(u64::MAX),
            Kind::Double => {
                self.double(value as f64);
                return Ok(());
            }
            _ => return Err(E::custom(format_args!("a number, expected {self}"))),
        };
        if !range.contains(&value) {
            return Err(E::custom(format_args!(
                "{value} is out of range, expected {self}"
            )));
        }
        if value == 0 && !self.explicit() {
            return Ok(());
        }
        self.tag();
        // The casts keep the value: the range has been checked.
        match self.field.kind {
            Kind::Fixed32 => self.out.extend_from_slice(&(value as u32).to_le_bytes()),
            Kind::Fixed64 => self.out.extend_from_slice(&(value as u64).to_le_bytes()),
            Kind::SignedFixed64 => self.out.extend_from_slice(&(value as i64).to_le_bytes()),
            Kind::ZigZag32 => {
                let value = value as i32;
                wire::put_varint(u64::from((value << 1 ^ value >> 31) as u32), self.out);
            }
            // Negative varints are sign-extended to 64 bits.
            _ => wire::put_varint(value as u64, self.out),
        }
        Ok(())
    }

    fn double(mut self, value: f64) {
        if self.explicit() || value.to_bits() != 0 {
            self.tag();
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

impl fmt::Display for JsonScalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.field.kind {
            Kind::Text => "a string",
            Kind::Hex => "a string of hexadecimal digits",
            Kind::Base64 => "a base64 string",
            Kind::Bool => "true or false",
            Kind::U32 | Kind::Fixed32 => "an integer from 0 to 4294967295",
            Kind::I32 | Kind::ZigZag32 => "a 32-bit integer",
            Kind::I64 | Kind::SignedFixed64 => "a 64-bit integer or a decimal string of one",
            Kind::U64 | Kind::Fixed64 => "an unsigned 64-bit integer or a decimal string of one",
            Kind::Double => "a number",
            Kind::Enum(_) => "an enum's integer or name",
            Kind::Nested(_) => "an object",
        })
    }
}

impl Visitor<'_> for JsonScalar<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(E::invalid_type(Unexpected::Bool(value), &self));
        }
        if value || self.explicit() {
            self.tag();
            wire::put_varint(value.into(), self.out);
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.integer(i128::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.integer(i128::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if matches!(self.field.kind, Kind::Double) {
            self.double(value);
            return Ok(());
        }
        match whole(value) {
            Some(value) => self.integer(value),
            None => Err(E::invalid_type(Unexpected::Float(value), &self)),
        }
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<(), E> {
        match std::str::from_utf8(text) {
            Ok(_) => self.bytes(text),
            Err(_) => self.bytes(&without_surrogates(text)),
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let wrong = |what: &Self| {
            let shown: String = text.chars().take(40).collect();
            E::custom(format_args!("{shown:?} is not {what}"))
        };
        match self.field.kind {
            Kind::Text => self.bytes(text.as_bytes()),
            Kind::Hex => match hex(text) {
                Some(bytes) => self.bytes(&bytes),
                None => return Err(wrong(&self)),
            },
            Kind::Base64 => match base64(text) {
                Some(bytes) => self.bytes(&bytes),
                None => return Err(wrong(&self)),
            },
            Kind::Double => match text {
                "NaN" => self.double(f64::NAN),
                "Infinity" => self.double(f64::INFINITY),
                "-Infinity" => self.double(f64::NEG_INFINITY),
                _ => match text.parse::<f64>() {
                    // Rust also reads "inf" and the like; protobuf does not.
                    Ok(value) if value.is_finite() => self.double(value),
                    _ => return Err(wrong(&self)),
                },
            },
            Kind::Bool | Kind::Nested(_) => {
                return Err(E::invalid_type(Unexpected::Str(text), &self));
            }
            Kind::Enum(names) if names.contains(&text) => {
                let value = names
                    .iter()
                    .position(|name| *name == text)
                    .unwrap_or_default();
                return self.integer(value as i128);
            }
            Kind::U32
            | Kind::U64
            | Kind::I32
            | Kind::I64
            | Kind::ZigZag32
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::SignedFixed64
            | Kind::Enum(_) => {
                let value = text.parse::<i128>().ok();
                match value.or_else(|| whole(text.parse().ok()?)) {
                    Some(value) => return self.integer(value),
                    None => return Err(wrong(&self)),
                }
            }
        }
        Ok(())
    }
}

/// Makes each lone surrogate, three bytes from the parser, one byte that is no
/// UTF-8 either: it was one character and is to become one U+FFFD.
fn without_surrogates(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, after) = match rest {
            [0xED, 0xA0..=0xBF, 0x80..=0xBF, after @ ..] => (0xFF, after),
            _ => (*first, after),
        };
        out.push(byte);
        rest = after;
    }
    out
}

/// A number without a fraction, if it is one that could fit any field.
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 1e30).then_some(value as i128)
}

/// Hex digits to bytes. An odd digit is kept in a way that leaves the length
/// wrong: it must neither complete an id nor disappear.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|d| d as u8);
    let (pairs, odd) = digits.as_chunks::<2>();
    let mut bytes = Vec::with_capacity(pairs.len() + 1);
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    for last in odd {
        let last = digit(*last)?;
        if !matches!(bytes.len() + 1, 8 | 16) {
            bytes.push(last);
        }
    }
    Some(bytes)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let engine = if text.contains(['-', '_']) {
        URL
    } else {
        STANDARD
    };
    engine.decode(text).ok()
}
