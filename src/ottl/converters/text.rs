/*! Converters of strings, and questions about them. */

use super::{
    OTHER, case,
    cidr::Network,
    format::{Values, sprintf},
    pattern,
};
use crate::ottl::{
    Arena, EvalError, arena::TOO_MUCH, calls::Called, compile::expression::Call, given::Given,
    value::Value,
};
use crate::pdata::wire::put_message;
use std::net::IpAddr;

pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let string = |i| with.string(call, i);
    Ok(match call.function.is {
        Called::IsMatch => {
            let pattern = pattern(call, || string(1))?;
            match with.required(call, 0)?.string_like(with.arena)? {
                Some(text) => Value::Bool(pattern.is_match(text)),
                None => Value::Bool(false),
            }
        }
        Called::IsValidLuhn => {
            let digits = with.required(call, 0)?.string_like(with.arena)?;
            let digits = digits.ok_or(EvalError::new("expected digits, found nil"))?;
            Value::Bool(luhn(digits)?)
        }
        Called::IsInCidr => Value::Bool(is_in_networks(call, with)?),
        Called::Format => {
            let (format, values) = (call.text(0).unwrap_or_default(), with.values(call, 1));
            let get = |i: usize| {
                values
                    .get(i)
                    .map_or(Ok(Value::Nil), |value| (with.value)(value))
            };
            let values = Values {
                count: values.len(),
                get: &get,
            };
            let most = with.arena.left();
            Value::Str((with.arena).build_text(|out| sprintf(format, &values, most, out))?)
        }
        Called::ConvertCase => {
            let called = match call.text(1) {
                Some("lower") => Called::ToLowerCase,
                Some("upper") => Called::ToUpperCase,
                Some("snake") => Called::ToSnakeCase,
                _ => Called::ToCamelCase,
            };
            return one_string(called, string(0)?, with.arena);
        }
        Called::Concat => concat(call, with)?,
        Called::Split => split(string(0)?, string(1)?, with)?,
        Called::Substring => substring(call, with)?,
        Called::HasPrefix => Value::Bool(string(0)?.starts_with(string(1)?)),
        Called::HasSuffix => Value::Bool(string(0)?.ends_with(string(1)?)),
        Called::Trim => {
            let cut = call.text(1).unwrap_or(" ");
            Value::Str(string(0)?.trim_matches(|c| cut.contains(c)))
        }
        Called::TrimPrefix => {
            let (text, prefix) = (string(0)?, string(1)?);
            Value::Str(text.strip_prefix(prefix).unwrap_or(text))
        }
        Called::TrimSuffix => {
            let (text, suffix) = (string(0)?, string(1)?);
            Value::Str(text.strip_suffix(suffix).unwrap_or(text))
        }
        called => return one_string(called, string(0)?, with.arena),
    })
}

/// Converters of nothing but one string.
pub(super) fn one_string<'v>(
    called: Called,
    text: &'v str,
    arena: &'v Arena,
) -> Result<Value<'v>, EvalError> {
    // A letter may become several bytes more in another case.
    arena.charge(text.len())?;
    let built = arena.build_text(|out| {
        match called {
            Called::ToLowerCase => out.extend(text.chars().flat_map(case::lower)),
            Called::ToUpperCase => out.extend(text.chars().flat_map(case::upper)),
            Called::ToSnakeCase => case::snake(text, out),
            Called::ToCamelCase => case::camel(text, out),
            _ => return Err(OTHER),
        }
        Ok(())
    })?;
    Ok(Value::Str(built))
}

fn concat<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let delimiter = with.string(call, 1)?;
    let text = with.arena.build_text(|out| {
        for (i, value) in with.values(call, 0).iter().enumerate() {
            // Go prints so what is nil.
            let text = (with.value)(value)?
                .string_like(with.arena)?
                .unwrap_or("<nil>");
            if i > 0 {
                out.push_str(delimiter);
            }
            out.push_str(text);
            if out.len() > with.arena.left() {
                return Err(TOO_MUCH);
            }
        }
        Ok(())
    })?;
    Ok(Value::Str(text))
}

fn split<'v>(text: &str, delimiter: &str, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let mut chars = [0; 4];
    let list = with.arena.build(|out| {
        let mut put = |part: &str| {
            let mut result = Ok(());
            put_message(1, out, |out| result = Value::Str(part).encode(out));
            result.and_then(|()| match out.len() > with.arena.left() {
                true => Err(TOO_MUCH),
                false => Ok(()),
            })
        };
        match delimiter {
            // Go splits into letters then, without empty ones at the ends.
            "" => text
                .chars()
                .try_for_each(|c| put(c.encode_utf8(&mut chars))),
            delimiter => text.split(delimiter).try_for_each(put),
        }
    })?;
    Ok(Value::List(list))
}

fn substring<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let (start, length) = (
        with.required(call, 1)?.int()?,
        with.required(call, 2)?.int()?,
    );
    if start < 0 || length <= 0 {
        return Err(EvalError::new(
            "the start is negative, or the length not positive",
        ));
    }
    let text = with.string(call, 0)?;
    let range = (usize::try_from(start).ok()).zip(usize::try_from(length).ok());
    let range = range.and_then(|(start, length)| Some((start, start.checked_add(length)?)));
    let Some((mut start, mut end)) = range.filter(|(_, end)| *end <= text.len()) else {
        return Err(EvalError::new(
            "the range reaches beyond the end of the string",
        ));
    };
    if call.truth(3) == Some(true) {
        while start < text.len() && !text.is_char_boundary(start) {
            start += 1;
        }
        while start < end && !text.is_char_boundary(end) {
            end -= 1;
        }
        end = end.max(start);
    }
    match text.get(start..end) {
        Some(part) => Ok(Value::Str(part)),
        // A letter that was cut is no UTF-8, and becomes U+FFFD on its way out.
        None => {
            let bytes = text.as_bytes().get(start..end).unwrap_or_default();
            Ok(Value::Str(
                with.arena.text(&String::from_utf8_lossy(bytes))?,
            ))
        }
    }
}

/// Whether the last digit is the check digit of the others. Spaces do not count.
fn luhn(text: &str) -> Result<bool, EvalError> {
    let (mut sum, mut is_doubled, mut is_any) = (0, false, false);
    for c in text.chars().rev().filter(|c| *c != ' ') {
        let digit = c
            .to_digit(10)
            .ok_or(EvalError::new("the string has more than digits"))?;
        sum += match digit * 2 {
            twice if is_doubled && twice > 9 => twice - 9,
            twice if is_doubled => twice,
            _ => digit,
        };
        is_doubled = !is_doubled;
        is_any = true;
        sum %= 10;
    }
    Ok(is_any && sum == 0)
}

/// Whether the first argument is an address in one of the networks. Text that is no address is in none.
fn is_in_networks<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<bool, EvalError> {
    let Ok(address) = with.string(call, 0)?.parse::<IpAddr>() else {
        return Ok(false);
    };
    for network in with.values(call, 1) {
        let network = Network::parse((with.value)(network)?.string()?);
        if network
            .ok_or(EvalError::new("a network is written 10.0.0.0/8"))?
            .contains(address)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
