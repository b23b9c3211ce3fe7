/*! Converters that read texts: numbers, JSON, pairs, URLs, and what groups of a pattern match. */

use super::{OTHER, key_value, parse_json, pattern, url};
use crate::ottl::{
    Arena, EvalError,
    calls::Called,
    compile::expression::Call,
    given::Given,
    value::{Value, put_entry},
};

pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    match call.function.is {
        Called::ParseInt => parse_int(with.string(call, 0)?, with.required(call, 1)?.int()?),
        Called::ParseKeyValue => {
            let delimiters = (call.text(1).unwrap_or("="), call.text(2).unwrap_or(" "));
            key_value::read(with.string(call, 0)?, delimiters, with.arena)
        }
        Called::ExtractPatterns => extract(call, with),
        called => one_string(called, with.string(call, 0)?, with.arena),
    }
}

/// Converters of nothing but one string.
pub(super) fn one_string<'v>(
    called: Called,
    text: &'v str,
    arena: &'v Arena,
) -> Result<Value<'v>, EvalError> {
    match called {
        Called::ParseJson => parse_json::parse(text, arena),
        Called::Url => url::parse(text, arena),
        _ => Err(OTHER),
    }
}

/// Reads an integer as Go's `ParseInt` does: with base 0 a prefix says the base, and underscores may
/// stand between digits.
fn parse_int<'v>(text: &str, base: i64) -> Result<Value<'v>, EvalError> {
    const WRONG: EvalError =
        EvalError::new("the string is no integer of this base, or of more than 64 bits");
    let (sign, unsigned) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.get(..1).unwrap_or_default(), rest),
        None => ("", text),
    };
    let parse = |digits: &str, base: u32| {
        if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(WRONG);
        }
        i64::from_str_radix(&format!("{sign}{digits}"), base).map_err(|_| WRONG)
    };
    let parsed = match base {
        2..=36 => parse(unsigned, base as u32),
        0 => {
            let lower = unsigned.to_ascii_lowercase();
            let prefixes = [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)];
            let found = prefixes.iter().find_map(|(prefix, base)| {
                let digits = lower
                    .strip_prefix(prefix)
                    .filter(|digits| !digits.is_empty())?;
                Some((digits.strip_prefix('_').unwrap_or(digits), *base))
            });
            let (digits, base) = found.unwrap_or((&lower, 10));
            if digits.split('_').any(str::is_empty) {
                return Err(WRONG);
            }
            parse(&digits.replace('_', ""), base)
        }
        _ => Err(EvalError::new("a base is 0, or 2 to 36")),
    };
    parsed.map(Value::Int)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_go() {
        for (text, base, expected) in [
            ("12", 10, Some(12)),
            ("-ff", 16, Some(-255)),
            ("+z", 36, Some(35)),
            ("0x1F", 0, Some(31)),
            ("-0b1_01", 0, Some(-5)),
            ("0o17", 0, Some(15)),
            ("017", 0, Some(15)),
            ("0_7", 0, Some(7)),
            ("0", 0, Some(0)),
            ("1_000", 0, Some(1000)),
            ("9223372036854775807", 10, Some(i64::MAX)),
            ("-9223372036854775808", 10, Some(i64::MIN)),
            ("9223372036854775808", 10, None),
            ("1_000", 10, None),
            ("1__0", 0, None),
            ("0x", 0, None),
            ("8", 8, None),
            ("", 10, None),
            ("-", 10, None),
            ("--1", 10, None),
            ("1", 1, None),
            ("1", 37, None),
            ("1", -1, None),
        ] {
            let found = match parse_int(text, base) {
                Ok(Value::Int(n)) => Some(n),
                _ => None,
            };
            assert_eq!(found, expected, "{text} of base {base}");
        }
    }
}
