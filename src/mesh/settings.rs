/*!
Checked settings of the `mesh` processor: a Kiali, described in Kiali's own
words, and what to do with the names of instrumented applications.
*/

use super::{Follow, Kiali};
use std::{collections::BTreeMap, path::PathBuf};

/// The id of a cluster to which nobody gave one, in Istio and Kiali.
pub(super) const DEFAULT_CLUSTER_ID: &str = "Kubernetes";

/// Checked settings of the `mesh` processor.
#[derive(Clone, Debug, PartialEq)]
pub struct MeshSettings {
    /// The Kiali whose questions the names must answer.
    pub kiali: Kiali,
    /// Where that Kiali's own configuration is read from, if it is. Default: the
    /// Kiali of the cluster, where Kubernetes is watched.
    pub follow: Option<Follow>,
    /// Added as `istio.cluster_id` where a span lacks it; empty: not added.
    /// Default `Kubernetes`, as in Istio and Kiali.
    pub cluster_id: String,
    /// What to do with the letter case of SDK service names. Default `match`.
    pub case: Case,
    /// SDK service names to replace, by exact original name.
    pub rename: BTreeMap<String, String>,
    /// Is true when ztunnel's access log, sent as OTLP logs, becomes spans.
    /// Default false.
    pub ztunnel_connections: bool,
    /// Added to every span that lacks them. Default: none.
    pub tags: BTreeMap<String, String>,
    /// How many span names clients may choose, on each shard; 0: any number.
    pub client_span_names: u32,
    /// Is true when a proxy's address becomes its host's, by which backends know whose
    /// clock a span is from. Default true.
    pub host_ip: bool,
    /// Which defects of emitted spans are repaired. Default: all.
    pub repairs: Repairs,
    /// Which markers carry the further names of a hop.
    pub aliases: Aliases,
    /// Says when and how Kubernetes is watched.
    pub kubernetes: KubernetesSettings,
    /// Is true when an application is known by the address it sends from, where
    /// nothing else says which Pod it is. Default true.
    pub peer_address: bool,
}

/// Which markers carry the further names of a hop ([`super::alias`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aliases {
    /// None.
    Off,
    /// Those without which a page stays empty because labels disagree, or loses
    /// what it would find of the span as it was emitted.
    #[default]
    Auto,
    /// All.
    On,
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
    /// Returns all or none of them.
    pub(crate) const fn all(on: bool) -> Self {
        Self {
            status: on,
            node_id: on,
            span_name: on,
        }
    }
}

impl Default for MeshSettings {
    fn default() -> Self {
        Self {
            kiali: Kiali::default(),
            follow: Some(Follow::default()),
            cluster_id: DEFAULT_CLUSTER_ID.to_owned(),
            case: Case::Match,
            rename: BTreeMap::new(),
            tags: BTreeMap::new(),
            client_span_names: 1000,
            host_ip: true,
            repairs: Repairs::all(true),
            aliases: Aliases::default(),
            kubernetes: KubernetesSettings::default(),
            peer_address: true,
            ztunnel_connections: false,
        }
    }
}

/// Says when and how Kubernetes is watched. Processors with the same settings
/// share a watcher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// When Kubernetes is watched.
    pub mode: KubernetesMode,
    /// The only namespaces to look into; empty: all.
    pub namespaces: Vec<String>,
    /// How to reach the API server; None: as the pod that this is.
    pub kubeconfig: Option<PathBuf>,
}

/// When Kubernetes is watched.
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
