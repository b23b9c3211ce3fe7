/*! Detects, once, before anything runs: the same for all pipelines of a processor. */

use super::{
    detected::{Detected, SCHEMA_URL},
    node,
    settings::{DetectionSettings, Detector},
    system,
};
use crate::{
    config::Id,
    processor::{Background, BackgroundError, Backgrounds},
    telemetry::{Health, Registry},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    thread::JoinHandle,
};
use tokio::sync::watch;

/// The `resource_detection` processors of a service, by id.
#[derive(Default)]
pub(super) struct DetectionBackground(
    BTreeMap<Id, (Arc<DetectionSettings>, Arc<OnceLock<Detected>>)>,
);

impl DetectionBackground {
    /// Returns where the detected will be.
    pub(super) fn detected(
        backgrounds: &mut Backgrounds,
        id: &Id,
        settings: &Arc<DetectionSettings>,
    ) -> Arc<OnceLock<Detected>> {
        let processors = &mut backgrounds.of::<Self>().0;
        let make = || (Arc::clone(settings), Arc::default());
        let (_, detected) = processors.entry(id.clone()).or_insert_with(make);
        Arc::clone(detected)
    }
}

impl Background for DetectionBackground {
    fn prepare(&mut self, _: &Arc<Registry>, _: &Health) -> Result<(), BackgroundError> {
        for (id, (settings, detected)) in &self.0 {
            let all = detect(id, settings);
            tracing::info!("{id}: detected {}", all.describe());
            // Filled once: this runs once.
            let _ = detected.set(all);
        }
        Ok(())
    }

    fn start(
        self: Box<Self>,
        _: &Arc<Registry>,
        _: &Health,
        _: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError> {
        Ok(Vec::new())
    }
}

fn detect(id: &Id, settings: &DetectionSettings) -> Detected {
    let mut all = Detected::default();
    for detector in &settings.detectors {
        match detector {
            Detector::Environment(attributes) => all.add(attributes.clone(), ""),
            Detector::System {
                attributes,
                sources,
            } => {
                let told = attributes.iter().filter_map(|(key, attribute)| {
                    let text = system::detect(*attribute, sources);
                    if text.is_none() {
                        tracing::warn!("{id}: {key} cannot be told here; it is not added");
                    }
                    Some(((*key).to_owned(), text?))
                });
                all.add(told.collect::<Vec<_>>(), SCHEMA_URL);
            }
            Detector::Node(of) => match node::detect(of, settings.timeout) {
                Ok((told, troubles)) => {
                    for trouble in troubles {
                        tracing::warn!("{id}: {trouble}");
                    }
                    all.add(told, SCHEMA_URL);
                }
                Err(error) => tracing::warn!("{id}: the node cannot be asked for: {error}"),
            },
        }
    }
    all
}
