/*!
The pages that spans concern, as far as the spans themselves tell.

Labels are not known here, so an app is taken to be called as spans call it, a Service as
hosts do, and a workload as proxies' ids do. An app is served by a waypoint where some span
shows one before it.
*/

use super::{Page, PageKind, PageRole};
use crate::mesh::{
    Class, Destination, Facts, application,
    facts::{key, value},
    model::Span,
    node_id::workload_of_pod,
    scheme::without_namespace,
};
use std::collections::{BTreeMap, HashMap};

/// What tells a page from another: namespace, name, kind and role.
type PageKey = (String, String, u8, u8);

/// The waypoints before apps, by namespace and app.
type Waypoints = HashMap<(String, String), String>;

/// Returns the pages that `spans` concern, each once, by namespace and name. The spans are
/// as they go out: what was added to them tells more.
pub(crate) fn concerned(spans: &[Span]) -> Vec<Page> {
    let mut waypoints = Waypoints::new();
    for span in spans {
        let facts = span.facts();
        if let (Class::Waypoint, Some(node)) = (facts.class(), facts.node())
            && let Some((app, _, namespace)) = destination(&facts, span)
        {
            let place = (namespace.to_owned(), app.to_owned());
            waypoints
                .entry(place)
                .or_insert_with(|| node.workload().to_owned());
        }
    }
    let mut all = BTreeMap::new();
    for span in spans {
        let pages = Pages {
            all: &mut all,
            waypoints: &waypoints,
        };
        add(span, pages);
    }
    all.into_values().collect()
}

/// Returns the app, the Service and the namespace that a proxy's request went to.
fn destination<'a>(facts: &Facts<'a>, span: &'a Span) -> Option<(&'a str, &'a str, &'a str)> {
    let to = match facts.class() {
        Class::Waypoint => Destination::of_waypoint(facts),
        Class::Gateway | Class::Sidecar => Destination::of_cluster(facts),
        _ => None,
    }?;
    // Where labels were known, the tag has the app's.
    let app = value(span.tag(key::DESTINATION_APP)).unwrap_or(to.app);
    Some((app, to.service, to.namespace?))
}

struct Pages<'a> {
    all: &'a mut BTreeMap<PageKey, Page>,
    waypoints: &'a Waypoints,
}

impl Pages<'_> {
    fn put(&mut self, page: Page) {
        let key = (
            page.namespace.clone(),
            page.name.clone(),
            page.kind as u8,
            page.role as u8,
        );
        self.all.entry(key).or_insert(page);
    }

    fn plain(&mut self, kind: PageKind, name: &str, app: &str, namespace: &str) {
        let place = (namespace.to_owned(), app.to_owned());
        let waypoint = self.waypoints.get(&place).map(String::as_str);
        self.put(Page::plain(kind, name, app, namespace, waypoint));
    }

    fn proxy(&mut self, role: PageRole, workload: &str, namespace: &str) {
        // Kiali makes an app of a gateway, and none of a waypoint.
        let kinds = [PageKind::Service, PageKind::Workload, PageKind::App];
        let kinds = match role {
            PageRole::Waypoint => &kinds[..2],
            PageRole::Gateway | PageRole::Plain => &kinds[..],
        };
        for kind in kinds.iter().copied() {
            self.put(Page::proxy(kind, role, workload, namespace, None));
        }
    }
}

fn add(span: &Span, mut pages: Pages<'_>) {
    let facts = span.facts();
    if let Some((app, service, namespace)) = destination(&facts, span) {
        pages.plain(PageKind::App, app, app, namespace);
        pages.plain(PageKind::Service, service, app, namespace);
        if let Some(workload) = value(span.tag(key::DESTINATION_WORKLOAD)) {
            pages.plain(PageKind::Workload, workload, app, namespace);
        }
    }
    let resource = &facts.resource;
    match facts.class() {
        class @ (Class::Waypoint | Class::Gateway) => {
            let role = match class {
                Class::Waypoint => PageRole::Waypoint,
                _ => PageRole::Gateway,
            };
            if let Some(node) = facts.node() {
                pages.proxy(role, node.workload(), node.namespace);
            }
        }
        Class::Sidecar => {
            if let (Some(app), Some(namespace)) =
                (facts.own_canonical_service(), facts.own_namespace())
            {
                pages.plain(PageKind::App, app, app, namespace);
                if let Some(node) = facts.node() {
                    pages.plain(PageKind::Workload, node.workload(), app, namespace);
                }
            }
        }
        Class::Agentgateway => {
            let pod = resource.agentgateway_pod().map(workload_of_pod);
            if let Some((workload, namespace)) = pod.zip(facts.agentgateway_namespace()) {
                pages.proxy(PageRole::Gateway, workload, namespace);
            }
        }
        Class::Sdk => {
            let own = resource.emitted_name();
            let own = own.filter(|name| !application::is_unknown(name));
            let workload = resource.workload();
            if let (Some(own), Some(namespace)) = (own.or(workload), resource.namespace()) {
                let app = without_namespace(own, namespace).unwrap_or(own);
                pages.plain(PageKind::App, app, app, namespace);
                if let Some(workload) = workload {
                    pages.plain(PageKind::Workload, workload, app, namespace);
                }
            }
        }
        Class::Ztunnel | Class::OtherProxy => {}
    }
}
