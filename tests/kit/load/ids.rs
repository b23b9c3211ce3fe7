/*!
Span ids that are random to look at and a counter to the sink.

The n-th span's id is n times an odd constant, modulo 2⁶⁴. That spreads the
bits as real ids have them (which matters to compression and to hashing), never
repeats, and the constant's inverse gives n back, so a bitmap is all that is
needed to tell which spans arrived and which arrived twice.
*/

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const INVERSE: u64 = inverse(FACTOR);

/// Newton's iteration: each step doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut step = 0;
    while step < 6 {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

/// The id of span `n`; n counts from 1, since an id must not be zero.
pub fn span_id(n: u64) -> [u8; 8] {
    n.wrapping_mul(FACTOR).to_be_bytes()
}

/// A trace of its own for each span.
pub fn trace_id(n: u64) -> [u8; 16] {
    let high = n.wrapping_mul(INVERSE) ^ FACTOR;
    (u128::from(high) << 64 | u128::from(n.wrapping_mul(FACTOR))).to_be_bytes()
}

/// Which span has this id; None if this sender makes no such id.
pub fn number(id: &[u8]) -> Option<u64> {
    let id = u64::from_be_bytes(id.try_into().ok()?);
    Some(id.wrapping_mul(INVERSE)).filter(|n| *n < MOST)
}

/// Which ids were seen.
#[derive(Default)]
pub struct Seen {
    bits: Vec<u64>,
    /// Spans, repeated ones included.
    pub received: u64,
    /// Different spans of this sender's.
    pub unique: u64,
    /// Spans with ids that this sender never makes.
    pub foreign: u64,
}

/// More spans than any run sends; the bitmap stays below 512 MiB.
const MOST: u64 = 1 << 32;

impl Seen {
    /// Counts a span by its id.
    pub fn count(&mut self, id: &[u8]) {
        self.received += 1;
        let Some(n) = number(id) else {
            self.foreign += 1;
            return;
        };
        let (word, bit) = place(n);
        if word >= self.bits.len() {
            self.bits.resize(word + word / 2 + 1024, 0);
        }
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.unique += 1;
        }
    }

    /// Whether span `n` was seen.
    pub fn contains(&self, n: u64) -> bool {
        let (word, bit) = place(n);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

fn place(n: u64) -> (usize, u64) {
    ((n / 64) as usize, 1 << (n % 64))
}
