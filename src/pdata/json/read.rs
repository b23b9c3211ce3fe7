/*!
JSON in, protobuf out, in one pass of serde_json's parser.

Each message is written where it belongs in the output, behind one byte kept for
its length; a longer length moves the message up by a few bytes once it is
complete. The path to the value at hand is a stack beside the parser, left
standing when an error unwinds, so that the error can name it.
*/

use super::{
    JsonError, MAX_DEPTH,
    schema::{ANY_VALUE, Field, Kind, LEN, LOGS_REQUEST, Label, Message, REQUEST},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use std::fmt;

/// OTLP/JSON to protobuf bytes of `ExportTraceServiceRequest`.
///
/// # Errors
/// Invalid JSON or a value that does not fit the field; see [`JsonError`].
pub fn request_from_json(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    read(json, &REQUEST)
}

/// OTLP/JSON to protobuf bytes of `ExportLogsServiceRequest`.
///
/// # Errors
/// As [`request_from_json`].
pub fn logs_from_json(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    read(json, &LOGS_REQUEST)
}

fn read(json: &[u8], message: &'static Message) -> Result<Vec<u8>, JsonError> {
    let mut out = Writer {
        out: Vec::with_capacity(json.len() / 2),
        path: Vec::new(),
        depth: 0,
    };
    let mut parser = serde_json::Deserializer::from_slice(json);
    let read = InMessage {
        message,
        to: &mut out,
    }
    .deserialize(&mut parser)
    .and_then(|()| parser.end());
    match read {
        Ok(()) => Ok(out.out),
        Err(error) => Err(out.error(&error)),
    }
}

#[derive(Clone, Copy)]
enum Step {
    Field(&'static str),
    Item(usize),
}

struct Writer {
    out: Vec<u8>,
    path: Vec<Step>,
    depth: usize,
}

impl Writer {
    fn error(&self, error: &serde_json::Error) -> JsonError {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        JsonError(if path.is_empty() {
            error.to_string()
        } else {
            format!("{path}: {error}")
        })
    }

    fn tag(&mut self, field: &Field) {
        self.varint(u64::from(field.number << 3 | field.kind.wire_type()));
    }

    fn varint(&mut self, value: u64) {
        prost::encoding::encode_varint(value, &mut self.out);
    }

    fn bytes(&mut self, field: &Field, bytes: &[u8]) {
        self.tag(field);
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Begins a length-delimited field; the place goes to [`Writer::end`].
    fn begin(&mut self, field: &Field) -> usize {
        debug_assert_eq!(field.kind.wire_type(), LEN);
        self.tag(field);
        self.out.push(0);
        self.out.len()
    }

    fn end(&mut self, begin: usize) {
        let len = self.out.len().saturating_sub(begin) as u64;
        let mut encoded = [0; 10];
        let mut rest = &mut encoded[..];
        prost::encoding::encode_varint(len, &mut rest);
        let unused = rest.len();
        let encoded = &encoded[..10 - unused];
        self.out.splice(begin - 1..begin, encoded.iter().copied());
    }
}

/// Reads an object into the fields of `message`; `null` reads as `{}`.
struct InMessage<'a> {
    message: &'static Message,
    to: &'a mut Writer,
}

impl<'de> DeserializeSeed<'de> for InMessage<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.to.depth > MAX_DEPTH {
            return Err(D::Error::custom(format_args!(
                "nested deeper than {MAX_DEPTH} messages"
            )));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for InMessage<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    // Reached from arrays only: a field that is null is absent.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if std::ptr::eq(self.message, &ANY_VALUE) {
            Ok(())
        } else {
            Err(E::invalid_type(Unexpected::Unit, &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { message, to } = self;
        let mut seen = 0_u32;
        let mut has_kind = false;
        while let Some(found) = map.next_key_seed(Name(message))? {
            let Some((index, field)) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            to.path.push(Step::Field(field.name));
            if seen & 1 << index != 0 {
                return Err(A::Error::custom("given twice"));
            }
            seen |= 1 << index;
            let before = to.out.len();
            map.next_value_seed(InField {
                field,
                to: &mut *to,
            })?;
            if field.label == Label::OneOf && to.out.len() > before {
                if has_kind {
                    return Err(A::Error::custom("a second kind of value beside the first"));
                }
                has_kind = true;
            }
            to.path.pop();
        }
        Ok(())
    }
}

/// Finds a field by its JSON or protobuf name.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<(usize, &'static Field)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(usize, &'static Field)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        let fields = self.0.fields.iter().enumerate();
        Ok(fields
            .into_iter()
            .find(|(_, f)| f.name.as_bytes() == name || f.proto_name.as_bytes() == name))
    }
}

/// Reads a field's value: `null`, an array where the field repeats, or one value.
struct InField<'a> {
    field: &'static Field,
    to: &'a mut Writer,
}

