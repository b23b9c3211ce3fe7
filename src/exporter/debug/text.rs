/*!
Values as text.

Control characters in names and values are escaped, so that what a sender wrote
can neither break a line nor talk to the terminal.
*/

use super::message::Message;
use crate::pdata::AnyValue;
use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// Text with control characters escaped.
pub(super) struct Clean<'a>(pub(super) &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => fmt::Write::write_char(f, c),
        })
    }
}

/// Bytes in hexadecimal.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Nanoseconds since 1970 as a date.
pub(super) struct At(pub(super) u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 2^64 ns end in the year 2554, which both types hold.
        humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(self.0)).fmt(f)
    }
}

/// A value without its type; nothing for no value.
pub(super) struct Plain<'a>(pub(super) AnyValue<'a>);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AnyValue::Empty => Ok(()),
            AnyValue::String(text) => Clean(text).fmt(f),
            AnyValue::Bool(value) => value.fmt(f),
            AnyValue::Int(value) => value.fmt(f),
            AnyValue::Double(value) => value.fmt(f),
            value => Typed(value).fmt(f),
        }
    }
}

/// A value with its type, as the Collector writes it: `Str(x)`.
pub(super) struct Typed<'a>(pub(super) AnyValue<'a>);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AnyValue::Empty => f.write_str("Empty()"),
            AnyValue::String(text) => write!(f, "Str({})", Clean(text)),
            AnyValue::Bool(value) => write!(f, "Bool({value})"),
            AnyValue::Int(value) => write!(f, "Int({value})"),
            AnyValue::Double(value) => write!(f, "Double({value})"),
            AnyValue::Bytes(bytes) => write!(f, "Bytes({})", Hex(bytes)),
            AnyValue::StringIndex(index) => write!(f, "StrIndex({index})"),
            AnyValue::Array(array) => {
                f.write_str("Slice([")?;
                for (number, value) in Message(array).all(1).map(AnyValue::new).enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", Typed(value))?;
                }
                f.write_str("])")
            }
            AnyValue::KvList(list) => {
                f.write_str("Map({")?;
                for (number, pair) in Message(list).attributes(1).enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{}: {}", Clean(pair.key), Typed(pair.value))?;
                }
                f.write_str("})")
            }
        }
    }
}
