/*!
Tokens, by the Collector's rules: at each place the first rule that matches wins, not the longest.

Names are cut where letters change between upper and lower case: `IsMatch` is four tokens.
*/

use crate::ottl::ParseError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Bytes,
    Float,
    Int,
    String,
    Not,
    Or,
    And,
    Nil,
    Compare,
    Arrow,
    AddSub,
    MulDiv,
    Boolean,
    Equal,
    LParen,
    RParen,
    LBrace,
    RBrace,
    Colon,
    Comma,
    Dot,
    LBracket,
    RBracket,
    Upper,
    Lower,
    Underscore,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
    pub(super) text: &'t str,
}

/// Cuts a text into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let spaces = rest.len() - rest.trim_start_matches(is_space).len();
        if spaces > 0 {
            at += spaces;
            continue;
        }
        let before = text.get(..at).and_then(|before| before.bytes().last());
        let (kind, len) = next(rest, before).ok_or_else(|| unknown(rest, at))?;
        let text = rest.get(..len).unwrap_or_default();
        tokens.push(Token { kind, at, text });
        at += len;
    }
    Ok(tokens)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

fn unknown(rest: &str, at: usize) -> ParseError {
    let c = rest.chars().next().unwrap_or(' ');
    let error = ParseError::new(at, c.len_utf8(), format!("unexpected {c:?}"));
    match c {
        '\'' | '`' => error.help("texts stand in double quotes"),
        '"' => ParseError::new(at, 1, "a text is not closed").help("close it with a double quote"),
        '&' | '|' => error.help("write `and` and `or`"),
        '!' => error.help("write `not`, or `!=`"),
        _ => error,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How many leading bytes satisfy `is`.
fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| is(*b)).count()
}

/// The token that `rest` begins with, and its length. `before` is the byte in front of it.
fn next(rest: &str, before: Option<u8>) -> Option<(TokenKind, usize)> {
    use TokenKind::*;
    let bytes = rest.as_bytes();
    let hex = rest
        .strip_prefix("0x")
        .map_or(0, |digits| run(digits, |b| b.is_ascii_hexdigit()));
    if hex > 0 {
        return Some((Bytes, 2 + hex));
    }
    if let Some(number) = number(rest) {
        return Some(number);
    }
    if bytes.first() == Some(&b'"') {
        return string(rest).map(|len| (String, len));
    }
    let word = match before {
        Some(byte) if is_word(byte) => 0,
        _ => run(rest, is_word),
    };
    let keyword = match rest.get(..word) {
        Some("not") => Some(Not),
        Some("nil") => Some(Nil),
        Some("or") => Some(Or),
        Some("and") => Some(And),
        Some("true" | "false") => Some(Boolean),
        Some("_") => Some(Underscore),
        _ => None,
    };
    if let Some(kind) = keyword {
        return Some((kind, word));
    }
    let two = match rest.get(..2) {
        Some("==" | "!=" | ">=" | "<=") => Some(Compare),
        Some("=>") => Some(Arrow),
        _ => None,
    };
    if let Some(kind) = two {
        return Some((kind, 2));
    }
    let kind = match bytes.first()? {
        b'>' | b'<' => Compare,
        b'+' | b'-' => AddSub,
        b'/' | b'*' => MulDiv,
        b'=' => Equal,
        b'(' => LParen,
        b')' => RParen,
        b'{' => LBrace,
        b'}' => RBrace,
        b':' => Colon,
        b',' => Comma,
        b'.' => Dot,
        b'[' => LBracket,
        b']' => RBracket,
        b'A'..=b'Z' => {
            let name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            return Some((Upper, run(rest, name)));
        }
        b'a'..=b'z' => {
            let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            return Some((Lower, run(rest, name)));
        }
        _ => return None,
    };
    Some((kind, 1))
}

fn number(rest: &str) -> Option<(TokenKind, usize)> {
    let digit = |b: u8| b.is_ascii_digit();
    let whole = run(rest, digit);
    let after = rest.get(whole..).unwrap_or_default();
    let fraction = after.strip_prefix('.').map(|fraction| run(fraction, digit));
    match fraction {
        Some(fraction) if whole > 0 || fraction > 0 => {
            let len = whole + 1 + fraction;
            Some((
                TokenKind::Float,
                len + exponent(rest.get(len..).unwrap_or_default()),
            ))
        }
        _ if whole > 0 => Some((TokenKind::Int, whole)),
        _ => None,
    }
}

/// The length of an exponent such as `e-3`.
fn exponent(rest: &str) -> usize {
    let Some(after) = rest.strip_prefix(['e', 'E']) else {
        return 0;
    };
    let sign = usize::from(after.starts_with(['+', '-']));
    match run(after.get(sign..).unwrap_or_default(), |b| {
        b.is_ascii_digit()
    }) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

/// The length of a text in quotes, if it is closed.
fn string(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some(i + 1),
            '\\' => {
                chars.next().filter(|(_, c)| *c != '\n')?;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> String {
        let tokens = tokens(text).unwrap();
        let shown = tokens.iter().map(|t| format!("{:?}:{}", t.kind, t.text));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tokens_are_those_of_the_collector() {
        for (text, expected) in [
            ("3==4.9", "Int:3 Compare:== Float:4.9"),
            (
                "iphone android oreo",
                "Lower:iphone Lower:android Lower:oreo",
            ),
            ("a and b", "Lower:a And:and Lower:b"),
            ("IsMatch", "Upper:I Lower:s Upper:M Lower:atch"),
            (
                "SHA256 SPAN_KIND_SERVER",
                "Upper:SHA256 Upper:SPAN_KIND_SERVER",
            ),
            ("0x0aFg", "Bytes:0x0aF Lower:g"),
            (
                "1. .5 1.5e-3 2e",
                "Float:1. Float:.5 Float:1.5e-3 Int:2 Lower:e",
            ),
            (
                r#"a("\\", "b")"#,
                r#"Lower:a LParen:( String:"\\" Comma:, String:"b" RParen:)"#,
            ),
            ("a=>b = _", "Lower:a Arrow:=> Lower:b Equal:= Underscore:_"),
            ("nil nilly not_x", "Nil:nil Lower:nilly Lower:not_x"),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
        for (text, at) in [("a | b", 2), ("'x'", 0), ("\"x", 0), ("é", 0)] {
            assert_eq!(tokens(text).unwrap_err().at, at, "{text}");
        }
    }
}
