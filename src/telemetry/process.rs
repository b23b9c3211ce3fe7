/*! The process's own figures, from `/proc`; absent where there is none. */

use super::{Metric, Registry};
use std::{fs, time::Instant};

/// Linux reports CPU time in ticks of 1/100 s on every supported architecture.
const TICKS_PER_SECOND: f64 = 100.0;

const UPTIME: Metric =
    Metric::counter("otelcol_process_uptime", "Seconds since start.", &[]).in_unit("s");
const CPU_SECONDS: Metric =
    Metric::counter("otelcol_process_cpu_seconds", "CPU seconds used.", &[]);
const MEMORY_RSS: Metric =
    Metric::gauge("otelcol_process_memory_rss", "Resident bytes.", &[]).in_unit("By");

/// Registers the metrics of the process.
pub(crate) fn register(registry: &Registry) {
    let started = Instant::now();
    registry.counter(&UPTIME, &[], move || started.elapsed().as_secs_f64());
    if cpu_seconds().is_some() {
        registry.counter(&CPU_SECONDS, &[], || cpu_seconds().unwrap_or_default());
    }
    if resident_bytes().is_some() {
        registry.gauge(&MEMORY_RSS, &[], || resident_bytes().unwrap_or_default());
    }
}

/// User and system time of this process.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The command name, in parentheses, may itself contain spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Resident memory of this process.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn figures_are_read_on_linux() {
        assert!(super::cpu_seconds().is_some());
        assert!(super::resident_bytes().is_some_and(|bytes| bytes > 1 << 16));
    }
}
