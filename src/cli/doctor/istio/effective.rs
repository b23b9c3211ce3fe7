/*!
Which tracing is in force at a proxy, as istiod works it out (istio/istio,
`pilot/pkg/model/telemetry.go`, `applicableTelemetries` and `Tracing`;
`policyattachment.go`).

A Telemetry of the root namespace holds for all, one of a proxy's own namespace
overrides it, and one that selects the proxy overrides that, each key by itself.
Of several for a whole namespace the oldest counts. Gateways and waypoints are
selected by `targetRefs`, other workloads by `selector`.
*/

use super::version::IstioVersion;
use crate::cli::doctor::facts::{
    Facts,
    objects::{Gateway, Labels, TargetRef, Telemetry, selects},
};

/// Since then the Telemetry of a Service's namespace holds at a waypoint in another
/// (istio#60673).
pub(super) const FOLLOWS_SERVICES: IstioVersion = IstioVersion::new(1, 30, 3);

/// Percent of requests that are sampled unless something says otherwise.
pub(super) const DEFAULT_SAMPLING: f64 = 1.0;

/// Whose tracing it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proxy<'a> {
    /// Sidecars of a namespace; with labels: those Pods of it.
    Sidecar {
        namespace: &'a str,
        labels: Option<&'a Labels>,
    },
    /// A gateway or waypoint, for requests to Services of `services`.
    Gateway {
        gateway: &'a Gateway,
        services: &'a str,
    },
}

/// A value with the place that sets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set<'a, T> {
    pub(super) value: T,
    pub(super) by: Rule<'a>,
}

/// A rule of a Telemetry's `tracing`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule<'a> {
    pub(super) telemetry: &'a Telemetry,
    pub(super) at: usize,
}

impl Rule<'_> {
    /// Returns `namespace/name`.
    pub(super) fn name(&self) -> String {
        let meta = &self.telemetry.metadata;
        format!("{}/{}", meta.namespace, meta.name)
    }

    /// Returns the command that gives a key of the rule another value.
    pub(super) fn set(&self, key: &str, value: &str) -> String {
        let meta = &self.telemetry.metadata;
        format!(
            "kubectl -n {} patch telemetries.telemetry.istio.io {} --type=json \
             -p '[{{\"op\":\"add\",\"path\":\"/spec/tracing/{}/{key}\",\"value\":{value}}}]'",
            meta.namespace, meta.name, self.at
        )
    }
}

/// The tracing in force at a proxy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effective<'a> {
    /// The provider's name.
    pub(super) provider: Option<&'a str>,
    /// Its spans are reported as before the Telemetry API.
    pub(super) legacy: bool,
    pub(super) sampling: Option<Set<'a, f64>>,
    pub(super) disabled: Option<Set<'a, bool>>,
    pub(super) istio_tags: Option<Set<'a, bool>>,
    pub(super) no_propagation: Option<Set<'a, bool>>,
}

impl Effective<'_> {
    pub(super) fn has_provider(&self) -> bool {
        self.provider.is_some() || self.legacy
    }
}

/// Returns the Telemetries that hold at a proxy, the weakest first.
fn applicable<'a>(
    facts: &'a Facts,
    proxy: Proxy<'a>,
    version: Option<IstioVersion>,
) -> Vec<&'a Telemetry> {
    let all = facts.kubernetes.telemetries.list();
    let root = facts.root_namespace();
    let (own, attached) = match proxy {
        Proxy::Sidecar { namespace, .. } => (namespace, namespace),
        Proxy::Gateway { gateway, services } => {
            let own = gateway.metadata.namespace.as_str();
            // Where the version is not known, it is taken for one that is up to date.
            match version.is_none_or(|version| version >= FOLLOWS_SERVICES) {
                true => (services, own),
                false => (own, own),
            }
        }
    };
    let mut found: Vec<&Telemetry> = namespace_wide(all, root).into_iter().collect();
    if own != root {
        found.extend(namespace_wide(all, own));
    }
    let attached = all.iter().filter(|one| {
        let namespace = one.metadata.namespace.as_str();
        match proxy {
            Proxy::Sidecar { labels, .. } => {
                let wanted = &one.spec.selector.match_labels;
                namespace == attached
                    && targets(one).next().is_none()
                    && !wanted.is_empty()
                    && labels.is_some_and(|labels| selects(wanted, labels))
            }
            Proxy::Gateway { gateway, .. } => targets(one).any(|target| {
                let of_class = target.kind == "GatewayClass" && namespace == root;
                let of_gateway = target.kind == "Gateway" && namespace == attached;
                (of_gateway && target.name == gateway.metadata.name)
                    || (of_class && target.name == gateway.spec.gateway_class_name)
            }),
        }
    });
    found.extend(attached);
    found
}

/// Returns what a Telemetry is attached to by reference.
pub(super) fn targets(telemetry: &Telemetry) -> impl Iterator<Item = &TargetRef> {
    let spec = &telemetry.spec;
    spec.target_ref.iter().chain(&spec.target_refs)
}

/// Returns true if a Telemetry holds for all of its namespace.
pub(super) fn is_namespace_wide(telemetry: &Telemetry) -> bool {
    telemetry.spec.selector.match_labels.is_empty() && targets(telemetry).next().is_none()
}

