/*! The fields of messages: their numbers, and what their values are. */

use crate::{
    ottl::{EvalError, paths::Owner, record::Record},
    pdata::wire::{WireFields, WireValue},
};

/// Field numbers of `Span`.
pub(in crate::ottl) mod span {
    pub(in crate::ottl) const TRACE_ID: u32 = 1;
    pub(in crate::ottl) const SPAN_ID: u32 = 2;
    pub(in crate::ottl) const TRACE_STATE: u32 = 3;
    pub(in crate::ottl) const PARENT_SPAN_ID: u32 = 4;
    pub(in crate::ottl) const NAME: u32 = 5;
    pub(in crate::ottl) const KIND: u32 = 6;
    pub(in crate::ottl) const START: u32 = 7;
    pub(in crate::ottl) const END: u32 = 8;
    pub(in crate::ottl) const DROPPED_ATTRIBUTES: u32 = 10;
    pub(in crate::ottl) const EVENTS: u32 = 11;
    pub(in crate::ottl) const DROPPED_EVENTS: u32 = 12;
    pub(in crate::ottl) const LINKS: u32 = 13;
    pub(in crate::ottl) const DROPPED_LINKS: u32 = 14;
    pub(in crate::ottl) const STATUS: u32 = 15;
    pub(in crate::ottl) const FLAGS: u32 = 16;
}

const KINDS: [(&str, &str); 6] = [
    ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
    ("Internal", "SPAN_KIND_INTERNAL"),
    ("Server", "SPAN_KIND_SERVER"),
    ("Client", "SPAN_KIND_CLIENT"),
    ("Producer", "SPAN_KIND_PRODUCER"),
    ("Consumer", "SPAN_KIND_CONSUMER"),
];

pub(super) fn dropped_attributes(owner: Owner) -> u32 {
    match owner {
        Owner::Resource => 2,
        Owner::Scope | Owner::Event => 4,
        Owner::Span => span::DROPPED_ATTRIBUTES,
    }
}

pub(super) fn name_field(owner: Owner) -> u32 {
    match owner {
        Owner::Scope => 1,
        Owner::Event => 2,
        Owner::Resource | Owner::Span => span::NAME,
    }
}

pub(super) fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// Protobuf has no parent where the id is zero.
pub(super) fn no_zero(id: &[u8]) -> &[u8] {
    match id.iter().all(|byte| *byte == 0) {
        true => &[],
        false => id,
    }
}

/// Reads an id in hex.
pub(in crate::ottl) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], EvalError> {
    let wrong = EvalError::new("an id must be in hex, with two digits for each of its bytes");
    let digits = text.as_bytes();
    let mut id = [0; N];
    if digits.len() != 2 * N {
        return Err(wrong);
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16).ok_or(wrong.clone())?;
            *byte = *byte << 4 | value as u8;
        }
    }
    Ok(id)
}

pub(super) fn kind(number: u64) -> Option<&'static (&'static str, &'static str)> {
    KINDS.get(usize::try_from(number).ok()?)
}

pub(super) fn parse_kind(
    text: &str,
    word: impl Fn(&(&'static str, &'static str)) -> &'static str,
) -> Result<u64, EvalError> {
    let position = KINDS.iter().position(|kind| word(kind) == text);
    let position = position.ok_or(EvalError::new("the kind of a span has no such name"))?;
    Ok(position as u64)
}

/// Code and message of the status.
pub(super) fn status(span: &Record) -> (i32, &[u8]) {
    let (mut code, mut message) = (0, &[][..]);
    for field in WireFields::new(span.bytes(span::STATUS)) {
        match (field.number, field.value) {
            (2, WireValue::Len(text)) => message = text,
            (3, WireValue::Varint(n)) => code = n as i32,
            _ => {}
        }
    }
    (code, message)
}
