/*!
What `mesh` processors do beside the spans: follow the configuration of Kiali.
Watching Kubernetes is shared with others.

Processors of one id share what their decisions rest on, whatever pipeline they
stand in.
*/

use super::{ConfiguredMesh, Processors, follow_kiali};
use crate::{
    config::Id,
    mesh::{Current, Knowledge, MeshSettings},
    processor::{Background, BackgroundError, Backgrounds, kubernetes::KubernetesBackground},
    telemetry::{Health, Registry},
};
use std::{sync::Arc, thread::JoinHandle};
use tokio::sync::watch;

/// The `mesh` processors of a service, by id.
#[derive(Default)]
pub(crate) struct MeshBackground {
    processors: Processors,
}

impl MeshBackground {
    /// Returns where the decisions of processor `id` begin: the same for all
    /// shards and pipelines.
    pub(crate) fn current(
        backgrounds: &mut Backgrounds,
        id: &Id,
        settings: &MeshSettings,
    ) -> Current {
        let known = backgrounds.of::<Self>().processors.get(id);
        if let Some(known) = known {
            return known.current.clone();
        }
        let current = Current::new(Knowledge::of(settings));
        let kubernetes = backgrounds.of::<KubernetesBackground>();
        let mesh = ConfiguredMesh {
            settings: settings.clone(),
            current: current.clone(),
            control_plane: kubernetes.keep_directory(&settings.kubernetes, &current),
        };
        let processors = &mut backgrounds.of::<Self>().processors;
        processors.insert(id.clone(), mesh);
        current
    }
}

impl Background for MeshBackground {
    fn prepare(&mut self, _: &Arc<Registry>, _: &Health) -> Result<(), BackgroundError> {
        Ok(())
    }

    fn start(
        self: Box<Self>,
        registry: &Arc<Registry>,
        health: &Health,
        end: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError> {
        follow_kiali::start(&self.processors, registry, end, health)?;
        Ok(Vec::new())
    }
}
