/*!
Values as text.

Control characters in names and values are escaped, so that what a sender wrote
can neither break a line nor talk to the terminal.
*/

use crate::pdata::message::Message;
use crate::pdata::{AnyValue, number::ShowHex, wire::MAX_DEPTH};
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

/// Nanoseconds since 1970 as a date.
pub(super) struct Timestamp(pub(super) u64);

impl fmt::Display for Timestamp {
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
            value => Typed::new(value).fmt(f),
        }
    }
}

/// A value with its type, as the Collector writes it: `Str(x)`.
pub(super) struct Typed<'a> {
    value: AnyValue<'a>,
    /// How many levels of values may be below it: more than any request that was
    /// taken has.
    depth: u32,
}

impl<'a> Typed<'a> {
    /// Shows `value`.
    pub(super) fn new(value: AnyValue<'a>) -> Self {
        let depth = MAX_DEPTH;
        Self { value, depth }
    }

    /// Writes `values` with commas between them, each by `write`.
    fn join<T>(
        &self,
        f: &mut fmt::Formatter<'_>,
        values: impl Iterator<Item = T>,
        write: impl Fn(&mut fmt::Formatter<'_>, T, u32) -> fmt::Result,
    ) -> fmt::Result {
        let Some(depth) = self.depth.checked_sub(1) else {
            return f.write_str("...");
        };
        for (number, value) in values.enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write(f, value, depth)?;
        }
        Ok(())
    }
}

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            AnyValue::Empty => f.write_str("Empty()"),
            AnyValue::String(text) => write!(f, "Str({})", Clean(text)),
            AnyValue::Bool(value) => write!(f, "Bool({value})"),
            AnyValue::Int(value) => write!(f, "Int({value})"),
            AnyValue::Double(value) => write!(f, "Double({value})"),
            AnyValue::Bytes(bytes) => write!(f, "Bytes({})", ShowHex(bytes)),
            AnyValue::StringIndex(index) => write!(f, "StrIndex({index})"),
            AnyValue::Array(array) => {
                f.write_str("Slice([")?;
                let values = Message(array).all(1).map(AnyValue::new);
                self.join(f, values, |f, value, depth| Typed { value, depth }.fmt(f))?;
                f.write_str("])")
            }
            AnyValue::KvList(list) => {
                f.write_str("Map({")?;
                self.join(f, Message(list).attributes(1), |f, pair, depth| {
                    let value = pair.value;
                    write!(f, "{}: {}", Clean(pair.key), Typed { value, depth })
                })?;
                f.write_str("})")
            }
        }
    }
}

/// The most bytes of a text that is repeated.
const SHORT: usize = 256;

/// Returns the first bytes of a text, and an ellipsis where there are more.
pub(super) fn shortened(text: impl fmt::Display) -> String {
    let mut short = Short(String::new());
    match fmt::Write::write_fmt(&mut short, format_args!("{text}")) {
        Ok(()) => short.0,
        Err(_) => short.0 + "...",
    }
}

/// Takes so much text and no more.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = text.floor_char_boundary(SHORT - self.0.len());
        let (taken, rest) = text.split_at_checked(room).unwrap_or((text, ""));
        self.0.push_str(taken);
        if rest.is_empty() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
