/*! What the instances of one `k8s_attributes` processor in one pipeline share. */

use super::{K8sAttributes, inventory::Inventory, settings::K8sSettings, stats::AssociationStats};
use crate::{
    mesh::Current,
    pdata::Keys,
    pipeline::{ProcessorFactory, ProcessorInstance},
    telemetry::{Metric, Registry},
};
use std::sync::Arc;

const TABLE_SIZE: Metric = Metric::gauge(
    "otelcol_otelsvc_k8s_pod_table_size",
    "Identifiers by which Pods are known.",
    &["processor"],
);

/// Makes instances of one processor, sets of counters for each shard.
#[derive(Debug)]
pub(super) struct K8sAttributesFactory {
    settings: Arc<K8sSettings>,
    current: Current<Inventory>,
    /// Of each shard those of each association, the last for what says nothing.
    stats: Vec<Vec<AssociationStats>>,
}

impl K8sAttributesFactory {
    /// A factory for so many `shards`, which look for Pods in `current`.
    pub(super) fn new(
        settings: Arc<K8sSettings>,
        current: Current<Inventory>,
        shards: usize,
    ) -> Self {
        let associations = settings.filing.associations.names().len() + 1;
        let of_shard = |_| {
            (0..associations)
                .map(|_| AssociationStats::default())
                .collect()
        };
        Self {
            settings,
            current,
            stats: (0..shards).map(of_shard).collect(),
        }
    }
}

impl ProcessorFactory for K8sAttributesFactory {
    fn instance(&self, shard: usize, _: &mut Keys) -> ProcessorInstance {
        let stats = self.stats.get(shard).cloned().unwrap_or_default();
        let processor = K8sAttributes::new(Arc::clone(&self.settings), &self.current, stats);
        ProcessorInstance::Items(Box::new(processor))
    }

    fn register(&self, registry: &Registry, id: &str) {
        if self.settings.passthrough {
            return;
        }
        let names = self.settings.filing.associations.names();
        let names = names.iter().map(String::as_str).chain([""]);
        for (at, name) in names.enumerate() {
            let of = |stats: &'_ Vec<AssociationStats>| stats.get(at).cloned();
            let stats: Vec<_> = self.stats.iter().filter_map(of).collect();
            registry.counters(&[id, name], &stats);
        }
        let current = self.current.clone();
        registry.gauge(&TABLE_SIZE, &[id], move || current.get().len() as u64);
    }
}
