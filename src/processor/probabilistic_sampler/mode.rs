/*!
Which items are kept: the modes of the sampler, for spans and log records alike.

An item carries what was decided about it before ([`Carrier`]): a span in its trace state, a log record in attributes. The
steps are those of the Collector (`processor/probabilisticsamplerprocessor`): find the item's randomness, check what it carries
against that, decide, let the item's priority overrule it, and write down the threshold if it is kept.
*/

use crate::pdata::sampling::{Randomness, Threshold};

/// A mode, with what it was set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// Keeps nothing but what has priority.
    Never,
    /// Keeps by a hash; what carries a decision already is an error.
    Hash { threshold: Threshold, seed: u32 },
    /// Raises thresholds to this one.
    Equalizing(Threshold),
    /// Keeps this share of what comes.
    Proportional { share: f64, precision: u32 },
}

/// What an item carries of decisions before.
pub(super) trait Carrier {
    /// Returns true if it could not be read.
    fn is_wrong(&self) -> bool;
    fn randomness(&self) -> Option<Randomness>;
    fn set_randomness(&mut self, randomness: Randomness);
    fn threshold(&self) -> Option<Threshold>;
    /// Sets the threshold, unless there is a higher one.
    fn raise_threshold(&mut self, threshold: Threshold);
    fn clear_threshold(&mut self);
}

/// What randomness an item has besides what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources {
    /// The hash that counts in [`Mode::Hash`], and what it is of.
    pub(super) hash: Option<(Randomness, Policy)>,
    pub(super) trace_id: Option<Randomness>,
    /// Is true where an item without any randomness is not given one.
    pub(super) keeps_missing: bool,
}

/// Where the randomness came from that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    TraceIdHash,
    TraceId,
    Carried,
    Priority,
    Attribute,
    Missing,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) policy: Policy,
    pub(super) is_kept: bool,
    /// Is true if what the item carries is to be written again.
    pub(super) writes: bool,
}

impl Mode {
    /// Decides about an item. `priority` is a threshold that overrules.
    pub(super) fn decide<C: Carrier>(
        &self,
        carrier: &mut C,
        sources: &Sources,
        priority: Option<Threshold>,
        fails_closed: bool,
    ) -> Outcome {
        let (mut randomness, mut policy) = (Randomness::GREATEST, Policy::Missing);
        let mut is_carried = true;
        let mut is_error = carrier.is_wrong();
        match self {
            Self::Never => policy = Policy::Priority,
            Self::Hash { .. } => {
                if let Some(hash) = sources.hash {
                    (randomness, policy) = hash;
                }
                is_error |= carrier.randomness().is_some() || carrier.threshold().is_some();
                is_carried = !is_error;
                if is_carried && !(policy == Policy::Missing && sources.keeps_missing) {
                    carrier.set_randomness(randomness);
                }
            }
            Self::Equalizing(_) | Self::Proportional { .. } => {
                is_carried = !is_error;
                if let Some(carried) = carrier.randomness().filter(|_| is_carried) {
                    (randomness, policy) = (carried, Policy::Carried);
                } else if let Some(trace_id) = sources.trace_id.filter(|_| is_carried) {
                    (randomness, policy) = (trace_id, Policy::TraceId);
                }
            }
        }
        if !is_error {
            if policy == Policy::Missing {
                is_error = true;
            } else if carrier
                .threshold()
                .is_some_and(|carried| !carried.keeps(randomness))
            {
                // It should have been dropped before.
                carrier.clear_threshold();
                is_error = true;
            }
        }
        let mut threshold = match (is_error, fails_closed) {
            (true, true) => Threshold::NEVER,
            (true, false) => Threshold::ALWAYS,
            (false, _) => self.threshold(carrier.threshold()),
        };
        if let Some(priority) = priority {
            (threshold, policy) = (priority, Policy::Priority);
        }
        let is_kept = threshold.keeps(randomness);
        let writes = is_kept && is_carried;
        if writes {
            carrier.raise_threshold(threshold);
        }
        Outcome {
            policy,
            is_kept,
            writes,
        }
    }

    /// The threshold for an item that carries this one.
    fn threshold(&self, carried: Option<Threshold>) -> Threshold {
        match *self {
            Self::Never => Threshold::NEVER,
            Self::Hash { threshold, .. } => threshold,
            Self::Equalizing(threshold) => {
                carried.map_or(threshold, |carried| carried.max(threshold))
            }
            Self::Proportional { share, precision } => {
                let before = carried.map_or(1.0, Threshold::probability);
                let threshold = Threshold::of_probability(before * share, precision);
                threshold.unwrap_or(Threshold::NEVER)
            }
        }
    }
}
