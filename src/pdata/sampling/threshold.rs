/*!
Thresholds and randomness of consistent probability sampling, 56 bits each (the Collector's `pkg/sampling`).

An item is kept when its randomness is not below the threshold: a threshold of 0 keeps all, one of 2^56, which cannot
be written, nothing.
*/

use std::fmt::{self, Write};

/// One more than the greatest randomness.
const END: u64 = 1 << 56;

/// Hexadecimal digits of 56 bits.
pub(crate) const DIGITS: u32 = 14;

/// Returns the least probability that can be said.
pub(crate) fn least_probability() -> f64 {
    1.0 / END as f64
}

/// What an item's randomness must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Threshold(u64);

impl Threshold {
    pub(crate) const ALWAYS: Self = Self(0);
    pub(crate) const NEVER: Self = Self(END);

    /// The threshold of 56 bits.
    pub(crate) fn new(bits: u64) -> Self {
        Self(bits.min(END))
    }

    /// Reads what a trace state has: 1 to 14 digits, of which zeros at the end were left out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bits = hexadecimal(text)?;
        let missing = DIGITS.checked_sub(u32::try_from(text.len()).ok()?)?;
        Some(Self(bits << (4 * missing)))
    }

    /// The threshold that keeps this share of items. Near 0 and 1 it has more digits than
    /// `precision`. None out of range.
    pub(crate) fn of_probability(share: f64, precision: u32) -> Option<Self> {
        if !(least_probability()..=1.0).contains(&share) {
            return None;
        }
        if share == 1.0 {
            return Some(Self::ALWAYS);
        }
        let more = (exponent(share) / 4).max(exponent(1.0 - share) / 4);
        let precision = (precision + more).min(DIGITS);
        // Exact: a power of two times a number, rounded once.
        let kept = (share * END as f64).round() as u64;
        let mut bits = END - kept;
        let shift = 4 * (DIGITS - precision);
        if shift > 0 {
            bits = (bits + (1 << (shift - 1))) >> shift << shift;
        }
        Some(Self(bits))
    }

    /// The share of items that it keeps.
    pub(crate) fn probability(self) -> f64 {
        (END - self.0) as f64 / END as f64
    }

    /// How many items one that was kept stands for: as a quotient of 56-bit numbers. None for
    /// [`Threshold::NEVER`].
    pub(crate) fn adjusted_count(self) -> Option<(u64, u64)> {
        let kept = END - self.0;
        (kept > 0).then_some((END, kept))
    }

    /// Returns true if an item of this randomness is kept.
    pub(crate) fn keeps(self, randomness: Randomness) -> bool {
        self.0 <= randomness.0
    }
}

/// As it is written into a trace state; empty for [`Threshold::NEVER`].
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALWAYS => f.write_char('0'),
            Self::NEVER => Ok(()),
            Self(bits) => {
                let zeros = bits.trailing_zeros() / 4;
                let width = (DIGITS - zeros.min(DIGITS)) as usize;
                write!(f, "{:0width$x}", bits >> (4 * zeros))
            }
        }
    }
}

/// How many leading zeros, of bits, a share between 0 and 1 has.
fn exponent(share: f64) -> u32 {
    let exponent = (share.to_bits() >> 52 & 0x7ff) as u32;
    1022_u32.saturating_sub(exponent)
}

/// A number that is the same for all items of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Randomness(u64);

impl Randomness {
    /// What every threshold keeps that can be written.
    pub(crate) const GREATEST: Self = Self(END - 1);

    /// Reads what a trace state has: 14 digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bits = hexadecimal(text)?;
        (text.len() == DIGITS as usize).then_some(Self(bits))
    }

    /// The randomness that W3C's trace ids have.
    pub(crate) fn of_trace_id(id: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(id) as u64 & (END - 1))
    }

    /// The randomness of bytes: FNV-1a, of which 14 bits decide, behind a seed.
    pub(crate) fn of_hash(bytes: &[u8], seed: u32) -> Self {
        let mut hash = 0x811c_9dc5_u32;
        for byte in seed.to_le_bytes().iter().chain(bytes) {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
        let bucket = u64::from(hash & 0x3fff);
        let rest = u64::from(hash >> 18);
        // The first 14 bits count down from the bucket, so that reaching a threshold means what being
        // below a bucket meant; the others only make the number look random.
        let first = 0x3fff - bucket;
        Self(first << 42 | (rest ^ rest << 10) << 14 | bucket)
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}", self.0)
    }
}

/// Reads 1 to 14 digits.
fn hexadecimal(text: &str) -> Option<u64> {
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = is_hexadecimal && text.len() <= DIGITS as usize;
    fits.then(|| u64::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_of_probabilities_are_the_collectors() {
        for (share, precision, expected) in [
            (1.0, 4, "0"),
            (0.5, 4, "8"),
            (0.25, 4, "c"),
            (0.2, 4, "cccd"),
            (1.0 / 3.0, 14, "aaaaaaaaaaaaac"),
            (1.0 / 3.0, 3, "aab"),
            (0.01, 4, "fd70a"),
            (0.001, 4, "ffbe77"),
            (0.1, 4, "e666"),
            (0.99, 4, "028f6"),
            (2_f64.powi(-56), 4, "ffffffffffffff"),
        ] {
            let threshold = Threshold::of_probability(share, precision);
            let shown = threshold.map(|threshold| threshold.to_string());
            assert_eq!(shown.as_deref(), Some(expected), "{share}");
        }
        assert_eq!(Threshold::of_probability(0.0, 4), None);
        assert_eq!(Threshold::of_probability(1.1, 4), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for text in ["0", "8", "cccd", "ffffffffffffff", "00000000000001", "01"] {
            let read = Threshold::parse(text).map(|threshold| threshold.to_string());
            assert_eq!(read.as_deref(), Some(text));
        }
        assert_eq!(Threshold::parse("0000"), Some(Threshold::ALWAYS));
        for wrong in ["", "g", "+1", "000000000000001"] {
            assert_eq!(Threshold::parse(wrong), None, "{wrong}");
        }
        let randomness = Randomness::parse("0123456789ABcd");
        assert_eq!(
            randomness.map(|r| r.to_string()).as_deref(),
            Some("0123456789abcd")
        );
        assert_eq!(Randomness::parse("0123456789abc"), None);
    }
}
