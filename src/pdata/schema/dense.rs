/*!
The schema as the walk reads it: a row of small entries for each message, by
field number.

A look-up is one load; names, which only errors and JSON want, are elsewhere.
*/

use super::{
    table::SCHEMA,
    types::{SchemaField, SchemaKind, SchemaLabel, SchemaMessage},
};
use crate::pdata::wire::WireType;

/// Field numbers of a row: the largest known one is 16.
const WIDTH: usize = 17;

/// What a field is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenseKind {
    /// Nobody knows the field.
    Unknown,
    /// Any integer, bool or enumeration.
    Varint,
    /// `fixed64`, `sfixed64` or `double`.
    Fixed64,
    /// `fixed32`.
    Fixed32,
    /// `bytes`.
    Bytes,
    /// `string`, UTF-8.
    Text,
    /// A message.
    Message(SchemaMessage),
}

/// A field as the walk knows it.
#[derive(Clone, Copy, Debug)]
pub struct DenseField {
    /// What it is on the wire.
    pub kind: DenseKind,
    /// The field's bit among the singular fields of its message; none where it
    /// may be repeated. The variants of a oneof exclude each other, so they
    /// share the lowest bit.
    pub(crate) bit: u32,
}

/// The bit of all variants of a oneof.
const ONE_OF: u32 = 1;

static ROWS: [[DenseField; WIDTH]; SchemaMessage::COUNT] = rows();

const UNKNOWN: DenseField = DenseField {
    kind: DenseKind::Unknown,
    bit: 0,
};

/// The field `number` of `message`.
#[inline(always)]
pub fn field(message: SchemaMessage, number: u32) -> DenseField {
    match ROWS[message as usize].get(number as usize) {
        Some(field) => *field,
        None => UNKNOWN,
    }
}

impl DenseField {
    /// Whether the field may occur any number of times.
    pub const fn is_repeated(self) -> bool {
        self.bit == 0
    }

    /// Whether the field is a variant of a oneof.
    pub const fn is_variant(self) -> bool {
        self.bit == ONE_OF
    }
}

impl DenseKind {
    /// The wire type of one value.
    #[inline(always)]
    pub const fn wire(self) -> WireType {
        match self {
            Self::Varint => WireType::Varint,
            Self::Fixed64 => WireType::Fixed64,
            Self::Fixed32 => WireType::Fixed32,
            Self::Bytes | Self::Text | Self::Message(_) | Self::Unknown => WireType::Len,
        }
    }
}

const fn rows() -> [[DenseField; WIDTH]; SchemaMessage::COUNT] {
    let mut rows = [[UNKNOWN; WIDTH]; SchemaMessage::COUNT];
    let mut message = 0;
    while message < SCHEMA.len() {
        let fields = SCHEMA[message].fields;
        let mut at = 0;
        while at < fields.len() {
            rows[message][fields[at].number as usize] = dense(&fields[at]);
            at += 1;
        }
        message += 1;
    }
    rows
}

const fn dense(field: &SchemaField) -> DenseField {
    DenseField {
        kind: match field.kind {
            SchemaKind::Text => DenseKind::Text,
            SchemaKind::Nested(message) => DenseKind::Message(message),
            other => match other.wire() {
                WireType::Varint => DenseKind::Varint,
                WireType::Fixed64 => DenseKind::Fixed64,
                WireType::Fixed32 => DenseKind::Fixed32,
                _ => DenseKind::Bytes,
            },
        },
        bit: match field.label {
            SchemaLabel::Many => 0,
            SchemaLabel::OneOf => ONE_OF,
            SchemaLabel::One | SchemaLabel::Optional => 1 << field.number,
        },
    }
}
