/*!
ztunnel's two log formats.

Plain: `time TAB level TAB target TAB message TAB name=value name=value …`,
where values are numbers, addresses, or text in quotes with Rust's escapes.
Older releases and copied logs have spaces for tabs and `access:` for `access`;
what a container runtime puts before a line does no harm either. JSON: one flat
object, with `time`, `level`, `scope` and `message` beside the fields.
*/

use super::{FieldValue, Fields};

/// Reads a line of the access log in plain text. `None` for any other text.
pub(crate) fn plain(line: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut rest = line.trim();
    let mut message: Option<Vec<&str>> = None;
    // The head: words up to the first that is a field.
    loop {
        let word = rest.split_whitespace().next()?;
        if is_field(word) {
            break;
        }
        match &mut message {
            Some(words) => words.push(word),
            None if matches!(word, "access" | "access:") => message = Some(Vec::new()),
            // The last is ztunnel's own; a runtime's stands before it.
            None if humantime::parse_rfc3339(word).is_ok() => {
                fields.put("time", FieldValue::Text(word.to_owned()));
            }
            None => {}
        }
        rest = rest.get(word.len()..)?.trim_start();
    }
    fields.put("message", FieldValue::Text(message?.join(" ")));
    while let Some((name, after)) = rest.split_once('=') {
        // A stray word before a name is no part of it.
        let name = name.split_whitespace().next_back()?;
        let (value, after) = value(after)?;
        fields.put(name, value);
        rest = after.trim_start();
    }
    Some(fields)
}

fn is_field(word: &str) -> bool {
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_');
    word.split_once('=')
        .is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(name))
}

/// Returns a value and what follows it. `None` where its closing quote is
/// missing: the line was cut.
fn value(text: &str) -> Option<(FieldValue, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (bare, rest) = text.split_at(end);
        return Some((FieldValue::of(bare), rest));
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((FieldValue::Text(out), quoted.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                '0' => out.push('\0'),
                'u' => {
                    let (code, after) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                    let code = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
                    out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                    while chars.as_str().len() > after.len() {
                        chars.next()?;
                    }
                }
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
    None
}

/// Reads a line of the access log in JSON, or any other object. `None` for
/// what is none.
pub(crate) fn json(line: &str) -> Option<Fields> {
    let object: serde_json::Map<_, _> = serde_json::from_str(line).ok()?;
    let mut fields = Fields::default();
    put_object(&mut fields, "", &object, 0);
    Some(fields)
}

/// Nested objects become dotted names: some collectors split them.
fn put_object(
    fields: &mut Fields,
    prefix: &str,
    object: &serde_json::Map<String, serde_json::Value>,
    depth: usize,
) {
    for (key, value) in object {
        let name = Fields::join(prefix, key);
        match value {
            serde_json::Value::String(text) => fields.put(&name, FieldValue::Text(text.clone())),
            serde_json::Value::Number(n) => fields.put(&name, FieldValue::of(&n.to_string())),
            serde_json::Value::Object(inner) if depth < Fields::MAX_NESTING => {
                put_object(fields, &name, inner, depth + 1);
            }
            _ => {}
        }
    }
}
