/*!
The pages of Kiali that are there to show traces of what is looked at: of each app, Service,
workload, gateway and waypoint. Pure.

What has no proxy that reports spans has no page here: other checks say that of it. Labels are
read as this Kiali reads them; what other labels would call the app is kept, since a name that
is not found may be one of those.
*/

use super::{
    facts::{
        Facts,
        objects::{Labels, Service, selects},
    },
    istio::{self, Workload},
};
use crate::mesh::{
    directory::AppLabels,
    pages::{Page, PageKind, PageRole},
};
use std::collections::{BTreeMap, BTreeSet};

/// A page, with the words that somebody else may call its app by.
pub(super) struct KnownPage {
    pub(super) page: Page,
    pub(super) other_words: BTreeSet<String>,
}

/// Returns the pages, those of one kind together.
pub(super) fn pages(facts: &Facts, labels: &AppLabels) -> Vec<KnownPage> {
    let workloads = istio::traced_workloads(facts);
    let mut all = of_apps(&workloads, labels);
    all.extend(of_services(facts, labels));
    all.extend(workloads.iter().map(|one| of_workload(one, labels)));
    for proxy in istio::own_proxies(facts) {
        all.extend(of_proxy(&proxy, labels));
    }
    all
}

/// Returns what labels call the app in any way, and `names` of the objects themselves.
fn words<'a>(labels: &'a Labels, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let values = AppLabels::CANONICAL
        .iter()
        .filter_map(|key| labels.get(*key));
    let values = values.map(String::as_str).filter(|value| !value.is_empty());
    values.chain(names).map(str::to_owned).collect()
}

/// Where an app is, and how it is called.
type AppPlace<'a> = (&'a str, &'a str);

#[derive(Default)]
struct App<'a> {
    waypoints: Vec<String>,
    services: BTreeSet<&'a str>,
    words: BTreeSet<String>,
}

fn of_apps(workloads: &[Workload<'_>], labels: &AppLabels) -> Vec<KnownPage> {
    let mut apps: BTreeMap<AppPlace<'_>, App<'_>> = BTreeMap::new();
    for workload in workloads {
        let Some(name) = labels.of(workload.labels) else {
            continue;
        };
        let app = apps.entry((workload.namespace, name)).or_default();
        app.waypoints.extend(workload.waypoint.map(str::to_owned));
        let services = workload.services.iter().map(|one| &*one.metadata.name);
        app.services.extend(services.clone());
        app.words.extend(words(workload.labels, services));
    }
    let page = |((namespace, name), app): (AppPlace<'_>, App<'_>)| KnownPage {
        page: Page {
            first_service: app.services.first().map(|name| (*name).to_owned()),
            waypoints: app.waypoints,
            ..Page::plain(PageKind::App, name, name, namespace, None)
        },
        other_words: app.words,
    };
    apps.into_iter().map(page).collect()
}

/// The pages of Services that Pods stand behind: nobody can send to others.
fn of_services(facts: &Facts, labels: &AppLabels) -> Vec<KnownPage> {
    let pods = istio::pods_by_namespace(facts);
    let has_pods = |service: &Service| {
        let selector = &service.spec.selector;
        let mut pods = pods.get(&*service.metadata.namespace).into_iter().flatten();
        !selector.is_empty() && pods.any(|pod| selects(selector, &pod.metadata.labels))
    };
    let traced = istio::traced_services(facts).into_iter();
    let traced = traced.filter(|(service, _)| has_pods(service));
    let page = |(service, waypoint): (&Service, Option<&str>)| {
        let (meta, selector) = (&service.metadata, &service.spec.selector);
        let app = labels.of(selector).unwrap_or_default();
        KnownPage {
            page: Page::plain(
                PageKind::Service,
                &meta.name,
                app,
                &meta.namespace,
                waypoint,
            ),
            other_words: words(selector, [&*meta.name]),
        }
    };
    traced.map(page).collect()
}

fn of_workload(workload: &Workload<'_>, labels: &AppLabels) -> KnownPage {
    let app = labels.of(workload.labels).unwrap_or_default();
    let services = workload.services.iter().map(|one| &*one.metadata.name);
    KnownPage {
        page: Page::plain(
            PageKind::Workload,
            workload.name,
            app,
            workload.namespace,
            workload.waypoint,
        ),
        other_words: words(workload.labels, services.chain([workload.name])),
    }
}

/// The pages of a gateway or waypoint; Kiali makes no app of a waypoint.
fn of_proxy(proxy: &Workload<'_>, labels: &AppLabels) -> Vec<KnownPage> {
    let page = |kind, name: &str, waypoint| KnownPage {
        page: Page::proxy(kind, proxy.role, name, proxy.namespace, waypoint),
        other_words: words(proxy.labels, [proxy.name]),
    };
    let mut all = vec![page(PageKind::Workload, proxy.name, None)];
    for service in &proxy.services {
        let mut of_service = page(PageKind::Service, &service.metadata.name, proxy.waypoint);
        let app = labels.of(&service.spec.selector).unwrap_or_default();
        app.clone_into(&mut of_service.page.app);
        all.push(of_service);
    }
    if proxy.role == PageRole::Gateway
        && let Some(app) = labels.of(proxy.labels)
    {
        all.push(page(PageKind::App, app, None));
    }
    all
}
