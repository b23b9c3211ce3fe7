/*! Bytes of URLs in `%XX`, by the rules of each part. */

use std::fmt::Write;

/// A part of a URL, which has its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    User,
    Host,
    Path,
    Query,
    Fragment,
}

impl Part {
    /// Whether a byte stands for itself.
    fn has(self, byte: u8) -> bool {
        let reserved: &[u8] = match self {
            Self::User => b"$&+,;=",
            Self::Host => b"!$&'()*+,;=:[]<>\"",
            Self::Path => b"$&+,/:;=@",
            Self::Query => b"",
            Self::Fragment => b"$&+,/:;=?@!()*",
        };
        byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || reserved.contains(&byte)
    }
}

/// Decodes a part; bytes that are no text become U+FFFD. None: it is wrong.
pub(super) fn unescape(text: &str, part: Part) -> Option<String> {
    decode(text, part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn decode(text: &str, part: Part) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
                // In a host only bytes that are not of ASCII may be written so, and the percent sign.
                if part == Part::Host && byte < 0x80 && byte != b'%' {
                    return None;
                }
                bytes.push(byte);
            }
            b'+' if part == Part::Query => bytes.push(b' '),
            byte if part == Part::Host && byte < 0x80 && !part.has(byte) => return None,
            byte => bytes.push(byte),
        }
    }
    Some(bytes)
}

/// Encodes a part.
pub(super) fn escaped(text: &str, part: Part) -> String {
    encode(text.as_bytes(), part)
}

fn encode(bytes: &[u8], part: Part) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match part.has(*byte) {
            true => text.push(char::from(*byte)),
            // Writing to a String does not fail.
            false => _ = write!(text, "%{byte:02X}"),
        }
    }
    text
}

/// A part as it is written again: as it was, unless a byte of it should have been encoded.
pub(super) fn kept(text: &str, part: Part) -> String {
    let is_valid = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || part.has(byte);
    match text.bytes().all(is_valid) {
        true => text.to_owned(),
        false => encode(&decode(text, part).unwrap_or_default(), part),
    }
}
