/*! What `validate` says of a configuration, and the start of its pipelines. */

use super::{Config, Pipeline};

impl Config {
    /// What it would do, a line each.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for pipeline in &self.pipelines {
            lines.push(self.describe_pipeline(pipeline));
            for processor in &pipeline.processors {
                let said = processor.settings.describe().into_iter();
                lines.extend(said.map(|line| format!("{}: {line}", processor.id)));
            }
        }
        for connector in &self.connectors {
            let said = connector.settings.describe().into_iter();
            lines.extend(said.map(|line| format!("{}: {line}", connector.id)));
        }
        let mib = self.memory_limit >> 20;
        lines.push(format!("memory: up to {mib} MiB held"));
        for extension in &self.extensions {
            lines.extend(extension.settings.describe(&extension.id));
        }
        for (metrics, _) in &self.telemetry.metrics {
            lines.push(format!("metrics: http://{metrics}/metrics"));
        }
        let pushes = self.pushes.iter();
        lines.extend(pushes.map(|push| format!("metrics: {}", push.describe())));
        lines
    }

    /// `traces: otlp grpc 127.0.0.1:4317 -> mesh, batch -> debug`.
    fn describe_pipeline(&self, pipeline: &Pipeline) -> String {
        let receivers = pipeline
            .receivers
            .iter()
            .filter_map(|&i| self.receivers.get(i));
        let listening = receivers.flat_map(|receiver| {
            let listeners = receiver.settings.listeners().into_iter();
            let listening =
                listeners.map(|at| format!("{} {} {}", receiver.id, at.transport, at.address));
            let origin = receiver.settings.origin(pipeline.signal);
            listening.chain(origin.map(|origin| format!("{} {origin}", receiver.id)))
        });
        let exporters = pipeline
            .exporters
            .iter()
            .filter_map(|&i| self.exporters.get(i));
        let sending = exporters.map(|exporter| match exporter.settings.destination() {
            Some(destination) => format!("{} {destination}", exporter.id),
            None => exporter.id.to_string(),
        });
        let listening: Vec<_> = listening.chain(self.connectors(&pipeline.fed_by)).collect();
        let sending: Vec<_> = sending.chain(self.connectors(&pipeline.feeds)).collect();
        let processors = pipeline.processors.iter().map(|p| p.id.to_string());
        let processors: Vec<_> = processors.chain([pipeline.batch.id.to_string()]).collect();
        format!(
            "{}: {} -> {} -> {}",
            pipeline.id,
            listening.join(", "),
            processors.join(", "),
            sending.join(", ")
        )
    }

    /// The ids of a pipeline's components in the way of an item:
    /// `otlp → mesh → batch → otlp_grpc`.
    pub(crate) fn way_of(&self, pipeline: &Pipeline) -> String {
        let receivers = pipeline
            .receivers
            .iter()
            .filter_map(|&i| self.receivers.get(i));
        let receivers = receivers.map(|r| r.id.to_string());
        let exporters = pipeline
            .exporters
            .iter()
            .filter_map(|&i| self.exporters.get(i));
        let exporters = exporters.map(|e| e.id.to_string());
        let receivers: Vec<_> = receivers.chain(self.connectors(&pipeline.fed_by)).collect();
        let exporters: Vec<_> = exporters.chain(self.connectors(&pipeline.feeds)).collect();
        let mut parts = vec![receivers.join(", ")];
        parts.extend(pipeline.memory_limiter.iter().map(ToString::to_string));
        parts.extend(pipeline.processors.iter().map(|p| p.id.to_string()));
        parts.push(pipeline.batch.id.to_string());
        parts.push(exporters.join(", "));
        parts.join(" → ")
    }

    fn connectors<'c>(&'c self, indices: &'c [usize]) -> impl Iterator<Item = String> + 'c {
        let connectors = indices.iter().filter_map(|&i| self.connectors.get(i));
        connectors.map(|connector| connector.id.to_string())
    }
}
