/*! What the start says: where wayspan listens, what the pipelines are, and what
each component says of itself. */

use super::{Service, receivers::Bound};

impl Service {
    /// Logs, a line each, what is listened on, the pipelines, and what their
    /// components say.
    pub(super) fn announce(&self) {
        let config = &self.current.config;
        for Bound {
            receiver,
            listener,
            address,
            ..
        } in &self.current.listeners
        {
            let settings = &listener.settings;
            let (name, guards) = (settings.name, settings.guards());
            tracing::info!("listening for {name}{guards} on {address} (receiver {receiver})");
        }
        for address in &self.metrics {
            tracing::info!("Prometheus metrics on http://{address}/metrics");
        }
        for push in &config.pushes {
            tracing::info!("own metrics are {}", push.describe());
        }
        if let Some((address, check)) = self.health.zip(config.health_check.as_ref()) {
            tracing::info!("health on {}://{address}{}", check.scheme(), check.path);
        }
        if let Some(address) = config.zpages {
            tracing::info!("the account of every span on http://{address}/debug/pipelinez");
        }
        for pipeline in &config.pipelines {
            tracing::info!("pipeline {}: {}", pipeline.id, config.way_of(pipeline));
            for processor in &pipeline.processors {
                for line in processor.settings.describe() {
                    tracing::info!("{}: {line}", processor.id);
                }
            }
        }
        for exporter in &config.exporters {
            let Some(destination) = exporter.settings.destination() else {
                continue;
            };
            tracing::info!("exporter {} sends to {destination}", exporter.id);
            let storage = exporter.queue.storage;
            if let Some(storage) = storage.and_then(|at| config.storages.get(at)) {
                tracing::info!(
                    "exporter {}: what is accepted is in the segment log ({storage}) before its \
                     sender is answered",
                    exporter.id
                );
            }
        }
    }
}
