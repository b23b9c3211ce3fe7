/*!
Kubernetes objects, as far as checks read them, in the API's own words.
*/

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

pub(crate) type Labels = BTreeMap<String, String>;

/// Variables of containers that checks read; the values of others may be secrets.
const VARIABLES: [&str; 4] = [
    "CLUSTER_ID",
    "PILOT_ENABLE_AGENTGATEWAY",
    "PILOT_TRACE_SAMPLING",
    "REVISION",
];

macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(crate) struct $name {
            $(
                $(#[$field_doc])*
                #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
                pub(crate) $field: $type,
            )*
        }
    };
}
pub(crate) use object;

/// Reads a value that may be `null`, which the API server writes for empty lists.
pub(crate) fn or_default<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

object! { Meta {
    name: String, namespace: String, labels: Labels, creation_timestamp: String,
} }

object! { Namespace { metadata: Meta } }

object! { Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String, reason: String, message: String,
} }

object! { Conditions { conditions: Vec<Condition> } }

object! { Service { metadata: Meta, spec: ServiceSpec, status: Conditions } }

object! { ServiceSpec {
    #[serde(rename = "type")]
    kind: String,
    external_name: String, selector: Labels, ports: Vec<ServicePort>,
} }

object! { ServicePort { name: String, port: u16, app_protocol: String } }

object! { EndpointSlice { metadata: Meta, endpoints: Vec<Endpoint>, ports: Vec<EndpointPort> } }

object! { Endpoint { addresses: Vec<String>, conditions: EndpointConditions } }

object! {
    EndpointConditions {
        /// None counts as ready, as the API says.
        ready: Option<bool>,
    }
}

object! { EndpointPort { name: String, port: u16 } }

object! { ServiceEntry { metadata: Meta, spec: ServiceEntrySpec } }

object! { ServiceEntrySpec { hosts: Vec<String>, ports: Vec<ServiceEntryPort> } }

object! { ServiceEntryPort { name: String, number: u16, protocol: String } }

object! { Pod { metadata: Meta, spec: PodSpec, status: PodStatus } }

object! { PodSpec { containers: Vec<Container>, init_containers: Vec<Container> } }

object! {
    Container {
        name: String, image: String,
        env: Variables,
    }
}

object! { PodStatus {
    phase: String, conditions: Vec<Condition>,
    #[serde(rename = "podIP")]
    pod_ip: String,
} }

object! { Gateway { metadata: Meta, spec: GatewaySpec, status: Conditions } }

object! { GatewaySpec { gateway_class_name: String } }

object! { Telemetry { metadata: Meta, spec: TelemetrySpec } }

object! { TelemetrySpec {
    selector: Selector, target_ref: Option<TargetRef>, target_refs: Vec<TargetRef>,
    tracing: Vec<TracingRule>,
} }

object! { Selector { match_labels: Labels } }

object! { TargetRef { group: String, kind: String, name: String } }

object! { TracingRule {
    providers: Vec<ProviderRef>,
    random_sampling_percentage: Option<f64>,
    disable_span_reporting: Option<bool>,
    enable_istio_tags: Option<bool>,
    disable_context_propagation: Option<bool>,
} }

object! { ProviderRef { name: String } }

/// The few variables of a container that are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Variables(Vec<Variable>);

object! { Variable { name: String, value: String } }

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut all: Vec<Variable> = or_default(from)?;
        all.retain(|variable| VARIABLES.contains(&variable.name.as_str()));
        Ok(Self(all))
    }
}

impl Conditions {
    /// Returns a condition by its type.
    pub(crate) fn find(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|one| one.kind == kind)
    }
}

impl Meta {
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

impl Pod {
    /// Returns true if all of its containers are ready.
    pub(crate) fn is_ready(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|one| one.kind == "Ready" && one.status == "True")
    }

    /// Returns Istio's proxy in it.
    pub(crate) fn proxy(&self) -> Option<&Container> {
        let spec = &self.spec;
        let mut all = spec.containers.iter().chain(&spec.init_containers);
        all.find(|container| container.name == "istio-proxy")
    }

    /// Returns a variable of its containers.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let all = self.spec.containers.iter().flat_map(|one| &one.env.0);
        let mut named = all.filter(|one| one.name == name);
        named.next().map(|one| one.value.as_str())
    }
}

impl EndpointSlice {
    /// Returns how many of its addresses take connections.
    pub(crate) fn ready(&self) -> usize {
        let ready = |one: &&Endpoint| one.conditions.ready.unwrap_or(true);
        let ready = self.endpoints.iter().filter(ready);
        ready.map(|endpoint| endpoint.addresses.len()).sum()
    }
}

/// Returns true if all of `wanted` are among `labels`.
pub(crate) fn selects(wanted: &Labels, labels: &Labels) -> bool {
    let mut wanted = wanted.iter();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_be_secret_is_not_kept() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "istiod-1", "annotations": {"note": "hunter2"}, "labels": null},
            "spec": {"containers": [{"name": "discovery", "image": "pilot:1.30.0",
                "args": ["--password=hunter2"],
                "env": [{"name": "PASSWORD", "value": "hunter2"}, {"name": "CLUSTER_ID", "value": "east"},
                    {"name": "REVISION", "valueFrom": {"fieldRef": {}}}]}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .unwrap();
        assert!(pod.is_ready());
        assert_eq!(pod.variable("CLUSTER_ID"), Some("east"));
        let written = serde_json::to_string(&pod).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
        assert_eq!(serde_json::from_str::<Pod>(&written).unwrap(), pod);
    }
}
