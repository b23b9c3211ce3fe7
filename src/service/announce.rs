/*! What the start says: where wayspan listens, what the pipelines are, and how
spans are named and why. */

use super::Service;
use crate::{
    config::{Config, ExporterKind, Pipeline, ProcessorKind, ServerAuth, ServerTls},
    mesh::Scheme,
};

impl Service {
    /// Logs, a line each, what is listened on, the pipelines, and the naming
    /// scheme in force and why.
    pub(super) fn announce(&self, config: &Config) {
        for ((transport, address), (receiver, guards)) in
            self.listening.iter().zip(receivers(config))
        {
            tracing::info!("listening for {transport}{guards} on {address} (receiver {receiver})");
        }
        if let Some(address) = self.metrics {
            tracing::info!("Prometheus metrics on http://{address}/metrics");
        }
        if let Some((address, check)) = self.health.zip(config.health_check.as_ref()) {
            tracing::info!("health on {}://{address}{}", check.scheme(), check.path);
        }
        if let Some(address) = config.zpages {
            tracing::info!("the account of every span on http://{address}/debug/pipelinez");
        }
        for pipeline in &config.pipelines {
            tracing::info!(
                "pipeline {}: {}",
                pipeline.id,
                describe_pipeline(config, pipeline)
            );
            for processor in &pipeline.processors {
                match &processor.kind {
                    ProcessorKind::Mesh(settings) => {
                        tracing::info!(
                            "{}: {}",
                            processor.id,
                            Scheme::new(&settings.kiali).describe()
                        );
                        if let Some(follow) = &settings.follow {
                            tracing::info!(
                                "{}: this holds until Kiali's own configuration is read from {}",
                                processor.id,
                                follow.source
                            );
                        }
                    }
                }
            }
        }
        for exporter in &config.exporters {
            if let ExporterKind::OtlpGrpc(client) | ExporterKind::OtlpHttp(client, _) =
                &exporter.kind
            {
                tracing::info!("exporter {} sends to {}", exporter.id, client.url);
                let storage = exporter
                    .queue
                    .storage
                    .and_then(|at| config.storages.get(at));
                if let Some(storage) = storage {
                    tracing::info!(
                        "exporter {}: spans are in the segment log ({storage}) before their \
                         sender is answered",
                        exporter.id
                    );
                }
            }
        }
    }
}

/// `otlp → mesh → batch → otlp_grpc`.
fn describe_pipeline(config: &Config, pipeline: &Pipeline) -> String {
    let join = |ids: Vec<String>| ids.join(", ");
    let mut parts = vec![join(
        pipeline
            .receivers
            .iter()
            .map(|at| config.receivers[*at].id.to_string())
            .collect(),
    )];
    parts.extend(pipeline.memory_limiter.iter().map(ToString::to_string));
    parts.extend(pipeline.processors.iter().map(|p| p.id.to_string()));
    parts.push(pipeline.batch.id.to_string());
    parts.push(join(
        pipeline
            .exporters
            .iter()
            .map(|at| config.exporters[*at].id.to_string())
            .collect(),
    ));
    parts.join(" → ")
}

/// Each listener's receiver, and what guards it.
fn receivers(config: &Config) -> impl Iterator<Item = (String, String)> + '_ {
    config.receivers.iter().flat_map(|receiver| {
        let grpc = receiver.grpc.as_ref().map(|grpc| (&grpc.tls, &grpc.auth));
        let http = receiver.http.as_ref().map(|http| (&http.tls, &http.auth));
        let guards = |(tls, auth): (&Option<ServerTls>, &Option<ServerAuth>)| {
            let tls = match tls {
                None => "",
                Some(tls) if tls.client_ca.is_some() => " over mutual TLS",
                Some(_) => " over TLS",
            };
            let auth = match auth {
                None => "",
                Some(ServerAuth::Bearer(_)) => ", with a token,",
                Some(ServerAuth::Basic { .. }) => ", with a password,",
            };
            (receiver.id.to_string(), format!("{tls}{auth}"))
        };
        grpc.into_iter().chain(http).map(guards)
    })
}