impl<'de> DeserializeSeed<'de> for InField<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // `deserialize_option` hands `null` to `visit_unit`/`visit_none` and
        // all else to `visit_some`.
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for InField<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, to } = self;
        match field.label {
            Label::Many => deserializer.deserialize_any(Items { field, to }),
            Label::One | Label::OneOf => One { field, to }.deserialize(deserializer),
        }
    }
}

struct Items<'a> {
    field: &'static Field,
    to: &'a mut Writer,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { field, to } = self;
        for index in 0.. {
            to.path.push(Step::Item(index));
            let item = seq.next_element_seed(One {
                field,
                to: &mut *to,
            })?;
            to.path.pop();
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Reads one value of a field's type, tag included.
struct One<'a> {
    field: &'static Field,
    to: &'a mut Writer,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, to } = self;
        if let Kind::Message(message) = field.kind {
            let begin = to.begin(field);
            to.depth += 1;
            InMessage {
                message,
                to: &mut *to,
            }
            .deserialize(deserializer)?;
            to.depth -= 1;
            to.end(begin);
            return Ok(());
        }
        match field.kind {
            // As bytes, the parser does not insist on Unicode.
            Kind::Text => deserializer.deserialize_bytes(Scalar { field, to }),
            _ => deserializer.deserialize_any(Scalar { field, to }),
        }
    }
}

/// Reads a scalar from whatever JSON shows it as.
struct Scalar<'a> {
    field: &'static Field,
    to: &'a mut Writer,
}

impl Scalar<'_> {
    /// Whether the value must be written although it is the default.
    fn explicit(&self) -> bool {
        self.field.label != Label::One
    }

    fn bytes(self, bytes: &[u8]) {
        if self.explicit() || !bytes.is_empty() {
            self.to.bytes(self.field, bytes);
        }
    }

    fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        let range = match self.field.kind {
            Kind::U32 | Kind::Fixed32 => 0..=i128::from(u32::MAX),
            Kind::I32 | Kind::Enum(_) => i128::from(i32::MIN)..=i128::from(i32::MAX),
            Kind::I64 => i128::from(i64::MIN)..=i128::from(i64::MAX),
            Kind::Fixed64 => 0..=i128::from(u64::MAX),
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
        self.to.tag(self.field);
        match self.field.kind {
            // Both casts keep the value: the range has been checked.
            Kind::Fixed32 => self.to.out.extend_from_slice(&(value as u32).to_le_bytes()),
            Kind::Fixed64 => self.to.out.extend_from_slice(&(value as u64).to_le_bytes()),
            // Negative varints are sign-extended to 64 bits.
            _ => self.to.varint(value as u64),
        }
        Ok(())
    }

    fn double(self, value: f64) {
        if self.explicit() || value.to_bits() != 0 {
            self.to.tag(self.field);
            self.to.out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.field.kind {
            Kind::Text => "a string",
            Kind::Hex => "a string of hexadecimal digits",
            Kind::Base64 => "a base64 string",
            Kind::Bool => "true or false",
            Kind::U32 | Kind::Fixed32 => "an integer from 0 to 4294967295",
            Kind::I32 => "a 32-bit integer",
            Kind::I64 => "a 64-bit integer or a decimal string of one",
            Kind::Fixed64 => "an unsigned 64-bit integer or a decimal string of one",
            Kind::Double => "a number",
            Kind::Enum(_) => "an enum's integer or name",
            Kind::Message(_) => "an object",
        })
    }
}

impl Visitor<'_> for Scalar<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(E::invalid_type(Unexpected::Bool(value), &self));
        }
        if value || self.explicit() {
            self.to.tag(self.field);
            self.to.varint(u64::from(value));
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
            Kind::Bool | Kind::Message(_) => {
                return Err(E::invalid_type(Unexpected::Str(text), &self));
            }
            Kind::Enum(names) if names.contains(&text) => {
                let value = names
                    .iter()
                    .position(|name| *name == text)
                    .unwrap_or_default();
                return self.integer(value as i128);
            }
            Kind::U32 | Kind::I32 | Kind::I64 | Kind::Fixed32 | Kind::Fixed64 | Kind::Enum(_) => {
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
