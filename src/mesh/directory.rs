/*!
What Kubernetes holds, as far as names depend on it: Pods, Services and
Namespaces of the mesh at one moment.

A [`Directory`] is built whole from records and never changes; the watcher
builds another when something changed. Looking up takes no lock and allocates
nothing. What is not certain is not said: a Service's workload only where there
is one, an address only where one Pod has it, an app only where one label fits.
*/

mod backing;
mod details;
mod known_objects;
mod labels;
mod name_index;
mod records;

#[cfg(test)]
mod tests;

pub(crate) use details::Annotations;
pub use details::{ContainerSpec, ContainerStatus, NamespaceDetails, OwnerReference, PodDetails};
pub(crate) use known_objects::KnownObjects;
pub use labels::AppLabels;
pub(crate) use labels::waypoint_label;
pub(crate) use name_index::{App, same_but_case};
pub use records::{
    ControlPlanePod, KialiPod, NamespaceRecord, OwnerRecord, PodRecord, ServiceRecord,
};
pub(crate) use records::{KialiAddress, Labels, PodPhase};

use backing::{Backed, Fronts, Sets};
use labels::canonical_name;
use name_index::{NameIndex, Rank};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

/// A Pod, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PodView<'a> {
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
    /// What Kiali calls its app, in the label's own case.
    pub(crate) app: Option<&'a str>,
    /// What Istio calls its canonical service.
    pub(crate) canonical: &'a str,
    /// The workload that owns it, or itself.
    pub(crate) workload: &'a str,
    /// All its labels.
    pub(crate) labels: &'a Labels,
}

/// A Service, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServiceView<'a> {
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
    /// What Kiali calls its app: the app label in its *selector*.
    pub(crate) app: Option<&'a str>,
    /// The app label of the Pods behind it, where all have the same.
    pub(crate) app_of_pods: Option<&'a str>,
    /// Every app label of the Pods behind it.
    pub(crate) apps: &'a [Box<str>],
    /// Every waypoint that labels of the Pods behind it ask for.
    pub(crate) waypoints: &'a [Box<str>],
    /// The canonical name of the Pods behind it, where all have the same.
    pub(crate) canonical_of_pods: Option<&'a str>,
    /// The workload behind it, where there is exactly one.
    pub(crate) workload: Option<&'a str>,
    /// How many workloads are behind it.
    pub(crate) workloads: usize,
    /// All its labels.
    pub(crate) labels: &'a Labels,
}

#[derive(Clone, Debug, Default)]
struct Namespace {
    /// `None` where only something in it is known.
    record: Option<Arc<NamespaceRecord>>,
    /// By name.
    pods: Vec<Arc<PodRecord>>,
    /// By name.
    services: Vec<Backed>,
    /// Which of these are in front of what.
    fronts: Fronts,
    /// By app: its workload, where that is the only one.
    workloads: HashMap<Box<str>, Option<Box<str>>>,
}

/// The owner of an address: the furthest phase that any Pod with the address has,
/// and that Pod, unless several are in that phase.
type Owner = (PodPhase, Option<Arc<PodRecord>>);

/// Pods, Services and Namespaces at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    labels: AppLabels,
    namespaces: HashMap<String, Namespace>,
    addresses: HashMap<IpAddr, Owner>,
    names: NameIndex,
    truncated: bool,
}

