/*!
Ambient mode: only waypoints see requests and report spans, so each Service
needs one that is there, is programmed and runs.
*/

use super::{
    mesh::Member,
    which_waypoint::{
        CANARY, FOR, Place, USE, ambient, in_use, is_waypoint, services, waypoint_of,
    },
};
use crate::cli::doctor::{
    check::{Fix, Inconclusive, Outcome, Problem, Verdict, count, known, some_of},
    facts::{
        Facts,
        objects::{Gateway, Service},
    },
};

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
