/*!
Ambient mode: only waypoints see requests and report spans, so each Service
needs one that is there, is programmed and runs.

Which waypoint a Service uses, its own label says, else its namespace's (istio,
`pilot/pkg/serviceregistry/ambient/waypoints.go`, `fetchWaypointForService`).
*/

use super::mesh::{Member, Mode, looked_at};
use crate::cli::doctor::{
    check::{Fix, Inconclusive, Outcome, Problem, Verdict, count, known, some_of},
    facts::{
        Facts,
        objects::{Gateway, Meta, Service},
    },
};
use std::collections::BTreeMap;

const USE: &str = "istio.io/use-waypoint";
const USE_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
const CANARY: &str = "istio.io/use-waypoint-canary";
const FOR: &str = "istio.io/waypoint-for";

/// Namespace and name of a waypoint.
type Place<'a> = (&'a str, &'a str);

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

fn waypoint_of<'a>(member: &Member<'a>, service: &'a Service) -> Option<Place<'a>> {
    let of_namespace = || {
        let namespace = member.namespace?;
        asks(&namespace.metadata, member.name)?
    };
    asks(&service.metadata, member.name).unwrap_or_else(of_namespace)
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
fn services<'a>(facts: &'a Facts, member: &Member<'_>) -> impl Iterator<Item = &'a Service> {
    let namespace = member.name.to_owned();
    let all = facts.kubernetes.services.list().iter();
    all.filter(move |one| {
        one.metadata.namespace == namespace
            && one.spec.kind != "ExternalName"
            && !is_of_gateway(one)
    })
}

fn ambient(facts: &Facts) -> Result<Vec<Member<'_>>, Inconclusive> {
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
fn in_use<'a>(facts: &'a Facts, members: &[Member<'a>]) -> BTreeMap<Place<'a>, usize> {
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

pub(super) fn used(facts: &Facts) -> Verdict {
    let members = ambient(facts)?;
    known(&facts.kubernetes.services)?;
    let gateways = known(&facts.kubernetes.gateways)?;
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for member in &members {
        let all: Vec<&Service> = services(facts, member).collect();
        let unused = all.iter().filter(|one| waypoint_of(member, one).is_none());
        let unused: Vec<&str> = unused.map(|one| &*one.metadata.name).collect();
        if !unused.is_empty() {
            let present = gateways.iter().filter(|one| is_waypoint(one));
            let mut present = present.filter(|one| one.metadata.namespace == member.name);
            problems.push(not_used(member, &unused, all.len(), present.next()));
        }
        for service in &all {
            let bound = service.status.find("istio.io/WaypointBound");
            if let Some(refused) = bound.filter(|one| one.status == "False") {
                problems.push(not_bound(member, service, &refused.message));
            }
        }
    }
    for (place, services) in in_use(facts, &members) {
        let found = gateways.iter().find(|one| is_at(one, place));
        match found {
            None => problems.push(missing(place)),
            Some(found) => {
                if let Some(kind) = found
                    .metadata
                    .label(FOR)
                    .filter(|kind| !matches!(*kind, "service" | "all"))
                {
                    problems.push(not_for_services(place, kind));
                }
            }
        }
        saw.push(format!(
            "{}/{} by {}",
            place.0,
            place.1,
            count(services, "Service")
        ));
    }
    Ok(Outcome {
        saw: some_of(&saw),
        problems,
    })
}

fn is_at(gateway: &Gateway, (namespace, name): Place<'_>) -> bool {
    gateway.metadata.namespace == namespace && gateway.metadata.name == name
}

/// The Gateway that `istioctl waypoint apply` makes.
fn manifest((namespace, name): Place<'_>) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n  name: {name}\n  namespace: \
         {namespace}\n  labels: {{istio.io/waypoint-for: service}}\nspec:\n  gatewayClassName: \
         istio-waypoint\n  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]"
    )
}

fn not_used(
    member: &Member<'_>,
    unused: &[&str],
    all: usize,
    present: Option<&Gateway>,
) -> Problem {
    let namespace = member.name;
    let what = match unused.len() == all {
        true => format!(
            "Services of {namespace} use no waypoint, so nobody reports spans of their requests"
        ),
        false => format!(
            "some Services of {namespace} use no waypoint: {}",
            some_of(unused)
        ),
    };
    let name = present.map_or("waypoint", |one| &*one.metadata.name);
    let opted_out = unused.len() < all
        || member
            .namespace
            .is_some_and(|one| one.metadata.label(USE).is_some());
    let enrol = match opted_out {
        // A label of the Service's own goes before its namespace's.
        true => format!(
            "kubectl -n {namespace} label --overwrite service {} {USE}={name}",
            unused.join(" ")
        ),
        false => format!("kubectl label namespace {namespace} {USE}={name}"),
    };
    let (text, command) = match present {
        Some(_) => (format!("Use waypoint {name}, which is there"), enrol),
        None => {
            let make = Fix::apply("", &manifest((namespace, name)))
                .command
                .unwrap_or_default();
            (
                "Make a waypoint and use it".to_owned(),
                format!("{make}\n{enrol}"),
            )
        }
    };
    let evidence = match present {
        Some(_) => {
            format!("there is a waypoint {namespace}/{name}, but no label {USE} that names it")
        }
        None => format!("neither {namespace} nor its Services have the label {USE}"),
    };
    let problem = Problem::broken(what, evidence, Fix::command(text, command));
    match opted_out {
        true => Problem::warning(problem.what, problem.evidence, problem.fix),
        false => problem,
    }
}

fn not_bound(member: &Member<'_>, service: &Service, why: &str) -> Problem {
    Problem::broken(
        format!(
            "Service {}/{} is not bound to its waypoint",
            member.name, service.metadata.name
        ),
        format!("its condition istio.io/WaypointBound is False: {why}"),
        Fix::command(
            "See which waypoint it asks for",
            format!(
                "kubectl -n {} get service {} -o yaml",
                member.name, service.metadata.name
            ),
        ),
    )
}

fn missing(place: Place<'_>) -> Problem {
    let (namespace, name) = place;
    Problem::broken(
        format!("Services use waypoint {namespace}/{name}, which is not there"),
        format!("namespace {namespace} has no Gateway {name}"),
        Fix::apply("Make it", &manifest(place)),
    )
}

fn not_for_services((namespace, name): Place<'_>, kind: &str) -> Problem {
    Problem::broken(
        format!("waypoint {namespace}/{name} does not take requests for Services"),
        format!("its label {FOR} is {kind}"),
        Fix::command(
            "Let it",
            format!("kubectl -n {namespace} label --overwrite gateway {name} {FOR}=service"),
        ),
    )
}

pub(super) fn ready(facts: &Facts) -> Verdict {
    let members = ambient(facts)?;
    let gateways = known(&facts.kubernetes.gateways)?;
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for (place, _) in in_use(facts, &members) {
        let Some(gateway) = gateways.iter().find(|one| is_at(one, place)) else {
            continue;
        };
        let (namespace, name) = place;
        let programmed = gateway.status.find("Programmed");
        if programmed.is_none_or(|one| one.status != "True") {
            let evidence = match programmed {
                Some(condition) => {
                    let said = [&*condition.reason, &*condition.message];
                    format!(
                        "its condition Programmed is {}: {}",
                        condition.status,
                        said.join(", ")
                    )
                }
                None => "it has no condition Programmed: no istiod looks at it".to_owned(),
            };
            problems.push(Problem::broken(
                format!("waypoint {namespace}/{name} is not programmed"),
                evidence,
                Fix::command(
                    "See why",
                    format!("kubectl -n {namespace} describe gateway {name}"),
                ),
            ));
        }
        let label = "gateway.networking.k8s.io/gateway-name";
        let pods = facts.kubernetes.pods.list().iter();
        let pods = pods.filter(|pod| {
            pod.metadata.namespace == namespace && pod.metadata.label(label) == Some(name)
        });
        let pods: Vec<_> = pods.collect();
        if facts.kubernetes.pods.got().is_some() && !pods.iter().any(|pod| pod.is_ready()) {
            problems.push(Problem::broken(
                format!("no Pod of waypoint {namespace}/{name} is ready"),
                format!(
                    "{} with {label}={name}, none ready",
                    count(pods.len(), "Pod")
                ),
                Fix::command(
                    "See why",
                    format!("kubectl -n {namespace} describe pods -l {label}={name}"),
                ),
            ));
        }
        saw.push(format!("{namespace}/{name}"));
    }
    if saw.is_empty() && problems.is_empty() {
        return Err(Inconclusive::NotApplicable);
    }
    Ok(Outcome {
        saw: some_of(&saw),
        problems,
    })
}

pub(super) fn canary(facts: &Facts) -> Verdict {
    let members = ambient(facts)?;
    let mut problems = Vec::new();
    for member in &members {
        let of_namespace = member.namespace.iter().map(|one| &one.metadata);
        let metas = of_namespace.chain(services(facts, member).map(|one| &one.metadata));
        let found = metas.filter_map(|meta| Some((meta, meta.label(CANARY)?)));
        for (meta, canary) in found {
            problems.push(Problem::warning(
                format!("some requests to {} go through canary waypoint {canary}", meta.name),
                format!("label {CANARY}={canary}"),
                Fix::text(
                    "Kiali does not know canaries: with use_waypoint_name it asks for the other waypoint only. \
                     wayspan names the canary's spans as the other's; without it, take the label away or expect \
                     part of the traces to be missing",
                ),
            ));
        }
    }
    if problems.is_empty() {
        return Err(Inconclusive::NotApplicable);
    }
    let saw = "canaries".to_owned();
    Ok(Outcome { saw, problems })
}

pub(super) fn agentgateway(facts: &Facts) -> Verdict {
    let gateways = known(&facts.kubernetes.gateways)?;
    let mut problems = Vec::new();
    let mut well = 0;
    for gateway in gateways {
        let class = gateway.spec.gateway_class_name.as_str();
        if !class.starts_with("istio") {
            continue;
        }
        let (namespace, name) = (&gateway.metadata.namespace, &gateway.metadata.name);
        if !class.contains("agentgateway") {
            well += 1;
            continue;
        }
        let instead = if class.contains("waypoint") {
            "istio-waypoint"
        } else {
            "istio"
        };
        problems.push(Problem::broken(
            format!("{namespace}/{name} is an agentgateway, which reports no spans by Istio's configuration"),
            format!("its class is {class}"),
            Fix::command(
                "Use Istio's own proxy, or configure agentgateway's own tracing to the collector's port 4317",
                format!(
                    "kubectl -n {namespace} patch gateway {name} --type=merge \
                     -p '{{\"spec\":{{\"gatewayClassName\":\"{instead}\"}}}}'"
                ),
            ),
        ));
    }
    if well == 0 && problems.is_empty() {
        return Err(Inconclusive::NotApplicable);
    }
    Ok(Outcome {
        saw: format!("{well} of Istio's own"),
        problems,
    })
}
