/*!
The Service that a provider names: it must exist under the very name, have the
port, and say that it is gRPC. istiod is silent where it does not.

A name is looked up as it stands (istio/istio, `pilot/pkg/networking/core/
cluster_lookup.go`, `LookupCluster`): `collector.observability`, which every
resolver completes, names no Service for istiod.
*/

use crate::cli::doctor::{
    check::{Fix, Inconclusive, Outcome, Problem, Verdict, count, known},
    facts::{
        Facts, ProviderService,
        mesh_config::{Backend, Provider, Speaks},
        objects::{Service, ServicePort},
    },
};

/// Names of ports, up to a dash, that mean HTTP/2.
const HTTP2: [&str; 4] = ["grpc", "grpc-web", "http2", "kubernetes.io/h2c"];

fn looked_up<'a>(facts: &'a Facts, backend: &Backend) -> Option<&'a ProviderService> {
    let (name, namespace) = backend.kubernetes_service()?;
    let mut all = facts.kubernetes.provider_services.iter();
    all.find(|one| one.name == name && one.namespace == namespace)
}

/// Each provider that sends to a collector.
fn providers(facts: &Facts) -> Result<Vec<(&Provider, &Backend, Speaks)>, Inconclusive> {
    let config = known(&facts.kubernetes.mesh_config)?;
    let all: Vec<_> = config.collectors().collect();
    match all.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(all),
    }
}

pub(super) fn exists(facts: &Facts) -> Verdict {
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for (provider, backend, _) in providers(facts)? {
        let host = backend.host();
        let entries = facts.kubernetes.service_entries.list().iter();
        let mut hosts = entries.flat_map(|entry| &entry.spec.hosts);
        if hosts.any(|one| one == host) {
            saw.push(format!("{host} is a ServiceEntry"));
            continue;
        }
        let Some((name, namespace)) = backend.kubernetes_service() else {
            known(&facts.kubernetes.service_entries)?;
            problems.push(no_entry(provider, backend));
            continue;
        };
        let Some(found) = looked_up(facts, backend) else {
            continue;
        };
        match known(&found.service)? {
            None => problems.push(no_service(facts, provider, backend, (name, namespace))),
            // A host of three or more parts is as Istio has it, in any cluster domain.
            Some(_) if !host.contains(".svc.") => {
                problems.push(short_name(facts, provider, backend, (name, namespace)));
            }
            Some(_) => saw.push(format!("{namespace}/{name}")),
        }
    }
    Ok(Outcome {
        saw: saw.join(", "),
        problems,
    })
}

fn no_entry(provider: &Provider, backend: &Backend) -> Problem {
    let host = backend.host();
    let yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: tracing-collector, \
         namespace: istio-system}}\nspec:\n  hosts: [{host}]\n  ports: [{{number: {}, name: grpc-otlp, \
         protocol: GRPC}}]\n  resolution: DNS\n  location: MESH_EXTERNAL",
        backend.port
    );
    Problem::broken(
        format!(
            "provider {} sends to {host}, which Istio does not know",
            provider.name
        ),
        "no Service has this name, and no ServiceEntry this host",
        Fix::apply("Make it known", &yaml),
    )
}

fn no_service(
    facts: &Facts,
    provider: &Provider,
    backend: &Backend,
    (name, namespace): (&str, &str),
) -> Problem {
    let all = facts.kubernetes.services.list().iter();
    let twin = all.filter(|one| !one.spec.selector.is_empty()).find(|one| {
        let named =
            one.metadata.name.contains("collector") || one.metadata.name.contains("wayspan");
        let takes = one.spec.ports.iter().any(|port| port.port == backend.port);
        one.metadata.namespace == namespace && named && takes
    });
    let wanted = [("app".to_owned(), "wayspan".to_owned())];
    let (selector, hint) = match twin {
        Some(twin) => (
            twin.spec.selector.clone(),
            format!("Give the Pods of Service {} this name too", twin.metadata.name),
        ),
        None => (
            wanted.into_iter().collect(),
            "Make the Service; its selector must be that of the collector's Pods (wayspan's are labelled \
             like this)"
                .to_owned(),
        ),
    };
    let selector: Vec<String> = selector
        .iter()
        .map(|(key, value)| format!("{key}: \"{value}\""))
        .collect();
    let yaml = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  \
         selector: {{{}}}\n  ports: [{{name: grpc-otlp, port: {}, appProtocol: grpc}}]",
        selector.join(", "),
        backend.port
    );
    Problem::broken(
        format!(
            "provider {} sends to {}, and there is no such Service",
            provider.name,
            backend.host()
        ),
        format!("namespace {namespace} has no Service {name}"),
        Fix::apply(hint, &yaml),
    )
}

fn short_name(
    facts: &Facts,
    provider: &Provider,
    backend: &Backend,
    (name, namespace): (&str, &str),
) -> Problem {
    Problem::broken(
        format!(
            "provider {} names its Service {}, which istiod does not complete",
            provider.name,
            backend.host()
        ),
        "istiod looks the name up as it stands, and knows Services by their full names",
        Fix::text(format!(
            "In the mesh configuration (ConfigMap {}/istio) write service: \
             {name}.{namespace}.svc.cluster.local",
            facts.scope.istio_namespace
        )),
    )
}

