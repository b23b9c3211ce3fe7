//! What is kept of each object: the few fields that names depend on.

use super::details::{Annotations, NamespaceDetails, OwnerReference, PodDetails};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// Labels of an object.
pub(crate) type Labels = BTreeMap<String, String>;

/// How far a Pod has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodPhase {
    /// Succeeded or failed: it serves nothing, and its address may be another's by now.
    Finished,
    /// Not running yet, or not known to be.
    Pending,
    /// Running.
    #[default]
    Running,
}

/// What is kept of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRecord {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its addresses; none where it shares its node's network.
    pub addresses: Vec<IpAddr>,
    /// Its labels; replicas share one set.
    pub labels: Arc<Labels>,
    /// The workload that owns it (`reviews-v1`): a Deployment rather than its ReplicaSet.
    pub workload: Option<String>,
    /// How far it has got.
    pub phase: PodPhase,
    /// What of the control plane runs in it; None: nothing.
    pub runs: Option<Box<ControlPlanePod>>,
    /// Further facts, where they were asked for.
    pub details: Option<Box<PodDetails>>,
}

impl PodRecord {
    /// Returns the workload that owns it, or itself.
    pub(crate) fn workload(&self) -> &str {
        self.workload.as_deref().unwrap_or(&self.name)
    }

    /// Returns the Kiali in it.
    pub(crate) fn kiali(&self) -> Option<&KialiPod> {
        match self.runs.as_deref() {
            Some(ControlPlanePod::Kiali(kiali)) => Some(kiali),
            _ => None,
        }
    }
}

/// What is kept of the spec of a Pod that names depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlPlanePod {
    /// A Kiali.
    Kiali(KialiPod),
    /// An istiod, with its `CLUSTER_ID`.
    Istiod(String),
}

/// What the spec of a Pod says of the Kiali in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KialiPod {
    /// The ConfigMap that is mounted as its configuration.
    pub(crate) config_map: Option<String>,
    /// The tag of its image.
    pub(crate) image_tag: Option<String>,
    /// Where it serves.
    pub(crate) address: Option<KialiAddress>,
}

/// Where a Kiali serves, on any of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KialiAddress {
    /// Is true when it speaks TLS.
    pub(crate) tls: bool,
    /// Its port.
    pub(crate) port: u16,
    /// Its web root, without a slash at the end.
    pub(crate) web_root: String,
}

/// What is kept of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Which Pods it sends to; empty: none that it knows of.
    pub selector: Arc<Labels>,
}

/// What is kept of a Namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceRecord {
    /// Its name.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: Arc<Labels>,
    /// Further facts, where they were asked for.
    pub(crate) details: Option<Box<NamespaceDetails>>,
}

/// What is kept of a Node, or of a workload that owns Pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerRecord {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// The annotations that were asked for.
    pub annotations: Annotations,
    /// What manages it: of a ReplicaSet the Deployment, of a Job the CronJob.
    pub controller: Option<OwnerReference>,
}
