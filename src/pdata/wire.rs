/*! stub */

/// Encoded length of a varint, 1 to 10 bytes.
pub fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends a varint.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field with a one-byte tag.
pub fn put_len_field(tag: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    put_varint(payload.len() as u64, out);
    out.extend_from_slice(payload);
}
