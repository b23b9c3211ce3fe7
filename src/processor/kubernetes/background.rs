/*! What processors ask to be watched, until the watchers are started. */

use super::{
    request::{ControlPlaneSlot, Request},
    watchers::{Watchers, is_wanted},
};
use crate::{
    mesh::{
        Current, KubernetesMode, KubernetesSettings,
        watch::{Kept, ObjectFollower, WatchScope},
    },
    processor::{Background, BackgroundError},
    telemetry::{Health, Registry},
};
use std::{sync::Arc, thread::JoinHandle};
use tokio::sync::watch;

/// The watching of all processors of a service.
#[derive(Default)]
pub(crate) struct KubernetesBackground {
    requests: Vec<Request>,
    watchers: Watchers,
}

impl KubernetesBackground {
    /// Asks for the directory of `current`, if the settings want it watched.
    pub(crate) fn keep_directory(
        &mut self,
        settings: &KubernetesSettings,
        current: &Current,
    ) -> ControlPlaneSlot {
        let slot = ControlPlaneSlot::default();
        if is_wanted(settings) {
            self.requests.push(Request {
                scope: WatchScope::of(settings),
                kept: Kept::for_names(),
                is_mandatory: settings.mode == KubernetesMode::On,
                target: Some((current.clone(), Arc::clone(&slot))),
                follower: None,
            });
        }
        slot
    }

    /// Asks for `follower` to be told of what is `kept` of the objects in `scope`.
    pub(crate) fn follow_objects(
        &mut self,
        scope: WatchScope,
        kept: Kept,
        follower: Box<dyn ObjectFollower>,
    ) {
        self.requests.push(Request {
            scope,
            kept,
            is_mandatory: false,
            target: None,
            follower: Some(follower),
        });
    }
}

impl Background for KubernetesBackground {
    fn prepare(
        &mut self,
        registry: &Arc<Registry>,
        health: &Health,
    ) -> Result<(), BackgroundError> {
        self.watchers = Watchers::prepare(std::mem::take(&mut self.requests))?;
        self.watchers.register(registry, health);
        Ok(())
    }

    fn start(
        self: Box<Self>,
        _: &Arc<Registry>,
        health: &Health,
        end: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError> {
        Ok(self.watchers.start(health, end)?)
    }
}
