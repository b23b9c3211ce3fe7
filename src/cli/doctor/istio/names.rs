/*!
Which names the proxies give their spans, by their versions: waypoints of 1.28
and 1.29 are named after the destination's host, all others after themselves.
*/

use super::version::{IstioVersion, of_control_plane};
use crate::cli::doctor::{
    check::{Fix, Inconclusive, Outcome, Problem, Verdict},
    facts::{Facts, objects::Pod},
};
use std::collections::BTreeSet;

/// Returns true if a waypoint runs in a Pod.
fn is_waypoint(pod: &Pod) -> bool {
    let managed = pod.metadata.label("gateway.istio.io/managed");
    managed.is_some_and(|by| by.contains("mesh-controller") || by.contains("waypoint"))
}

pub(super) fn emitted(facts: &Facts) -> Verdict {
    let pods = facts.kubernetes.pods.list().iter();
    let of_waypoints = pods.filter(|pod| is_waypoint(pod)).filter_map(Pod::proxy);
    let mut versions: BTreeSet<IstioVersion> = of_waypoints
        .filter_map(|one| IstioVersion::of_image(&one.image))
        .collect();
    let control_plane = of_control_plane(facts);
    if versions.is_empty() {
        versions.extend(control_plane);
    }
    // What istiod sends decides, not what the proxy is.
    let Some(version) = control_plane.or(versions.first().copied()) else {
        return Err(Inconclusive::NotApplicable);
    };
    let saw = match version.names_by_host() {
        true => format!("Istio {version}: waypoints emit <service>.<namespace>.svc.cluster.local"),
        false => format!("Istio {version}: waypoints emit <waypoint>.<namespace>"),
    };
    let istiods = facts.kubernetes.istiods.list().iter();
    let images = istiods.flat_map(|pod| &pod.spec.containers);
    let forms: BTreeSet<bool> = images
        .filter(|one| one.name == "discovery")
        .filter_map(|one| IstioVersion::of_image(&one.image))
        .map(IstioVersion::names_by_host)
        .collect();
    if forms.len() < 2 {
        return Outcome::well(saw);
    }
    let problem = Problem::warning(
        "istiods of different releases make waypoints emit different names",
        "1.28 and 1.29 name spans after the destination's host, all others after the waypoint",
        Fix::text(
            "Finish the upgrade of Istio, or let wayspan name spans, which sees through both",
        ),
    );
    Outcome::one(saw, problem)
}
