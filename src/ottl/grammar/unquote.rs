/*! Texts in quotes, as Go reads them. */

use crate::ottl::ParseError;

/// Reads the inside of a text in double quotes, whose first byte is at `at`.
pub(super) fn unquote(inside: &str, at: usize) -> Result<String, ParseError> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut chars = inside.char_indices();
    while let Some((i, c)) = chars.next() {
        let wrong = |width: usize, what: &str| {
            ParseError::new(at + i, width, format!("{what} in a text"))
                .help("a backslash of a pattern is written twice: \"\\\\d+\"")
        };
        match c {
            '\n' => return Err(wrong(1, "a line break")),
            '\\' => {}
            c => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        }
        let Some((_, escape)) = chars.next() else {
            return Err(wrong(1, "a single backslash"));
        };
        let mut number = |digits: usize, radix: u32, first: u32| {
            (0..digits).try_fold(first, |n, _| {
                let digit = chars.next()?.1.to_digit(radix)?;
                Some(n * radix + digit)
            })
        };
        let byte = |n: Option<u32>| n.and_then(|n| u8::try_from(n).ok());
        let scalar = |n: Option<u32>| n.and_then(char::from_u32);
        match escape {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' | '"' => bytes.push(escape as u8),
            'x' => bytes.push(byte(number(2, 16, 0)).ok_or_else(|| wrong(4, "a wrong \\x"))?),
            '0'..='7' => {
                let first = escape.to_digit(8).unwrap_or_default();
                bytes.push(byte(number(2, 8, first)).ok_or_else(|| wrong(4, "a wrong number"))?);
            }
            'u' | 'U' => {
                let digits = if escape == 'u' { 4 } else { 8 };
                let c = scalar(number(digits, 16, 0)).ok_or_else(|| wrong(2, "a wrong \\u"))?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => return Err(wrong(2, &format!("\\{other}"))),
        }
    }
    // Bytes that are no UTF-8 would be replaced on their way out anyway.
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_go() {
        for (inside, expected) in [
            ("", ""),
            ("a b", "a b"),
            (r#"\"q\" \\d"#, r#""q" \d"#),
            (r"\n\t\a\x41\101\u00e9\U0001F600", "\n\t\x07AAé😀"),
        ] {
            assert_eq!(unquote(inside, 0).unwrap(), expected, "{inside}");
        }
        for (inside, at) in [
            (r"a\d", 8),
            ("a\nb", 8),
            (r"\'", 7),
            (r"\x4", 7),
            (r"\ud800", 7),
            (r"\400", 7),
        ] {
            assert_eq!(unquote(inside, 7).unwrap_err().at, at, "{inside}");
        }
    }
}