/// A Service that exists, with the provider that names it.
struct Found<'a> {
    provider: &'a Provider,
    backend: &'a Backend,
    speaks: Speaks,
    at: &'a ProviderService,
    service: &'a Service,
}

/// Returns the Services that exist; the others are told by [`exists`].
fn found(facts: &Facts) -> Result<Vec<Found<'_>>, Inconclusive> {
    let mut all = Vec::new();
    for (provider, backend, speaks) in providers(facts)? {
        let Some(at) = looked_up(facts, backend) else {
            continue;
        };
        if let Some(Some(service)) = at.service.got() {
            all.push(Found {
                provider,
                backend,
                speaks,
                at,
                service,
            });
        }
    }
    match all.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(all),
    }
}

/// Returns true if Istio speaks HTTP/2 to the port.
fn is_http2(port: &ServicePort) -> bool {
    if !port.app_protocol.is_empty() {
        return HTTP2.contains(&port.app_protocol.to_ascii_lowercase().as_str());
    }
    let name = port.name.to_ascii_lowercase();
    let mut known = HTTP2.iter();
    known.any(|word| {
        name == *word
            || name
                .strip_prefix(word)
                .is_some_and(|rest| rest.starts_with('-'))
    })
}

pub(super) fn port(facts: &Facts) -> Verdict {
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for one in found(facts)? {
        let ports = &one.service.spec.ports;
        let wanted = one.backend.port;
        let place = format!("{}/{}", one.at.namespace, one.at.name);
        let Some((at, port)) = ports
            .iter()
            .enumerate()
            .find(|(_, port)| port.port == wanted)
        else {
            problems.push(no_port(&one, &place));
            continue;
        };
        if one.speaks == Speaks::OtlpGrpc && !is_http2(port) {
            problems.push(not_grpc(&one, &place, at, port));
            continue;
        }
        let kind = match port.app_protocol.is_empty() {
            true => format!("named {}", or_nothing(&port.name)),
            false => format!("appProtocol {}", port.app_protocol),
        };
        saw.push(format!("{place}:{wanted}, {kind}"));
    }
    Ok(Outcome {
        saw: saw.join("; "),
        problems,
    })
}

fn or_nothing(name: &str) -> &str {
    if name.is_empty() { "nothing" } else { name }
}

fn no_port(one: &Found<'_>, place: &str) -> Problem {
    let ports = one.service.spec.ports.iter();
    let ports: Vec<String> = ports.map(|port| port.port.to_string()).collect();
    let wanted = one.backend.port;
    Problem::broken(
        format!(
            "provider {} sends to port {wanted}, which Service {place} does not have",
            one.provider.name
        ),
        format!("its ports are {}", ports.join(", ")),
        Fix::command(
            "Add the port, or give the provider another",
            format!(
                "kubectl -n {} patch service {} --type=json -p '[{{\"op\":\"add\",\"path\":\"/spec/ports/-\",\
                 \"value\":{{\"name\":\"grpc-otlp\",\"port\":{wanted},\"appProtocol\":\"grpc\"}}}}]'",
                one.at.namespace, one.at.name
            ),
        ),
    )
}

fn not_grpc(one: &Found<'_>, place: &str, at: usize, port: &ServicePort) -> Problem {
    let evidence = match port.app_protocol.is_empty() {
        true => format!("port {} is named {}", port.port, or_nothing(&port.name)),
        false => format!("port {} has appProtocol {}", port.port, port.app_protocol),
    };
    Problem::broken(
        format!(
            "proxies speak HTTP/1.1 to {place}:{}, since nothing says that it is gRPC: every export fails",
            port.port
        ),
        evidence,
        Fix::command(
            "Say so; proxies follow within seconds",
            format!(
                "kubectl -n {} patch service {} --type=json -p '[{{\"op\":\"add\",\
                 \"path\":\"/spec/ports/{at}/appProtocol\",\"value\":\"grpc\"}}]'",
                one.at.namespace, one.at.name
            ),
        ),
    )
}

pub(super) fn endpoints(facts: &Facts) -> Verdict {
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for one in found(facts)? {
        let (namespace, name) = (&one.at.namespace, &one.at.name);
        if one.service.spec.kind == "ExternalName" {
            saw.push(format!(
                "{namespace}/{name} is {}",
                one.service.spec.external_name
            ));
            continue;
        }
        let slices = known(&one.at.endpoints)?;
        let ready: usize = slices.iter().map(|slice| slice.ready()).sum();
        if ready > 0 {
            saw.push(format!(
                "{namespace}/{name}: {}",
                count(ready, "ready endpoint")
            ));
            continue;
        }
        let selector = one.service.spec.selector.iter();
        let selector: Vec<String> = selector
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let unready: usize = slices.iter().map(|slice| slice.endpoints.len()).sum();
        let evidence = match unready {
            0 => format!(
                "no running Pod matches its selector ({})",
                selector.join(",")
            ),
            many => format!("{} not ready", count(many, "Pod")),
        };
        problems.push(Problem::broken(
            format!("Service {namespace}/{name} has no ready endpoint: spans go nowhere"),
            evidence,
            Fix::command(
                "See what becomes of the collector's Pods",
                format!(
                    "kubectl -n {namespace} get pods -l '{}'",
                    selector.join(",")
                ),
            ),
        ));
    }
    Ok(Outcome {
        saw: saw.join(", "),
        problems,
    })
}
