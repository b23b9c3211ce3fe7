/*!
What converters give: each family of functions is a module.
*/

mod base64;
mod calendar;
mod case;
mod cidr;
mod collection;
mod encoding;
mod format;
mod key_value;
mod map_builder;
mod murmur3;
mod parse_json;
mod parser;
mod strptime;
mod text;
mod times;
mod types;
mod url;

pub(super) use base64::Decoder;
pub(super) use cidr::Network;
pub(super) use map_builder::MapBuilder;
pub(super) use strptime::{check_format, check_location};

use super::{
    Arena, EvalError,
    calls::{Family, Function},
    compile::expression::Call,
    given::Given,
    value::Value,
};
use crate::regexp::Pattern;
use std::borrow::Cow;

/// The function is one of another family than is asked.
const OTHER: EvalError = EvalError::new("the function is no converter");

/// Calls a converter.
pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    match call.function.family {
        Family::Type => types::call(call, with),
        Family::Text => text::call(call, with),
        Family::Encoding => encoding::call(call, with),
        Family::Collection => collection::call(call, with),
        Family::Parser => parser::call(call, with),
        Family::Time => times::call(call, with),
        Family::Editor => Err(OTHER),
    }
}

/// Calls a converter of one string, which may be given by its name.
pub(super) fn one_string<'v>(
    function: &Function,
    text: &'v str,
    arena: &'v Arena,
) -> Result<Value<'v>, EvalError> {
    match function.family {
        Family::Text => text::one_string(function.is, text, arena),
        Family::Encoding => encoding::one_string(function.is, text, arena),
        Family::Parser => parser::one_string(function.is, text, arena),
        _ => Err(OTHER),
    }
}

/// The pattern of a call: the literal's, else that of `text`.
pub(super) fn pattern<'p, 't>(
    call: &'p Call,
    text: impl FnOnce() -> Result<&'t str, EvalError>,
) -> Result<Cow<'p, Pattern>, EvalError> {
    match &call.pattern {
        Some(pattern) => Ok(Cow::Borrowed(pattern)),
        None => {
            let pattern = Pattern::new(text()?);
            pattern.map(Cow::Owned).map_err(EvalError::says)
        }
    }
}
