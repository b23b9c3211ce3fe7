/*! `service`: the sections of it that are neither pipelines nor components. */

use super::{pipelines::references, section::Reference};
use crate::{
    config::{Field, KeyReader, Node},
    exporter::own_metrics::{self, PushReader},
    telemetry::{self, Telemetry},
};
use std::time::Duration;

/// The `service` section, in which what else it names is not yet read.
#[derive(Default)]
pub(super) struct ServiceSection<'n> {
    pub(super) extensions: Vec<Reference>,
    pub(super) pipelines: Option<&'n Node>,
    pub(super) telemetry: Option<&'n Node>,
    pub(super) wayspan: Option<&'n Node>,
}

/// `service.wayspan`: keys of wayspan's own.
pub(super) struct Wayspan {
    /// `shards`; None: as many as there are cores.
    pub(super) shards: Option<usize>,
    /// `gather`.
    pub(super) gather: Duration,
    /// `drain_timeout`.
    pub(super) drain_timeout: Duration,
    /// `max_connections`; None: the default.
    pub(super) max_connections: Option<usize>,
    /// `max_connections_per_peer`; None: the default.
    pub(super) max_connections_per_peer: Option<usize>,
}

pub(super) fn read<'n>(keys: &mut KeyReader<'n>) -> ServiceSection<'n> {
    let extensions: Field<Vec<Field<String>>> =
        keys.get("extensions", "none", "ids of extensions that run");
    ServiceSection {
        extensions: references(&extensions),
        pipelines: keys.node(
            "pipelines",
            ("map", "one is required"),
            "`traces`, `metrics` or `logs`, perhaps with a name (`traces/NAME`), each with the keys below. Those of `profiles` are ignored with a warning",
        ),
        telemetry: keys.node("telemetry", ("map", "none"), "wayspan's own logs and metrics, below"),
        wayspan: keys.node("wayspan", ("map", "none"), "keys of wayspan's own, below"),
    }
}

/// Reads `service.wayspan`. `is_stored`: some exporter's queue has a segment log.
pub(super) fn wayspan(keys: &mut KeyReader<'_>, is_stored: bool) -> Wayspan {
    // More shards would be threads that wait for each other.
    const MOST_SHARDS: u16 = 256;
    // Longer waits would be felt by senders, and gain nothing more.
    const MOST_GATHER: Duration = Duration::from_millis(100);
    let shards: Field<u16> = keys.get(
        "shards",
        "the cores of this process",
        "threads that receive and process; 0: the default",
    );
    let gather: Field<Duration> = keys.get(
        "gather",
        "`5ms`; `3ms` with a [segment log](#the-segment-log)",
        "how long a thread without work may wait while requests come densely, so that one wake-up serves several; answers come that much later. Senders that wait for answers are recognised and not slowed. `0s`: never",
    );
    let drain_timeout = keys.or(
        "drain_timeout",
        Duration::from_secs(25),
        "time to deliver what is held at shutdown; less than the pod's grace period",
    );
    let connections: Field<u32> = keys.get(
        "max_connections",
        "the memory limit by 16 KiB, at least 1024",
        "connections to all receivers together, and never more than the limit of open files leaves for them; those beyond are closed; 0: the default",
    );
    let of_peer: Field<u32> = keys.get(
        "max_connections_per_peer",
        "half of `max_connections`",
        "the same for connections from one address, which may be that of a gateway or of a node; 0: the default",
    );
    let cx = keys.reading();
    let count = shards.value.filter(|&count| count > 0);
    if count.is_some_and(|count| count > MOST_SHARDS) {
        let message = format!("at most {MOST_SHARDS}, which is a thread each");
        cx.error(shards.spot, &message);
    }
    // With a segment log answers are later by the write: less, so that they still
    // take under 5 ms.
    let default = Duration::from_millis(if is_stored { 3 } else { 5 });
    let wait = gather.value.unwrap_or(default);
    if wait > MOST_GATHER {
        let message = "at most 100ms, since answers come that much later";
        cx.error(gather.spot, message);
    }
    Wayspan {
        shards: count.map(usize::from),
        gather: wait.min(MOST_GATHER),
        drain_timeout: drain_timeout.value,
        max_connections: some(&connections),
        max_connections_per_peer: some(&of_peer),
    }
}

/// A number where 0 means the default.
fn some(field: &Field<u32>) -> Option<usize> {
    let given = field.value.filter(|given| *given > 0)?;
    usize::try_from(given).ok()
}

/// Reads `service.telemetry`: with the readers of own metrics that push.
pub(super) fn telemetry(keys: &mut KeyReader<'_>) -> (Telemetry, Vec<PushReader>) {
    telemetry::config::read(keys, own_metrics::read)
}
