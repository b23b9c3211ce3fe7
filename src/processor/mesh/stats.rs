/*! What a `mesh` processor counts besides what every processor does. */

use crate::telemetry::counters;
use std::cell::Cell;

counters! {
    /// What one `mesh` processor repaired and added on one shard.
    pub(crate) struct MeshStats ["processor"] {
        /// Spans whose status, node_id or name was repaired.
        status: "wayspan_mesh_repairs" {"repair" = "status"},
        /// Spans whose status, node_id or name was repaired.
        node_id: "wayspan_mesh_repairs" {"repair" = "node_id"},
        /// Spans whose status, node_id or name was repaired.
        span_name: "wayspan_mesh_repairs" {"repair" = "span_name"},
        /// Marker spans added; part of the outgoing items.
        alias_spans: "wayspan_mesh_alias_spans",
        /// Spans named `egress *`, since clients had chosen too many names.
        bounded_names: "wayspan_mesh_bounded_span_names",
    }
}

/// Counts span by span and publishes once a request, so that a span costs no
/// store that other threads see.
#[derive(Debug, Default)]
pub(crate) struct MeshTally {
    /// What was not published yet, in the order of the counters.
    unpublished: Cell<[u64; 5]>,
    stats: MeshStats,
}

impl MeshTally {
    /// Publishes to `stats`.
    pub(crate) fn new(stats: MeshStats) -> Self {
        Self {
            unpublished: Cell::default(),
            stats,
        }
    }

    /// Counts what was repaired of a span.
    pub(crate) fn repaired(&self, status: bool, node_id: bool, span_name: bool) {
        let mut new = self.unpublished.get();
        for (n, repaired) in new.iter_mut().zip([status, node_id, span_name]) {
            *n += u64::from(repaired);
        }
        self.unpublished.set(new);
    }

    /// Counts one marker.
    pub(crate) fn marked(&self) {
        let [status, node_id, span_name, markers, bounded] = self.unpublished.get();
        self.unpublished
            .set([status, node_id, span_name, markers + 1, bounded]);
    }

    /// Counts a span whose name was one too many.
    pub(crate) fn bounded(&self) {
        let [status, node_id, span_name, markers, bounded] = self.unpublished.get();
        self.unpublished
            .set([status, node_id, span_name, markers, bounded + 1]);
    }

    /// Forgets what was counted since it was last published.
    pub(crate) fn discard(&self) {
        self.unpublished.take();
    }

    /// Publishes what was counted since the last call.
    pub(crate) fn publish(&self) {
        let new = self.unpublished.take();
        if new == [0; 5] {
            return;
        }
        let counts = [
            &self.stats.status,
            &self.stats.node_id,
            &self.stats.span_name,
            &self.stats.alias_spans,
            &self.stats.bounded_names,
        ];
        for (count, n) in counts.into_iter().zip(new) {
            count.add(n);
        }
    }
}
