/*!
The attributes in `OTEL_RESOURCE_ATTRIBUTES`: `key=value,key=value`, values
percent-encoded, by the Collector's grammar.
*/

use percent_encoding::percent_decode;

/// The variables, of which the first that is set counts.
pub(super) const VARIABLES: [&str; 2] = ["OTEL_RESOURCE_ATTRIBUTES", "OTEL_RESOURCE"];

/// The longest key or value.
const LONGEST: usize = 256;

/// Parses a list of attributes; of a key that is there twice the last counts.
///
/// # Errors
///
/// What is wrong with the text. An empty one is no list of attributes.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut parts = text.split(',').peekable();
    while let Some(part) = parts.next() {
        // A comma may stand at the end.
        if part.trim().is_empty() && parts.peek().is_none() && !all.is_empty() {
            break;
        }
        let (key, value) = attribute(part)?;
        all.retain(|(known, _)| *known != key);
        all.push((key, value));
    }
    Ok(all)
}

fn attribute(part: &str) -> Result<(String, String), String> {
    let wrong = |why: &str| Err(format!("\"{}\" {why}", part.trim()));
    let Some((key, value)) = part.split_once('=') else {
        return wrong("is not KEY=VALUE");
    };
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() {
        return wrong("has no key");
    }
    if key.len() > LONGEST || value.len() > LONGEST {
        return wrong("has a key or a value of more than 256 characters");
    }
    if !part.is_ascii() {
        return wrong("has characters that must be percent-encoded");
    }
    if !is_encoded(value.as_bytes()) {
        return wrong("has a % that no two hexadecimal digits follow");
    }
    // A form's encoding, in which + is a space.
    let spaced = value.replace('+', " ");
    let decoded: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    let value = String::from_utf8_lossy(&decoded).into_owned();
    Ok((key.to_owned(), value))
}

fn is_encoded(value: &[u8]) -> bool {
    let mut escapes = value.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    escapes.all(|(at, _)| {
        let digits = value.get(at + 1..at + 3).unwrap_or_default();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_attributes() {
        let long = format!("k={}", "v".repeat(257));
        for (text, want) in [
            ("a=1", Ok(&[("a", "1")][..])),
            (" a = 1 , b=2,", Ok(&[("a", "1"), ("b", "2")])),
            ("a=1,a=2", Ok(&[("a", "2")])),
            ("a=", Ok(&[("a", "")])),
            ("a=b=c", Ok(&[("a", "b=c")])),
            ("a=x%2Cy%20z+w%C3%A9", Ok(&[("a", "x,y z w\u{e9}")])),
            ("a", Err("is not KEY=VALUE")),
            ("a=1,,b=2", Err("is not KEY=VALUE")),
            ("=1", Err("has no key")),
            ("a=%zz", Err("no two hexadecimal digits")),
            ("a=100%", Err("no two hexadecimal digits")),
            ("a=\u{e9}", Err("percent-encoded")),
            (&long, Err("more than 256")),
            ("", Err("is not KEY=VALUE")),
        ] {
            let got = parse(text);
            match (&got, want) {
                (Ok(got), Ok(want)) => {
                    let got: Vec<_> = got.iter().map(|(k, v)| (&**k, &**v)).collect();
                    assert_eq!(got, want, "{text}");
                }
                (Err(got), Err(want)) => assert!(got.contains(want), "{text}: {got}"),
                _ => panic!("{text}: {got:?}"),
            }
        }
    }
}
