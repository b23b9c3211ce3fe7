/*! Reading: fields, one by one, from bytes that may be anything. */

/// How many messages or groups may nest, as prost counts
/// (`RECURSION_LIMIT`): the request itself is level 100, its children 99.
pub(crate) const MAX_DEPTH: u32 = 100;

/// The six wire types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireType {
    /// Variable-length integer (0).
    Varint,
    /// Eight bytes, little endian (1).
    Fixed64,
    /// Length, then so many bytes (2).
    Len,
    /// Begin of a group (3).
    StartGroup,
    /// End of a group (4).
    EndGroup,
    /// Four bytes, little endian (5).
    Fixed32,
}

impl std::fmt::Display for WireType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            WireType::Varint => "a varint",
            WireType::Fixed64 => "8 fixed bytes",
            WireType::Len => "a length and bytes",
            WireType::StartGroup => "the start of a group",
            WireType::EndGroup => "the end of a group",
            WireType::Fixed32 => "4 fixed bytes",
        })
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireReason {
    /// The bytes end within a varint.
    #[error("a varint is cut off by the end of the message")]
    VarintCut,
    /// More than ten bytes, or more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    VarintTooLong,
    /// The key, field number and wire type together, exceeds 32 bits.
    #[error("a field key is larger than 32 bits")]
    KeyTooLarge,
    /// Field numbers start at 1.
    #[error("field number 0")]
    FieldZero,
    /// Wire types 6 and 7.
    #[error("wire type {0} does not exist")]
    NoSuchWireType(u8),
    /// A length reaches beyond the enclosing message.
    #[error("length {0} runs past the end of the message")]
    Overrun(u64),
    /// Fewer than 4 or 8 bytes are left.
    #[error("a fixed-width value is cut off by the end of the message")]
    FixedCut,
    /// An end without a start, or of another group.
    #[error("a group ends that was not open")]
    EndGroup,
    /// See [`MAX_DEPTH`].
    #[error("nested deeper than 100 levels")]
    TooDeep,
    /// A known field with the wire type of another kind of value.
    #[error("{found} where {expected} should be")]
    WrongWireType {
        /// What the bytes have.
        found: WireType,
        /// What the schema says.
        expected: WireType,
    },
    /// Offsets are 32 bits wide.
    #[error("a request of 4 GiB or more")]
    TooLarge,
    /// More entries than an index holds.
    #[error("more than {0} in one request; send fewer at a time")]
    TooMany(usize),
    /// Joining messages that came in pieces, each inside the other, would copy
    /// more than so many bytes.
    #[error("messages in pieces inside each other: joining them copies more than {0} bytes")]
    Joined(usize),
    /// The request, made canonical, would have more than so many bytes.
    #[error("made canonical, the request has more than {0} bytes")]
    Canonical(usize),
}

impl WireReason {
    /// Returns true if the bytes are not wrong, but more than a limit allows.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooLarge | Self::TooMany(_) | Self::Joined(_) | Self::Canonical(_)
        )
    }
}

/// A decoded field key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireTag {
    /// Field number, at least 1.
    pub(crate) number: u32,
    /// Wire type.
    pub(crate) wire: WireType,
}

/// Reads a varint at `pos`; returns it and the position after it.
///
/// # Errors
/// Cut off or too long.
#[inline(always)]
pub(crate) fn varint(buf: &[u8], pos: usize) -> Result<(u64, usize), WireReason> {
    match buf.get(pos) {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), pos + 1)),
        _ => long_varint(buf, pos),
    }
}

fn long_varint(buf: &[u8], pos: usize) -> Result<(u64, usize), WireReason> {
    let bytes = buf.get(pos..).unwrap_or_default();
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        // The tenth byte holds the 64th bit and no more.
        if i == 9 && byte > 1 {
            return Err(WireReason::VarintTooLong);
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, pos + i + 1));
        }
    }
    Err(WireReason::VarintCut)
}

/// Reads a field key at `pos`; returns it and the position after it.
///
/// # Errors
/// What prost refuses as a key.
#[inline(always)]
pub(crate) fn tag(buf: &[u8], pos: usize) -> Result<(WireTag, usize), WireReason> {
    let (key, pos) = varint(buf, pos)?;
    let key = u32::try_from(key).map_err(|_| WireReason::KeyTooLarge)?;
    let wire = match key & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Len,
        3 => WireType::StartGroup,
        4 => WireType::EndGroup,
        5 => WireType::Fixed32,
        other => return Err(WireReason::NoSuchWireType(other as u8)),
    };
    match key >> 3 {
        0 => Err(WireReason::FieldZero),
        number => Ok((WireTag { number, wire }, pos)),
    }
}

/// Reads a length at `pos`; returns start and end of the bytes it covers.
///
/// # Errors
/// A bad varint, or a length that reaches past the end of `buf`.
#[inline(always)]
pub(crate) fn len_delimited(buf: &[u8], pos: usize) -> Result<(usize, usize), WireReason> {
    let (len, start) = varint(buf, pos)?;
    if len > (buf.len() - start) as u64 {
        return Err(WireReason::Overrun(len));
    }
    Ok((start, start + len as usize))
}

