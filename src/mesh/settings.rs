/*!
Checked settings of the `mesh` processor: a Kiali, described in Kiali's own
words, and what to do with the names of instrumented applications.
*/

use super::Follow;
use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

/// The id of a cluster to which nobody gave one, in Istio and Kiali.
pub(super) const DEFAULT_CLUSTER_ID: &str = "Kubernetes";

/// Checked settings of the `mesh` processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The Kiali whose questions the names must answer.
    pub kiali: Kiali,
    /// Where that Kiali's own configuration is read from, if it is.
    pub follow: Option<Follow>,
    /// Added as `istio.cluster_id` where a span lacks it; empty: not added.
    /// Default `Kubernetes`, as in Istio and Kiali.
    pub cluster_id: String,
    /// What to do with the letter case of SDK service names. Default `match`.
    pub case: Case,
    /// SDK service names to replace, by exact original name.
    pub rename: BTreeMap<String, String>,
    /// Whether ztunnel's access log, sent as OTLP logs, becomes spans. Default false.
    pub ztunnel_connections: bool,
    /// Small wounds to heal. Default: all.
    pub repairs: Repairs,
    /// Whether markers carry the further names of a hop ([`super::alias`]).
    /// Default off: it adds spans.
    pub aliases: bool,
    /// Whether and how Kubernetes is watched.
    pub kubernetes: KubernetesSettings,
    /// Whether an application is known by the address it sends from, where
    /// nothing else says which Pod it is. Default true.
    pub peer_address: bool,
}

/// Repairs: which are on, or which were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Status ERROR where the attribute `error` is true and the status unset.
    pub status: bool,
    /// `node_id` of a gateway's spawned upstream span, from its parent.
    pub node_id: bool,
    /// Span names that hide the destination ([`super::repair`]).
    pub span_name: bool,
}

impl Repairs {
    /// All or none of them.
    pub const fn all(on: bool) -> Self {
        Self {
            status: on,
            node_id: on,
            span_name: on,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kiali: Kiali::default(),
            follow: None,
            cluster_id: DEFAULT_CLUSTER_ID.to_owned(),
            case: Case::Match,
            rename: BTreeMap::new(),
            repairs: Repairs::all(true),
            aliases: false,
            kubernetes: KubernetesSettings::default(),
            peer_address: true,
            ztunnel_connections: false,
        }
    }
}

/// Whether and how Kubernetes is watched. Processors with the same settings
/// share a watcher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// Whether it is.
    pub mode: KubernetesMode,
    /// The only namespaces to look into; empty: all.
    pub namespaces: Vec<String>,
    /// How to reach the API server; None: as the pod that this is.
    pub kubeconfig: Option<PathBuf>,
}

/// Whether Kubernetes is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubernetesMode {
    /// In a cluster, or with a kubeconfig.
    #[default]
    Auto,
    /// Always; that this is impossible is an error at start.
    On,
    /// Never.
    Off,
}

/// A Kiali, in Kiali's own words. The default is the newest Kiali's default.
#[derive(Clone, Debug, PartialEq)]
pub struct Kiali {
    /// Kiali's version.
    pub version: Version,
    /// `external_services.tracing.namespace_selector`, default true.
    pub namespace_selector: bool,
    /// `external_services.tracing.use_waypoint_name`, default false; before 2.22 without effect.
    pub use_waypoint_name: bool,
    /// `external_services.istio.istio_identity_domain`; None: what that Kiali defaults to.
    pub istio_identity_domain: Option<String>,
    /// The mesh's trust domain, which Kiali 2.26+ uses when no identity domain is set.
    pub trust_domain: String,
    /// `istio_labels.app_label_name`: the one label that names an app; None:
    /// what that Kiali defaults to.
    pub app_label_name: Option<String>,
}

impl Default for Kiali {
    fn default() -> Self {
        Self {
            version: Version::NEWEST,
            namespace_selector: true,
            use_waypoint_name: false,
            istio_identity_domain: None,
            trust_domain: "cluster.local".to_owned(),
            app_label_name: None,
        }
    }
}

/// Major and minor version of Kiali.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
}

impl Version {
    /// The newest Kiali whose questions are known here.
    pub const NEWEST: Version = Version::new(2, 30);

    /// `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is not a version of Kiali.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Kiali version; expected MAJOR.MINOR such as \"2.30\" or \"v2.30.1\"")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `2.30`, `v2.30.1` and `2.30.0-rc1`; what follows the minor version is not looked at.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || VersionError(text.to_owned());
        let bare = text.trim();
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        let (major, rest) = bare.split_once('.').ok_or_else(error)?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (minor, after) = rest.split_at(end);
        if !(after.is_empty() || after.starts_with(['.', '-', '+'])) {
            return Err(error());
        }
        let number = |part: &str| match part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse().map_err(|_| error()),
            false => Err(error()),
        };
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

/// Letter case of SDK service names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Match the Kubernetes label's case; without a directory, preserve.
    Match,
    /// Lower-case.
    Lower,
    /// Leave as it is.
    Preserve,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions() {
        for (text, want) in [
            ("2.30", (2, 30)),
            ("v2.30.1", (2, 30)),
            ("2.7", (2, 7)),
            (" v1.89.0-rc.1 ", (1, 89)),
            ("2.4-SNAPSHOT", (2, 4)),
        ] {
            assert_eq!(
                text.parse::<Version>().unwrap(),
                Version::new(want.0, want.1),
                "{text}"
            );
        }
        for text in [
            "", "2", "v2", "2.", ".7", "2.x", "two.30", "2.30x", "+2.30", "2.+3", "99999.1",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!(Version::new(2, 5) < Version::new(2, 22));
        assert!(Version::new(1, 89) < Version::new(2, 5));
    }
}
