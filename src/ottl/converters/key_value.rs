/*!
Maps as texts such as `a=b c="d e"`, to and from.

Quotes, single or double, keep delimiters together; a backslash keeps a quote from ending, and stays.
*/

use super::MapBuilder;
use crate::{
    ottl::{
        Arena, EvalError,
        arena::TOO_MUCH,
        value::{Value, each_entry, text_of},
    },
    pdata::{AnyValue, text::put_text},
};

/// Reads pairs.
pub(super) fn read<'v>(
    text: &'v str,
    (delimiter, pair_delimiter): (&str, &str),
    arena: &'v Arena,
) -> Result<Value<'v>, EvalError> {
    if text.is_empty() {
        return Err(EvalError::new("there is nothing to parse"));
    }
    let mut map = MapBuilder::default();
    let mut rest = text;
    let mut pair = String::new();
    while !rest.is_empty() {
        rest = take_pair(rest, pair_delimiter, &mut pair)?;
        if pair.is_empty() {
            continue;
        }
        let split = pair.split_once(delimiter);
        let (key, value) = split.ok_or(EvalError::new("a pair lacks the delimiter"))?;
        let value = arena.build(|out| Value::Str(value.trim()).encode(out))?;
        map.put(arena.text(key.trim())?.as_bytes(), value);
    }
    map.build(arena)
}

/// Puts what comes before the next delimiter outside quotes into `pair`, without the quotes; gives what follows.
fn take_pair<'t>(text: &'t str, delimiter: &str, pair: &mut String) -> Result<&'t str, EvalError> {
    pair.clear();
    let (mut quote, mut is_escaped) = (None, false);
    for (i, c) in text.char_indices() {
        if quote.is_none()
            && let Some(rest) = text.get(i..).and_then(|rest| rest.strip_prefix(delimiter))
        {
            return Ok(rest);
        }
        if is_escaped {
            is_escaped = false;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
            continue;
        } else if quote == Some(c) {
            quote = None;
            continue;
        } else {
            is_escaped = c == '\\';
        }
        pair.push(c);
    }
    match quote {
        None => Ok(""),
        Some(_) => Err(EvalError::new("a quoted value does not end")),
    }
}

/// Writes a map.
pub(super) fn write<'v>(
    map: Value<'v>,
    (delimiter, pair_delimiter): (&str, &str),
    is_sorted: bool,
    arena: &'v Arena,
) -> Result<Value<'v>, EvalError> {
    let mut pairs = Vec::new();
    each_entry(map, |key, payload| {
        pairs.push((text_of(key), payload));
        Ok(())
    })?;
    if is_sorted {
        pairs.sort_by_key(|(key, _)| *key);
    }
    let text = arena.build_text(|out| {
        let mut value = String::new();
        for (i, (key, payload)) in pairs.into_iter().enumerate() {
            if i > 0 {
                out.push_str(pair_delimiter);
            }
            value.clear();
            put_text(AnyValue::new(payload), &mut value);
            put_quoted(key, delimiter, pair_delimiter, out);
            out.push_str(delimiter);
            put_quoted(&value, delimiter, pair_delimiter, out);
            if out.len() > arena.left() {
                return Err(TOO_MUCH);
            }
        }
        Ok(())
    })?;
    Ok(Value::Str(text))
}

/// Appends a text, in quotes where it has a delimiter.
fn put_quoted(text: &str, delimiter: &str, pair_delimiter: &str, out: &mut String) {
    let escaped = text.replace('"', "\\\"");
    match escaped.contains(delimiter) || escaped.contains(pair_delimiter) {
        true => out.extend(["\"", &escaped, "\""]),
        false => out.push_str(&escaped),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Option<Vec<String>> {
        let (mut rest, mut pair, mut all) = (text, String::new(), Vec::new());
        while !rest.is_empty() {
            rest = take_pair(rest, " ", &mut pair).ok()?;
            all.push(pair.clone());
        }
        Some(all)
    }

    #[test]
    fn quotes_keep_pairs_together() {
        for (text, expected) in [
            ("a=b c=d", Some(&["a=b", "c=d"][..])),
            (" a=b  c=d ", Some(&["", "a=b", "", "c=d"])),
            (r#"a="b c" d='e "f'"#, Some(&["a=b c", r#"d=e "f"#])),
            (r#"a="b\" c" d"#, Some(&[r#"a=b\" c"#, "d"])),
            (r#"a="b"#, None),
        ] {
            let found = pairs(text);
            let expected = expected.map(|pairs| pairs.iter().map(|p| (*p).to_owned()).collect());
            assert_eq!(found, expected, "{text}");
        }
    }
}
