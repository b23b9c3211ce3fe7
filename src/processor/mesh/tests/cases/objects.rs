/*!
The objects of a case: as the directory holds them, and as Kiali sees them when it
shows a page.
*/

use super::format::{Asked, Cluster, PageOf, Service, Workload};
use crate::mesh::{
    Kiali, Scheme,
    directory::{Labels, NamespaceRecord, PodRecord, ServiceRecord},
    pages::{Page, PageKind, PageRole},
};
use std::{collections::BTreeMap, sync::Arc};

const WAYPOINT: &str = "istio.io/use-waypoint";

impl Cluster {
    /// What is watched of them.
    pub(super) fn records(&self) -> (Vec<PodRecord>, Vec<ServiceRecord>, Vec<NamespaceRecord>) {
        let pods = self.workloads.iter().map(Workload::pod_record);
        let services = self.services.iter().map(|service| ServiceRecord {
            namespace: service.ns.clone(),
            name: service.name.clone(),
            labels: Arc::new(service.labels.clone()),
            selector: Arc::new(service.selector.clone()),
        });
        let namespaces = self
            .namespaces()
            .into_iter()
            .map(|(name, labels)| NamespaceRecord {
                name,
                labels: Arc::new(labels),
                ..NamespaceRecord::default()
            });
        (pods.collect(), services.collect(), namespaces.collect())
    }

    /// The namespaces that are listed, and those that something is in.
    fn namespaces(&self) -> BTreeMap<String, Labels> {
        let workloads = self.workloads.iter().map(|workload| &workload.ns);
        let services = self.services.iter().map(|service| &service.ns);
        let mut all = self.namespaces.clone();
        for name in workloads.chain(services) {
            all.entry(name.clone()).or_default();
        }
        all
    }

    /// The page, with what `kiali` knows of its object.
    pub(super) fn page(&self, asked: &Asked, kiali: &Kiali) -> Page {
        let scheme = Scheme::new(kiali);
        let labels = scheme.app_labels();
        let name = || asked.name.clone();
        let (kind, role, app, first_service, waypoints) = match asked.page {
            PageOf::App => {
                let is_of_app = |of: &&Workload| labels.of(&of.labels) == Some(&asked.name);
                let of_app = || {
                    self.workloads
                        .iter()
                        .filter(|w| w.ns == asked.ns)
                        .filter(is_of_app)
                };
                let first = of_app()
                    .next()
                    .and_then(|first| self.services_of(first).next());
                let is_gateway = of_app().next().is_some_and(|first| first.gateway);
                let role = if is_gateway {
                    PageRole::Gateway
                } else {
                    PageRole::Plain
                };
                let waypoints = of_app().filter_map(|of| self.waypoint_of_workload(of));
                let first = first.map(|service| service.name.clone());
                (PageKind::App, role, name(), first, waypoints.collect())
            }
            PageOf::Service => {
                let found = self
                    .services
                    .iter()
                    .find(|s| s.ns == asked.ns && s.name == asked.name);
                let none = Service::default();
                let service = found.unwrap_or(&none);
                let role = match service.is_waypoint {
                    true => PageRole::Waypoint,
                    false => PageRole::Plain,
                };
                let app = labels.of(&service.selector).unwrap_or_default().to_owned();
                let waypoint = self.waypoint(&[&service.labels], &asked.ns);
                (
                    PageKind::Service,
                    role,
                    app,
                    None,
                    waypoint.into_iter().collect(),
                )
            }
            PageOf::Workload => {
                let found = self
                    .workloads
                    .iter()
                    .find(|w| w.ns == asked.ns && w.name == asked.name);
                let none = Workload::default();
                let workload = found.unwrap_or(&none);
                let role = match (workload.is_waypoint, workload.gateway) {
                    (true, _) => PageRole::Waypoint,
                    (_, true) => PageRole::Gateway,
                    _ => PageRole::Plain,
                };
                let app = labels.of(&workload.labels).unwrap_or_default().to_owned();
                let waypoint = self.waypoint_of_workload(workload);
                (
                    PageKind::Workload,
                    role,
                    app,
                    None,
                    waypoint.into_iter().collect(),
                )
            }
        };
        Page {
            kind,
            role,
            name: name(),
            namespace: asked.ns.clone(),
            app,
            first_service,
            waypoints,
        }
    }

    /// The Services in front of a workload, by name.
    fn services_of<'a>(&'a self, of: &'a Workload) -> impl Iterator<Item = &'a Service> {
        self.services.iter().filter(|service| {
            let selects = |(key, value)| of.labels.get(key) == Some(value);
            service.ns == of.ns
                && !service.selector.is_empty()
                && service.selector.iter().all(selects)
        })
    }

    /// The waypoint that Kiali expects before a workload: its own label's, its only
    /// Service's, else its namespace's.
    fn waypoint_of_workload(&self, of: &Workload) -> Option<String> {
        if of.is_waypoint || of.gateway {
            return None;
        }
        let services: Vec<_> = self.services_of(of).collect();
        let only = match services[..] {
            [only] => vec![&of.labels, &only.labels],
            _ => vec![&of.labels],
        };
        self.waypoint(&only, &of.ns)
    }

    fn waypoint(&self, nearer: &[&Labels], namespace: &str) -> Option<String> {
        let of_namespace = self.namespaces.get(namespace);
        let all = nearer.iter().copied().chain(of_namespace);
        let first = all.filter_map(|labels| labels.get(WAYPOINT)).next();
        first.filter(|name| *name != "none").cloned()
    }
}

impl Workload {
    fn pod_record(&self) -> PodRecord {
        let drawn = || format!("{}-7d9c5b4f68-x2z4k", self.name);
        PodRecord {
            namespace: self.ns.clone(),
            name: self.pod.clone().unwrap_or_else(drawn),
            addresses: self.ip.iter().map(|ip| ip.parse().unwrap()).collect(),
            labels: Arc::new(self.labels.clone()),
            workload: Some(self.name.clone()),
            ..PodRecord::default()
        }
    }
}
