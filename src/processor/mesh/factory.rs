/*! What the instances of one `mesh` processor in one pipeline share. */

use super::{Mesh, MeshStats, span_reader::MeshReader, ztunnel_log::ZtunnelLog};
use crate::{
    mesh::{Current, MeshSettings},
    pdata::Keys,
    pipeline::{Converter, ProcessorFactory, ProcessorInstance, SpanReader},
    telemetry::Registry,
};
use std::sync::Arc;

/// Makes instances of one processor, a set of counters for each shard.
#[derive(Debug)]
pub struct MeshFactory {
    settings: MeshSettings,
    current: Current,
    stats: Vec<MeshStats>,
}

impl MeshFactory {
    /// A factory for so many `shards`, whose decisions rest on `current`.
    pub fn new(settings: MeshSettings, current: Current, shards: usize) -> Self {
        Self {
            settings,
            current,
            stats: (0..shards).map(|_| MeshStats::default()).collect(),
        }
    }
}

impl ProcessorFactory for MeshFactory {
    fn instance(&self, shard: usize, keys: &mut Keys) -> ProcessorInstance {
        let mesh = Mesh::new(&self.settings, &self.current, keys);
        let stats = self.stats.get(shard).cloned().unwrap_or_default();
        ProcessorInstance::Items(Box::new(mesh.counting(stats)))
    }

    fn register(&self, registry: &Registry, id: &str) {
        registry.counters(&[id], &self.stats);
    }

    fn converter(&self) -> Option<Arc<dyn Converter>> {
        let wanted = self.settings.ztunnel_connections;
        wanted.then(|| Arc::new(ZtunnelLog) as Arc<dyn Converter>)
    }

    fn reader(&self) -> Option<Arc<dyn SpanReader>> {
        Some(Arc::new(MeshReader(self.current.clone())))
    }
}
