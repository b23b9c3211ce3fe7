/*!
Exponential histograms, as `go-expohisto` keeps them for the Collector.

At scale *s* the upper bounds of the buckets are powers of 2^(2^-*s*). The scale begins at the finest and falls
by as little as is needed for all values to fit into so many buckets; so it does not depend on the order
of the values, and histograms that were kept apart merge to what one would have become.
*/

/// The finest scale.
const FINEST: i32 = 20;
/// One more than the greatest exponent of a double.
const MOST_EXPONENT: i32 = 1024;
/// The least exponent of a normal double.
const LEAST_EXPONENT: i32 = -1022;

/// A histogram of values that are not negative.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exponential {
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// How many values are 0.
    pub(super) zeros: u64,
    scale: i32,
    /// The index of the first bucket.
    pub(super) offset: i32,
    pub(super) buckets: Vec<u64>,
    most: i32,
}

impl Exponential {
    /// An empty histogram with `most` buckets at most.
    pub(super) fn new(most: i32) -> Self {
        Self {
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            zeros: 0,
            scale: FINEST,
            offset: 0,
            buckets: Vec::new(),
            most,
        }
    }

    /// The scale, which the Collector says is 0 while all values are.
    pub(super) fn shown_scale(&self) -> i32 {
        match self.buckets.is_empty() {
            true => 0,
            false => self.scale,
        }
    }

    /// Adds a value that came `times`.
    pub(super) fn record(&mut self, value: f64, times: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zeros += times;
            return;
        }
        self.sum += value * times as f64;
        self.add(index(value), FINEST, times);
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.zeros += other.zeros;
        self.sum += other.sum;
        if other.buckets.is_empty() {
            return;
        }
        self.coarsen(self.scale - other.scale);
        for (index, times) in (other.offset..).zip(&other.buckets) {
            if *times > 0 {
                self.add(index, other.scale, *times);
            }
        }
    }

    /// Adds to the bucket that has this index at `scale`, which is not coarser than our own.
    fn add(&mut self, index: i32, scale: i32, times: u64) {
        let index = index >> (scale - self.scale);
        if self.buckets.is_empty() {
            self.offset = index;
            self.buckets.push(times);
            return;
        }
        let end = self.offset + self.buckets.len() as i32 - 1;
        let (mut low, mut high) = (self.offset.min(index), end.max(index));
        let mut steps = 0;
        while high - low >= self.most {
            (low, high) = (low >> 1, high >> 1);
            steps += 1;
        }
        self.coarsen(steps);
        let index = index >> steps;
        if index < self.offset {
            let missing = (self.offset - index) as usize;
            self.buckets.splice(0..0, std::iter::repeat_n(0, missing));
            self.offset = index;
        }
        let at = (index - self.offset) as usize;
        if at >= self.buckets.len() {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += times;
    }

    /// Makes the scale coarser by so many steps; none if that is negative.
    fn coarsen(&mut self, steps: i32) {
        if steps <= 0 {
            return;
        }
        self.scale -= steps;
        let offset = self.offset >> steps;
        let mut merged = Vec::new();
        for (index, times) in (self.offset..).zip(&self.buckets) {
            let at = ((index >> steps) - offset) as usize;
            merged.resize(at + 1, 0);
            merged[at] += times;
        }
        (self.offset, self.buckets) = (offset, merged);
    }
}

/// The index of the bucket of a positive value at the finest scale.
fn index(value: f64) -> i32 {
    if value <= f64::MIN_POSITIVE {
        return (LEAST_EXPONENT << FINEST) - 1;
    }
    let bits = value.to_bits();
    if bits << 12 == 0 {
        let exponent = (bits >> 52) as i32 - 1023;
        return (exponent << FINEST) - 1;
    }
    let steps_of_an_octave = f64::from(1_i32 << FINEST);
    let index = (value.ln() * (std::f64::consts::LOG2_E * steps_of_an_octave)).floor() as i32;
    index.min((MOST_EXPONENT << FINEST) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], most: i32) -> Exponential {
        let mut histogram = Exponential::new(most);
        for value in values {
            histogram.record(*value, 1);
        }
        histogram
    }

    #[test]
    fn buckets_are_those_of_the_collector() {
        // One value stays at the finest scale.
        assert_eq!(
            (of(&[4.0], 160).scale, of(&[4.0], 160).offset),
            (20, (2 << 20) - 1)
        );
        let all = of(&[0.0, 1.0, 2.0, 4.0, 8.0, 3.0], 4);
        assert_eq!((all.scale, all.offset), (0, -1));
        assert_eq!(all.buckets, [1, 1, 2, 1]);
        assert_eq!((all.zeros, all.sum, all.min, all.max), (1, 18.0, 0.0, 8.0));
        let wide = of(&[f64::MIN_POSITIVE, 1e-300, 1.0, f64::MAX], 160);
        assert_eq!((wide.scale, wide.buckets.iter().sum::<u64>()), (-4, 4));
    }

    #[test]
    fn merged_is_as_if_kept_as_one() {
        let values: Vec<f64> = (1..500).map(|n| f64::from(n * n % 1009) / 7.0).collect();
        let mut sum = of(&values, 20);
        let (left, right) = values.split_at(100);
        for (a, b) in [(left, right), (right, left), (&[], &values)] {
            let mut merged = of(a, 20);
            merged.merge(&of(b, 20));
            // Doubles are added in another order.
            sum.sum = merged.sum;
            assert_eq!(merged, sum);
        }
    }
}
