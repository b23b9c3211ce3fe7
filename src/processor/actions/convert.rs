/*! Values turned into another type. */

use crate::{
    config::Word,
    pdata::{
        AnyValue, AttributeList,
        number::{parse_float, truncate},
        text::put_text,
    },
};

/// What a value may be turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Int,
    Double,
}

impl Word for Type {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("string", Self::Text),
        ("int", Self::Int),
        ("double", Self::Double),
    ];
}

impl Type {
    /// The type as a file has it.
    pub(super) fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, value)| *value == self);
        found.map_or("", |(word, _)| word)
    }
}

/// Turns the value at a position into another type. One that cannot be stays. `text` is
/// scratch.
pub(super) fn convert(list: &mut AttributeList<'_>, at: usize, to: Type, text: &mut String) {
    let value = match (to, list.value(at)) {
        (Type::Text, AnyValue::String(_)) => return,
        (Type::Text, value) => {
            text.clear();
            put_text(value, text);
            list.text(text)
        }
        (Type::Int, AnyValue::Double(value)) => list.int(truncate(value)),
        (Type::Int, AnyValue::Bool(value)) => list.int(i64::from(value)),
        (Type::Int, AnyValue::String(text)) => match text.parse() {
            Ok(value) => list.int(value),
            Err(_) => return,
        },
        (Type::Double, AnyValue::Int(value)) => list.double(value as f64),
        (Type::Double, AnyValue::Bool(value)) => list.double(f64::from(u8::from(value))),
        (Type::Double, AnyValue::String(text)) => match parse_float(text) {
            Some(value) => list.double(value),
            None => return,
        },
        (Type::Int | Type::Double, _) => return,
    };
    list.set(at, value);
}
