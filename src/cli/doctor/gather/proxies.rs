/*!
What proxies really have: `/config_dump` of an Envoy's own admin port, or what istiod says
that it has given a proxy.

A dump has megabytes; what does not concern tracing is dropped while it is parsed.
*/

use super::client::Asker;
use crate::cli::doctor::facts::{
    Answer, Facts, Failure, FailureKind,
    objects::{Pod, or_default},
    proxy::{Dump, Manager, SeenProxy, Tracing},
};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// The most proxies that istiod is asked for.
const MOST: usize = 50;

/// Listeners that Istio never lets trace: they carry connections between the others.
const PLUMBING: [&str; 5] = [
    "connect_terminate",
    "connect_originate",
    "inner_connect_originate",
    "outer_connect_originate",
    "forward_inner_connect",
];

#[derive(Deserialize)]
struct ConfigDump {
    configs: Vec<Section>,
}

/// Objects as Envoy writes them, in its own words.
macro_rules! envoy {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct $name {
            $(
                $(#[$attribute])*
                #[serde(deserialize_with = "or_default")]
                $field: $type,
            )*
        }
    };
}

envoy! { Section {
    static_listeners: Vec<Static>, dynamic_listeners: Vec<Dynamic>,
    static_clusters: Vec<OneCluster>, dynamic_active_clusters: Vec<OneCluster>,
    bootstrap: Bootstrap,
} }
envoy! { Bootstrap { node: Node } }
envoy! { Node { id: String } }
envoy! { Static { listener: Listener } }
envoy! { Dynamic { active_state: Static } }
envoy! { OneCluster { cluster: Named } }
envoy! { Named { name: String } }
envoy! { Listener { name: String, filter_chains: Vec<Chain>, default_filter_chain: Option<Chain> } }
envoy! { Chain { name: String, filters: Vec<Filter> } }
envoy! { Filter { typed_config: TypedConfig } }
envoy! { TypedConfig {
    #[serde(rename = "@type")]
    kind: String,
    tracing: Option<HcmTracing>,
} }
envoy! { HcmTracing { provider: Option<Provider>, random_sampling: Percent } }
envoy! { Percent { value: Option<f64> } }
envoy! { Provider { typed_config: ProviderConfig } }
envoy! { ProviderConfig {
    grpc_service: Grpc, http_service: Http, collector_cluster: String,
} }
envoy! { Grpc { envoy_grpc: EnvoyGrpc } }
envoy! { EnvoyGrpc { cluster_name: String } }
envoy! { Http { http_uri: HttpUri } }
envoy! { HttpUri { cluster: String } }

#[derive(Deserialize)]
struct Clusters {
    #[serde(default)]
    cluster_statuses: Vec<ClusterStatus>,
}

envoy! { ClusterStatus { name: String, host_statuses: Vec<HostStatus> } }
envoy! { HostStatus { health_status: Health } }
envoy! { Health {
    failed_active_health_check: bool, failed_outlier_check: bool, eds_health_status: String,
} }

/// Asks an Envoy's admin port.
pub(in crate::cli::doctor) async fn ask_admin(url: &str, limit: Duration) -> SeenProxy {
    let asker = Asker::new(url, limit);
    let dump = read(&asker, "/config_dump", parse).await;
    let healthy = read(&asker, "/clusters?format=json", healthy).await;
    let (name, dump) = match dump {
        Answer::Got((id, dump)) => (id, Answer::Got(dump)),
        Answer::Failed(failure) => (String::new(), Answer::Failed(failure)),
        Answer::NotAsked => (String::new(), Answer::NotAsked),
    };
    // `waypoint~10.244.0.9~waypoint-1.bookinfo~bookinfo.svc.cluster.local`
    let pod = name.split('~').nth(2).unwrap_or(&name);
    SeenProxy {
        name: if pod.is_empty() {
            url.to_owned()
        } else {
            pod.to_owned()
        },
        dump,
        healthy,
    }
}

/// Asks istiod for what it has given to gateways and waypoints.
pub(in crate::cli::doctor) async fn ask_istiod(
    url: &str,
    facts: &Facts,
    limit: Duration,
) -> Vec<SeenProxy> {
    let asker = Asker::new(url, limit);
    let is_gateway = |pod: &&Pod| {
        pod.metadata
            .label("gateway.networking.k8s.io/gateway-name")
            .is_some()
    };
    let pods = facts.kubernetes.pods.list().iter().filter(is_gateway);
    let mut all = Vec::new();
    for pod in pods.take(MOST) {
        let name = format!("{}.{}", pod.metadata.name, pod.metadata.namespace);
        let path = format!("/debug/config_dump?proxyID={name}");
        let dump = match read(&asker, &path, parse).await {
            Answer::Got((_, dump)) => Answer::Got(dump),
            Answer::Failed(failure) => Answer::Failed(failure),
            Answer::NotAsked => Answer::NotAsked,
        };
        all.push(SeenProxy {
            name,
            dump,
            healthy: Answer::NotAsked,
        });
    }
    all
}

