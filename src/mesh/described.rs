/*!
What someone says of a Kiali: the operator in wayspan's file, or Kiali's own
configuration. Nobody says everything, so every key may be absent, and
descriptions are laid over each other.

Keys of wayspan's file win: whoever wrote one meant it. Where Kiali says
otherwise, that is worth a warning, since names follow Kiali's questions.
*/

use super::{Kiali, Version};
use std::collections::BTreeMap;

/// A partial description of a Kiali; `None`: nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Kiali's version.
    pub version: Option<Version>,
    /// `external_services.tracing.namespace_selector`.
    pub namespace_selector: Option<bool>,
    /// `external_services.tracing.use_waypoint_name`.
    pub use_waypoint_name: Option<bool>,
    /// `external_services.istio.istio_identity_domain`; empty: it is not set there.
    pub istio_identity_domain: Option<String>,
    /// The mesh's trust domain.
    pub trust_domain: Option<String>,
    /// `istio_labels.app_label_name`; empty: it is not set there.
    pub app_label_name: Option<String>,
    /// `kubernetes_config.cluster_name`.
    pub cluster_id: Option<String>,
    /// `external_services.tracing.query_scope`: tags that its questions carry, by key.
    pub query_scope: Option<BTreeMap<String, String>>,
}

impl Described {
    /// Returns what either says; where both do, what `self` says.
    #[must_use]
    pub(crate) fn or(&self, other: &Self) -> Self {
        fn first<T: Clone>(one: &Option<T>, other: &Option<T>) -> Option<T> {
            one.as_ref().or(other.as_ref()).cloned()
        }
        Self {
            version: self.version.or(other.version),
            namespace_selector: self.namespace_selector.or(other.namespace_selector),
            use_waypoint_name: self.use_waypoint_name.or(other.use_waypoint_name),
            istio_identity_domain: first(&self.istio_identity_domain, &other.istio_identity_domain),
            trust_domain: first(&self.trust_domain, &other.trust_domain),
            app_label_name: first(&self.app_label_name, &other.app_label_name),
            cluster_id: first(&self.cluster_id, &other.cluster_id),
            query_scope: first(&self.query_scope, &other.query_scope),
        }
    }

    /// Returns the Kiali it describes; what is not said is as in the newest
    /// Kiali.
    pub(crate) fn kiali(&self) -> Kiali {
        let default = Kiali::default();
        let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Kiali {
            version: self.version.unwrap_or(default.version),
            namespace_selector: self
                .namespace_selector
                .unwrap_or(default.namespace_selector),
            use_waypoint_name: self.use_waypoint_name.unwrap_or(default.use_waypoint_name),
            istio_identity_domain: named(&self.istio_identity_domain),
            trust_domain: named(&self.trust_domain).unwrap_or(default.trust_domain),
            app_label_name: named(&self.app_label_name),
        }
    }

    /// Returns the keys that are said, as `key value`.
    pub(crate) fn said(&self) -> Vec<String> {
        let all = self.all();
        let said = all.into_iter().filter_map(|(key, value)| {
            value
                .filter(|value| !value.is_empty())
                .map(|value| format!("{key} {value}"))
        });
        said.collect()
    }

    /// Returns the keys about which both differ, each with what `self` and what
    /// `other` says.
    pub(crate) fn contradictions(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let pairs = self.all().into_iter().zip(other.all());
        pairs
            .filter_map(|((key, own), (_, its))| Some((key, own?, its?)))
            .filter(|(_, own, its)| !own.is_empty() && own != its)
            .collect()
    }

    fn all(&self) -> [(&'static str, Option<String>); 8] {
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
        [
            ("version", self.version.map(|version| version.to_string())),
            ("namespace_selector", flag(self.namespace_selector)),
            ("use_waypoint_name", flag(self.use_waypoint_name)),
            ("istio_identity_domain", self.istio_identity_domain.clone()),
            ("trust_domain", self.trust_domain.clone()),
            ("app_label_name", self.app_label_name.clone()),
            ("cluster_id", self.cluster_id.clone()),
            ("query_scope", self.query_scope.as_ref().map(tags)),
        ]
    }
}

/// Returns tags as `key=value`.
fn tags(tags: &BTreeMap<String, String>) -> String {
    let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
    tags.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_the_newest_kiali() {
        assert_eq!(Described::default().kiali(), Kiali::default());
    }

    #[test]
    fn the_first_wins_and_the_second_fills_in() {
        let file = Described {
            namespace_selector: Some(false),
            istio_identity_domain: Some(String::new()),
            ..Described::default()
        };
        let kiali = Described {
            version: Some(Version::new(2, 22)),
            namespace_selector: Some(true),
            istio_identity_domain: Some("svc.x".to_owned()),
            cluster_id: Some("east".to_owned()),
            ..Described::default()
        };
        let both = file.or(&kiali);
        assert_eq!(both.version, Some(Version::new(2, 22)));
        assert_eq!(both.namespace_selector, Some(false));
        assert_eq!(both.kiali().istio_identity_domain, None);
        assert_eq!(both.cluster_id.as_deref(), Some("east"));
        assert_eq!(both.use_waypoint_name, None);
        let differ = file.contradictions(&kiali);
        let keys: Vec<_> = differ.iter().map(|(key, ..)| *key).collect();
        assert_eq!(keys, ["namespace_selector"]);
        assert_eq!(file.contradictions(&file), []);
        assert_eq!(
            kiali.said(),
            [
                "version 2.22",
                "namespace_selector true",
                "istio_identity_domain svc.x",
                "cluster_id east"
            ]
        );
    }
}
