/*! Values replaced by their SHA-256, in hexadecimal. */

use crate::pdata::{AnyValue, AttributeList};
use ring::digest::{SHA256, digest};

/// Hashes the value at a position. Numbers are hashed as eight bytes, booleans as one; what is none of
/// these becomes the empty text.
pub(super) fn hash(list: &mut AttributeList<'_>, at: usize) {
    let digest = match list.value(at) {
        AnyValue::String(text) => digest(&SHA256, text.as_bytes()),
        AnyValue::Bool(value) => digest(&SHA256, &[u8::from(value)]),
        AnyValue::Int(value) => digest(&SHA256, &value.to_le_bytes()),
        AnyValue::Double(value) => digest(&SHA256, &value.to_bits().to_le_bytes()),
        AnyValue::Empty
        | AnyValue::Array(_)
        | AnyValue::KvList(_)
        | AnyValue::Bytes(_)
        | AnyValue::StringIndex(_) => {
            let empty = list.text("");
            return list.set(at, empty);
        }
    };
    let mut digits = [0; 64];
    for (pair, byte) in digits
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(digest.as_ref())
    {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        *pair = [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ];
    }
    let hashed = list.text(std::str::from_utf8(&digits).unwrap_or_default());
    list.set(at, hashed);
}
