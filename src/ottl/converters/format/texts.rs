/*! Texts and bytes in texts, as Go's `Sprintf` puts them there. */

use super::Verb;
use std::fmt::Write;

/// As many letters as the precision says.
pub(super) fn cut(text: &str, verb: Verb) -> &str {
    let most = verb.precision.unwrap_or(usize::MAX);
    match text.char_indices().nth(most) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

/// Appends a text as wide as it must be.
pub(super) fn pad(text: &str, verb: Verb, out: &mut String) {
    let missing = verb.width.saturating_sub(text.chars().count());
    if !verb.minus {
        out.extend(std::iter::repeat_n(' ', missing));
    }
    out.push_str(text);
    if verb.minus {
        out.extend(std::iter::repeat_n(' ', missing));
    }
}

pub(super) fn put_hex(bytes: &[u8], verb: Verb, out: &mut String) {
    let bytes = bytes
        .get(..verb.precision.unwrap_or(bytes.len()))
        .unwrap_or(bytes);
    let mut text = String::new();
    let prefix = if verb.letter == 'X' { "0X" } else { "0x" };
    for (i, byte) in bytes.iter().enumerate() {
        if verb.space && i > 0 {
            text.push(' ');
        }
        if verb.sharp && (verb.space || i == 0) {
            text.push_str(prefix);
        }
        let _ = match verb.letter {
            'X' => write!(text, "{byte:02X}"),
            _ => write!(text, "{byte:02x}"),
        };
    }
    pad(&text, verb, out);
}

/// A text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\x07' => write!(quoted, "\\a"),
            '\x08' => write!(quoted, "\\b"),
            '\x0c' => write!(quoted, "\\f"),
            '\n' => write!(quoted, "\\n"),
            '\r' => write!(quoted, "\\r"),
            '\t' => write!(quoted, "\\t"),
            '\x0b' => write!(quoted, "\\v"),
            c if c.is_ascii_control() => write!(quoted, "\\x{:02x}", u32::from(c)),
            c => write!(quoted, "{c}"),
        };
    }
    quoted.push('"');
    quoted
}
