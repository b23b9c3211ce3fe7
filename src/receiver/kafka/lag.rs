/*! How far a receiver is behind, as a metric to scale by. */

use crate::telemetry::{Metric, Registry};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const OFFSET_LAG: Metric = Metric::gauge(
    "otelcol_kafka_receiver_offset_lag",
    "Records of the partitions that are this process's own and that are not settled: in Kafka, or \
     taken and not delivered.",
    &["receiver"],
);

/// The records that each shard's member has before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lag(Arc<Mutex<BTreeMap<usize, u64>>>);

impl Lag {
    fn by_shard(&self) -> MutexGuard<'_, BTreeMap<usize, u64>> {
        // Each step is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how many a shard's member has before it.
    pub(super) fn note(&self, shard: usize, records: u64) {
        self.by_shard().insert(shard, records);
    }

    /// Registers the sum of all shards for the receiver of this id.
    pub(super) fn register(&self, registry: &Registry, id: &str) {
        let lag = self.clone();
        registry.gauge(&OFFSET_LAG, &[id], move || {
            lag.by_shard().values().sum::<u64>()
        });
    }
}
