/*!
Rewrites valid bytes into valid bytes that no common encoder would send:
padded varints, shuffled fields, split messages, repeated scalars, several
variants of a oneof, unknown fields of every wire type at every level, and, on
request, strings that are not UTF-8.
*/

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use wayspan::pdata::{
    Signal,
    schema::{self, DenseKind, SchemaLabel, SchemaMessage},
    wire::{self, WireFields, WireType, WireValue},
};

/// What to do to the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oddities {
    /// Longer varints than needed.
    pub padding: bool,
    /// Fields in another order (within a field number it stays).
    pub shuffle: bool,
    /// Fields that nobody knows.
    pub unknown: bool,
    /// Singular messages in parts, scalars and oneofs with earlier values.
    pub repeat: bool,
    /// Damaged strings.
    pub bad_utf8: bool,
}

impl Oddities {
    pub const VALID: Self = Self {
        padding: true,
        shuffle: true,
        unknown: true,
        repeat: true,
        bad_utf8: false,
    };
    pub const ALL: Self = Self {
        bad_utf8: true,
        ..Self::VALID
    };
    pub const CANONICAL: Self = Self {
        shuffle: false,
        repeat: false,
        ..Self::VALID
    };

    /// Each on its own, so that none hides behind another's call for repair.
    pub fn each() -> [Self; 5] {
        let none = Self::default();
        [
            Self {
                padding: true,
                ..none
            },
            Self {
                shuffle: true,
                ..none
            },
            Self {
                unknown: true,
                ..none
            },
            Self {
                repeat: true,
                ..none
            },
            Self {
                bad_utf8: true,
                ..none
            },
        ]
    }
}

/// Rewrites a request of traces.
pub fn odd(request: &[u8], oddities: Oddities, seed: u64) -> Vec<u8> {
    odd_of(Signal::Traces, request, oddities, seed)
}

/// Rewrites a signal's request.
pub fn odd_of(signal: Signal, request: &[u8], oddities: Oddities, seed: u64) -> Vec<u8> {
    let mut writer = Writer {
        rng: StdRng::seed_from_u64(seed),
        odd: oddities,
    };
    writer.message(SchemaMessage::request(signal), request)
}

struct Writer {
    rng: StdRng,
    odd: Oddities,
}

impl Writer {
    fn message(&mut self, message: SchemaMessage, payload: &[u8]) -> Vec<u8> {
        let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
        for field in WireFields::new(payload) {
            let known = schema::field(message, field.number);
            if known.kind == DenseKind::Unknown {
                fields.push((field.number, field.raw.to_vec()));
                continue;
            }
            let may_repeat =
                self.odd.repeat && !known.is_repeated() && self.rng.random_ratio(1, 12);
            if may_repeat {
                let number = if known.is_variant() {
                    let variants = message
                        .fields()
                        .iter()
                        .filter(|f| f.label == SchemaLabel::OneOf);
                    let variants: Vec<u32> = variants.map(|f| f.number).collect();
                    *variants.choose(&mut self.rng).unwrap()
                } else {
                    field.number
                };
                fields.push((field.number, self.decoy(message, number)));
            }
            match (known.kind, field.value) {
                (DenseKind::Message(child), WireValue::Len(payload)) => {
                    let payload = self.message(child, payload);
                    if may_repeat {
                        let cuts: Vec<_> = WireFields::new(&payload).map(|f| f.at).collect();
                        let cut = cuts.choose(&mut self.rng).copied().unwrap_or_default();
                        fields.push((field.number, self.len(field.number, &payload[..cut])));
                        fields.push((field.number, self.len(field.number, &payload[cut..])));
                    } else {
                        fields.push((field.number, self.len(field.number, &payload)));
                    }
                }
                (DenseKind::Fixed64, WireValue::Len(packed)) if self.odd.repeat => {
                    for value in packed.as_chunks::<8>().0 {
                        let mut out = self.tag(field.number, WireType::Fixed64);
                        out.extend(value);
                        fields.push((field.number, out));
                    }
                }
                (_, WireValue::Len(bytes)) => {
                    let mut bytes = bytes.to_vec();
                    if known.kind == DenseKind::Text
                        && self.odd.bad_utf8
                        && self.rng.random_ratio(1, 20)
                    {
                        let at = self.rng.random_range(0..=bytes.len());
                        bytes.insert(at, *[0xff, 0xc3, 0x80, 0xed].choose(&mut self.rng).unwrap());
                    }
                    fields.push((field.number, self.len(field.number, &bytes)));
                }
                (_, WireValue::Varint(value)) => {
                    let mut out = self.tag(field.number, WireType::Varint);
                    self.varint(value, &mut out);
                    fields.push((field.number, out));
                }
                _ => fields.push((field.number, field.raw.to_vec())),
            }
        }
        if self.odd.unknown {
            for _ in 0..self.rng.random_range(0..8u32).saturating_sub(5) {
                let at = self.rng.random_range(0..=fields.len());
                fields.insert(at, (u32::MAX, self.unknown()));
            }
        }
        if self.odd.shuffle && self.rng.random_bool(0.3) {
            for _ in 0..fields.len() * 2 {
                let at = self.rng.random_range(0..fields.len());
                if at > 0 && fields[at - 1].0 != fields[at].0 {
                    fields.swap(at - 1, at);
                }
            }
        }
        fields.into_iter().flat_map(|(_, bytes)| bytes).collect()
    }

