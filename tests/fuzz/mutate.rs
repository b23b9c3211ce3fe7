/*!
Mutations for the stable driver: small injuries anywhere, and, where inputs
have a grammar, changes that keep it, so that they reach what lies behind the
first check.
*/

mod frames;
mod requests;

use crate::targets::Grammar;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use wayspan::pdata::wire::{self, WireFields, WireType, WireValue};

/// Inputs are cut off here, or at twice the longest of their corpus: longer ones only
/// take longer.
const LONGEST: usize = 2048;
/// How deep messages are changed inside.
const DEPTH: u32 = 12;

/// Numbers on the edges of what fields hold.
const EDGES: [u64; 12] = [
    0,
    1,
    127,
    128,
    16_383,
    16_384,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Makes inputs out of a corpus, the same for the same seed.
pub struct Mutator {
    rng: StdRng,
    grammar: Grammar,
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    longest: usize,
}

impl Mutator {
    /// Neither `corpus` nor, for text, `words` may be empty.
    pub fn new(seed: u64, grammar: Grammar, corpus: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> Self {
        let longest = corpus.iter().map(|bytes| 2 * bytes.len()).max();
        Self {
            rng: StdRng::seed_from_u64(seed),
            grammar,
            corpus,
            words,
            longest: longest.unwrap_or(0).max(LONGEST),
        }
    }

    /// The next input.
    pub fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.donor();
        loop {
            self.mutate(&mut bytes);
            bytes.truncate(self.longest);
            if self.rng.random_bool(0.6) {
                return bytes;
            }
        }
    }

    fn donor(&mut self) -> Vec<u8> {
        self.corpus
            .choose(&mut self.rng)
            .cloned()
            .unwrap_or_default()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        match self.grammar {
            Grammar::Text if self.rng.random_bool(0.85) => self.text(bytes),
            Grammar::Protobuf if self.rng.random_bool(0.7) => *bytes = self.message(bytes, DEPTH),
            Grammar::ProtobufThen(tail) | Grammar::RequestThen(tail)
                if self.rng.random_bool(0.8) =>
            {
                self.before_tail(bytes, tail, |this, front| this.message(front, DEPTH));
            }
            Grammar::FramesThen(tail) if self.rng.random_bool(0.9) => {
                self.before_tail(bytes, tail, |this, front| this.frames(front));
            }
            _ => self.injure(bytes),
        }
    }

    /// Changes what stands before the last `tail` bytes, or one of these, or both.
    fn before_tail(
        &mut self,
        bytes: &mut Vec<u8>,
        tail: usize,
        change: impl FnOnce(&mut Self, &[u8]) -> Vec<u8>,
    ) {
        let mut tail = bytes.split_off(bytes.len().saturating_sub(tail));
        if self.rng.random_bool(0.7) {
            *bytes = change(self, bytes);
        }
        if self.rng.random_bool(0.5)
            && let Some(byte) = self.place(&tail).and_then(|at| tail.get_mut(at))
        {
            *byte = self.rng.random();
        }
        bytes.truncate(self.longest - tail.len());
        bytes.append(&mut tail);
    }

    /// An input that is made of nothing: bytes, or as the grammar has it, pieces of it.
    pub fn noise(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.grammar {
            Grammar::Text if self.rng.random() => {
                for _ in 0..self.rng.random_range(0..20) {
                    bytes.extend(self.words.choose(&mut self.rng).into_iter().flatten());
                }
            }
            Grammar::Protobuf | Grammar::ProtobufThen(_) if self.rng.random() => {
                bytes = self.noise_in_fields(DEPTH);
            }
            Grammar::RequestThen(_) if self.rng.random() => {
                let (request, signal) = self.request();
                return [request, vec![signal, self.rng.random(), self.rng.random()]].concat();
            }
            Grammar::FramesThen(_) if self.rng.random() => bytes = self.noise_in_frames(),
            _ => {
                let length = self.rng.random_range(0..256);
                bytes = (0..length).map(|_| self.rng.random()).collect();
            }
        }
        if let Grammar::ProtobufThen(tail)
        | Grammar::RequestThen(tail)
        | Grammar::FramesThen(tail) = self.grammar
        {
            bytes.extend((0..tail).map(|_| self.rng.random::<u8>()));
        }
        bytes
    }

    /// Fields of any number and type, in fields of bytes as often as not.
    fn noise_in_fields(&mut self, depth: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.rng.random_range(0..4) {
            match depth > 0 && self.rng.random_bool(0.6) {
                true => {
                    let number = self.number();
                    let inside = self.noise_in_fields(depth - 1);
                    bytes.extend(self.field(number, &inside));
                }
                false => bytes.extend(self.unknown()),
            }
        }
        bytes
    }

    fn place(&mut self, bytes: &[u8]) -> Option<usize> {
        (!bytes.is_empty()).then(|| self.rng.random_range(0..bytes.len()))
    }

    /// A piece of `bytes`, mostly short.
    fn piece(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.rng.random_range(0..=bytes.len());
        let most = if self.rng.random_bool(0.8) { 16 } else { 256 };
        from..(from + self.rng.random_range(0..=most)).min(bytes.len())
    }

    /// One injury without regard to what the bytes mean.
    fn injure(&mut self, bytes: &mut Vec<u8>) {
        let Some(at) = self.place(bytes) else {
            return bytes.push(self.rng.random());
        };
        match self.rng.random_range(0..10) {
            0 | 1 => bytes[at] ^= 1 << self.rng.random_range(0..8),
            2 => bytes[at] = self.rng.random(),
            // Often a wire type, or the length of something.
            3 => bytes[at] = bytes[at] & !7 | self.rng.random_range(0..8),
            4 => bytes[at] = bytes[at].wrapping_add_signed(self.rng.random_range(-2..=2)),
            5 => bytes.insert(at, self.rng.random()),
            6 => drop(bytes.drain(self.piece(bytes))),
            7 => {
                let piece = bytes[self.piece(bytes)].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            8 => {
                let donor = self.donor();
                let piece = self.piece(&donor);
                drop(bytes.splice(at..at, donor[piece].to_vec()));
            }
            _ => {
                let varint = self.varint();
                let end = (at + self.rng.random_range(0..3)).min(bytes.len());
                drop(bytes.splice(at..end, varint));
            }
        }
    }

    /// A varint of an odd value, an odd length, or none at all.
    fn varint(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let value = match self.rng.random() {
            true => *EDGES.choose(&mut self.rng).unwrap_or(&0),
            false => self.rng.random::<u64>() >> self.rng.random_range(0..64),
        };
        wire::put_varint(value, &mut out);
        if self.rng.random_bool(0.3) {
            let more = self.rng.random_range(1..12);
            out.iter_mut().for_each(|byte| *byte |= 0x80);
            out.extend(std::iter::repeat_n(0x80, more));
            out.push(self.rng.random_range(0..3));
        }
        out
    }

    /// `message` with one change, here or in a message inside, whose lengths
    /// are then right again, mostly.
    fn message(&mut self, message: &[u8], depth: u32) -> Vec<u8> {
        let fields: Vec<_> = WireFields::new(message).collect();
        let Some(field) = fields.choose(&mut self.rng) else {
            let mut bytes = message.to_vec();
            self.injure(&mut bytes);
            return bytes;
        };
        let new = match field.value {
            WireValue::Len(payload) if depth > 0 && self.rng.random_bool(0.8) => {
                let payload = match self.rng.random_bool(0.9) {
                    true => self.message(payload, depth - 1),
                    false => payload.to_vec(),
                };
                self.field(field.number, &payload)
            }
            WireValue::Len(payload) => match self.rng.random_range(0..4) {
                0 => {
                    let number = self.number();
                    self.field(number, payload)
                }
                1 => self.repeated(field.raw),
                2 => Vec::new(),
                // Parts of one message, as protobuf allows.
                _ => {
                    let cut = self.rng.random_range(0..=payload.len());
                    let mut both = self.field(field.number, &payload[..cut]);
                    both.extend(self.field(field.number, &payload[cut..]));
                    both
                }
            },
            WireValue::Varint(_) if self.rng.random_bool(0.7) => {
                let mut out = Vec::new();
                wire::put_tag(field.number, WireType::Varint, &mut out);
                out.extend(self.varint());
                out
            }
            _ => {
                let mut raw = field.raw.to_vec();
                match self.rng.random_range(0..3) {
                    0 => self.injure(&mut raw),
                    1 => raw.extend(self.unknown()),
                    _ => raw.clear(),
                }
                raw
            }
        };
        let (before, after) = (&message[..field.at], &message[field.end()..]);
        match self.rng.random_range(0..8) {
            0 => [before, after, &new].concat(),
            1 => [&new, before, after].concat(),
            _ => [before, &new, after].concat(),
        }
    }

    /// `field` twice, or many times.
    fn repeated(&mut self, field: &[u8]) -> Vec<u8> {
        let times = 2 << self.rng.random_range(0..8);
        field.repeat((self.longest / field.len().max(1)).clamp(2, times))
    }

    /// A field of bytes, with a length that lies now and then.
    fn field(&mut self, number: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.rng.random_bool(0.97) {
            wire::put_bytes(number, payload, &mut out);
        } else {
            wire::put_tag(number, WireType::Len, &mut out);
            match self.rng.random() {
                true => out.extend(self.varint()),
                false => {
                    let off = self.rng.random_range(-2..=2);
                    wire::put_varint((payload.len() as u64).saturating_add_signed(off), &mut out);
                }
            }
            out.extend(payload);
        }
        out
    }

    fn number(&mut self) -> u32 {
        match self.rng.random_bool(0.9) {
            true => self.rng.random_range(1..17),
            false => *[17, 100, 2047, 2048, (1 << 29) - 1]
                .choose(&mut self.rng)
                .unwrap_or(&17),
        }
    }

    /// A field of any wire type, perhaps a group in a group.
    fn unknown(&mut self) -> Vec<u8> {
        let number = self.number();
        let wire = [
            WireType::Varint,
            WireType::Fixed64,
            WireType::Len,
            WireType::StartGroup,
            WireType::EndGroup,
            WireType::Fixed32,
        ];
        let wire = *wire.choose(&mut self.rng).unwrap_or(&WireType::Varint);
        let mut out = Vec::new();
        wire::put_tag(number, wire, &mut out);
        match wire {
            WireType::Varint => out.extend(self.varint()),
            WireType::Fixed64 => out.extend(self.rng.random::<[u8; 8]>()),
            WireType::Fixed32 => out.extend(self.rng.random::<[u8; 4]>()),
            WireType::Len => {
                out.push(2);
                out.extend(self.rng.random::<[u8; 2]>());
            }
            WireType::StartGroup => {
                if self.rng.random() {
                    out.extend(self.unknown());
                }
                wire::put_tag(number, WireType::EndGroup, &mut out);
            }
            WireType::EndGroup => {}
        }
        out
    }

    /// One change to text, by words and lines.
    fn text(&mut self, bytes: &mut Vec<u8>) {
        let word = self
            .words
            .choose(&mut self.rng)
            .cloned()
            .unwrap_or_default();
        let Some(at) = self.place(bytes) else {
            return *bytes = word;
        };
        match self.rng.random_range(0..8) {
            0 => drop(bytes.splice(at..at, word)),
            // A word in place of another.
            1..=3 => drop(bytes.splice(word_at(bytes, at), word)),
            4 => drop(bytes.drain(word_at(bytes, at))),
            5 => drop(bytes.drain(line_at(bytes, at))),
            6 => {
                let line = bytes[line_at(bytes, at)].to_vec();
                let to = self.place(bytes).map_or(0, |to| line_at(bytes, to).start);
                drop(bytes.splice(to..to, line));
            }
            _ => {
                let donor = self.donor();
                if let Some(from) = self.place(&donor) {
                    let line = donor[line_at(&donor, from)].to_vec();
                    let to = line_at(bytes, at).start;
                    drop(bytes.splice(to..to, line));
                }
            }
        }
    }
}

/// The run of letters or of anything else around `at`.
fn word_at(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let same = |byte: &&u8| letter(byte) == letter(&bytes[at]);
    let before = bytes[..at].iter().rev().take_while(same).count();
    let after = bytes[at..].iter().take_while(same).count();
    at - before..at + after
}

/// The line around `at`, its end included.
fn line_at(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let from = bytes[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |n| n + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n');
    from..end.map_or(bytes.len(), |n| at + n + 1)
}
