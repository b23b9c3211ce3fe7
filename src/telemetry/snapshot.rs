/*! What all metrics say at one moment, read from any number of registries. */

use super::{Metric, histogram::Distribution};
use std::collections::BTreeMap;

/// Label names and values, in the order in which a metric declares them.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A whole number or a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A count.
    Int(u64),
    /// Anything else.
    Double(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(Number),
    Distribution(Distribution),
}

/// A metric and its series.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) metric: Metric,
    pub(super) series: BTreeMap<Labels, Value>,
}

/// All metrics by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(super) families: BTreeMap<String, Family>,
}

impl Snapshot {
    /// Adds a series.
    pub(super) fn add(&mut self, metric: Metric, labels: Labels, value: Value) {
        let family = self.families.entry(metric.name());
        let family = family.or_insert_with(|| Family {
            metric,
            series: BTreeMap::new(),
        });
        family.series.insert(labels, value);
    }

    /// The value of a series; None: there is none.
    pub(super) fn get(&self, name: &str, labels: &Labels) -> Option<&Value> {
        self.families.get(name)?.series.get(labels)
    }
}
