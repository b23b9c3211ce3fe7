/*!
The proxies whose tracing is looked at: sidecars by namespace, and each gateway
and waypoint.
*/

use super::{
    effective::{Effective, Proxy, targets, tracing},
    mesh::{Mode, looked_at},
    version::of_control_plane,
    which_waypoint::{is_waypoint, namespaces_of},
};
use crate::cli::doctor::facts::{
    Facts,
    objects::{Gateway, selects},
};

/// Some proxies that are traced alike.
#[derive(Clone, Debug)]
pub(super) struct Traced<'a> {
    /// What they are, for a sentence.
    pub(super) what: String,
    pub(super) namespace: &'a str,
    /// The one gateway or waypoint that it is.
    pub(super) gateway: Option<&'a Gateway>,
    /// The namespace of the Services that requests are for.
    pub(super) services: &'a str,
    pub(super) effective: Effective<'a>,
}

/// Returns true for classes whose proxies are Istio's own and route HTTP.
fn is_istios(gateway: &Gateway) -> bool {
    matches!(
        &*gateway.spec.gateway_class_name,
        "istio" | "istio-waypoint"
    )
}

/// Returns all proxies that should be traced.
pub(super) fn all(facts: &Facts) -> Vec<Traced<'_>> {
    let version = of_control_plane(facts);
    let mut all = Vec::new();
    let members = looked_at(facts);
    for member in members.iter().filter(|member| member.mode == Mode::Sidecar) {
        let namespace = member.name;
        let mut add = |what, labels| {
            let proxy = Proxy::Sidecar { namespace, labels };
            all.push(Traced {
                what,
                namespace,
                gateway: None,
                services: namespace,
                effective: tracing(facts, proxy, version),
            });
        };
        add(format!("the sidecars of {namespace}"), None);
        for telemetry in facts.kubernetes.telemetries.list() {
            let wanted = &telemetry.spec.selector.match_labels;
            let concerns = telemetry.metadata.namespace == namespace
                && !wanted.is_empty()
                && !telemetry.spec.tracing.is_empty()
                && targets(telemetry).next().is_none();
            let mut pods = facts.kubernetes.pods.list().iter();
            let found = pods.find(|pod| {
                pod.metadata.namespace == namespace && selects(wanted, &pod.metadata.labels)
            });
            if let Some(pod) = found.filter(|_| concerns) {
                let labels = wanted.iter().map(|(key, value)| format!("{key}={value}"));
                let labels = labels.collect::<Vec<_>>().join(",");
                add(
                    format!("the sidecars of {namespace} with {labels}"),
                    Some(&pod.metadata.labels),
                );
            }
        }
    }
    let is_member = |name: &str| members.iter().any(|member| member.name == name);
    for gateway in facts
        .kubernetes
        .gateways
        .list()
        .iter()
        .filter(|one| is_istios(one))
    {
        let meta = &gateway.metadata;
        let place = format!("{}/{}", meta.namespace, meta.name);
        let (what, used_by) = match is_waypoint(gateway) {
            true => (format!("waypoint {place}"), namespaces_of(facts, gateway)),
            false => (format!("gateway {place}"), vec![meta.namespace.as_str()]),
        };
        for services in used_by {
            if !facts.scope.namespaces.is_empty()
                && !is_member(services)
                && !is_member(&meta.namespace)
            {
                continue;
            }
            let what = match services == meta.namespace {
                true => what.clone(),
                false => format!("{what}, for the Services of {services}"),
            };
            let proxy = Proxy::Gateway { gateway, services };
            all.push(Traced {
                what,
                namespace: &meta.namespace,
                gateway: Some(gateway),
                services,
                effective: tracing(facts, proxy, version),
            });
        }
    }
    all
}
