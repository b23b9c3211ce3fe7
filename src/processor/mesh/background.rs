/*!
What `mesh` processors do beside the spans: watch Kubernetes, and follow the
configuration of Kiali.

Processors of one id share what their decisions rest on, whatever pipeline they
stand in, and processors that watch the same share the watcher.
*/

use super::{Processors, follow_kiali, watch_kubernetes::Watchers};
use crate::{
    config::Id,
    mesh::{Current, Knowledge, MeshSettings},
    processor::{Background, BackgroundError},
    telemetry::{Health, Registry},
};
use std::{sync::Arc, thread::JoinHandle};
use tokio::sync::watch;

/// The `mesh` processors of a service, by id, and what watches for them.
#[derive(Default)]
pub(crate) struct MeshBackground {
    processors: Processors,
    watchers: Watchers,
}

impl MeshBackground {
    /// Returns where the decisions of processor `id` begin: the same for all
    /// shards and pipelines.
    pub(crate) fn current(&mut self, id: &Id, settings: &MeshSettings) -> Current {
        let make = || (settings.clone(), Current::new(Knowledge::of(settings)));
        let (_, current) = self.processors.entry(id.clone()).or_insert_with(make);
        current.clone()
    }
}

impl Background for MeshBackground {
    fn prepare(
        &mut self,
        registry: &Arc<Registry>,
        health: &Health,
    ) -> Result<(), BackgroundError> {
        self.watchers = Watchers::prepare(&self.processors)?;
        self.watchers.register(registry, health);
        Ok(())
    }

    fn start(
        self: Box<Self>,
        registry: &Arc<Registry>,
        health: &Health,
        end: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError> {
        follow_kiali::start(&self.processors, &self.watchers, registry, end, health)?;
        Ok(self.watchers.start(health, end)?)
    }
}
