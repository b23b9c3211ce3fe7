/*! The keys of `memory_limiter`, and the limit without one. */

use super::available;
use crate::{
    config::{Field, Id, KeyReader},
    processor::ProcessorRole,
};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Reads the limit: where the Collector begins to refuse, the limit less the spike.
pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let _: Field<Duration> = keys.get(
        "check_interval",
        "none",
        "accepted; bytes are counted as they come and go",
    );
    let limit_mib: Field<u32> = keys.get(
        "limit_mib",
        "one of the two is required",
        "the limit, in MiB",
    );
    let limit_percentage: Field<u32> = keys.get(
        "limit_percentage",
        "one of the two is required",
        "the limit, in percent of the memory of the container or the machine",
    );
    let spike_mib: Field<u32> = keys.get(
        "spike_limit_mib",
        "20 % of the limit",
        "taken off the limit",
    );
    let spike_percentage: Field<u32> = keys.get(
        "spike_limit_percentage",
        "20 % of the limit",
        "taken off the limit",
    );
    keys.ignored(&[
        "min_gc_interval_when_soft_limited",
        "min_gc_interval_when_hard_limited",
        "max_gc_interval_when_soft_limited",
        "max_gc_interval_when_hard_limited",
    ]);
    let cx = keys.reading();
    for field in [&limit_percentage, &spike_percentage] {
        if let Some(given) = field.value.filter(|given| *given > 100) {
            cx.error(field.spot, &format!("{given} is more than 100 %"));
        }
    }
    let positive = |field: &Field<u32>| field.value.filter(|&n| n > 0).map(u64::from);
    let mib = |field| positive(field).map(|mib| mib * MIB);
    let total = available::bytes().unwrap_or(512 * MIB);
    let percent = |field| positive(field).map(|p| (total / 100).saturating_mul(p));
    let (limit, spike) = match (mib(&limit_mib), percent(&limit_percentage)) {
        (Some(limit), _) => (limit, mib(&spike_mib)),
        (None, Some(limit)) => (limit, percent(&spike_percentage)),
        (None, None) => {
            let help = "set limit_mib, or limit_percentage of the container's memory";
            cx.error_at_key(keys.spot(), "has no limit", help);
            return None;
        }
    };
    let spike = spike.unwrap_or(limit / 5);
    if spike >= limit {
        let at = spike_mib.spot.or(spike_percentage.spot).or(keys.spot());
        cx.error(at, "the spike is not below the limit");
        return None;
    }
    usize::try_from(limit - spike)
        .ok()
        .map(ProcessorRole::Memory)
}

/// The limit where no `memory_limiter` says it.
pub(crate) fn default_limit() -> usize {
    available::default_limit(available::bytes())
}
