/*!
Which waypoint a Service uses: its own label says it, else its namespace's (istio,
`pilot/pkg/serviceregistry/ambient/waypoints.go`, `fetchWaypointForService`).
*/

use super::mesh::{Member, Mode, looked_at};
use crate::cli::doctor::{
    check::{Inconclusive, known},
    facts::{
        Facts,
        objects::{Gateway, Meta, Pod, Service},
    },
};
use std::collections::BTreeMap;

pub(super) const USE: &str = "istio.io/use-waypoint";
const USE_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
pub(super) const CANARY: &str = "istio.io/use-waypoint-canary";
pub(super) const FOR: &str = "istio.io/waypoint-for";

/// Namespace and name of a waypoint.
pub(super) type Place<'a> = (&'a str, &'a str);

/// Returns true if a Gateway is a waypoint of Istio's.
pub(super) fn is_waypoint(gateway: &Gateway) -> bool {
    gateway.spec.gateway_class_name == "istio-waypoint"
}

/// Returns what an object's labels say of the waypoint to use: None: nothing; Some(None):
/// to use none.
fn asks<'a>(meta: &'a Meta, home: &'a str) -> Option<Option<Place<'a>>> {
    let name = meta.label(USE).filter(|name| !name.is_empty())?;
    if name == "none" {
        return Some(None);
    }
    Some(Some((meta.label(USE_NAMESPACE).unwrap_or(home), name)))
}

pub(super) fn waypoint_of<'a>(member: &Member<'a>, service: &'a Service) -> Option<Place<'a>> {
    let of_namespace = || {
        let namespace = member.namespace?;
        asks(&namespace.metadata, member.name)?
    };
    asks(&service.metadata, member.name).unwrap_or_else(of_namespace)
}

/// Returns the waypoint that Kiali expects before a Pod: its own label says it, else that of
/// its Service, if it has only one, else its namespace's (kiali, `business/workloads.go`,
/// `getCapturingWaypoints`).
pub(super) fn waypoint_of_pod<'a>(
    member: &Member<'a>,
    pod: &'a Pod,
    services: &[&'a Service],
) -> Option<Place<'a>> {
    let of_service = || match services {
        [only] => asks(&only.metadata, member.name),
        _ => None,
    };
    let of_namespace = || asks(&member.namespace?.metadata, member.name);
    asks(&pod.metadata, member.name)
        .or_else(of_service)
        .or_else(of_namespace)
        .flatten()
}

/// Returns true for a Service that a gateway or waypoint has of its own.
fn is_of_gateway(service: &Service) -> bool {
    let keys = [
        "gateway.networking.k8s.io/gateway-name",
        "gateway.istio.io/managed",
    ];
    let mut keys = keys.iter();
    keys.any(|key| {
        service.metadata.labels.contains_key(*key) || service.spec.selector.contains_key(*key)
    })
}

/// The Services of ambient namespaces that workloads stand behind.
pub(super) fn services<'a>(
    facts: &'a Facts,
    member: &Member<'_>,
) -> impl Iterator<Item = &'a Service> {
    let namespace = member.name.to_owned();
    let all = facts.kubernetes.services.list().iter();
    all.filter(move |one| {
        one.metadata.namespace == namespace
            && one.spec.kind != "ExternalName"
            && !is_of_gateway(one)
    })
}

pub(super) fn ambient(facts: &Facts) -> Result<Vec<Member<'_>>, Inconclusive> {
    known(&facts.kubernetes.namespaces)?;
    let mut members = looked_at(facts);
    members.retain(|member| member.mode == Mode::Ambient);
    match members.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(members),
    }
}

/// Returns the namespaces whose Services use a waypoint; its own where none does.
pub(super) fn namespaces_of<'a>(facts: &'a Facts, waypoint: &'a Gateway) -> Vec<&'a str> {
    let place = (&*waypoint.metadata.namespace, &*waypoint.metadata.name);
    let mut found = Vec::new();
    for namespace in facts.kubernetes.namespaces.list() {
        let name = namespace.metadata.name.as_str();
        let of_namespace = asks(&namespace.metadata, name) == Some(Some(place));
        let mut services = facts.kubernetes.services.list().iter();
        let of_service = services.any(|one| {
            one.metadata.namespace == name && asks(&one.metadata, name) == Some(Some(place))
        });
        if of_namespace || of_service {
            found.push(name);
        }
    }
    match found.is_empty() {
        true => vec![waypoint.metadata.namespace.as_str()],
        false => found,
    }
}

/// Returns the Services whose requests a proxy reports, with the waypoint that does.
pub(in crate::cli::doctor) fn traced_services(facts: &Facts) -> Vec<(&Service, Option<&str>)> {
    let mut all = Vec::new();
    for member in looked_at(facts) {
        for service in services(facts, &member) {
            match (member.mode, waypoint_of(&member, service)) {
                (Mode::Ambient, None) => {}
                (Mode::Ambient, Some((_, name))) => all.push((service, Some(name))),
                (Mode::Sidecar, _) => all.push((service, None)),
            }
        }
    }
    all
}

/// Returns what the waypoints call themselves that Services of a namespace use, with and
/// without their namespace.
pub(in crate::cli::doctor) fn waypoint_names(facts: &Facts, namespace: &str) -> Vec<String> {
    let members = looked_at(facts);
    let member = members.iter().filter(|member| member.name == namespace);
    let used = member.flat_map(|member| {
        services(facts, member).filter_map(|service| waypoint_of(member, service))
    });
    let mut names: Vec<String> = used
        .flat_map(|(space, name)| [format!("{name}.{space}"), name.to_owned()])
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The waypoints in use, with how many Services use each.
pub(super) fn in_use<'a>(facts: &'a Facts, members: &[Member<'a>]) -> BTreeMap<Place<'a>, usize> {
    let mut used = BTreeMap::new();
    for member in members {
        for service in services(facts, member) {
            if let Some(place) = waypoint_of(member, service) {
                *used.entry(place).or_default() += 1;
            }
        }
    }
    used
}
