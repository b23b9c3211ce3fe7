/*!
What the spans of Istio's proxies have in common: whose they are, and where.
*/

use super::{
    Class, Directory, Facts, NodeId, Scheme, expected_waypoint::ExpectedWaypoint, facts::value,
    known::Known,
};
use std::net::IpAddr;

/// Returns the workload of a proxy: its owner's name, else by its Pod's name.
pub(super) fn workload<'a>(known: &Known<'a>, node: NodeId<'a>) -> &'a str {
    known.pod.map_or(node.workload(), |pod| pod.workload)
}

/// Returns the workload of the waypoint that pages ask for: that of the destination's
/// Service, where the proxy serves this, for a canary has another name. A request that is
/// sent on to a Service is not served.
pub(super) fn waypoint_asked_for<'a>(facts: &Facts<'a>, known: &Known<'a>) -> Option<&'a str> {
    let serves = (facts.upstream()).is_some_and(|to| to.direction == "inbound-vip");
    match known.expected_waypoint {
        ExpectedWaypoint::Named(own) if serves => Some(own),
        _ => facts.node().map(|node| workload(known, node)),
    }
}

/// Returns the name of a span that does not say which of Istio's proxies made it: the
/// emitted one, which has a namespace, as all names of Istio's by default.
pub(super) fn unknown_name(
    facts: &Facts<'_>,
    directory: Option<&Directory>,
    scheme: &Scheme,
) -> Option<String> {
    // Other Envoys have no clusters of this form, and any names.
    let is_istios = facts.depends_on_kin() && facts.upstream().is_some();
    if scheme.namespace_selector || !is_istios {
        return None;
    }
    let (base, namespace) = facts.resource.emitted_name()?.rsplit_once('.')?;
    let is_one = directory.is_none_or(|known| known.has_namespace(namespace));
    (is_one && !base.is_empty()).then(|| base.to_owned())
}

/// Returns the address that a proxy's resource lacks. Its spans have one clock, that of its
/// Pod; kin that is not the parent may be in another.
pub(super) fn host_ip<'a>(facts: &Facts<'a>, class: Class) -> Option<&'a str> {
    let resource = &facts.resource;
    if resource.host_ip.is_some() || resource.host_id.is_some() {
        return None;
    }
    let is_own = facts.node_id.is_some() || facts.kin.is_parent;
    let of_node = || facts.node().filter(|_| is_own).map(|node| node.ip);
    let ip = match class {
        Class::Agentgateway => {
            value(resource.k8s_pod_ip).or_else(|| resource.agentgateway_node().map(|node| node.ip))
        }
        _ => of_node(),
    };
    ip.filter(|ip| ip.parse::<IpAddr>().is_ok())
}
