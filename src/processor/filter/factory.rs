/*! Making the instances of a `filter`. */

use super::{
    list::{FilterSettings, List},
    rewriter::Filter,
    stats::FilterStats,
};
use crate::{
    config::Id,
    pdata::Keys,
    pipeline::{ProcessorFactory, ProcessorInstance},
    telemetry::Registry,
};

/// Makes instances, each with programs and counters of its own.
#[derive(Debug)]
pub(crate) struct FilterFactory {
    settings: FilterSettings,
    id: String,
    stats: Vec<FilterStats>,
}

impl FilterFactory {
    pub(super) fn new(settings: FilterSettings, id: &Id, shards: usize) -> Self {
        Self {
            settings,
            id: id.to_string(),
            stats: (0..shards).map(|_| FilterStats::default()).collect(),
        }
    }
}

impl ProcessorFactory for FilterFactory {
    fn instance(&self, shard: usize, _: &mut Keys) -> ProcessorInstance {
        let tests = self.settings.lists.iter().flat_map(List::compile);
        let stats = self.stats.get(shard).cloned().unwrap_or_default();
        let kept = self.settings.kept.clone();
        ProcessorInstance::Requests(Box::new(Filter::new(
            tests.collect(),
            kept,
            &self.id,
            stats,
        )))
    }

    fn register(&self, registry: &Registry, id: &str) {
        registry.counters(&[id], &self.stats);
    }
}
