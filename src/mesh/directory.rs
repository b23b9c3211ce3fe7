/*!
What Kubernetes holds, as far as names depend on it: Pods, Services and
Namespaces of the mesh at one moment.

A [`Directory`] is built whole from [`Record`]s and never changes; the watcher
builds another when something changed. Looking up takes no lock and allocates
nothing.
*/

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// What is kept of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRecord {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its addresses; none where it shares its node's network.
    pub addresses: Vec<IpAddr>,
    /// Its labels.
    pub labels: Labels,
    /// The workload that owns it (`reviews-v1`): a Deployment rather than its ReplicaSet.
    pub workload: Option<String>,
}

/// What is kept of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Which Pods it sends to; empty: none that it knows of.
    pub selector: Labels,
}

/// A Pod, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What Kiali calls its app, in the label's own case.
    pub app: Option<&'a str>,
    /// The workload that owns it.
    pub workload: Option<&'a str>,
}

/// A Service, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What Kiali calls the app behind its selector.
    pub app: Option<&'a str>,
    /// The workload behind it, where there is exactly one.
    pub workload: Option<&'a str>,
}

/// Pods, Services and Namespaces at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pods: HashMap<(String, String), PodRecord>,
}

impl Directory {
    /// Builds the directory.
    pub fn build(pods: impl IntoIterator<Item = PodRecord>) -> Self {
        let key = |pod: &PodRecord| (pod.namespace.clone(), pod.name.clone());
        Self {
            pods: pods.into_iter().map(|pod| (key(&pod), pod)).collect(),
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }
}
