//! HTTP/2 frames as they stand on the wire (RFC 9113, 4).

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Octets of a frame's head.
pub const HEAD: usize = 9;
/// The longest payload that both sides take unasked.
pub const MAX_PAYLOAD: usize = 16_384;

/// A frame's length, kind, flags and stream, if its head is there.
pub fn head(frame: &[u8]) -> Option<(usize, u8, u8, u32)> {
    let ([a, b, c, kind, flags, s @ ..], _) = frame.split_first_chunk::<HEAD>()?;
    let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
    Some((
        length,
        *kind,
        *flags,
        u32::from_be_bytes(*s) & (u32::MAX >> 1),
    ))
}
