/*!
The Kialis of a cluster, as its Pods show them, and which of them names are for.
Pure.

The choice depends on nothing but what is there and what may be read, so that
all replicas of wayspan come to the same.
*/

use super::documents;
use crate::mesh::{
    KialiEndpoint, KialiSource, ObjectName, Version,
    directory::{ControlPlanePod, KialiPod, PodPhase, PodRecord, ServiceRecord},
};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// What the watch of Pods shows of the control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ControlPlane {
    /// Its Kialis.
    pub(crate) kialis: Kialis,
    /// What all istiods call the cluster; None: there are none, or they disagree.
    pub(crate) cluster_id: Option<String>,
}

/// What the watch of Pods knows of Kialis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kialis {
    /// Pods were not listed yet.
    #[default]
    NotListed,
    /// They cannot be.
    Hidden,
    /// These are there.
    Known(Vec<FoundKiali>),
}

/// A Kiali: one Pod, or several of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundKiali {
    /// Its namespace, and the name that its installer gave it.
    pub(super) name: ObjectName,
    /// What its labels say, else its image.
    pub(super) version: Option<Version>,
    /// The ConfigMap that it reads.
    config_map: Option<ObjectName>,
    /// Its Service, with its web root.
    url: Option<String>,
}

/// Returns what all istiods call the cluster.
pub(crate) fn cluster_id(pods: &[Arc<PodRecord>]) -> Option<String> {
    let mut ids = pods.iter().filter_map(|pod| match pod.runs.as_deref() {
        Some(ControlPlanePod::Istiod(id)) if pod.phase != PodPhase::Finished => Some(id),
        _ => None,
    });
    let first = ids.next().filter(|id| documents::may_be_name(id))?;
    ids.all(|id| id == first).then(|| first.clone())
}

/// Returns the Kialis that the Pods of a cluster are of.
pub(crate) fn find(
    pods: Vec<Arc<PodRecord>>,
    services: impl FnOnce() -> Vec<Arc<ServiceRecord>>,
) -> Vec<FoundKiali> {
    let is_kiali = |pod: &Arc<PodRecord>| pod.kiali().is_some() && pod.phase != PodPhase::Finished;
    let mut instances: BTreeMap<(String, String), Vec<Arc<PodRecord>>> = BTreeMap::new();
    for pod in pods.into_iter().filter(is_kiali) {
        let label = pod.labels.get("app.kubernetes.io/instance");
        let instance = label.map_or(pod.workload(), String::as_str).to_owned();
        let key = (pod.namespace.clone(), instance);
        instances.entry(key).or_default().push(pod);
    }
    if instances.is_empty() {
        return Vec::new();
    }
    let mut services = services();
    services.sort_by(|a, b| a.name.cmp(&b.name));
    let of =
        |((namespace, name), pods)| FoundKiali::of(ObjectName { namespace, name }, pods, &services);
    instances.into_iter().map(of).collect()
}

impl FoundKiali {
    fn of(
        name: ObjectName,
        mut pods: Vec<Arc<PodRecord>>,
        services: &[Arc<ServiceRecord>],
    ) -> Self {
        // While one Pod takes another's place, the newer version counts.
        pods.sort_by_cached_key(|pod| (Reverse(version(pod)), pod.name.clone()));
        let specs = || pods.iter().filter_map(|pod| pod.kiali());
        let config_map = specs().find_map(|kiali: &KialiPod| kiali.config_map.clone());
        let address = specs().find_map(|kiali| kiali.address.clone());
        let selects = |service: &ServiceRecord, pod: &PodRecord| {
            let mut wanted = service.selector.iter();
            wanted.all(|(key, value)| pod.labels.get(key) == Some(value))
        };
        let service = services.iter().find(|service| {
            service.namespace == name.namespace
                && !service.selector.is_empty()
                && pods.iter().any(|pod| selects(service, pod))
        });
        let url = address.zip(service).map(|(address, service)| {
            let scheme = if address.tls { "https" } else { "http" };
            let (host, namespace) = (&service.name, &service.namespace);
            let (port, root) = (address.port, address.web_root);
            format!("{scheme}://{host}.{namespace}:{port}{root}")
        });
        Self {
            version: pods.iter().find_map(|pod| version(pod)),
            config_map: config_map.map(|map| ObjectName {
                namespace: name.namespace.clone(),
                name: map,
            }),
            url,
            name,
        }
    }

