/*!
JSON in, protobuf out, in one pass of serde_json's parser.

Each message is written where it belongs in the output, behind one byte kept for
its length; a longer length moves the message up by a few bytes once it is
complete. The path to the value at hand is a stack beside the parser, left
standing when an error unwinds, so that the error can name it.
*/

use super::{
    error::{JsonError, MAX_DEPTH},
    scalar::{JsonScalar, is_packable},
};
use crate::pdata::{
    schema::{SchemaField, SchemaKind, SchemaLabel, SchemaMessage},
    signal::Signal,
    wire::{self, WireType},
};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use std::fmt;

/// Turns OTLP/JSON into the protobuf bytes of the signal's request.
///
/// # Errors
/// Invalid JSON or a value that does not fit the field; see [`JsonError`].
pub fn request_from_json(signal: Signal, json: &[u8]) -> Result<Vec<u8>, JsonError> {
    request_from_json_within(signal, json, usize::MAX)
}

/// Does the same for a request that may have `most` bytes in protobuf. (A number
/// of one digit is eight bytes there.)
///
/// # Errors
/// As above, and when there are more.
pub fn request_from_json_within(
    signal: Signal,
    json: &[u8],
    most: usize,
) -> Result<Vec<u8>, JsonError> {
    let mut to = JsonReader {
        out: Vec::with_capacity((json.len() / 2).min(most)),
        most,
        path: Vec::new(),
        depth: 0,
    };
    let mut parser = serde_json::Deserializer::from_slice(json);
    let read = InMessage {
        message: SchemaMessage::request(signal),
        to: &mut to,
    }
    .deserialize(&mut parser)
    .and_then(|()| parser.end());
    match read {
        Ok(()) => Ok(to.out),
        Err(error) => Err(to.error(&error)),
    }
}

#[derive(Clone, Copy)]
enum PathStep {
    Field(&'static str),
    Item(usize),
}

/// The output so far, and where in the input the parser is.
struct JsonReader {
    out: Vec<u8>,
    /// How long the output may become.
    most: usize,
    path: Vec<PathStep>,
    depth: usize,
}

impl JsonReader {
    fn error(&self, error: &serde_json::Error) -> JsonError {
        let mut path = String::new();
        for step in &self.path {
            match step {
                PathStep::Field(name) if path.is_empty() => path.push_str(name),
                PathStep::Field(name) => path.extend([".", name]),
                PathStep::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        JsonError(if path.is_empty() {
            error.to_string()
        } else {
            format!("{path}: {error}")
        })
    }

    /// Begins a length-delimited field; the place goes to [`JsonReader::end`].
    fn begin(&mut self, field: &SchemaField) -> usize {
        wire::put_tag(field.number, WireType::Len, &mut self.out);
        self.out.push(0);
        self.out.len() - 1
    }

    fn end(&mut self, begin: usize) {
        wire::close_len(begin, 1, &mut self.out);
    }
}

/// Reads an object into the fields of `message`; `null` reads as `{}`.
struct InMessage<'a> {
    message: SchemaMessage,
    to: &'a mut JsonReader,
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
        if self.message == SchemaMessage::AnyValue {
            Ok(())
        } else {
            Err(E::invalid_type(Unexpected::Unit, &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { message, to } = self;
        let mut seen = 0_u32;
        let mut has_kind = false;
        while let Some(found) = map.next_key_seed(FieldName(message))? {
            let Some((index, field)) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            to.path.push(PathStep::Field(field.json_name));
            if seen & 1 << index != 0 {
                return Err(A::Error::custom("given twice"));
            }
            seen |= 1 << index;
            let before = to.out.len();
            map.next_value_seed(InField {
                field,
                to: &mut *to,
            })?;
            if field.label == SchemaLabel::OneOf && to.out.len() > before {
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
struct FieldName(SchemaMessage);

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Option<(usize, &'static SchemaField)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Option<(usize, &'static SchemaField)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        let mut fields = self.0.fields().iter().enumerate();
        Ok(fields.find(|(_, f)| f.json_name.as_bytes() == name || f.name.as_bytes() == name))
    }
}

/// Reads a field's value: `null`, an array where the field repeats, or one value.
struct InField<'a> {
    field: &'static SchemaField,
    to: &'a mut JsonReader,
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
            SchemaLabel::Many => deserializer.deserialize_any(InArray { field, to }),
            _ => InValue { field, to }.deserialize(deserializer),
        }
    }
}

struct InArray<'a> {
    field: &'static SchemaField,
    to: &'a mut JsonReader,
}

impl<'de> Visitor<'de> for InArray<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { field, to } = self;
        // Numbers stand in one length-delimited field, without tags of their own.
        let packed = is_packable(field.kind).then(|| (to.out.len(), to.begin(field)));
        let mut count = 0;
        loop {
            to.path.push(PathStep::Item(count));
            let item = seq.next_element_seed(InValue {
                field,
                to: &mut *to,
            })?;
            to.path.pop();
            if item.is_none() {
                break;
            }
            count += 1;
        }
        match packed {
            Some((before, _)) if count == 0 => to.out.truncate(before),
            Some((_, begin)) => to.end(begin),
            None => {}
        }
        Ok(())
    }
}

/// Reads one value of a field's type, tag included.
struct InValue<'a> {
    field: &'static SchemaField,
    to: &'a mut JsonReader,
}

impl<'de> DeserializeSeed<'de> for InValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, to } = self;
        if to.out.len() > to.most {
            return Err(D::Error::custom(format_args!(
                "the request has more than {} bytes in protobuf",
                to.most
            )));
        }
        if let SchemaKind::Nested(message) = field.kind {
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
        let scalar = JsonScalar {
            field,
            out: &mut to.out,
        };
        match field.kind {
            // As bytes, the parser does not insist on Unicode.
            SchemaKind::Text => deserializer.deserialize_bytes(scalar),
            _ => deserializer.deserialize_any(scalar),
        }
    }
}
