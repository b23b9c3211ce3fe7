/*! The walk over the fields of a message, whichever it is. */

use crate::pdata::{
    index::{ByteRange, Index},
    keys::Keys,
    plain::{PLAIN_DEPTH, is_utf8, plain_key_value},
    schema::{self, DenseField, DenseKind, SchemaMessage},
    signal::Signal,
    wire::{self, WireReason, WireType},
};

/// Why a request's framing was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason} at byte {offset}")]
pub struct MalformedRequest {
    /// Offset in the request of the field that is wrong.
    pub offset: usize,
    /// The message or field, such as `ResourceSpans.scope_spans`.
    pub(crate) path: &'static str,
    /// What is wrong there.
    pub(crate) reason: WireReason,
}

/// A field the walk has just passed.
pub(super) struct FoundField {
    pub(super) number: u32,
    /// Payload of a length-delimited field, else the value's bytes.
    pub(super) start: usize,
    /// Position after the field.
    pub(super) end: usize,
    /// Value of a varint field.
    pub(super) value: u64,
    pub(super) kind: DenseKind,
}

impl FoundField {
    pub(super) fn range(&self) -> ByteRange {
        range(self.start, self.end)
    }
}

/// Offsets fit: the request is smaller than 4 GiB.
pub(super) fn range(start: usize, end: usize) -> ByteRange {
    ByteRange {
        start: start as u32,
        end: end as u32,
    }
}

/// The state of a walk. `CANONICAL` of its functions tells whether a singular
/// field that occurs twice calls for repair: not inside metrics and log records,
/// which are passed byte for byte.
pub(super) struct RequestWalk<'a> {
    pub(super) request: &'a [u8],
    pub(super) keys: &'a Keys,
    pub(super) index: &'a mut Index,
}

impl<'a> RequestWalk<'a> {
    pub(super) fn new(
        signal: Signal,
        request: &'a [u8],
        keys: &'a Keys,
        index: &'a mut Index,
    ) -> Result<Self, MalformedRequest> {
        if u32::try_from(request.len()).is_err() {
            return Err(MalformedRequest {
                offset: 0,
                path: SchemaMessage::request(signal).name(),
                reason: WireReason::TooLarge,
            });
        }
        Ok(Self {
            request,
            keys,
            index,
        })
    }

    /// The request up to `end`, so that nothing inside a message can be read
    /// from beyond it while positions stay absolute.
    pub(super) fn until(&self, end: usize) -> &'a [u8] {
        self.request.get(..end).unwrap_or_default()
    }

    /// Walks a message of which nothing is indexed and which is to be canonical.
    pub(super) fn canonical(
        &mut self,
        message: SchemaMessage,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        self.message::<true>(message, start, end, depth)
    }

    /// Walks a message of which nothing is indexed and which may be as it is, as
    /// long as its text is UTF-8.
    pub(super) fn loose(
        &mut self,
        message: SchemaMessage,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        self.message::<false>(message, start, end, depth)
    }

    fn message<const CANONICAL: bool>(
        &mut self,
        message: SchemaMessage,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        let buf = self.until(end);
        let (mut pos, mut seen) = (start, 0);
        while pos < buf.len() {
            let field = self.field::<CANONICAL>(message, buf, pos, depth, &mut seen)?;
            if let DenseKind::Message(child) = field.kind {
                let plain = child == SchemaMessage::KeyValue
                    && depth >= PLAIN_DEPTH
                    && buf
                        .get(field.start..field.end)
                        .and_then(plain_key_value)
                        .is_some_and(|(key, text)| is_utf8(key) && is_utf8(text));
                if !plain {
                    self.message::<CANONICAL>(child, field.start, field.end, depth - 1)?;
                }
            }
            pos = field.end;
        }
        Ok(())
    }

    /// Checks the field at `at`, short of descending into a message. `seen`
    /// has a bit for each singular field of this message that has occurred.
    #[inline(always)]
    pub(super) fn field<const CANONICAL: bool>(
        &mut self,
        message: SchemaMessage,
        buf: &[u8],
        at: usize,
        depth: u32,
        seen: &mut u32,
    ) -> Result<FoundField, MalformedRequest> {
        let (tag, pos) =
            wire::tag(buf, at).map_err(|reason| malformed(at, message.name(), reason))?;
        let number = tag.number;
        let field = schema::field(message, number);
        let mut found = FoundField {
            number,
            start: pos,
            end: pos,
            value: 0,
            kind: field.kind,
        };
        let bad = |reason| malformed(at, message.path(number), reason);
        if field.kind == DenseKind::Unknown {
            found.end = wire::skip(buf, pos, tag, depth).map_err(bad)?;
            return Ok(found);
        }
        if tag.wire != field.kind.wire() {
            (found.start, found.end) = packed(field, tag.wire, buf, pos).map_err(bad)?;
            return Ok(found);
        }
        if CANONICAL {
            self.index.needs_repair |= *seen & field.bit != 0;
            *seen |= field.bit;
        }
        match field.kind {
            DenseKind::Varint => (found.value, found.end) = wire::varint(buf, pos).map_err(bad)?,
            DenseKind::Fixed64 => found.end = wire::fixed(buf, pos, 8).map_err(bad)?,
            DenseKind::Fixed32 => found.end = wire::fixed(buf, pos, 4).map_err(bad)?,
            DenseKind::Bytes | DenseKind::Unknown => {
                (found.start, found.end) = wire::len_delimited(buf, pos).map_err(bad)?;
            }
            DenseKind::Text => {
                (found.start, found.end) = wire::len_delimited(buf, pos).map_err(bad)?;
                let text = buf.get(found.start..found.end).unwrap_or_default();
                self.index.needs_repair |= !is_utf8(text);
            }
            DenseKind::Message(_) => {
                if depth == 0 {
                    return Err(bad(WireReason::TooDeep));
                }
                (found.start, found.end) = wire::len_delimited(buf, pos).map_err(bad)?;
            }
        }
        Ok(found)
    }
}

#[cold]
#[inline(never)]
fn malformed(offset: usize, path: &'static str, reason: WireReason) -> MalformedRequest {
    MalformedRequest {
        offset,
        path,
        reason,
    }
}

/// Checks a field whose wire type is not that of its kind: repeated scalars may
/// stand in one length-delimited field, and nothing else may. Returns the start
/// and end of its bytes.
#[cold]
#[inline(never)]
fn packed(
    field: DenseField,
    found: WireType,
    buf: &[u8],
    pos: usize,
) -> Result<(usize, usize), WireReason> {
    let expected = field.kind.wire();
    if !field.is_repeated() || found != WireType::Len {
        return Err(WireReason::WrongWireType { found, expected });
    }
    let (start, end) = wire::len_delimited(buf, pos)?;
    let buf = buf.get(..end).unwrap_or_default();
    let mut pos = start;
    while pos < end {
        pos = match expected {
            WireType::Varint => wire::varint(buf, pos)?.1,
            WireType::Fixed64 => wire::fixed(buf, pos, 8)?,
            _ => wire::fixed(buf, pos, 4)?,
        };
    }
    Ok((start, end))
}
