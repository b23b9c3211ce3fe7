/*! The checked settings of `span_metrics`. */

use crate::pdata::metric::Temporality;
use std::time::Duration;

/// In what durations are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    /// How many nanoseconds it has.
    pub(super) fn nanoseconds(self) -> f64 {
        match self {
            Self::Milliseconds => 1e6,
            Self::Seconds => 1e9,
        }
    }

    /// What a metric calls it.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// The buckets of histograms.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Buckets {
    /// Those that end at these bounds, and one beyond.
    Explicit(Vec<f64>),
    /// So many at most, which follow the values.
    Exponential(i32),
}

/// An attribute of spans or resources that tells series apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) default: Option<String>,
}

/// What is counted of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Spans, into the metric of calls.
    Calls,
    /// Spans, into that of durations.
    Durations,
    /// Spans, into both, which have the same dimensions.
    Both,
    /// Their events.
    Events,
}

/// One table of series, with its own dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) counts: Counted,
    /// Indices into [`Settings::dimensions`].
    pub(super) dimensions: Vec<usize>,
}

impl Meter {
    /// Returns true if its series go into the metric of durations.
    pub(super) fn has_durations(&self) -> bool {
        matches!(self.counts, Counted::Durations | Counted::Both)
    }
}

/// The dimensions that every series has unless they are excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnDimensions {
    pub(super) service_name: bool,
    pub(super) span_name: bool,
    pub(super) span_kind: bool,
    pub(super) status_code: bool,
    pub(super) instance: bool,
}

/// All settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) namespace: String,
    /// Those of all meters, each once.
    pub(super) dimensions: Vec<Dimension>,
    pub(super) meters: Vec<Meter>,
    pub(super) own: OwnDimensions,
    pub(super) unit: Unit,
    pub(super) buckets: Buckets,
    /// By which attributes resources are told apart; empty: by all.
    pub(super) resource_key: Vec<String>,
    /// So many resources are kept.
    pub(super) most_resources: usize,
    pub(super) temporality: Temporality,
    pub(super) interval: Duration,
    /// After how long without spans a resource is forgotten; None: never.
    pub(super) resource_expiration: Option<Duration>,
    /// After how long without spans a series is forgotten; None: never.
    pub(super) series_expiration: Option<Duration>,
    /// So many exemplars a point; 0: none.
    pub(super) most_exemplars: usize,
    /// Scopes whose name and version are dimensions.
    pub(super) scopes: Vec<String>,
    /// So many series a resource and metric; None: no limit but memory.
    pub(super) most_series: Option<usize>,
    /// How many delta series without spans are remembered for the start of their next point.
    pub(super) most_remembered: usize,
    /// Whether series say if their spans stand for others.
    pub(super) says_sampling: bool,
}

impl Settings {
    /// The buckets of the series of a meter.
    pub(super) fn buckets_of(&self, meter: &Meter) -> Option<&Buckets> {
        meter.has_durations().then_some(&self.buckets)
    }

    /// The bounds of explicit buckets.
    pub(super) fn bounds(&self) -> &[f64] {
        match &self.buckets {
            Buckets::Explicit(bounds) => bounds,
            Buckets::Exponential(_) => &[],
        }
    }
}
