/*! From values to what a parameter wants. */

use super::{Time, Value, json};
use crate::{
    ottl::{Arena, EvalError},
    pdata::number::{parse_float, truncate},
};

macro_rules! wrong_type {
    ($expected:literal, $value:expr) => {
        match $value {
            Value::Nil => EvalError::of_type(concat!("expected ", $expected, ", found nil")),
            _ => EvalError::of_type(concat!("expected ", $expected, ", found another type")),
        }
    };
}

impl<'v> Value<'v> {
    pub(in crate::ottl) fn string(self) -> Result<&'v str, EvalError> {
        match self {
            Self::Str(text) => Ok(text),
            other => Err(wrong_type!("a string", other)),
        }
    }

    pub(in crate::ottl) fn int(self) -> Result<i64, EvalError> {
        match self {
            Self::Int(n) => Ok(n),
            other => Err(wrong_type!("an integer", other)),
        }
    }

    pub(in crate::ottl) fn double(self) -> Result<f64, EvalError> {
        match self {
            Self::Double(n) => Ok(n),
            other => Err(wrong_type!("a double", other)),
        }
    }

    pub(in crate::ottl) fn bool(self) -> Result<bool, EvalError> {
        match self {
            Self::Bool(b) => Ok(b),
            other => Err(wrong_type!("a boolean", other)),
        }
    }

    pub(in crate::ottl) fn map(self) -> Result<Self, EvalError> {
        match self {
            Self::Map(_) | Self::Attributes(_) => Ok(self),
            other => Err(wrong_type!("a map", other)),
        }
    }

    /// The payload of a list.
    pub(in crate::ottl) fn list(self) -> Result<&'v [u8], EvalError> {
        match self {
            Self::List(list) => Ok(list),
            other => Err(wrong_type!("a list", other)),
        }
    }

    pub(in crate::ottl) fn time(self) -> Result<Time, EvalError> {
        match self {
            Self::Time(time) => Ok(time),
            other => Err(wrong_type!("a time", other)),
        }
    }

    pub(in crate::ottl) fn duration(self) -> Result<i64, EvalError> {
        match self {
            Self::Duration(n) => Ok(n),
            other => Err(wrong_type!("a duration", other)),
        }
    }

    /// Any value as text: bytes in hex, lists and maps as JSON. None: nil.
    pub(in crate::ottl) fn string_like(
        self,
        arena: &'v Arena,
    ) -> Result<Option<&'v str>, EvalError> {
        let text = match self {
            Self::Nil => return Ok(None),
            Self::Str(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Bytes(bytes) => {
                arena.charge(bytes.len())?;
                arena.hex(bytes)?
            }
            other => arena.build_text(|out| json::write(other, out))?,
        };
        Ok(Some(text))
    }

    pub(in crate::ottl) fn int_like(self) -> Result<Option<i64>, EvalError> {
        Ok(match self {
            Self::Nil => None,
            Self::Int(n) => Some(n),
            Self::Double(n) => Some(truncate(n)),
            Self::Bool(b) => Some(i64::from(b)),
            // What is no number is nil, and no error.
            Self::Str(text) => text.parse().ok(),
            other => return Err(wrong_type!("a number", other)),
        })
    }

    pub(in crate::ottl) fn double_like(self) -> Result<Option<f64>, EvalError> {
        Ok(match self {
            Self::Nil => None,
            Self::Int(n) => Some(n as f64),
            Self::Double(n) => Some(n),
            Self::Bool(b) => Some(f64::from(u8::from(b))),
            Self::Str(text) => {
                let number = parse_float(text);
                Some(number.ok_or(EvalError::new("the string is no number"))?)
            }
            other => return Err(wrong_type!("a number", other)),
        })
    }

    pub(in crate::ottl) fn bool_like(self) -> Result<Option<bool>, EvalError> {
        Ok(match self {
            Self::Nil => None,
            Self::Bool(b) => Some(b),
            Self::Int(n) => Some(n != 0),
            Self::Double(n) => Some(n != 0.0),
            Self::Str(text) => Some(parse_bool(text)?),
            other => return Err(wrong_type!("a boolean", other)),
        })
    }

    /// Any simple value as bytes, numbers in eight big-endian ones. None: nil.
    pub(in crate::ottl) fn bytes_like(
        self,
        arena: &'v Arena,
    ) -> Result<Option<&'v [u8]>, EvalError> {
        Ok(Some(match self {
            Self::Nil => return Ok(None),
            Self::Bytes(bytes) => bytes,
            Self::Str(text) => text.as_bytes(),
            Self::Int(n) => arena.bytes(&n.to_be_bytes())?,
            Self::Double(n) => arena.bytes(&n.to_bits().to_be_bytes())?,
            Self::Bool(b) => arena.bytes(&[u8::from(b)])?,
            other => return Err(wrong_type!("bytes", other)),
        }))
    }
}

/// Reads a boolean as Go's strconv does.
fn parse_bool(text: &str) -> Result<bool, EvalError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(EvalError::new("the string is no boolean")),
    }
}
