/*!
The workloads whose requests a proxy reports, and the proxies that are workloads of their own:
gateways and waypoints.

A workload is told by the name of a Pod, and its labels by its first Pod: replicas are alike.
*/

use super::{
    mesh::{Member, Mode, looked_at},
    which_waypoint::{Place, in_use, services, waypoint_of_pod},
};
use crate::{
    cli::doctor::facts::{
        Facts,
        objects::{Labels, Pod, Service, selects},
    },
    mesh::{pages::PageRole, workload_of_pod},
};
use std::collections::{BTreeMap, BTreeSet};

const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A workload.
pub(in crate::cli::doctor) struct Workload<'a> {
    pub(in crate::cli::doctor) role: PageRole,
    pub(in crate::cli::doctor) namespace: &'a str,
    pub(in crate::cli::doctor) name: &'a str,
    /// Those of its Pods.
    pub(in crate::cli::doctor) labels: &'a Labels,
    /// The Services that send to it, by name.
    pub(in crate::cli::doctor) services: Vec<&'a Service>,
    /// The waypoint that Kiali expects before it.
    pub(in crate::cli::doctor) waypoint: Option<&'a str>,
}

/// Returns the part that a Pod plays, as Kiali reads its labels (`config/config.go`,
/// `IsWaypoint`, `IsGateway`).
fn role(labels: &Labels) -> PageRole {
    let label = |key: &str| labels.get(key).map(String::as_str);
    let gateway = label(GATEWAY_NAME);
    if label("gateway.istio.io/managed") == Some("istio.io-mesh-controller")
        || gateway.is_some_and(|name| name.to_lowercase().contains("waypoint"))
    {
        return PageRole::Waypoint;
    }
    let component = label("operator.istio.io/component");
    let is_component = matches!(component, Some("IngressGateways" | "EgressGateways"));
    let is_istios = matches!(label("istio"), Some("ingressgateway" | "egressgateway"));
    match gateway.is_some() || is_component || is_istios {
        true => PageRole::Gateway,
        false => PageRole::Plain,
    }
}

/// The Pods of each namespace that may serve.
pub(in crate::cli::doctor) fn pods_by_namespace(facts: &Facts) -> BTreeMap<&str, Vec<&Pod>> {
    let mut all: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in facts.kubernetes.pods.list() {
        if !matches!(&*pod.status.phase, "Succeeded" | "Failed") {
            all.entry(&pod.metadata.namespace).or_default().push(pod);
        }
    }
    all
}

/// Returns the workloads of applications whose requests a proxy reports: those with a sidecar,
/// and those that a waypoint stands before.
pub(in crate::cli::doctor) fn traced_workloads(facts: &Facts) -> Vec<Workload<'_>> {
    let pods = pods_by_namespace(facts);
    let mut all = Vec::new();
    for member in looked_at(facts) {
        let services: Vec<&Service> = services(facts, &member).collect();
        let mut seen = BTreeSet::new();
        for pod in pods.get(member.name).into_iter().flatten() {
            let name = workload_of_pod(&pod.metadata.name);
            let is_plain = role(&pod.metadata.labels) == PageRole::Plain;
            if is_plain && seen.insert(name) {
                all.extend(traced(&member, name, pod, &services));
            }
        }
    }
    all
}

fn traced<'a>(
    member: &Member<'a>,
    name: &'a str,
    pod: &'a Pod,
    services: &[&'a Service],
) -> Option<Workload<'a>> {
    let services = before(pod, services);
    let waypoint = match (pod.proxy(), member.mode) {
        (Some(_), _) => None,
        (None, Mode::Sidecar) => return None,
        // Nobody sends to what has no Service, and a waypoint reports what is sent.
        (None, Mode::Ambient) if services.is_empty() => return None,
        (None, Mode::Ambient) => Some(waypoint_of_pod(member, pod, &services)?.1),
    };
    Some(Workload {
        role: PageRole::Plain,
        namespace: &pod.metadata.namespace,
        name,
        labels: &pod.metadata.labels,
        services,
        waypoint,
    })
}

/// Returns the Services that send to a Pod, by name.
fn before<'a>(pod: &Pod, services: &[&'a Service]) -> Vec<&'a Service> {
    let mut all: Vec<&Service> = services
        .iter()
        .copied()
        .filter(|one| !one.spec.selector.is_empty())
        .filter(|one| selects(&one.spec.selector, &pod.metadata.labels))
        .collect();
    all.sort_by_key(|one| &one.metadata.name);
    all
}

/// Returns the gateways, and the waypoints that Services use.
pub(in crate::cli::doctor) fn own_proxies(facts: &Facts) -> Vec<Workload<'_>> {
    let members = looked_at(facts);
    let used: BTreeSet<Place<'_>> = in_use(facts, &members).into_keys().collect();
    let chosen = &facts.scope.namespaces;
    let mut all = Vec::new();
    for (namespace, pods) in pods_by_namespace(facts) {
        if !chosen.is_empty() && !chosen.iter().any(|one| one == namespace) {
            continue;
        }
        let services = facts.kubernetes.services.list().iter();
        let services: Vec<&Service> = services
            .filter(|one| one.metadata.namespace == namespace)
            .collect();
        let mut seen = BTreeSet::new();
        for pod in pods {
            let labels = &pod.metadata.labels;
            let role = role(labels);
            let name = match role {
                PageRole::Plain => continue,
                // Its Deployment is called as the Gateway is.
                PageRole::Waypoint => labels.get(GATEWAY_NAME).map(String::as_str),
                PageRole::Gateway => None,
            };
            let name = name.unwrap_or_else(|| workload_of_pod(&pod.metadata.name));
            let is_idle = role == PageRole::Waypoint && !used.contains(&(namespace, name));
            if is_idle || pod.proxy().is_none() || !seen.insert(name) {
                continue;
            }
            let member = members.iter().find(|member| member.name == namespace);
            let services = before(pod, &services);
            let waypoint = member.filter(|member| member.mode == Mode::Ambient);
            let waypoint = waypoint.and_then(|member| waypoint_of_pod(member, pod, &services));
            all.push(Workload {
                role,
                namespace,
                name,
                labels,
                services,
                waypoint: waypoint.map(|(_, name)| name),
            });
        }
    }
    all
}