async fn read<T>(asker: &Asker, path: &str, parse: impl Fn(&[u8]) -> Option<T>) -> Answer<T> {
    let reply = match asker.get(path).await {
        Ok(reply) => reply,
        Err(failure) => return Answer::Failed(failure),
    };
    let failed = |cause: String| {
        Answer::Failed(Failure {
            kind: FailureKind::Malformed,
            cause,
            remedy: None,
        })
    };
    if reply.status != 200 {
        return failed(format!("{}{path} answers {}", asker.origin(), reply.status));
    }
    match parse(&reply.body) {
        Some(value) => Answer::Got(value),
        None => failed(format!(
            "{}{path} is not what Envoy answers",
            asker.origin()
        )),
    }
}

/// Reads a dump: the node's id, where it is in there, and the rest.
fn parse(body: &[u8]) -> Option<(String, Dump)> {
    let dump: ConfigDump = serde_json::from_slice(body).ok()?;
    let mut id = String::new();
    let mut found = Dump::default();
    for section in dump.configs {
        if !section.bootstrap.node.id.is_empty() {
            id = section.bootstrap.node.id;
        }
        let dynamic = section
            .dynamic_listeners
            .into_iter()
            .map(|one| one.active_state);
        for Static { listener } in section.static_listeners.into_iter().chain(dynamic) {
            managers(listener, &mut found.managers);
        }
        let clusters = section
            .static_clusters
            .into_iter()
            .chain(section.dynamic_active_clusters);
        found.clusters.extend(clusters.map(|one| one.cluster.name));
    }
    Some((id, found))
}

/// Adds the connection managers of a listener. Those without a name are for probes and
/// metrics of the proxy itself.
fn managers(listener: Listener, all: &mut Vec<Manager>) {
    let name = listener.name;
    if name.is_empty() || PLUMBING.contains(&name.as_str()) {
        return;
    }
    for chain in listener
        .filter_chains
        .into_iter()
        .chain(listener.default_filter_chain)
    {
        for filter in chain.filters {
            let config = filter.typed_config;
            if !config.kind.ends_with(".HttpConnectionManager") {
                continue;
            }
            all.push(Manager {
                listener: name.clone(),
                chain: chain.name.clone(),
                tracing: config.tracing.map(|tracing| Tracing {
                    sampling: tracing.random_sampling.value,
                    cluster: tracing.provider.and_then(|one| cluster(one.typed_config)),
                }),
            });
        }
    }
}

fn cluster(config: ProviderConfig) -> Option<String> {
    let all = [
        config.grpc_service.envoy_grpc.cluster_name,
        config.http_service.http_uri.cluster,
        config.collector_cluster,
    ];
    all.into_iter().find(|name| !name.is_empty())
}

fn healthy(body: &[u8]) -> Option<BTreeMap<String, usize>> {
    let all: Clusters = serde_json::from_slice(body).ok()?;
    let well = |host: &&HostStatus| {
        let health = &host.health_status;
        let eds = matches!(
            &*health.eds_health_status,
            "" | "HEALTHY" | "UNKNOWN" | "DEGRADED"
        );
        eds && !health.failed_active_health_check && !health.failed_outlier_check
    };
    let count = |one: ClusterStatus| {
        let hosts = one.host_statuses.iter().filter(well).count();
        (one.name, hosts)
    };
    Some(all.cluster_statuses.into_iter().map(count).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dump_of_a_waypoint() {
        let hcm = |tracing| {
            json!({"typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "x", "tracing": tracing,
            }})
        };
        let tracing = json!({
            "random_sampling": {"value": 100}, "custom_tags": [{"tag": "a"}],
            "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": {
                "grpc_service": {"envoy_grpc": {"cluster_name": "outbound|4317||otel"}},
            }},
        });
        let chain =
            |name: &str, filter| json!({"name": name, "filters": [{"name": "tcp"}, filter]});
        let body = json!({"configs": [
            {"@type": "x.BootstrapConfigDump", "bootstrap": {"node": {"id": "waypoint~10.0.0.1~w-1.shop~shop.svc"}}},
            {"@type": "x.ClustersConfigDump", "dynamic_active_clusters": [{"cluster": {"name": "outbound|4317||otel"}}]},
            {"@type": "x.ListenersConfigDump", "static_listeners": [{"listener": {"filter_chains": [chain("", hcm(json!(null)))]}}],
             "dynamic_listeners": [
                {"name": "connect_terminate", "active_state": {"listener": {"name": "connect_terminate", "filter_chains": [chain("default", hcm(json!(null)))]}}},
                {"name": "main_internal", "active_state": {"listener": {"name": "main_internal", "filter_chains": [
                    chain("inbound-vip|80|http|a", hcm(tracing)), chain("inbound-vip|80|http|b", hcm(json!(null)))]}}},
             ]},
        ]});
        let (id, dump) = parse(body.to_string().as_bytes()).unwrap();
        assert!(id.starts_with("waypoint~"));
        let seen: Vec<_> = dump
            .managers
            .iter()
            .map(|one| {
                (
                    &*one.chain,
                    one.tracing
                        .as_ref()
                        .and_then(|tracing| tracing.cluster.as_deref()),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("inbound-vip|80|http|a", Some("outbound|4317||otel")),
                ("inbound-vip|80|http|b", None)
            ]
        );
        assert_eq!(dump.clusters, ["outbound|4317||otel"]);
        for rubbish in ["", "{}", "[]", "{\"configs\":1}"] {
            assert_eq!(parse(rubbish.as_bytes()), None, "{rubbish}");
        }
    }
}
