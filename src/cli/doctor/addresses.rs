/*!
Which addresses are asked: those of the command line, and those that the cluster's own
configuration names, where its names can be resolved. Pure but for that.
*/

use super::{
    Args,
    facts::{Facts, mesh_config::Speaks},
    gather::collector::CollectorAddresses,
    tempo,
    url::{UrlParts, parts},
};
use std::time::Duration;
use tokio::{net::lookup_host, time::timeout};

/// Returns where the collector is.
pub(super) async fn collector(args: &Args, facts: &Facts) -> CollectorAddresses {
    let mut at = CollectorAddresses {
        grpc: args.collector.clone(),
        http: args.collector_http.clone(),
        metrics: args.collector_metrics.clone(),
    };
    if at.grpc.is_some() || at.http.is_some() || at.metrics.is_some() {
        return at;
    }
    let config = facts.kubernetes.mesh_config.got();
    let mut all = config.into_iter().flat_map(|config| config.collectors());
    let Some((_, backend, _)) = all.find(|(_, _, speaks)| *speaks == Speaks::OtlpGrpc) else {
        return at;
    };
    let host = backend.host();
    let mut services = facts.kubernetes.provider_services.iter();
    let named = backend.kubernetes_service();
    let service = services.find(|one| named == Some((&one.name, &one.namespace)));
    let service = service.and_then(|one| one.service.got()?.as_ref());
    if service.is_none() || !resolves(host, backend.port, args.timeout).await {
        return at;
    }
    let ports = service.iter().flat_map(|one| &one.spec.ports);
    let ports: Vec<u16> = ports.map(|port| port.port).collect();
    at.grpc = Some(format!("http://{host}:{}", backend.port));
    at.http = ports.contains(&4318).then(|| format!("http://{host}:4318"));
    at.metrics = ports
        .contains(&8888)
        .then(|| format!("http://{host}:8888/metrics"));
    at
}

/// Returns where Jaeger is, with whether that is what Kiali asks.
pub(super) async fn jaeger(args: &Args, facts: &Facts) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    if let Some(config) = facts.kialis.list().first() {
        let tracing = &config.tracing;
        let url = &tracing.internal_url;
        let (host, port) = host_and_port(url);
        let is_known = !url.is_empty() && !config.asks_tempo();
        if is_known && resolves(host, port, args.timeout).await {
            all.push((url.clone(), true));
        }
    }
    for url in &args.jaeger {
        match all.iter_mut().find(|(known, _)| known == url) {
            Some(_) => {}
            None => all.push((url.clone(), false)),
        }
    }
    all
}

/// Returns where Tempo is over HTTP and, if it is asked so, over gRPC.
pub(super) async fn tempo(args: &Args, facts: &Facts) -> Option<(String, Option<String>)> {
    if let Some(url) = &args.tempo {
        // The port for gRPC is another, and may be forwarded or not.
        return Some((url.clone(), None));
    }
    let config = tempo::kiali(facts)?;
    let (host, port) = host_and_port(&config.tracing.internal_url);
    let leads_there = !host.is_empty() && resolves(host, port, args.timeout).await;
    leads_there.then(|| (config.tempo_url(), config.tempo_grpc_url()))
}

fn host_and_port(url: &str) -> (&str, u16) {
    let UrlParts {
        scheme, authority, ..
    } = parts(url);
    let default = if scheme == Some("https") { 443 } else { 80 };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(default)),
        _ => (authority, default),
    }
}

/// Returns true if a name leads somewhere from here. Names of a cluster's Services do so in
/// its Pods alone.
async fn resolves(host: &str, port: u16, limit: Duration) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = timeout(limit, lookup_host((host, port))).await;
    matches!(
        found.map(|all| all.map(|mut all| all.next())),
        Ok(Ok(Some(_)))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_of_urls() {
        for (url, want) in [
            ("http://jaeger:16686/jaeger", ("jaeger", 16686)),
            ("https://jaeger", ("jaeger", 443)),
            ("http://[::1]:80/x", ("[::1]", 80)),
            ("http://[::1]", ("[::1]", 80)),
            ("jaeger:99999", ("jaeger", 80)),
        ] {
            assert_eq!(host_and_port(url), want, "{url}");
        }
    }
}
