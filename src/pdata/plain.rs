/*!
The one usual shape of an attribute: a short key and a string value, nothing
else, in that order.

Nearly all bytes of real traffic are in it, so recognising it by a handful of
comparisons is what makes the walk fast. A miss costs nothing but the general
way: this module never decides that bytes are bad.
*/

use super::wire::{WireFields, WireValue};
use std::ops::Range;

/// Key byte of `Span.attributes` as every encoder writes it.
pub(super) const PLAIN_ATTRIBUTE: u8 = 0x4a;

/// Levels a KeyValue with a string needs below its parent.
pub(super) const PLAIN_DEPTH: u32 = 2;

/// Key and text of the attribute at `pos` of a span, and the position after
/// it, if it is of the usual shape; the strings are still to be checked.
#[inline(always)]
pub(super) fn plain_attribute(buf: &[u8], pos: usize) -> Option<(&[u8], &[u8], usize)> {
    let rest = buf.get(pos..)?;
    let (&[PLAIN_ATTRIBUTE, len], rest) = rest.split_first_chunk()? else {
        return None;
    };
    let (start, len) = match len {
        0..0x80 => (2, usize::from(len)),
        _ => match rest.first()? {
            &high @ 0..0x80 => (3, usize::from(len & 0x7f) | usize::from(high) << 7),
            _ => return None,
        },
    };
    let payload = rest.get(start - 2..start - 2 + len)?;
    let (key, text) = plain_key_value(payload)?;
    Some((key, text, pos + start + len))
}

/// Key and text of a KeyValue payload of the usual shape, `0A len key 12 len
/// 0A len text` and nothing else; None for any other, good or bad. The
/// strings are still to be checked.
#[inline(always)]
pub(super) fn plain_key_value(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, value) = plain_pair(payload)?;
    Some((key, plain_text(value)?))
}

/// Key and payload of the value of a KeyValue payload that has a short key in
/// front of its value, and nothing else.
#[inline(always)]
fn plain_pair(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[0x0a, key_len @ 0..0x80], rest) = payload.split_first_chunk()? else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
    let (&0x12, value) = rest.split_first()? else {
        return None;
    };
    Some((key, whole_len(value)?))
}

/// Where key and value of any KeyValue payload are in it; empty where they are absent. The last of each counts.
#[inline]
pub(crate) fn key_value(payload: &[u8]) -> (Range<usize>, Range<usize>) {
    if let Some((key, value)) = plain_pair(payload) {
        return (2..2 + key.len(), payload.len() - value.len()..payload.len());
    }
    let (mut key, mut value) = (0..0, 0..0);
    for field in WireFields::new(payload) {
        if let WireValue::Len(bytes) = field.value {
            let end = field.end();
            match field.number {
                1 => key = end - bytes.len()..end,
                2 => value = end - bytes.len()..end,
                _ => {}
            }
        }
    }
    (key, value)
}

/// The text of an AnyValue payload that is a string of the usual length.
#[inline(always)]
pub(super) fn plain_text(payload: &[u8]) -> Option<&[u8]> {
    let (&0x0a, text) = payload.split_first()? else {
        return None;
    };
    whole_len(text)
}

/// What follows a length of one or two bytes, if it is exactly so long.
#[inline(always)]
fn whole_len(buf: &[u8]) -> Option<&[u8]> {
    let (&first, rest) = buf.split_first()?;
    if first < 0x80 {
        return (rest.len() == usize::from(first)).then_some(rest);
    }
    let (&second, rest) = rest.split_first()?;
    let len = usize::from(first & 0x7f) | usize::from(second) << 7;
    (second < 0x80 && rest.len() == len).then_some(rest)
}

/// Whether all bytes are ASCII. Attributes are some tens of bytes long, where
/// the standard library's check ends in up to 31 single-byte steps; this one
/// covers the rest with one step that overlaps the one before.
#[inline(always)]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const HIGH_WIDE: u128 = (HIGH as u128) << 64 | HIGH as u128;
    if let Some(last) = text.last_chunk::<16>() {
        let mut bits = u128::from_ne_bytes(*last);
        for chunk in text.as_chunks::<16>().0 {
            bits |= u128::from_ne_bytes(*chunk);
        }
        bits & HIGH_WIDE == 0
    } else if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & HIGH == 0
    } else {
        text.iter().fold(0, |bits, byte| bits | byte) < 0x80
    }
}

/// Whether `text` is UTF-8. Short ASCII is settled without a call; the rest
/// is left to the vectorised check.
#[inline]
pub(super) fn is_utf8(text: &[u8]) -> bool {
    (text.len() <= 128 && is_ascii(text)) || simdutf8::basic::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_checked_to_the_last_byte() {
        for len in 0..70 {
            let mut text = vec![b'a'; len];
            assert!(is_ascii(&text));
            for at in 0..len {
                text[at] = 0x80;
                assert!(!is_ascii(&text), "{at} of {len}");
                text[at] = b'a';
            }
        }
    }

    #[test]
    fn only_the_usual_shape_is_plain() {
        let plain = [0x0a, 1, b'k', 0x12, 3, 0x0a, 1, b'v'];
        assert_eq!(plain_key_value(&plain), Some((&b"k"[..], &b"v"[..])));
        for at in 0..plain.len() {
            assert_eq!(plain_key_value(&plain[..at]), None);
        }
        // A second field, an int value, the value first.
        assert_eq!(
            plain_key_value(&[0x0a, 1, b'k', 0x12, 3, 0x0a, 1, b'v', 0x18, 1]),
            None
        );
        assert_eq!(plain_key_value(&[0x0a, 1, b'k', 0x12, 2, 0x18, 1]), None);
        assert_eq!(
            plain_key_value(&[0x12, 3, 0x0a, 1, b'v', 0x0a, 1, b'k']),
            None
        );
    }
}