impl Directory {
    /// Builds the directory for a Kiali that finds apps by `labels`.
    pub fn build(
        pods: impl IntoIterator<Item = impl Into<Arc<PodRecord>>>,
        services: impl IntoIterator<Item = impl Into<Arc<ServiceRecord>>>,
        namespaces: impl IntoIterator<Item = impl Into<Arc<NamespaceRecord>>>,
        labels: &AppLabels,
    ) -> Self {
        let mut all = Self {
            labels: labels.clone(),
            ..Self::default()
        };
        for record in namespaces {
            let record = record.into();
            all.at(&record.name).record = Some(Arc::clone(&record));
        }
        for pod in pods {
            let pod = pod.into();
            all.own_addresses(&pod);
            all.at(&pod.namespace).pods.push(Arc::clone(&pod));
        }
        let mut unbacked: HashMap<String, Vec<Arc<ServiceRecord>>> = HashMap::new();
        for service in services {
            let service = service.into();
            all.at(&service.namespace);
            match unbacked.get_mut(&service.namespace) {
                Some(list) => list.push(service),
                None => drop(unbacked.insert(service.namespace.clone(), vec![service])),
            }
        }
        for (name, namespace) in &mut all.namespaces {
            namespace.pods.sort_by(|a, b| a.name.cmp(&b.name));
            let mut services = unbacked.remove(name).unwrap_or_default();
            services.sort_by(|a, b| a.name.cmp(&b.name));
            if !services.is_empty() {
                let sets = Sets::new(&namespace.pods, labels);
                (namespace.services, namespace.fronts) = sets.back(services);
            }
            namespace.index_names(name, labels, &mut all.names);
        }
        all
    }

    /// Says that some Pods are missing from it: then what is true of all Pods
    /// of a Service, or of one app in the whole mesh, cannot be told.
    #[must_use]
    pub(crate) fn truncated(self) -> Self {
        Self {
            truncated: true,
            ..self
        }
    }

    fn at(&mut self, name: &str) -> &mut Namespace {
        self.namespaces.entry(name.to_owned()).or_default()
    }

    fn own_addresses(&mut self, pod: &Arc<PodRecord>) {
        if pod.phase == PodPhase::Finished {
            return;
        }
        for address in &pod.addresses {
            let own = || (pod.phase, Some(Arc::clone(pod)));
            let owner = self.addresses.entry(*address).or_insert_with(own);
            match pod.phase.cmp(&owner.0) {
                Ordering::Greater => *owner = own(),
                Ordering::Equal if owner.1.as_ref().is_some_and(|o| !Arc::ptr_eq(o, pod)) => {
                    owner.1 = None;
                }
                Ordering::Equal | Ordering::Less => {}
            }
        }
    }

