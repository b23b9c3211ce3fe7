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

That holds for traces throughout. Of metrics and logs only the groups, down to
the resource, the scope and the `Metric`, are made so; what is inside a data point
or a log record stays as it is, byte for byte, but for text that is not UTF-8.

The result means the same to prost, and is a fixed point.
*/

use super::{
    plain::is_utf8,
    schema::{self, DenseField, DenseKind, SchemaMessage},
    signal::Signal,
    wire::{self, WireField, WireFields, WireType, WireValue},
};
use std::borrow::Cow;

/// What [`repair`] made.
#[derive(Debug)]
pub struct Repaired {
    /// Canonical bytes with the same meaning.
    pub bytes: Vec<u8>,
    /// Strings in which invalid UTF-8 was replaced.
    pub utf8_replaced: u64,
    /// Bytes that were copied to join messages that came in pieces. They may be
    /// many times what the request has: each level of nesting joins anew.
    pub joined_bytes: u64,
}

/// Rewrites a signal's valid bytes canonically. What is not valid is cut off at
/// the first damage of its message.
pub fn repair(signal: Signal, request: &[u8]) -> Repaired {
    let mut repaired = Repaired {
        bytes: Vec::with_capacity(request.len() + request.len() / 8),
        utf8_replaced: 0,
        joined_bytes: 0,
    };
    let message = SchemaMessage::request(signal);
    CanonWriter { to: &mut repaired }.canonical(message, request, wire::MAX_DEPTH);
    repaired
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

struct CanonWriter<'a> {
    to: &'a mut Repaired,
}

impl CanonWriter<'_> {
    fn canonical(&mut self, message: SchemaMessage, payload: &[u8], depth: u32) {
        let survivors = Survivors::of(message, payload);
        for (at, field) in WireFields::new(payload).enumerate() {
            let Some(known) = known(message, &field) else {
                continue;
            };
            match known.kind {
                kind if known.is_repeated() => self.field(kind, &field, depth, Care::Canonical),
                DenseKind::Message(child) => {
                    if survivors.opens(field.number, at) {
                        let merged = survivors.merged(message, payload, &field);
                        if let Cow::Owned(joined) = &merged {
                            self.to.joined_bytes += joined.len() as u64;
                        }
                        self.nested(child, field.number, &merged, depth, Care::Canonical);
                    }
                }
                kind => {
                    if survivors.is_last(field.number, at) {
                        self.field(kind, &field, depth, Care::Canonical);
                    }
                }
            }
        }
        for field in WireFields::new(payload).filter(|f| known(message, f).is_none()) {
            self.to.bytes.extend_from_slice(field.raw);
        }
    }

    /// Copies a message in which some text is to be replaced.
    fn text(&mut self, message: SchemaMessage, payload: &[u8], depth: u32) {
        for field in WireFields::new(payload) {
            let kind = schema::field(message, field.number).kind;
            self.field(kind, &field, depth, Care::Text);
        }
    }

    fn field(&mut self, kind: DenseKind, field: &WireField<'_>, depth: u32, care: Care) {
        match (kind, field.value) {
            (DenseKind::Message(child), WireValue::Len(payload)) => {
                self.nested(child, field.number, payload, depth, care);
            }
            (DenseKind::Text, WireValue::Len(text)) if !is_utf8(text) => {
                self.to.utf8_replaced += 1;
                let text = String::from_utf8_lossy(text);
                wire::put_bytes(field.number, text.as_bytes(), &mut self.to.bytes);
            }
            _ => self.to.bytes.extend_from_slice(field.raw),
        }
    }

    fn nested(
        &mut self,
        child: SchemaMessage,
        number: u32,
        payload: &[u8],
        depth: u32,
        care: Care,
    ) {
        // Valid bytes never nest deeper; this bounds the stack for others.
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        wire::put_tag(number, WireType::Len, &mut self.to.bytes);
        let at = self.to.bytes.len();
        let reserved = wire::varint_len(payload.len() as u64);
        self.to.bytes.resize(at + reserved, 0);
        match care {
            Care::Canonical if !is_opaque(child) => self.canonical(child, payload, depth),
            Care::Canonical if is_text(child, payload, depth) => {
                self.to.bytes.extend_from_slice(payload);
            }
            _ => self.text(child, payload, depth),
        }
        wire::close_len(at, reserved, &mut self.to.bytes);
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

    /// Payload of a singular message: all its counting occurrences, joined.
    fn merged<'p>(
        &self,
        message: SchemaMessage,
        payload: &'p [u8],
        field: &WireField<'p>,
    ) -> Cow<'p, [u8]> {
        let only = field.bytes().unwrap_or_default();
        let number = field.number;
        let (first, last) = (
            self.first[(number & 31) as usize],
            self.last[(number & 31) as usize],
        );
        if !self.repeats || first == last {
            return only.into();
        }
        let mut joined = Vec::new();
        for (at, field) in WireFields::new(payload).enumerate() {
            if at >= first && field.number == number && known(message, &field).is_some() {
                joined.extend_from_slice(field.bytes().unwrap_or_default());
            }
        }
        joined.into()
    }
}
