/*! Patterns of `replace_match`: of file names, and for a whole text. */

use crate::regexp::Pattern;

/// Compiles a pattern of `*`, `?`, `[a-z]`, `[!a-z]` and `{a,b}` for a whole text.
pub(super) fn glob(text: &str) -> Result<Pattern, String> {
    let mut out = String::from("^(?s:");
    let mut braces = 0_u32;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => put_letter(
                chars.next().ok_or("a single backslash at the end")?,
                &mut out,
            ),
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            '[' => {
                out.push('[');
                if chars.next_if_eq(&'!').is_some() {
                    out.push('^');
                }
                loop {
                    match chars.next().ok_or("a [ is not closed")? {
                        ']' => break,
                        '-' => out.push('-'),
                        c => put_letter(c, &mut out),
                    }
                }
                out.push(']');
            }
            c => put_letter(c, &mut out),
        }
    }
    if braces > 0 {
        return Err("a { is not closed".to_owned());
    }
    out.push_str(")$");
    Pattern::new(&out)
}

fn put_letter(c: char, out: &mut String) {
    match c.is_alphanumeric() || c == '_' || !c.is_ascii() || c.is_whitespace() || c.is_control() {
        true => out.push(c),
        false => out.extend(['\\', c]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text, expected) in [
            ("/user/*/list/*", "/user/1/list/2", true),
            ("/user/*", "/a/user/1", false),
            ("h?llo", "hello", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("{get,put}*", "putter", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a.b(", "a.b(", true),
            ("*", "a\nb", true),
        ] {
            assert_eq!(
                glob(pattern).unwrap().is_match(text),
                expected,
                "{pattern} {text}"
            );
        }
        for pattern in ["[a", "{a", "a\\"] {
            assert!(glob(pattern).is_err(), "{pattern}");
        }
    }
}
