/*!
What a span of agentgateway is called, the other proxy that Istio runs as gateway and
waypoint (from 1.31, experimental).

It speaks OpenTelemetry's words: `service.name` is its Gateway without a namespace, which
`service.namespace` has, and `k8s.pod.name` its Pod (agentgateway
`crates/agentgateway/src/telemetry/trc.rs`). Kiali asks for the workload of a gateway, so that
is its name. Where a request went its spans do not say: `http.host` is what the client sent.
*/

use super::{
    Facts, Scheme, application::is_unknown, known::Known, node_id::workload_of_pod, rule::Rule,
};

/// Returns the service name, and what it was taken from.
pub(super) fn name(
    facts: &Facts<'_>,
    known: &Known<'_>,
    scheme: &Scheme,
) -> Option<(String, Rule)> {
    let resource = &facts.resource;
    let gateway = facts.agentgateway();
    let emitted = resource.emitted_name().filter(|name| !is_unknown(name));
    let own = emitted.or(gateway.map(|(_, name)| name));
    let own = own.map(|name| (name, Rule::EmittedName));
    let workload = known.pod.map(|pod| pod.workload);
    let workload = workload.or_else(|| resource.agentgateway_pod().map(workload_of_pod));
    let workload = workload.map(|name| (name, Rule::Workload));
    let label = known.pod.and_then(|pod| Some((pod.app?, Rule::PodLabel)));
    let (base, rule) = match scheme.asks_gateway_workload() {
        true => workload.or(own),
        false => label.or(own).or(workload),
    }?;
    let namespace = known.pod.map(|pod| pod.namespace);
    let namespace = namespace.or_else(|| facts.agentgateway_namespace());
    Some((scheme.workload_name(base, namespace), rule))
}