    /// An earlier value of a singular field.
    fn decoy(&mut self, message: SchemaMessage, number: u32) -> Vec<u8> {
        let kind = schema::field(message, number).kind;
        let mut out = self.tag(number, kind.wire());
        match kind {
            DenseKind::Varint => {
                let value = self.value();
                self.varint(value, &mut out);
            }
            DenseKind::Fixed64 => out.extend([1, 2, 3, 4, 5, 6, 7, 8]),
            DenseKind::Fixed32 => out.extend([1, 2, 3, 4]),
            DenseKind::Bytes | DenseKind::Text => {
                self.varint(3, &mut out);
                out.extend(b"old");
            }
            DenseKind::Unknown => unreachable!("a decoy of an unknown field"),
            DenseKind::Message(child) => {
                let payload = if self.odd.unknown && self.rng.random() {
                    self.unknown()
                } else if self.rng.random() {
                    Vec::new()
                } else {
                    self.decoy(child, child.fields()[0].number)
                };
                self.varint(payload.len() as u64, &mut out);
                out.extend(payload);
            }
        }
        out
    }

    fn value(&mut self) -> u64 {
        self.rng.random::<u64>() >> self.rng.random_range(0..64)
    }

    fn unknown(&mut self) -> Vec<u8> {
        let number = *[17, 18, 100, 3000, (1 << 29) - 1]
            .choose(&mut self.rng)
            .unwrap();
        let wire = *[
            WireType::Varint,
            WireType::Fixed64,
            WireType::Len,
            WireType::StartGroup,
            WireType::Fixed32,
        ]
        .choose(&mut self.rng)
        .unwrap();
        let mut out = self.tag(number, wire);
        match wire {
            WireType::Varint => {
                let value = self.value();
                self.varint(value, &mut out);
            }
            WireType::Fixed64 => out.extend(self.rng.random::<[u8; 8]>()),
            WireType::Fixed32 => out.extend(self.rng.random::<[u8; 4]>()),
            WireType::Len => {
                let bytes: Vec<u8> = (0..self.rng.random_range(0..9))
                    .map(|_| self.rng.random())
                    .collect();
                self.varint(bytes.len() as u64, &mut out);
                out.extend(bytes);
            }
            WireType::StartGroup | WireType::EndGroup => {
                if self.rng.random() {
                    out.extend(self.unknown());
                }
                out.extend(self.tag(number, WireType::EndGroup));
            }
        }
        out
    }

    fn len(&mut self, number: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = self.tag(number, WireType::Len);
        self.varint(payload.len() as u64, &mut out);
        out.extend(payload);
        out
    }

    fn tag(&mut self, number: u32, wire: WireType) -> Vec<u8> {
        let mut out = Vec::new();
        self.varint(u64::from(number) << 3 | wire as u64, &mut out);
        out
    }

    fn varint(&mut self, value: u64, out: &mut Vec<u8>) {
        wire::put_varint(value, out);
        let len = wire::varint_len(value);
        if self.odd.padding && len < 10 && self.rng.random_ratio(1, 15) {
            *out.last_mut().unwrap() |= 0x80;
            for _ in len + 1..self.rng.random_range(len + 1..=10) {
                out.push(0x80);
            }
            out.push(0);
        }
    }
}
