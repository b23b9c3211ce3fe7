/*! Counts of values by size, behind the handles that the crate `metrics` has for them. */

use metrics::HistogramFn;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts values in buckets. Any thread may record: what is recorded are batches, not items.
#[derive(Debug)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// One more than there are bounds.
    counts: Box<[AtomicU64]>,
    /// The bits of a double.
    sum: AtomicU64,
}

/// What a histogram has at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distribution {
    /// The upper bounds of all buckets but the last.
    pub(crate) bounds: &'static [f64],
    /// How many values are in each bucket.
    pub(crate) counts: Vec<u64>,
    /// Of all values.
    pub(crate) sum: f64,
}

impl Buckets {
    /// Buckets in which nothing is counted yet.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// What was recorded so far.
    pub(super) fn read(&self) -> Distribution {
        Distribution {
            bounds: self.bounds,
            counts: self.counts.iter().map(|c| c.load(Relaxed)).collect(),
            sum: f64::from_bits(self.sum.load(Relaxed)),
        }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Relaxed);
        }
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // It always finds something to store.
        let _ = self.sum.fetch_update(Relaxed, Relaxed, add);
    }
}

impl Distribution {
    /// How many values there are.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_that_it_ends() {
        let histogram = Buckets::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 2.5, 9.0] {
            histogram.record(value);
        }
        let read = histogram.read();
        assert_eq!(
            (read.counts.clone(), read.sum, read.count()),
            (vec![2, 2, 2], 16.5, 6)
        );
    }
}
