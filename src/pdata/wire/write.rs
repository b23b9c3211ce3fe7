/*! Writing: keys, numbers and lengths. */

use super::read::WireType;

/// Appends a varint.
#[inline]
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] appends.
#[inline]
pub fn varint_len(value: u64) -> usize {
    let bits = (64 - (value | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

/// Appends the key of a field.
#[inline]
pub fn put_tag(number: u32, wire: WireType, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | wire as u64, out);
}

/// Appends a field that is a varint.
#[inline]
pub(crate) fn put_number(number: u32, value: u64, out: &mut Vec<u8>) {
    put_tag(number, WireType::Varint, out);
    put_varint(value, out);
}

/// Appends a field of eight bytes; of a double, [`f64::to_bits`].
#[inline]
pub(crate) fn put_fixed64(number: u32, value: u64, out: &mut Vec<u8>) {
    put_tag(number, WireType::Fixed64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// The same, unless it is 0.
#[inline]
pub(crate) fn put_nonzero64(number: u32, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        put_fixed64(number, value, out);
    }
}

/// Appends a length-delimited field, unless it is empty.
#[inline]
pub(crate) fn put_nonempty(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        put_bytes(number, bytes, out);
    }
}

/// Appends a length-delimited field.
#[inline]
pub fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_tag(number, WireType::Len, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a length-delimited field whose payload `write` appends.
pub fn put_message(number: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    put_tag(number, WireType::Len, out);
    let at = out.len();
    out.push(0);
    write(out);
    close_len(at, 1, out);
}

/// Puts the length of everything from `at + reserved` on into the `reserved`
/// bytes at `at`, moving the payload when the length needs more or fewer.
pub(in crate::pdata) fn close_len(at: usize, reserved: usize, out: &mut Vec<u8>) {
    let payload = out.len().saturating_sub(at + reserved);
    let needed = varint_len(payload as u64);
    if needed > reserved {
        out.resize(out.len() + needed - reserved, 0);
    }
    if needed != reserved {
        let from = at + reserved;
        out.copy_within(from..from + payload, at + needed);
        out.truncate(at + needed + payload);
    }
    let mut value = payload as u64;
    if let Some(bytes) = out.get_mut(at..at + needed) {
        for (i, byte) in bytes.iter_mut().enumerate() {
            let more = if i + 1 < needed { 0x80 } else { 0 };
            *byte = value as u8 & 0x7f | more;
            value >>= 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdata::wire::{len_delimited, varint};

    #[test]
    fn varints_round_trip_and_know_their_length() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(value, &mut out);
                assert_eq!(out.len(), varint_len(value));
                assert_eq!(varint(&out, 0), Ok((value, out.len())));
            }
        }
    }

    #[test]
    fn lengths_are_closed_whatever_was_reserved() {
        for len in [0usize, 1, 127, 128, 20_000] {
            for reserved in 1..4 {
                let mut out = vec![7; reserved + 1];
                out.extend(std::iter::repeat_n(9, len));
                close_len(1, reserved, &mut out);
                let (start, end) = len_delimited(&out, 1).unwrap_or_default();
                assert_eq!((end, end - start), (out.len(), len));
                assert!(out[start..].iter().all(|b| *b == 9));
            }
        }
    }
}
