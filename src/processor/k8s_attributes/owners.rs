/*! What Pods are owned by, and where they are: Namespaces, Nodes and workloads. */

use crate::mesh::directory::{KnownObjects, NamespaceRecord, OwnerRecord};
use hashbrown::HashMap;
use std::sync::Arc;

/// Objects by a key.
pub(super) type Table<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Namespaces, Nodes and workloads.
#[derive(Debug, Default)]
pub(super) struct Owners {
    pub(super) namespaces: Table<String, Arc<NamespaceRecord>>,
    pub(super) nodes: Table<String, Arc<OwnerRecord>>,
    replica_sets: Table<String, Arc<OwnerRecord>>,
    pub(super) deployments: Table<String, Arc<OwnerRecord>>,
    pub(super) stateful_sets: Table<String, Arc<OwnerRecord>>,
    pub(super) daemon_sets: Table<String, Arc<OwnerRecord>>,
    pub(super) jobs: Table<String, Arc<OwnerRecord>>,
    /// The UID of the namespace `kube-system`, which stands for the cluster.
    pub(super) cluster_uid: Option<String>,
}

impl Owners {
    /// Files objects by UID, Nodes and Namespaces by name.
    pub(super) fn of(objects: &KnownObjects) -> Self {
        let by_uid = |all: &[Arc<OwnerRecord>]| {
            let all = all.iter().filter(|owner| !owner.uid.is_empty());
            all.map(|owner| (owner.uid.clone(), Arc::clone(owner)))
                .collect()
        };
        let system = objects
            .namespaces
            .iter()
            .find(|of| of.name == "kube-system");
        let system = system.and_then(|of| of.details.as_ref());
        let namespaces = objects.namespaces.iter();
        let nodes = objects.nodes.iter();
        Self {
            namespaces: namespaces
                .map(|of| (of.name.clone(), Arc::clone(of)))
                .collect(),
            nodes: nodes.map(|of| (of.name.clone(), Arc::clone(of))).collect(),
            replica_sets: by_uid(&objects.replica_sets),
            deployments: by_uid(&objects.deployments),
            stateful_sets: by_uid(&objects.stateful_sets),
            daemon_sets: by_uid(&objects.daemon_sets),
            jobs: by_uid(&objects.jobs),
            cluster_uid: system.map(|details| details.uid.clone()),
        }
    }

    pub(super) fn replica_set(&self, uid: &str) -> Option<&OwnerRecord> {
        self.replica_sets.get(uid).map(|of| &**of)
    }

    pub(super) fn job(&self, uid: &str) -> Option<&OwnerRecord> {
        self.jobs.get(uid).map(|of| &**of)
    }
}