/// Returns the one Telemetry of a whole namespace that istiod looks at.
pub(super) fn namespace_wide<'a>(all: &'a [Telemetry], namespace: &str) -> Option<&'a Telemetry> {
    let of_all = all.iter().filter(|one| one.metadata.namespace == namespace);
    let of_all = of_all.filter(|one| is_namespace_wide(one));
    of_all.min_by_key(|one| (&one.metadata.creation_timestamp, &one.metadata.name))
}

/// Returns what is in force at a proxy.
pub(super) fn tracing<'a>(
    facts: &'a Facts,
    proxy: Proxy<'a>,
    version: Option<IstioVersion>,
) -> Effective<'a> {
    let mut effective = Effective::default();
    let config = facts.kubernetes.mesh_config.got();
    let default = config.and_then(|config| config.default_providers.tracing.first());
    effective.provider = default.map(String::as_str);
    let mut has_rules = default.is_some();
    for telemetry in applicable(facts, proxy, version) {
        for (at, rule) in telemetry.spec.tracing.iter().enumerate() {
            has_rules = true;
            let by = Rule { telemetry, at };
            if let Some(provider) = rule.providers.first() {
                effective.provider = Some(&provider.name);
            }
            let set = |value: Option<bool>| value.map(|value| Set { value, by });
            let sampling = rule.random_sampling_percentage;
            effective.sampling = sampling
                .map(|value| Set { value, by })
                .or(effective.sampling);
            effective.disabled = set(rule.disable_span_reporting).or(effective.disabled);
            effective.istio_tags = set(rule.enable_istio_tags).or(effective.istio_tags);
            effective.no_propagation =
                set(rule.disable_context_propagation).or(effective.no_propagation);
        }
    }
    effective.legacy = !has_rules && config.is_some_and(|config| config.has_legacy_tracer());
    effective
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::doctor::facts::Answer;
    use serde_json::{Value, json};

    fn facts(telemetries: &[Value]) -> Facts {
        let mut facts = Facts::default();
        let all = telemetries
            .iter()
            .map(|one| serde_json::from_value(one.clone()).unwrap());
        facts.kubernetes.telemetries = Answer::Got(all.collect());
        facts
    }

    fn telemetry(place: &str, extra: Value, rule: Value) -> Value {
        let (namespace, name) = place.split_once('/').unwrap();
        let mut spec = extra;
        spec["tracing"] = json!([rule]);
        json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    fn provider(name: &str) -> Value {
        json!({"providers": [{"name": name}]})
    }

    fn gateway(place: &str) -> Gateway {
        let (namespace, name) = place.split_once('/').unwrap();
        serde_json::from_value(json!({
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"gatewayClassName": "istio-waypoint"},
        }))
        .unwrap()
    }

    #[test]
    fn the_nearest_telemetry_wins_key_by_key() {
        let facts = facts(&[
            telemetry(
                "istio-system/mesh",
                json!({}),
                json!({"providers": [{"name": "a"}], "randomSamplingPercentage": 5}),
            ),
            telemetry(
                "shop/all",
                json!({}),
                json!({"randomSamplingPercentage": 50}),
            ),
            telemetry(
                "shop/one",
                json!({"selector": {"matchLabels": {"app": "cart"}}}),
                provider("b"),
            ),
            telemetry(
                "shop/way",
                json!({"targetRefs": [{"kind": "Gateway", "name": "waypoint"}]}),
                provider("c"),
            ),
        ]);
        let cart = Labels::from([("app".to_owned(), "cart".to_owned())]);
        let waypoint = gateway("shop/waypoint");
        let other = gateway("shop/other");
        let at = |proxy| {
            let found = tracing(&facts, proxy, None);
            (
                found.provider.map(str::to_owned),
                found.sampling.map(|set| set.value),
            )
        };
        let sidecar = |namespace, labels| Proxy::Sidecar { namespace, labels };
        let of = |gateway| Proxy::Gateway {
            gateway,
            services: "shop",
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(at(sidecar("shop", None)), (named("a"), Some(50.0)));
        assert_eq!(at(sidecar("shop", Some(&cart))), (named("b"), Some(50.0)));
        assert_eq!(at(sidecar("bank", None)), (named("a"), Some(5.0)));
        assert_eq!(at(of(&waypoint)), (named("c"), Some(50.0)));
        assert_eq!(at(of(&other)), (named("a"), Some(50.0)));
    }

    #[test]
    fn a_waypoint_elsewhere_follows_the_services_since_1_30_3() {
        let facts = facts(&[telemetry("shop/all", json!({}), provider("a"))]);
        let waypoint = gateway("infra/waypoint");
        let proxy = Proxy::Gateway {
            gateway: &waypoint,
            services: "shop",
        };
        for (version, want) in [
            ((1, 30, 2), None),
            ((1, 30, 3), Some("a")),
            ((1, 31, 0), Some("a")),
        ] {
            let version = IstioVersion::new(version.0, version.1, version.2);
            assert_eq!(
                tracing(&facts, proxy, Some(version)).provider,
                want,
                "{version}"
            );
        }
    }

    #[test]
    fn of_two_for_a_namespace_the_older_counts() {
        let mut young = telemetry("shop/a", json!({}), provider("young"));
        let mut old = telemetry("shop/b", json!({}), provider("old"));
        young["metadata"]["creationTimestamp"] = "2026-11-02T00:00:00Z".into();
        old["metadata"]["creationTimestamp"] = "2026-11-01T00:00:00Z".into();
        let facts = facts(&[young, old]);
        let proxy = Proxy::Sidecar {
            namespace: "shop",
            labels: None,
        };
        assert_eq!(tracing(&facts, proxy, None).provider, Some("old"));
    }
}
