/*!
What `k8s_attributes` processors do beside the items: they have their inventories kept,
and wait for them at start where that is asked for.
*/

use super::{
    inventory::{Inventory, Keeper},
    settings::K8sSettings,
    synced::Synced,
};
use crate::{
    config::Id,
    mesh::Current,
    processor::{Background, BackgroundError, Backgrounds, kubernetes::KubernetesBackground},
    telemetry::{Health, Registry},
};
use std::{collections::BTreeMap, sync::Arc, thread::JoinHandle};
use tokio::sync::watch;

/// Pods did not become known in time.
#[derive(Debug, thiserror::Error)]
#[error(
    "processor {id}: the Pods of the cluster are not known after {within:?}, and \
     wait_for_metadata is true: see the log for what is wrong with the Kubernetes API, give it \
     more time by wait_for_metadata_timeout, or start without"
)]
struct NotSynced {
    id: Id,
    within: std::time::Duration,
}

/// The `k8s_attributes` processors of a service, by id.
#[derive(Default)]
pub(super) struct K8sAttributesBackground(
    BTreeMap<Id, (Arc<K8sSettings>, Current<Inventory>, Synced)>,
);

impl K8sAttributesBackground {
    /// Returns where processor `id` looks for Pods: the same for all shards and
    /// pipelines.
    pub(super) fn inventory(
        backgrounds: &mut Backgrounds,
        id: &Id,
        settings: &Arc<K8sSettings>,
    ) -> Current<Inventory> {
        // Begun before this one, and so started before this one waits.
        let _ = backgrounds.of::<KubernetesBackground>();
        if let Some((_, known, _)) = backgrounds.of::<Self>().0.get(id) {
            return known.clone();
        }
        let current = Current::new(Inventory::default());
        let synced = Synced::default();
        if !settings.passthrough {
            let keeper = Keeper::new(settings.filing.clone(), current.clone(), synced.clone());
            let kubernetes = backgrounds.of::<KubernetesBackground>();
            let kept = settings.kept();
            kubernetes.follow_objects(settings.scope.clone(), kept, Box::new(keeper));
        }
        let processor = (Arc::clone(settings), current.clone(), synced);
        backgrounds.of::<Self>().0.insert(id.clone(), processor);
        current
    }
}

impl Background for K8sAttributesBackground {
    fn prepare(&mut self, _: &Arc<Registry>, _: &Health) -> Result<(), BackgroundError> {
        Ok(())
    }

    fn start(
        self: Box<Self>,
        _: &Arc<Registry>,
        _: &Health,
        _: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError> {
        for (id, (settings, _, synced)) in self.0 {
            let Some(within) = settings.wait.filter(|_| !settings.passthrough) else {
                continue;
            };
            if !synced.wait(within) {
                return Err(NotSynced { id, within }.into());
            }
        }
        Ok(Vec::new())
    }
}
