/*!
Frames (RFC 9113, 4 and 6): heads in, whole frames out.
*/

use super::error::{ErrorCode, FrameFault, fatal};

/// What a client sends first (RFC 9113, 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Octets of a frame's head.
pub(crate) const HEAD: usize = 9;

/// The longest payload that peers may send: the default of SETTINGS_MAX_FRAME_SIZE,
/// and what every peer takes.
pub(crate) const MAX_PAYLOAD: usize = 16_384;

/// The largest window and stream identifier.
pub(crate) const MAX_31: u32 = (1 << 31) - 1;

/// Frame types.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags.
pub(crate) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// Settings (RFC 9113, 6.5.2).
pub(crate) mod setting {
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// Octets of its payload.
    pub(crate) length: usize,
    /// See [`kind`].
    pub(crate) kind: u8,
    /// See [`flag`].
    pub(crate) flags: u8,
    /// 0: the connection.
    pub(crate) stream: u32,
}

impl FrameHead {
    /// Reads the head at the begin of `input`, if it is there.
    pub(crate) fn parse(input: &[u8]) -> Option<Self> {
        let ([a, b, c, kind, flags, s @ ..], _) = input.split_first_chunk::<HEAD>()?;
        Some(Self {
            length: u32::from_be_bytes([0, *a, *b, *c]) as usize,
            kind: *kind,
            flags: *flags,
            // One bit is reserved and ignored.
            stream: u32::from_be_bytes(*s) & MAX_31,
        })
    }

    /// Returns true if a flag is set.
    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What is left of a payload without its padding.
pub(crate) fn unpadded(head: FrameHead, payload: &[u8]) -> Result<&[u8], FrameFault> {
    if !head.has(flag::PADDED) {
        return Ok(payload);
    }
    let padded = || {
        let (padding, rest) = payload.split_first()?;
        rest.get(..rest.len().checked_sub(usize::from(*padding))?)
    };
    padded().ok_or(fatal(
        ErrorCode::Protocol,
        "padding that is longer than its frame",
    ))
}

/// The 31 bits that a payload begins with.
pub(crate) fn number(payload: &[u8]) -> Option<u32> {
    let (number, _) = payload.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*number) & MAX_31)
}

/// Appends a frame.
pub(crate) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    // Payloads are of MAX_PAYLOAD at most.
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, d, e, f, g]);
    out.extend_from_slice(payload);
}

/// Appends a header block: HEADERS, and CONTINUATION where one frame is not enough.
pub(crate) fn put_block(out: &mut Vec<u8>, stream: u32, end_stream: bool, block: &[u8]) {
    let (mut first, mut rest) = block.split_at(block.len().min(MAX_PAYLOAD));
    let mut kind = kind::HEADERS;
    let mut flags = if end_stream { flag::END_STREAM } else { 0 };
    loop {
        if rest.is_empty() {
            flags |= flag::END_HEADERS;
        }
        put(out, kind, flags, stream, first);
        if rest.is_empty() {
            return;
        }
        (kind, flags) = (kind::CONTINUATION, 0);
        (first, rest) = rest.split_at(rest.len().min(MAX_PAYLOAD));
    }
}

/// Appends RST_STREAM.
pub(crate) fn put_reset(out: &mut Vec<u8>, stream: u32, reason: ErrorCode) {
    put(
        out,
        kind::RST_STREAM,
        0,
        stream,
        &(reason as u32).to_be_bytes(),
    );
}

/// Appends WINDOW_UPDATE.
pub(crate) fn put_window(out: &mut Vec<u8>, stream: u32, more: u32) {
    put(out, kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
}

/// Appends GOAWAY; `why` is for people, and shorter than a frame.
pub(crate) fn put_goaway(out: &mut Vec<u8>, last: u32, reason: ErrorCode, why: &str) {
    let mut payload = Vec::with_capacity(8 + why.len());
    payload.extend_from_slice(&last.to_be_bytes());
    payload.extend_from_slice(&(reason as u32).to_be_bytes());
    payload.extend_from_slice(why.as_bytes());
    put(out, kind::GOAWAY, 0, 0, &payload);
}

/// Appends SETTINGS.
pub(crate) fn put_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let mut payload = Vec::with_capacity(6 * settings.len());
    for (name, value) in settings {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    put(out, kind::SETTINGS, 0, 0, &payload);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn what_is_put_is_parsed() {
        let mut out = Vec::new();
        put_window(&mut out, 0x8000_0005, 7);
        let head = FrameHead::parse(&out).unwrap();
        let want = FrameHead {
            length: 4,
            kind: kind::WINDOW_UPDATE,
            flags: 0,
            stream: 5,
        };
        assert_eq!((head, number(&out[HEAD..])), (want, Some(7)));
        assert_eq!(FrameHead::parse(&out[..8]), None);
    }

    #[test]
    fn padding_goes() {
        let head = |flags| FrameHead {
            length: 0,
            kind: kind::DATA,
            flags,
            stream: 1,
        };
        let padded = head(flag::PADDED);
        assert_eq!(unpadded(head(0), b"\x02ab"), Ok(&b"\x02ab"[..]));
        assert_eq!(unpadded(padded, b"\x02abcd"), Ok(&b"ab"[..]));
        assert_eq!(unpadded(padded, b"\x02ab"), Ok(&b""[..]));
        assert!(unpadded(padded, b"\x03ab").is_err());
        assert!(unpadded(padded, b"").is_err());
    }

    #[test]
    fn long_blocks_are_continued() {
        let block = vec![7; 2 * MAX_PAYLOAD + 1];
        let mut out = Vec::new();
        put_block(&mut out, 3, true, &block);
        let mut rest = &out[..];
        let (mut joined, mut heads) = (Vec::new(), Vec::new());
        while let Some(head) = FrameHead::parse(rest) {
            joined.extend_from_slice(&rest[HEAD..HEAD + head.length]);
            rest = &rest[HEAD + head.length..];
            heads.push((head.kind, head.flags));
        }
        assert_eq!(heads, [(1, 1), (9, 0), (9, 4)]);
        assert_eq!(joined, block);
    }
}
