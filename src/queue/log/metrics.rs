/*! The metrics of a log. */

use super::{handle::Log, status::LogStatus};
use crate::{
    pdata::Signal,
    telemetry::{Metric, Registry},
};

const LABELS: &[&str] = &["pipeline"];

const HEALTHY: Metric = Metric::gauge(
    "wayspan_log_healthy",
    "1 while the segment log takes what it is given, else 0.",
    LABELS,
);
const BYTES: Metric = Metric::gauge("wayspan_log_bytes", "Bytes of the log's files.", LABELS);
const SEGMENTS: Metric = Metric::gauge("wayspan_log_segments", "Segment files of the log.", LABELS);

/// A counter, and where its value stands.
type Row = (Metric, fn(&LogStatus) -> u64);

const COUNTERS: [Row; 10] = [
    (
        Metric::counter("wayspan_log_commits", "Group commits written.", LABELS),
        |status| status.counts.commits,
    ),
    (
        Metric::counter(
            "wayspan_log_committed_bytes",
            "Bytes written to the log.",
            LABELS,
        ),
        |status| status.counts.committed_bytes,
    ),
    (
        Metric::counter("wayspan_log_fsyncs", "Syncs to the device.", LABELS),
        |status| status.counts.fsyncs,
    ),
    (
        Metric::counter(
            "wayspan_log_failed_records",
            "Records that could not be written: their items are held in memory only.",
            LABELS,
        ),
        |status| status.counts.failed_records,
    ),
    (
        Metric::counter(
            "wayspan_log_failed_{items}",
            "Items that could not be written: held in memory only.",
            LABELS,
        ),
        |status| status.counts.failed_items,
    ),
    (
        Metric::counter(
            "wayspan_log_damaged_records",
            "Records that could not be read back.",
            LABELS,
        ),
        |status| status.counts.damaged_records,
    ),
    (
        Metric::counter(
            "wayspan_log_torn_tails",
            "Segments of earlier runs that end in an unfinished write, which nobody was answered \
             for: harmless after a crash.",
            LABELS,
        ),
        |status| status.counts.torn_tails,
    ),
    (
        Metric::counter(
            "wayspan_log_deleted_segments",
            "Segments deleted because all of their records were delivered or refused.",
            LABELS,
        ),
        |status| status.counts.deleted_segments,
    ),
    (
        Metric::counter(
            "wayspan_log_damaged_settlements",
            "Damaged places in the files that remember what was delivered: those records are \
             delivered again.",
            LABELS,
        ),
        |status| status.counts.damaged_settlements,
    ),
    (
        Metric::counter(
            "wayspan_log_degradations",
            "Times that the log could not be written any more.",
            LABELS,
        ),
        |status| status.counts.degradations,
    ),
];

impl Log {
    /// Registers what is to be known of the log of a pipeline.
    pub(crate) fn register(&self, registry: &Registry, pipeline: &str, signal: Signal) {
        let labels = [pipeline];
        let gauge = |metric: &Metric, read: fn(&LogStatus) -> u64| {
            let log = self.clone();
            registry.gauge(metric, &labels, move || read(&log.status()));
        };
        gauge(&HEALTHY, |s| u64::from(s.degraded.is_none()));
        gauge(&BYTES, |status| status.bytes);
        gauge(&SEGMENTS, |status| status.segments);
        for (metric, read) in &COUNTERS {
            let log = self.clone();
            registry.counter(&metric.of(signal), &labels, move || read(&log.status()));
        }
    }
}
