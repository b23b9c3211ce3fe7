/*!
Rewrites requests that are valid but not canonical. Rare, so it may allocate.

Protobuf lets a sender repeat a singular field, and lets the receiver sort it
out. Everything after the walk relies on each being there at most once, so
here the rules are applied once, on the bytes:

- singular messages are merged, which on the wire is concatenation;
- of repeated scalars the last stays;
- of a oneof the last variant stays, merged with those directly before it that
  are the same message variant, as prost does;
- strings that are not UTF-8 get U+FFFD for each bad sequence;
- unknown fields stay byte for byte, after the known fields of their message.

Joining pieces copies them, once more at each level of nesting, and U+FFFD is
three bytes for one: both are bounded by [`RequestLimits`], or 2 kB on the wire
would take gigabytes.

That holds for traces throughout. Of metrics and logs only the groups, down to
the resource, the scope and the `Metric`, are made so; what is inside a data point
or a log record stays as it is, byte for byte, but for text that is not UTF-8.

The result means the same to prost, and is a fixed point.
*/

use super::{
    index::RequestLimits,
    plain::is_utf8,
    schema::{self, DenseField, DenseKind, SchemaMessage},
    signal::Signal,
    wire::{self, WireField, WireFields, WireReason, WireType, WireValue},
};
use std::borrow::Cow;

/// What [`repair`] made.
#[derive(Debug)]
pub struct Repaired {
    /// Canonical bytes with the same meaning.
    pub bytes: Vec<u8>,
    /// Strings in which invalid UTF-8 was replaced.
    pub utf8_replaced: u64,
}

/// Rewrites a signal's valid bytes canonically. What is not valid is cut off at
/// the first damage of its message.
///
/// # Errors
///
/// When it would take more than `limits` allow.
pub fn repair(
    signal: Signal,
    request: &[u8],
    limits: &RequestLimits,
) -> Result<Repaired, WireReason> {
    let most = limits.repaired;
    // What is canonical is hardly ever shorter.
    if request.len() > most {
        return Err(WireReason::Canonical(most));
    }
    let room = request.len() + request.len() / 8;
    let mut writer = CanonWriter {
        // Where it could not double, it has all at once and never moves.
        bytes: Vec::with_capacity(if room > most / 2 { most } else { room }),
        utf8_replaced: 0,
        joined: 0,
        most_joined: limits.joined(request.len()),
        most_bytes: most,
    };
    let message = SchemaMessage::request(signal);
    writer.canonical(message, request, wire::MAX_DEPTH)?;
    Ok(Repaired {
        bytes: writer.bytes,
        utf8_replaced: writer.utf8_replaced,
    })
}

/// What is to be done to a message and all it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Make it canonical.
    Canonical,
    /// Replace what is not UTF-8.
    Text,
}

/// Whether the message is the content of a metric or a log record.
fn is_opaque(message: SchemaMessage) -> bool {
    use SchemaMessage as M;
    matches!(
        message,
        M::LogRecord | M::Gauge | M::Sum | M::Histogram | M::ExponentialHistogram | M::Summary
    )
}

/// The most bytes that the key of a known field has.
const KEY: usize = 2;

struct CanonWriter {
    bytes: Vec<u8>,
    utf8_replaced: u64,
    /// Bytes copied to join what came in pieces.
    joined: usize,
    most_joined: usize,
    most_bytes: usize,
}

impl CanonWriter {
    fn canonical(
        &mut self,
        message: SchemaMessage,
        payload: &[u8],
        depth: u32,
    ) -> Result<(), WireReason> {
        let survivors = Survivors::of(message, payload);
        for (at, field) in WireFields::new(payload).enumerate() {
            let Some(known) = known(message, &field) else {
                continue;
            };
            match known.kind {
                kind if known.is_repeated() => self.field(kind, &field, depth, Care::Canonical)?,
                DenseKind::Message(child) => {
                    if survivors.opens(field.number, at) {
                        let number = field.number;
                        let length = survivors.joined_len(message, payload, &field);
                        self.joined += length.unwrap_or_default();
                        if self.joined > self.most_joined {
                            return Err(WireReason::Joined(self.most_joined));
                        }
                        let merged = survivors.merged(message, payload, &field, length);
                        self.nested(child, number, &merged, depth, Care::Canonical)?;
                    }
                }
                kind => {
                    if survivors.is_last(field.number, at) {
                        self.field(kind, &field, depth, Care::Canonical)?;
                    }
                }
            }
        }
        for field in WireFields::new(payload).filter(|f| known(message, f).is_none()) {
            self.copy(field.raw)?;
        }
        Ok(())
    }

