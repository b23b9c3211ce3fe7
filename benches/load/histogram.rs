/*! A histogram of microseconds: exact below 128, then within 1 in 64. */

/// Slots per doubling.
const FINE: u64 = 64;

/// Counts of durations.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; slot(u64::MAX) + 1],
            total: 0,
        }
    }
}

/// Values share a slot when their highest seven bits agree.
fn slot(value: u64) -> usize {
    let shift = (64 - (value | FINE).leading_zeros() as u64) - 7;
    (shift * FINE + (value >> shift)) as usize
}

/// The largest value of a slot.
fn top(slot: usize) -> u64 {
    let slot = slot as u64;
    let shift = (slot / FINE).saturating_sub(1);
    ((slot - shift * FINE) << shift) | ((1 << shift) - 1)
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, micros: u64) {
        self.counts[slot(micros)] += 1;
        self.total += 1;
    }

    /// The value that `share` (0 to 1) of all do not exceed; 0 when empty.
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return top(at);
            }
        }
        0
    }
}
