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

The result means the same to prost, and is a fixed point.
*/

use super::plain::is_utf8;
use super::schema::{self, Kind, Message};
use super::wire::{self, Field, Fields, Value};

/// What [`repair`] made.
#[derive(Debug)]
pub struct Repaired {
    /// Canonical bytes with the same meaning.
    pub bytes: Vec<u8>,
    /// Strings in which invalid UTF-8 was replaced.
    pub utf8_replaced: u64,
}

/// Rewrites valid bytes canonically. What is not valid is cut off at the
/// first damage of its message.
pub fn repair(request: &[u8]) -> Repaired {
    let mut bytes = Vec::with_capacity(request.len() + request.len() / 8);
    let mut writer = Writer {
        out: &mut bytes,
        utf8_replaced: 0,
    };
    writer.message(Message::Request, request, wire::MAX_DEPTH);
    let utf8_replaced = writer.utf8_replaced;
    Repaired {
        bytes,
        utf8_replaced,
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    utf8_replaced: u64,
}

impl Writer<'_> {
    fn message(&mut self, message: Message, payload: &[u8], depth: u32) {
        let survivors = Survivors::of(message, payload);
        for (at, field) in Fields::new(payload).enumerate() {
            let Some(known) = known(message, &field) else {
                continue;
            };
            match known.kind {
                _ if known.repeated => self.field(known.kind, &field, depth),
                Kind::Message(child) => {
                    if survivors.opens(field.number, at) {
                        let merged = survivors.merged(message, payload, &field);
                        self.nested(child, field.number, &merged, depth);
                    }
                }
                kind => {
                    if survivors.is_last(field.number, at) {
                        self.field(kind, &field, depth);
                    }
                }
            }
        }
        for field in Fields::new(payload).filter(|f| known(message, f).is_none()) {
            self.out.extend_from_slice(field.raw);
        }
    }

    fn field(&mut self, kind: Kind, field: &Field<'_>, depth: u32) {
        match (kind, field.value) {
            (Kind::Message(child), Value::Len(payload)) => {
                self.nested(child, field.number, payload, depth);
            }
            (Kind::Text, Value::Len(text)) if !is_utf8(text) => {
                self.utf8_replaced += 1;
                let text = String::from_utf8_lossy(text);
                wire::put_bytes(field.number, text.as_bytes(), self.out);
            }
            _ => self.out.extend_from_slice(field.raw),
        }
    }

    fn nested(&mut self, child: Message, number: u32, payload: &[u8], depth: u32) {
        // Valid bytes never nest deeper; this bounds the stack for others.
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        wire::put_tag(number, wire::Wire::Len, self.out);
        let (at, reserved) = (self.out.len(), wire::varint_len(payload.len() as u64));
        self.out.resize(at + reserved, 0);
        self.message(child, payload, depth);
        wire::close_len(at, reserved, self.out);
    }
}

/// The schema's entry for a field, if known and of the right wire type.
fn known(message: Message, field: &Field<'_>) -> Option<schema::Field> {
    let known = schema::field(message, field.number)?;
    let fits = matches!(
        (known.kind.wire(), field.value),
        (wire::Wire::Varint, Value::Varint(_))
            | (wire::Wire::Fixed64, Value::Fixed64(_))
            | (wire::Wire::Fixed32, Value::Fixed32(_))
            | (wire::Wire::Len, Value::Len(_))
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
    fn of(message: Message, payload: &[u8]) -> Self {
        let mut this = Self {
            first: [NONE; 32],
            last: [NONE; 32],
            repeats: false,
        };
        let mut variant = None;
        for (at, field) in Fields::new(payload).enumerate() {
            let Some(known) = known(message, &field) else {
                continue;
            };
            let number = (field.number & 31) as usize;
            if message == Message::AnyValue && variant != Some(number) {
                // Another variant discards all before it.
                if variant.is_some() {
                    this.first = [NONE; 32];
                    this.last = [NONE; 32];
                }
                variant = Some(number);
            }
            if this.first[number] == NONE {
                this.first[number] = at;
            } else {
                this.repeats |= !known.repeated;
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
        message: Message,
        payload: &'p [u8],
        field: &Field<'p>,
    ) -> std::borrow::Cow<'p, [u8]> {
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
        for (at, field) in Fields::new(payload).enumerate() {
            if at >= first && field.number == number && known(message, &field).is_some() {
                joined.extend_from_slice(field.bytes().unwrap_or_default());
            }
        }
        joined.into()
    }
}