    /// Copies a message in which some text is to be replaced.
    fn text(
        &mut self,
        message: SchemaMessage,
        payload: &[u8],
        depth: u32,
    ) -> Result<(), WireReason> {
        for field in WireFields::new(payload) {
            let kind = schema::field(message, field.number).kind;
            self.field(kind, &field, depth, Care::Text)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        kind: DenseKind,
        field: &WireField<'_>,
        depth: u32,
        care: Care,
    ) -> Result<(), WireReason> {
        match (kind, field.value) {
            (DenseKind::Message(child), WireValue::Len(payload)) => {
                self.nested(child, field.number, payload, depth, care)
            }
            (DenseKind::Text, WireValue::Len(text)) if !is_utf8(text) => {
                self.utf8_replaced += 1;
                self.replace(field.number, text)
            }
            _ => self.copy(field.raw),
        }
    }

    /// Writes `text` with U+FFFD in place of each bad sequence.
    fn replace(&mut self, number: u32, text: &[u8]) -> Result<(), WireReason> {
        let (at, reserved) = self.open(number, text)?;
        for chunk in text.utf8_chunks() {
            self.copy(chunk.valid().as_bytes())?;
            if !chunk.invalid().is_empty() {
                self.copy("\u{FFFD}".as_bytes())?;
            }
        }
        self.close(at, reserved)
    }

    fn copy(&mut self, raw: &[u8]) -> Result<(), WireReason> {
        self.reserve(raw.len())?;
        self.bytes.extend_from_slice(raw);
        Ok(())
    }

    /// Makes room for so many bytes more. What there is doubles, but not past what
    /// there may be.
    fn reserve(&mut self, more: usize) -> Result<(), WireReason> {
        let needed = self.bytes.len() + more;
        if needed > self.most_bytes {
            return Err(WireReason::Canonical(self.most_bytes));
        }
        if needed > self.bytes.capacity() {
            let doubled = self.bytes.capacity().saturating_mul(2);
            let room = doubled.clamp(needed, self.most_bytes);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        Ok(())
    }

    /// Begins a field with a length, of about that of `payload`: where the length
    /// stands, and how many bytes it has.
    fn open(&mut self, number: u32, payload: &[u8]) -> Result<(usize, usize), WireReason> {
        let reserved = wire::varint_len(payload.len() as u64);
        self.reserve(KEY + reserved)?;
        wire::put_tag(number, WireType::Len, &mut self.bytes);
        let at = self.bytes.len();
        self.bytes.resize(at + reserved, 0);
        Ok((at, reserved))
    }

    /// Ends it.
    fn close(&mut self, at: usize, reserved: usize) -> Result<(), WireReason> {
        let payload = self.bytes.len() - at - reserved;
        self.reserve(wire::varint_len(payload as u64).saturating_sub(reserved))?;
        wire::close_len(at, reserved, &mut self.bytes);
        Ok(())
    }

    fn nested(
        &mut self,
        child: SchemaMessage,
        number: u32,
        payload: &[u8],
        depth: u32,
        care: Care,
    ) -> Result<(), WireReason> {
        // Valid bytes never nest deeper; this bounds the stack for others.
        let Some(depth) = depth.checked_sub(1) else {
            return Ok(());
        };
        let (at, reserved) = self.open(number, payload)?;
        match care {
            Care::Canonical if !is_opaque(child) => self.canonical(child, payload, depth)?,
            Care::Canonical if is_text(child, payload, depth) => self.copy(payload)?,
            _ => self.text(child, payload, depth)?,
        }
        self.close(at, reserved)
    }
}

/// Whether all text in a message is UTF-8.
fn is_text(message: SchemaMessage, payload: &[u8], depth: u32) -> bool {
    WireFields::new(payload).all(|field| match field.bytes() {
        None => true,
        Some(bytes) => match schema::field(message, field.number).kind {
            DenseKind::Text => is_utf8(bytes),
            DenseKind::Message(child) => match depth.checked_sub(1) {
                Some(depth) => is_text(child, bytes, depth),
                None => true,
            },
            _ => true,
        },
    })
}

/// The schema's entry for a field, if known and of the right wire type. Packed
/// scalars do not occur in messages that are made canonical.
fn known(message: SchemaMessage, field: &WireField<'_>) -> Option<DenseField> {
    let known = schema::field(message, field.number);
    let fits = known.kind != DenseKind::Unknown
        && matches!(
            (known.kind.wire(), field.value),
            (WireType::Varint, WireValue::Varint(_))
                | (WireType::Fixed64, WireValue::Fixed64(_))
                | (WireType::Fixed32, WireValue::Fixed32(_))
                | (WireType::Len, WireValue::Len(_))
        );
    fits.then_some(known)
}

/// Which occurrences of the singular fields of one message count, as
/// positions in the order of its fields. Indexed by field number (below 32).
struct Survivors {
    /// First occurrence that counts; later ones merge into it.
    first: [usize; 32],
    /// Last occurrence.
    last: [usize; 32],
    /// Some singular field occurs more than once.
    repeats: bool,
}

const NONE: usize = usize::MAX;

impl Survivors {
    fn of(message: SchemaMessage, payload: &[u8]) -> Self {
        let mut this = Self {
            first: [NONE; 32],
            last: [NONE; 32],
            repeats: false,
        };
        let mut variant = None;
        for (at, field) in WireFields::new(payload).enumerate() {
            let Some(known) = known(message, &field) else {
                continue;
            };
            let number = (field.number & 31) as usize;
            if known.is_variant() && variant != Some(number) {
                // Another variant discards the one before it.
                if let Some(before) = variant.replace(number) {
                    this.first[before] = NONE;
                    this.last[before] = NONE;
                }
            }
            if this.first[number] == NONE {
                this.first[number] = at;
            } else {
                this.repeats |= !known.is_repeated();
            }
            this.last[number] = at;
        }
        this
    }

    fn opens(&self, number: u32, at: usize) -> bool {
        self.first[(number & 31) as usize] == at
    }

    fn is_last(&self, number: u32, at: usize) -> bool {
        self.last[(number & 31) as usize] == at
    }

    /// How long the occurrences of a singular message are that count, if there
    /// are several to be joined.
    fn joined_len(
        &self,
        message: SchemaMessage,
        payload: &[u8],
        field: &WireField<'_>,
    ) -> Option<usize> {
        let at = (field.number & 31) as usize;
        if !self.repeats || self.first[at] == self.last[at] {
            return None;
        }
        let pieces = self.pieces(message, payload, field.number);
        Some(pieces.map(<[u8]>::len).sum())
    }

    /// Payload of a singular message: all its counting occurrences, joined.
    fn merged<'p>(
        &self,
        message: SchemaMessage,
        payload: &'p [u8],
        field: &WireField<'p>,
        joined_len: Option<usize>,
    ) -> Cow<'p, [u8]> {
        let Some(length) = joined_len else {
            return field.bytes().unwrap_or_default().into();
        };
        let mut joined = Vec::with_capacity(length);
        for piece in self.pieces(message, payload, field.number) {
            joined.extend_from_slice(piece);
        }
        joined.into()
    }

    fn pieces<'p>(
        &self,
        message: SchemaMessage,
        payload: &'p [u8],
        number: u32,
    ) -> impl Iterator<Item = &'p [u8]> {
        let first = self.first[(number & 31) as usize];
        WireFields::new(payload)
            .enumerate()
            .filter(move |(at, field)| {
                *at >= first && field.number == number && known(message, field).is_some()
            })
            .map(|(_, field)| field.bytes().unwrap_or_default())
    }
}