    /// Returns true if nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Returns true if a namespace has this name.
    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains_key(name)
    }

    /// Returns the labels of a Namespace.
    pub(crate) fn namespace_labels(&self, name: &str) -> Option<&Labels> {
        let record = self.namespaces.get(name)?.record.as_ref()?;
        Some(&record.labels)
    }

    /// Returns a Pod by its name.
    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<PodView<'_>> {
        let pods = &self.namespaces.get(namespace)?.pods;
        let at = pods.binary_search_by(|pod| pod.name.as_str().cmp(name));
        at.ok().map(|at| self.view(&pods[at]))
    }

    /// Returns a Pod by its name alone, where one namespace has it.
    pub(crate) fn pod_named(&self, name: &str) -> Option<PodView<'_>> {
        if self.truncated {
            return None;
        }
        let mut found = self.namespaces.keys().filter_map(|ns| self.pod(ns, name));
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Returns the Pod that has an address now.
    pub(crate) fn pod_at(&self, address: IpAddr) -> Option<PodView<'_>> {
        let (_, pod) = self.addresses.get(&address.to_canonical())?;
        pod.as_deref().map(|pod| self.view(pod))
    }

    /// Returns the workload that all Pods of an app in a namespace belong to.
    pub(crate) fn workload(&self, namespace: &str, app: &str) -> Option<&str> {
        let of_app = self.namespaces.get(namespace)?.workloads.get(app)?;
        of_app.as_deref().filter(|_| !self.truncated)
    }

    /// Returns a Service by its name.
    pub(crate) fn service(&self, namespace: &str, name: &str) -> Option<ServiceView<'_>> {
        self.backed(namespace, name)
            .map(|backed| self.front(backed))
    }

    /// Returns the Services that send to a Pod, in order.
    pub(crate) fn services_before(&self, pod: PodView<'_>) -> Vec<ServiceView<'_>> {
        self.fronts(pod.namespace, |fronts| fronts.of_labels(pod.labels))
    }

    /// Returns the Services that send to any Pod of an app, in order.
    pub(crate) fn services_of_app(&self, namespace: &str, app: &str) -> Vec<ServiceView<'_>> {
        self.fronts(namespace, |fronts| fronts.of_app(app))
    }

    fn fronts(
        &self,
        namespace: &str,
        find: impl FnOnce(&Fronts) -> &[usize],
    ) -> Vec<ServiceView<'_>> {
        let Some(namespace) = self.namespaces.get(namespace) else {
            return Vec::new();
        };
        let found = find(&namespace.fronts).iter();
        let backed = found.filter_map(|at| namespace.services.get(*at));
        backed.map(|backed| self.front(backed)).collect()
    }

    fn front<'a>(&'a self, backed: &'a Backed) -> ServiceView<'a> {
        let whole = !self.truncated;
        ServiceView {
            namespace: &backed.record.namespace,
            name: &backed.record.name,
            app: self.labels.of(&backed.record.selector),
            app_of_pods: backed.app.as_deref().filter(|_| whole),
            apps: &backed.apps,
            waypoints: &backed.waypoints,
            canonical_of_pods: backed.canonical.as_deref().filter(|_| whole),
            workload: match &backed.workloads[..] {
                [one] if whole => Some(one),
                _ => None,
            },
            workloads: backed.workloads.len(),
            labels: &backed.record.labels,
        }
    }

    /// Returns the app that an application which calls itself `name` belongs to,
    /// in a namespace or, without one, in the whole mesh.
    pub(crate) fn app(&self, namespace: Option<&str>, name: &str) -> Option<App<'_>> {
        let tells = namespace.is_some() || !self.truncated;
        let found = self.names.find(namespace, name);
        found.filter(|_| tells)
    }

    fn backed(&self, namespace: &str, name: &str) -> Option<&Backed> {
        let services = &self.namespaces.get(namespace)?.services;
        let at = services.binary_search_by(|backed| backed.record.name.as_str().cmp(name));
        at.ok().map(|at| &services[at])
    }

    fn view<'a>(&'a self, pod: &'a PodRecord) -> PodView<'a> {
        PodView {
            namespace: &pod.namespace,
            name: &pod.name,
            app: self.labels.of(&pod.labels),
            canonical: canonical_name(pod),
            workload: pod.workload(),
            labels: &pod.labels,
        }
    }
}

impl Namespace {
    /// Adds every name that means one of its apps to `names`, and finds the
    /// workloads of those apps.
    fn index_names(&mut self, name: &str, labels: &AppLabels, names: &mut NameIndex) {
        let mut apps = BTreeSet::new();
        // A workload whose Pods disagree means none of their apps.
        let mut workloads: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for pod in &self.pods {
            let app = labels.of(&pod.labels);
            apps.extend(app);
            if let Some(app) = app {
                match self.workloads.get_mut(app) {
                    Some(only) if only.as_deref() == Some(pod.workload()) => {}
                    Some(only) => *only = None,
                    None => {
                        let only = Some(pod.workload().into());
                        self.workloads.insert(app.into(), only);
                    }
                }
            }
            let of_workload = workloads.entry(pod.workload()).or_insert(app);
            *of_workload = of_workload.filter(|seen| Some(*seen) == app);
        }
        for app in apps {
            names.insert(Rank::App, name, app, app);
        }
        for service in &self.services {
            let app = labels.of(&service.record.selector);
            if let Some(app) = app.or(service.app.as_deref()) {
                names.insert(Rank::Service, name, &service.record.name, app);
            }
        }
        for (workload, app) in workloads {
            if let Some(app) = app {
                names.insert(Rank::Workload, name, workload, app);
            }
        }
    }
}