/// The position after a fixed-width value of `width` bytes at `pos`.
///
/// # Errors
/// Fewer bytes are left.
#[inline(always)]
pub(crate) fn fixed(buf: &[u8], pos: usize, width: usize) -> Result<usize, WireReason> {
    if buf.len().saturating_sub(pos) < width {
        Err(WireReason::FixedCut)
    } else {
        Ok(pos + width)
    }
}

/// Skips the value, at `pos`, of a field nobody knows; returns the position
/// after it. `depth` is how many levels the enclosing message may still nest.
///
/// # Errors
/// What prost's `skip_field` refuses.
pub(crate) fn skip(
    buf: &[u8],
    mut pos: usize,
    key: WireTag,
    depth: u32,
) -> Result<usize, WireReason> {
    if depth == 0 {
        return Err(WireReason::TooDeep);
    }
    match key.wire {
        WireType::Varint => varint(buf, pos).map(|(_, end)| end),
        WireType::Fixed64 => fixed(buf, pos, 8),
        WireType::Fixed32 => fixed(buf, pos, 4),
        WireType::Len => len_delimited(buf, pos).map(|(_, end)| end),
        WireType::StartGroup => loop {
            let (inner, after) = tag(buf, pos)?;
            if inner.wire == WireType::EndGroup {
                return if inner.number == key.number {
                    Ok(after)
                } else {
                    Err(WireReason::EndGroup)
                };
            }
            pos = skip(buf, after, inner, depth - 1)?;
        },
        WireType::EndGroup => Err(WireReason::EndGroup),
    }
}

/// A field's value as the wire has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireValue<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2, its bytes.
    Len(&'a [u8]),
    /// Wire type 3; the bytes are in [`WireField::raw`].
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireField<'a> {
    /// Field number.
    pub number: u32,
    /// Its value.
    pub value: WireValue<'a>,
    /// Key and value as they stand on the wire.
    pub raw: &'a [u8],
    /// Offset of the key in the message.
    pub at: usize,
}

impl<'a> WireField<'a> {
    /// The bytes of a length-delimited value.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            WireValue::Len(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Position after the field in the message.
    pub fn end(&self) -> usize {
        self.at + self.raw.len()
    }
}

/// The fields of a message in wire order. Ends early at damaged bytes.
#[derive(Clone, Copy, Debug)]
pub struct WireFields<'a> {
    buf: &'a [u8],
    pos: usize,
}

impl<'a> WireFields<'a> {
    /// Walks a message's payload.
    pub fn new(message: &'a [u8]) -> Self {
        Self {
            buf: message,
            pos: 0,
        }
    }

    /// Walks a message's payload from `pos` on, which must be a field's start.
    pub(crate) fn from(message: &'a [u8], pos: usize) -> Self {
        Self { buf: message, pos }
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = WireField<'a>;

    #[inline]
    fn next(&mut self) -> Option<WireField<'a>> {
        let (buf, at) = (self.buf, self.pos);
        if at >= buf.len() {
            return None;
        }
        let (key, pos) = tag(buf, at).ok()?;
        let (value, end) = match key.wire {
            WireType::Varint => varint(buf, pos)
                .map(|(v, end)| (WireValue::Varint(v), end))
                .ok()?,
            WireType::Len => {
                let (start, end) = len_delimited(buf, pos).ok()?;
                (WireValue::Len(buf.get(start..end)?), end)
            }
            WireType::Fixed64 => {
                let bytes = buf.get(pos..)?.first_chunk()?;
                (WireValue::Fixed64(u64::from_le_bytes(*bytes)), pos + 8)
            }
            WireType::Fixed32 => {
                let bytes = buf.get(pos..)?.first_chunk()?;
                (WireValue::Fixed32(u32::from_le_bytes(*bytes)), pos + 4)
            }
            WireType::StartGroup => (WireValue::Group, skip(buf, pos, key, MAX_DEPTH).ok()?),
            WireType::EndGroup => return None,
        };
        self.pos = end;
        Some(WireField {
            number: key.number,
            value,
            raw: buf.get(at..end)?,
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenth_byte_is_at_most_one() {
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(varint(&bytes, 0), Ok((u64::MAX, 10)));
        bytes[9] = 2;
        assert_eq!(varint(&bytes, 0), Err(WireReason::VarintTooLong));
        assert_eq!(varint(&[0x80; 11], 0), Err(WireReason::VarintTooLong));
        assert_eq!(varint(&[0x80; 9], 0), Err(WireReason::VarintCut));
    }

    #[test]
    fn groups_must_balance() {
        let group = |bytes: &[u8], depth| {
            skip(
                bytes,
                0,
                WireTag {
                    number: 1,
                    wire: WireType::StartGroup,
                },
                depth,
            )
        };
        assert_eq!(group(&[0x0c], 1), Ok(1));
        assert_eq!(group(&[0x14], 1), Err(WireReason::EndGroup));
        assert_eq!(group(&[0x08, 0x05, 0x0c], 2), Ok(3));
        assert_eq!(group(&[0x08, 0x05, 0x0c], 1), Err(WireReason::TooDeep));
        assert_eq!(group(&[], 1), Err(WireReason::VarintCut));
    }
}
