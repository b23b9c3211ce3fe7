/*! What a sampler counts: items by what decided about them. */

use super::mode::{Outcome, Policy};
use crate::{
    pdata::Signal,
    telemetry::{Count, Metric, Registry},
};

const TRACES: Metric = Metric::counter(
    "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    "Spans that were kept and dropped, by what decided.",
    &["policy", "sampled"],
)
.in_unit("1");
const LOGS: Metric = Metric::counter(
    "otelcol_processor_probabilistic_sampler_count_logs_sampled",
    "Log records that were kept and dropped, by what decided.",
    &["policy", "sampled"],
)
.in_unit("1");

const POLICIES: [Policy; 6] = [
    Policy::TraceIdHash,
    Policy::TraceId,
    Policy::Carried,
    Policy::Priority,
    Policy::Attribute,
    Policy::Missing,
];

/// Counts of one shard: by policy, dropped and kept.
#[derive(Clone, Debug, Default)]
pub(super) struct SampledStats([[Count; 2]; POLICIES.len()]);

/// Counts item by item and publishes once a request.
#[derive(Debug)]
pub(super) struct SampledTally {
    unpublished: [[u64; 2]; POLICIES.len()],
    stats: SampledStats,
}

impl SampledTally {
    pub(super) fn new(stats: SampledStats) -> Self {
        Self {
            unpublished: Default::default(),
            stats,
        }
    }

    pub(super) fn decided(&mut self, outcome: Outcome) {
        let counts = &mut self.unpublished[outcome.policy as usize];
        counts[usize::from(outcome.is_kept)] += 1;
    }

    pub(super) fn discard(&mut self) {
        self.unpublished = Default::default();
    }

    pub(super) fn publish(&mut self) {
        let new = std::mem::take(&mut self.unpublished);
        for (counts, new) in self.stats.0.iter().zip(new) {
            for (count, new) in counts.iter().zip(new).filter(|(_, new)| *new > 0) {
                count.add(new);
            }
        }
    }
}

/// Registers the counts of all shards. `attribute` is what a log record's attribute is called
/// that decides.
pub(super) fn register(
    registry: &Registry,
    signal: Signal,
    attribute: &str,
    stats: &[SampledStats],
) {
    let metric = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs | Signal::Metrics => &LOGS,
    };
    for policy in POLICIES {
        let name = match policy {
            Policy::TraceIdHash => "trace_id_hash",
            Policy::TraceId => "trace_id_w3c",
            Policy::Carried => "sampling_randomness",
            Policy::Priority => "sampling_priority",
            Policy::Missing => "missing_randomness",
            Policy::Attribute if attribute.is_empty() || signal == Signal::Traces => continue,
            Policy::Attribute => attribute,
        };
        for (at, sampled) in ["false", "true"].into_iter().enumerate() {
            let counts = stats
                .iter()
                .map(|stats| stats.0[policy as usize][at].clone());
            let counts: Vec<_> = counts.collect();
            let read = move || counts.iter().map(Count::get).sum::<u64>();
            registry.counter(metric, &[name, sampled], read);
        }
    }
}
