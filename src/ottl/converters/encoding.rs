/*! Hashes, and bytes as text and back. */

use super::{
    OTHER,
    base64::{self, Decoder},
    murmur3,
};
use crate::ottl::{
    Arena, EvalError,
    calls::Called,
    compile::expression::Call,
    given::Given,
    state::parse_hex,
    value::{Value, text_of},
};
use ::base64::Engine;
use md5::{Digest, Md5};
use ring::digest;

pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let arena = with.arena;
    let bytes = || -> Result<&[u8], EvalError> {
        let bytes = with.required(call, 0)?.bytes_like(arena)?;
        Ok(bytes.unwrap_or_default())
    };
    Ok(match call.function.is {
        Called::Hex => hex(bytes()?, arena)?,
        Called::TraceId => Value::TraceId(id(bytes()?)?),
        Called::SpanId => Value::SpanId(id(bytes()?)?),
        Called::Base64Encode => {
            let text = with.string(call, 0)?;
            let variant = with
                .argument(call, 1)?
                .map_or(Ok("base64"), Value::string)?;
            let engine = base64::engine(variant);
            let engine = engine.ok_or(EvalError::new("there is no such variant of base64"))?;
            Value::Str(arena.build_text(|out| {
                engine.encode_string(text, out);
                Ok(())
            })?)
        }
        Called::Decode => {
            let value = with.required(call, 0)?;
            let decoder = Decoder::named(with.string(call, 1)?);
            let decoder = decoder.ok_or(EvalError::new("there is no such encoding"))?;
            let bytes = match value {
                Value::Str(text) => text.as_bytes(),
                Value::Bytes(bytes) => bytes,
                _ => return Err(EvalError::new("only strings and bytes can be decoded")),
            };
            Value::Str(arena.text(&decoder.decode(bytes)?)?)
        }
        called => return one_string(called, with.string(call, 0)?, arena),
    })
}

/// Converters of nothing but one string.
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
            let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
            Ok(Value::Int(hash as i64))
        }
        Called::Murmur3Hash => hex(&murmur3::hash32(text.as_bytes()).to_le_bytes(), arena),
        Called::Murmur3Hash128 => hex(&murmur3::hash128(text.as_bytes()).to_le_bytes(), arena),
        Called::Base64Decode => {
            let decoder = Decoder::named("base64").ok_or(OTHER)?;
            let text = decoder.decode(text.as_bytes())?;
            Ok(Value::Str(arena.text(&text)?))
        }
        _ => Err(OTHER),
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
        Err(_) => parse_hex(text_of(bytes)),
    }
}
