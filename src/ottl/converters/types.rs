/*! What type a value is of, values as those of another type, and the few that need no argument. */

use super::OTHER;
use crate::{
    ottl::{EvalError, calls::Called, compile::expression::Call, given::Given, value::Value},
    random::{self, rng},
};
use rand::Rng as _;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let first = || with.required(call, 0);
    Ok(match call.function.is {
        Called::IsString => is(first()?.string())?,
        Called::IsMap => is(first()?.map())?,
        Called::IsInt => is(first()?.int())?,
        Called::IsDouble => is(first()?.double())?,
        Called::IsBool => is(first()?.bool())?,
        Called::IsList => Value::Bool(matches!(first()?, Value::List(_) | Value::Messages(..))),
        Called::IsRootSpan => Value::Bool(with.state.is_root()),
        Called::String => match first()?.string_like(with.arena)? {
            Some(text) => Value::Str(text),
            None => Value::Nil,
        },
        Called::Int => first()?.int_like()?.map_or(Value::Nil, Value::Int),
        Called::Double => first()?.double_like()?.map_or(Value::Nil, Value::Double),
        Called::Bool => first()?.bool_like()?.map_or(Value::Nil, Value::Bool),
        Called::Log => match first()?.double_like()? {
            Some(n) if n > 0.0 || n.is_nan() => Value::Double(n.ln()),
            _ => return Err(EvalError::new("only positive numbers have a logarithm")),
        },
        Called::Coalesce => {
            for value in with.values(call, 0) {
                let value = (with.value)(value)?;
                if !value.is_nil() {
                    return Ok(value);
                }
            }
            Value::Nil
        }
        Called::Uuid => uuid(4, rng().random(), with)?,
        Called::UuidV7 => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let millis = now.map_or(0, |now| now.as_millis());
            // 48 bits of time in front of what is random.
            let random = rng().random::<u128>() & (u128::MAX >> 48);
            uuid(7, millis << 80 | random, with)?
        }
        _ => return Err(OTHER),
    })
}

/// Whether a value has a type; another error than that is one.
fn is<'v, T>(result: Result<T, EvalError>) -> Result<Value<'v>, EvalError> {
    match result {
        Ok(_) => Ok(Value::Bool(true)),
        Err(error) if error.is_type => Ok(Value::Bool(false)),
        Err(error) => Err(error),
    }
}

/// These bits as a UUID of a version.
fn uuid<'v>(version: u128, bits: u128, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let uuid = random::uuid(version, bits);
    Ok(Value::Str(with.arena.text(&uuid)?))
}
