/*! One series: what its spans come to, and how two of them merge. */

use super::{exponential::Exponential, settings::Buckets};

/// A span that a point stands for, among others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exemplar {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) duration: f64,
}

/// The durations of a series' spans.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Durations {
    /// With so many in each bucket, the last beyond all bounds.
    Explicit { sum: f64, buckets: Box<[u64]> },
    /// With buckets that follow the values.
    Exponential(Box<Exponential>),
}

/// What was seen of one combination of dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    pub(super) count: u64,
    /// None: only counted.
    pub(super) durations: Option<Durations>,
    pub(super) exemplars: Vec<Exemplar>,
}

impl Series {
    /// An empty series, with durations in `buckets` if there are some.
    pub(super) fn new(buckets: Option<&Buckets>) -> Self {
        Self {
            durations: buckets.map(|buckets| match buckets {
                Buckets::Explicit(bounds) => Durations::Explicit {
                    sum: 0.0,
                    buckets: vec![0; bounds.len() + 1].into(),
                },
                Buckets::Exponential(most) => {
                    Durations::Exponential(Box::new(Exponential::new(*most)))
                }
            }),
            ..Self::default()
        }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let durations = match &self.durations {
            None => 0,
            Some(Durations::Explicit { buckets, .. }) => 8 * buckets.len(),
            Some(Durations::Exponential(histogram)) => 64 + 8 * histogram.buckets.len(),
        };
        size_of::<Self>() + durations + self.exemplars.len() * size_of::<Exemplar>()
    }

    /// Adds spans of this duration.
    pub(super) fn record(&mut self, duration: f64, spans: u64, bounds: &[f64]) {
        self.count += spans;
        match &mut self.durations {
            None => {}
            Some(Durations::Explicit { sum, buckets }) => {
                *sum += duration * spans as f64;
                let at = bounds.partition_point(|bound| *bound < duration);
                if let Some(bucket) = buckets.get_mut(at) {
                    *bucket += spans;
                }
            }
            Some(Durations::Exponential(histogram)) => histogram.record(duration, spans),
        }
    }

    /// Adds all of `other`, and of its exemplars as many as may be.
    pub(super) fn merge(&mut self, other: Self, most_exemplars: usize) {
        self.count += other.count;
        match (&mut self.durations, other.durations) {
            (
                Some(Durations::Explicit { sum, buckets }),
                Some(Durations::Explicit {
                    sum: more,
                    buckets: others,
                }),
            ) => {
                *sum += more;
                for (bucket, other) in buckets.iter_mut().zip(others) {
                    *bucket += other;
                }
            }
            (Some(Durations::Exponential(histogram)), Some(Durations::Exponential(other))) => {
                histogram.merge(&other);
            }
            // Series of one meter have durations alike.
            _ => {}
        }
        let room = most_exemplars.saturating_sub(self.exemplars.len());
        self.exemplars
            .extend(other.exemplars.into_iter().take(room));
    }

    /// Forgets everything but what it is.
    pub(super) fn reset(&mut self, buckets: Option<&Buckets>) {
        *self = Self::new(buckets);
    }
}