    /// Returns the objects that hold its configuration. What Kiali itself reads
    /// is exact; the operator's resource, which by default has the same name and
    /// namespace, is for those who permit no more.
    fn objects(&self) -> impl Iterator<Item = KialiSource> {
        let config_map = self.config_map.clone().map(KialiSource::ConfigMap);
        let resource = KialiSource::CustomResource(self.name.clone());
        config_map.into_iter().chain([resource])
    }

    fn api(&self) -> Option<KialiSource> {
        let url = self.url.clone()?;
        Some(KialiSource::Url(KialiEndpoint::anonymous(url)))
    }

    fn describe(&self) -> String {
        match self.version {
            Some(version) => format!("Kiali {} (version {version})", self.name),
            None => format!("Kiali {}", self.name),
        }
    }
}

/// Returns the version that a Pod's labels or image name.
fn version(pod: &PodRecord) -> Option<Version> {
    let label = |key: &str| pod.labels.get(key).map(String::as_str);
    let tag = pod.kiali().and_then(|kiali| kiali.image_tag.as_deref());
    let places = [label("app.kubernetes.io/version"), label("version"), tag];
    documents::version(&places, &mut Vec::new())
}

/// Why a Kiali goes before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    IstiosNamespace,
    OwnNamespace,
    Name,
}

/// The Kialis that names may be for, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidates(Vec<(Claim, FoundKiali)>);

impl Candidates {
    /// Ranks what was found by where it is: next to Istio, next to wayspan, by
    /// its name.
    pub(super) fn rank(found: Vec<FoundKiali>, istio: &str, own: &str) -> Self {
        let claim = |kiali: FoundKiali| {
            let namespace = kiali.name.namespace.as_str();
            let claim = match (namespace == istio, namespace == own) {
                (true, _) => Claim::IstiosNamespace,
                (_, true) => Claim::OwnNamespace,
                _ => Claim::Name,
            };
            (claim, kiali)
        };
        let mut ranked: Vec<_> = found.into_iter().map(claim).collect();
        ranked.sort_by_cached_key(|(claim, kiali)| (*claim, kiali.name.to_string()));
        Self(ranked)
    }

    /// Returns the best of them.
    pub(super) fn first(&self) -> Option<&FoundKiali> {
        self.0.first().map(|(_, kiali)| kiali)
    }

    /// Returns where to try to read, in this order. What somebody has permitted us
    /// to read goes before what answers anybody.
    pub(super) fn sources(&self) -> Vec<(&FoundKiali, KialiSource)> {
        let kialis = || self.0.iter().map(|(_, kiali)| kiali);
        let objects = kialis().flat_map(|kiali| kiali.objects().map(move |source| (kiali, source)));
        let apis = kialis().filter_map(|kiali| Some((kiali, kiali.api()?)));
        objects.chain(apis).collect()
    }

    /// Says which was taken and why. `refused` says why sources that go before were not.
    pub(super) fn taken(&self, taken: &FoundKiali, refused: &[String]) -> String {
        let mut line = format!("names are for {}, {}", taken.describe(), self.reason(taken));
        if let Some(refused) = refused.first() {
            line += &format!(". Not read: {refused}");
        }
        line
    }

    /// Says which was taken where none can be read.
    pub(super) fn unreadable(&self) -> String {
        let taken = self.first().map(|first| self.taken(first, &[]));
        let taken = taken.unwrap_or_default();
        format!("{taken}; its configuration cannot be read")
    }

    fn reason(&self, taken: &FoundKiali) -> String {
        let others = |kiali: &&(Claim, FoundKiali)| kiali.1.name != taken.name;
        let names: Vec<String> = (self.0.iter().filter(others))
            .map(|(_, kiali)| kiali.name.to_string())
            .collect();
        let own = self
            .0
            .iter()
            .position(|(_, kiali)| kiali.name == taken.name);
        let first = self.0.first().map(|(claim, _)| *claim);
        let why = match (own, first) {
            _ if names.is_empty() => return "the only one found".to_owned(),
            (Some(0), Some(Claim::IstiosNamespace)) => "it is in Istio's namespace",
            (Some(0), Some(Claim::OwnNamespace)) => "it is in wayspan's namespace",
            (Some(0), _) => "it is the first by name",
            _ => "it is the first that can be read",
        };
        format!(
            "which was taken because {why} (others: {}; kiali.config_map chooses another)",
            names.join(", ")
        )
    }
}

#[cfg(test)]
pub(super) mod tests;
