/*! Data points as they are kept, and what a later one does to them. */

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Histogram(Histogram),
    Summary {
        count: u64,
        sum: f64,
        /// Quantiles and their values.
        quantiles: Vec<(f64, f64)>,
    },
}

/// A histogram with explicit bounds; one without any is exponential, of which Prometheus'
/// text has the count and the sum alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) bounds: Vec<f64>,
    /// How many there are in each bucket.
    pub(super) counts: Vec<u64>,
}

/// A span that a value stands for, among others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exemplar {
    /// `trace_id="…",span_id="…"`.
    pub(super) labels: String,
    pub(super) value: f64,
    /// In nanoseconds.
    pub(super) time: u64,
}

/// Whether a point counts all since its start, or what came since the point before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temporality {
    /// Of values that are no sums.
    None,
    Delta,
    Cumulative,
}

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) value: Value,
    /// In nanoseconds.
    pub(super) start: u64,
    pub(super) time: u64,
    pub(super) exemplars: Vec<Exemplar>,
}

/// What becomes of a series: its labels, and its point; None: it has ended.
pub(super) type ReadPoint = (String, Temporality, Option<Point>);

impl Point {
    /// Puts a later point in its place; of deltas the sum with it. Returns false if that is not
    /// later, or has no place behind it.
    pub(super) fn follow(&mut self, next: Self, temporality: Temporality) -> bool {
        if temporality != Temporality::Delta {
            let is_later = next.time >= self.time;
            if is_later {
                *self = next;
            }
            return is_later;
        }
        if next.start == self.time {
            let start = self.start;
            let before = std::mem::replace(self, next);
            self.start = start;
            self.value.add(&before.value);
            return true;
        }
        // Sums begin anew whenever they are later; histograms only behind a gap.
        let begins = match next.value {
            Value::Histogram(_) => next.start > self.time,
            Value::Number(_) | Value::Summary { .. } => next.time >= self.time,
        };
        if begins {
            *self = next;
        }
        begins
    }
}

impl Point {
    /// About how many bytes it has besides its own.
    pub(super) fn bytes(&self) -> usize {
        let value = match &self.value {
            Value::Number(_) => 0,
            Value::Histogram(histogram) => 8 * (histogram.bounds.len() + histogram.counts.len()),
            Value::Summary { quantiles, .. } => 16 * quantiles.len(),
        };
        let exemplars = self.exemplars.iter();
        value
            + exemplars
                .map(|e| size_of::<Exemplar>() + e.labels.len())
                .sum::<usize>()
    }
}

impl Value {
    /// Adds what was counted before.
    fn add(&mut self, before: &Self) {
        match (self, before) {
            (Self::Number(value), Self::Number(before)) => *value += before,
            (Self::Histogram(value), Self::Histogram(before))
                if value.bounds == before.bounds && value.counts.len() == before.counts.len() =>
            {
                value.count += before.count;
                value.sum += before.sum;
                let counts = value.counts.iter_mut().zip(&before.counts);
                counts.for_each(|(count, before)| *count += before);
            }
            // With other bounds it counts from here.
            _ => {}
        }
    }
}
