/*! What converters give. */

mod case;
mod parse_json;
mod text;
mod times;

use super::{
    Arena, EvalError,
    calls::Called,
    compile::expression::{Argument, Call},
    given::Given,
    grammar::CompareOp,
    state::parse_hex,
    value::{Value, compare, elements, entries, put_entry},
};
use crate::regexp::Pattern;
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use ring::digest;
use std::borrow::Cow;

/// Calls a converter.
pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let arena = with.arena;
    let int = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    Ok(match call.function.is {
        Called::IsMatch => {
            let pattern = pattern(call, || with.string(call, 1))?;
            match with.required(call, 0)?.string_like(arena)? {
                Some(text) => Value::Bool(pattern.is_match(text)),
                None => Value::Bool(false),
            }
        }
        Called::IsString => is(with.required(call, 0)?.string())?,
        Called::IsMap => is(with.required(call, 0)?.map())?,
        Called::IsInt => is(with.required(call, 0)?.int())?,
        Called::IsDouble => is(with.required(call, 0)?.double())?,
        Called::IsBool => is(with.required(call, 0)?.bool())?,
        Called::IsList => Value::Bool(matches!(
            with.required(call, 0)?,
            Value::List(_) | Value::Messages(..)
        )),
        Called::IsRootSpan => Value::Bool(with.state.is_root()),
        Called::String => match with.required(call, 0)?.string_like(arena)? {
            Some(text) => Value::Str(text),
            None => Value::Nil,
        },
        Called::Int => with
            .required(call, 0)?
            .int_like()?
            .map_or(Value::Nil, Value::Int),
        Called::Double => with
            .required(call, 0)?
            .double_like()?
            .map_or(Value::Nil, Value::Double),
        Called::Bool => with
            .required(call, 0)?
            .bool_like()?
            .map_or(Value::Nil, Value::Bool),
        Called::Len => match with.required(call, 0)? {
            Value::Str(text) => int(text.len()),
            Value::Bytes(bytes) => int(bytes.len()),
            Value::List(list) => int(elements(list).count()),
            Value::Map(map) => int(entries(map).count()),
            Value::Attributes(record) => int(record.len()),
            Value::Messages(record, number) => int(record.fields(number).count()),
            _ => return Err(EvalError::new("a value of this type has no length")),
        },
        Called::Index => match (with.required(call, 0)?, with.required(call, 1)?) {
            (Value::Str(text), Value::Str(part)) => text.find(part).map_or(Value::Int(-1), int),
            (Value::Str(_), _) => return Err(EvalError::new("the value must be a string")),
            (list, value) => {
                let mut elements = elements(list.list()?);
                let is_it = |element| compare(Value::of(element), CompareOp::Eq, value);
                elements.position(is_it).map_or(Value::Int(-1), int)
            }
        },
        Called::ContainsValue => {
            let (list, value) = (with.required(call, 0)?.list()?, with.required(call, 1)?);
            let is_it = |element| compare(Value::of(element), CompareOp::Eq, value);
            Value::Bool(elements(list).any(is_it))
        }
        Called::Coalesce => {
            let Some(Some(Argument::List(values))) = call.arguments.first() else {
                return Ok(Value::Nil);
            };
            for value in values {
                let value = (with.value)(value)?;
                if !value.is_nil() {
                    return Ok(value);
                }
            }
            Value::Nil
        }
        Called::Sha1 | Called::Sha256 | Called::Sha512 | Called::Md5 | Called::Fnv => {
            return one_string(call.function.is, with.string(call, 0)?, arena);
        }
        Called::Hex => {
            let bytes = with
                .required(call, 0)?
                .bytes_like(arena)?
                .unwrap_or_default();
            hex(bytes, arena)?
        }
        Called::Base64Encode => {
            let text = with.string(call, 0)?;
            Value::Str(arena.build_text(|out| {
                STANDARD.encode_string(text, out);
                Ok(())
            })?)
        }
        Called::Base64Decode => {
            let text = with.string(call, 0)?;
            let decoded = STANDARD
                .decode(text)
                .map_err(|_| EvalError::new("the string is not base64"))?;
            Value::Str(arena.text(&String::from_utf8_lossy(&decoded))?)
        }
        Called::TraceId => {
            let bytes = with
                .required(call, 0)?
                .bytes_like(arena)?
                .unwrap_or_default();
            Value::TraceId(id(bytes)?)
        }
        Called::SpanId => {
            let bytes = with
                .required(call, 0)?
                .bytes_like(arena)?
                .unwrap_or_default();
            Value::SpanId(id(bytes)?)
        }
        Called::ParseJson => parse_json::parse(with.string(call, 0)?, arena)?,
        Called::ExtractPatterns => extract(call, with)?,
        Called::ConvertCase
        | Called::ToLowerCase
        | Called::ToUpperCase
        | Called::ToSnakeCase
        | Called::ToCamelCase
        | Called::Concat
        | Called::Split
        | Called::Substring
        | Called::HasPrefix
        | Called::HasSuffix
        | Called::Trim
        | Called::TrimPrefix
        | Called::TrimSuffix => return text::call(call, with),
        _ => return times::call(call, with),
    })
}

/// Calls a converter of one string, which may be given by its name.
pub(super) fn one_string<'v>(
    called: Called,
    text: &'v str,
    arena: &'v Arena,
) -> Result<Value<'v>, EvalError> {
    let sha = |algorithm| hex(digest::digest(algorithm, text.as_bytes()).as_ref(), arena);
    match called {
        Called::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        Called::Sha256 => sha(&digest::SHA256),
        Called::Sha512 => sha(&digest::SHA512),
        Called::Md5 => hex(&Md5::digest(text), arena),
        Called::Fnv => {
            let step =
                |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            Ok(Value::Int(
                text.bytes().fold(0xcbf2_9ce4_8422_2325, step) as i64
            ))
        }
        Called::ParseJson => parse_json::parse(text, arena),
        called => text::one_string(called, text, arena),
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

/// Whether a value has a type; another error than that is one.
fn is<'v, T>(result: Result<T, EvalError>) -> Result<Value<'v>, EvalError> {
    match result {
        Ok(_) => Ok(Value::Bool(true)),
        Err(error) if error.is_type => Ok(Value::Bool(false)),
        Err(error) => Err(error),
    }
}

fn hex<'v>(bytes: &[u8], arena: &'v Arena) -> Result<Value<'v>, EvalError> {
    arena.charge(bytes.len())?;
    arena.hex(bytes).map(Value::Str)
}

/// An id as bytes, or as its digits in hex.
fn id<const N: usize>(bytes: &[u8]) -> Result<[u8; N], EvalError> {
    match bytes.try_into() {
        Ok(id) => Ok(id),
        Err(_) => parse_hex(super::value::text_of(bytes)),
    }
}

fn extract<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let pattern = pattern(call, || with.string(call, 1))?;
    if pattern.groups().iter().all(String::is_empty) {
        return Err(EvalError::new("the pattern has no group with a name"));
    }
    let text = with.string(call, 0)?;
    let Some(found) = pattern.regex().captures(text) else {
        return Ok(Value::Map(&[]));
    };
    let map = with.arena.build(|out| {
        for (i, name) in pattern
            .groups()
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
        {
            let text = found.get(i + 1).map_or("", |group| group.as_str());
            let value = with.arena.build(|out| Value::Str(text).encode(out))?;
            put_entry(name.as_bytes(), value, out);
        }
        Ok(())
    })?;
    Ok(Value::Map(map))
}
