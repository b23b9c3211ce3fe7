/*! What Kubernetes holds, as it is told to those who follow it. */

use super::{NamespaceRecord, OwnerRecord, PodRecord};
use std::sync::Arc;

/// All objects that a watcher knows, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownObjects {
    /// Lists of all Pods were complete.
    pub(crate) pods_are_listed: bool,
    /// Pods.
    pub(crate) pods: Vec<Arc<PodRecord>>,
    /// Namespaces.
    pub(crate) namespaces: Vec<Arc<NamespaceRecord>>,
    /// Nodes.
    pub(crate) nodes: Vec<Arc<OwnerRecord>>,
    /// ReplicaSets.
    pub(crate) replica_sets: Vec<Arc<OwnerRecord>>,
    /// Deployments.
    pub(crate) deployments: Vec<Arc<OwnerRecord>>,
    /// StatefulSets.
    pub(crate) stateful_sets: Vec<Arc<OwnerRecord>>,
    /// DaemonSets.
    pub(crate) daemon_sets: Vec<Arc<OwnerRecord>>,
    /// Jobs.
    pub(crate) jobs: Vec<Arc<OwnerRecord>>,
}
