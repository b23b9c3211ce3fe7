/*!
What a Kiali asks for a page, and whether spans answer it.

A page of Kiali is a search in Jaeger (a service name, and since 2.4 the tag
`istio.cluster_id`, both on one span or its resource) followed by filters over
the traces that came back. [`Question::new`] builds that search as the
described Kiali would, [`Question::finds`] answers it over decoded spans. The
behaviour is that of Kiali's `business/{tracing,apps,services,workloads}.go`
up to 2.30, odd parts included.
*/

use super::{
    Form, Kiali, Scheme,
    facts::{key, value},
    model::Span,
    scheme::{ASKS_CLUSTER, KNOWS_WAYPOINTS, READS_PEER_TAGS},
};
use std::collections::HashSet;

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An application: the workloads and services of one app label.
    App,
    /// A Kubernetes service.
    Service,
    /// A workload.
    Workload,
}

/// The part an object plays in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// An application of the mesh.
    Plain,
    /// A gateway.
    Gateway,
    /// A waypoint.
    Waypoint,
}

/// A page of Kiali.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is about.
    pub kind: Kind,
    /// The part that object plays.
    pub role: Role,
    /// The object's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The app label of the workload, or of the service's selector; may be empty.
    pub app: String,
    /// On an app's page: the first of its services' names.
    pub first_service: Option<String>,
    /// The waypoint that serves the object, by its workload's name. Of an
    /// app's several, Kiali takes the last workload's before 2.22, then the
    /// first's.
    pub waypoint: Option<String>,
}

impl Page {
    /// The page of a plain object whose app label is `app`.
    pub fn plain(
        kind: Kind,
        name: &str,
        app: &str,
        namespace: &str,
        waypoint: Option<&str>,
    ) -> Self {
        Self {
            kind,
            role: Role::Plain,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            app: app.to_owned(),
            first_service: (kind == Kind::App).then(|| name.to_owned()),
            waypoint: waypoint.map(str::to_owned),
        }
    }

    /// The page of a gateway's or waypoint's object. Such services select by
    /// labels of the Gateway API, so their app label is empty; a `waypoint`
    /// may serve a gateway's service where the whole namespace uses one.
    pub fn proxy(
        kind: Kind,
        role: Role,
        name: &str,
        namespace: &str,
        waypoint: Option<&str>,
    ) -> Self {
        let app = if kind == Kind::Service { "" } else { name };
        Self {
            role,
            ..Self::plain(kind, name, app, namespace, waypoint)
        }
    }
}

/// The pages of Istio's bookinfo sample behind a gateway made by the Gateway
/// API, as recorded in `tests/fixtures`: each app has one service of its name
/// and one workload `<app>-v1`. With `waypoint`, all of the namespace uses it
/// (14 pages); without, workloads have sidecars (12 pages).
pub fn bookinfo(waypoint: Option<&str>) -> Vec<Page> {
    const NAMESPACE: &str = "bookinfo";
    const GATEWAY: &str = "bookinfo-gateway-istio";
    let proxy = |kind, role, name, by| Page::proxy(kind, role, name, NAMESPACE, by);
    let mut pages = Vec::new();
    for app in ["productpage", "reviews", "ratings"] {
        let workload = format!("{app}-v1");
        for (kind, name) in [
            (Kind::App, app),
            (Kind::Service, app),
            (Kind::Workload, &workload),
        ] {
            pages.push(Page::plain(kind, name, app, NAMESPACE, waypoint));
        }
    }
    // Gateways and waypoints are not themselves served by a waypoint, but
    // Kiali takes a gateway's service for one that is.
    pages.push(proxy(Kind::App, Role::Gateway, GATEWAY, None));
    pages.push(proxy(Kind::Service, Role::Gateway, GATEWAY, waypoint));
    pages.push(proxy(Kind::Workload, Role::Gateway, GATEWAY, None));
    if let Some(waypoint) = waypoint {
        pages.push(proxy(Kind::Service, Role::Waypoint, waypoint, None));
        pages.push(proxy(Kind::Workload, Role::Waypoint, waypoint, None));
    }
    pages
}

/// The filter over the traces of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    /// Some span concerns the service or app.
    Concerns(String),
    /// Some span is the workload's own, by `node_id` or `hostname`.
    Emitted(String),
    /// Some span led to or came from the workload, or to its app where no
    /// span tag tells workloads apart.
    Reached { workload: String, app: String },
}

/// What Kiali asks for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The service name it searches for.
    pub service_name: String,
    /// Tags the same span (or its resource) must have.
    pub tags: Vec<(&'static str, String)>,
    namespace: String,
    filters: Vec<Filter>,
    peer_tags: bool,
}

impl Question {
    /// The question that `kiali`, looking at cluster `cluster_id`, asks for `page`.
    pub fn new(kiali: &Kiali, cluster_id: &str, page: &Page) -> Self {
        let lookup = Lookup::of(kiali, page);
        let namespace = page.namespace.clone();
        let mut filters = Vec::new();
        match page.kind {
            // The handler compares the name it looks up with the object's.
            Kind::App | Kind::Service if lookup.name != page.name => {
                filters.push(Filter::Concerns(page.name.clone()));
            }
            Kind::App | Kind::Service => {}
            Kind::Workload => {
                if lookup.name != page.app {
                    filters.push(Filter::Concerns(page.app.clone()));
                }
                filters.push(match lookup.through_waypoint {
                    true => Filter::Reached {
                        workload: page.name.clone(),
                        app: page.app.clone(),
                    },
                    false => Filter::Emitted(page.name.clone()),
                });
            }
        }
        let service_name = match kiali.namespace_selector && !lookup.is_host {
            true => format!("{}.{namespace}", lookup.name),
            false => lookup.name,
        };
        let tags = match kiali.version >= ASKS_CLUSTER {
            true => vec![(key::CLUSTER_ID, cluster_id.to_owned())],
            false => Vec::new(),
        };
        Self {
            service_name,
            tags,
            namespace,
            filters,
            peer_tags: kiali.version >= READS_PEER_TAGS,
        }
    }

    /// The ids of the traces that the page would show, of all traces in `spans`.
    pub fn finds<'s>(&self, spans: &'s [Span]) -> HashSet<&'s [u8]> {
        let mut found: HashSet<&[u8]> = spans
            .iter()
            .filter(|span| self.matches(span))
            .map(|span| &span.trace_id[..])
            .collect();
        for filter in &self.filters {
            let passing: HashSet<&[u8]> = spans
                .iter()
                .filter(|span| found.contains(&span.trace_id[..]) && self.passes(filter, span))
                .map(|span| &span.trace_id[..])
                .collect();
            found = passing;
        }
        found
    }

    /// Whether Jaeger's search returns the span.
    fn matches(&self, span: &Span) -> bool {
        span.service_name() == self.service_name
            && self.tags.iter().all(|(key, text)| {
                span.tag(key) == Some(text) || span.resource_tag(key) == Some(text)
            })
    }

    fn passes(&self, filter: &Filter, span: &Span) -> bool {
        let tag = |key| value(span.tag(key));
        let prefix = |app: &str| span.name.starts_with(&format!("{app}.{}", self.namespace));
        let pair = |name, namespace| {
            tag(name)
                .zip(tag(namespace))
                .map(|(name, ns)| (name, ns == self.namespace))
        };
        match filter {
            Filter::Concerns(app) => {
                let tagged = [
                    pair(
                        key::DESTINATION_CANONICAL_SERVICE,
                        key::DESTINATION_NAMESPACE,
                    ),
                    pair(key::SOURCE_CANONICAL_SERVICE, key::SOURCE_NAMESPACE),
                ]
                .contains(&Some((app.as_str(), true)));
                (self.peer_tags && tagged) || prefix(app)
            }
            Filter::Emitted(workload) => {
                let own_id = span.tag(key::NODE_ID).and_then(|id| id.split('~').nth(2));
                own_id
                    .is_some_and(|pod| pod.starts_with(workload) && pod.ends_with(&self.namespace))
                    || [span.tag(key::HOSTNAME), span.resource_tag(key::HOSTNAME)]
                        .into_iter()
                        .flatten()
                        .any(|host| host.starts_with(workload))
            }
            Filter::Reached { workload, app } => {
                let tagged = [
                    pair(key::DESTINATION_WORKLOAD, key::DESTINATION_NAMESPACE),
                    pair(key::SOURCE_WORKLOAD, key::SOURCE_NAMESPACE),
                ];
                match self.peer_tags && tagged.iter().any(Option::is_some) {
                    // Once the tags are there, Kiali has no second try.
                    true => tagged.contains(&Some((workload.as_str(), true))),
                    false => prefix(app),
                }
            }
        }
    }
}

/// The name Kiali starts from.
struct Lookup {
    name: String,
    /// A host with its identity domain: no namespace is appended.
    is_host: bool,
    through_waypoint: bool,
}

impl Lookup {
    fn of(kiali: &Kiali, page: &Page) -> Self {
        let plain = |name: &str| Self {
            name: name.to_owned(),
            is_host: false,
            through_waypoint: false,
        };
        let knows = kiali.version >= KNOWS_WAYPOINTS;
        match (page.kind, page.role) {
            (Kind::Workload, Role::Gateway | Role::Waypoint) if knows => return plain(&page.name),
            (Kind::Service, Role::Waypoint) if knows => return plain(&page.name),
            _ => {}
        }
        let own = if page.kind == Kind::App {
            &page.name
        } else {
            &page.app
        };
        let Some(waypoint) = page.waypoint.as_deref().filter(|_| knows) else {
            return plain(own);
        };
        let asked = match page.kind {
            Kind::App => page.first_service.as_deref(),
            Kind::Service => Some(page.app.as_str()),
            Kind::Workload => Some(page.app.as_str()).filter(|app| !app.is_empty()),
        };
        let scheme = Scheme::new(kiali);
        match (&scheme.form, asked) {
            (Form::Host { .. }, None) => plain(own),
            (Form::Host { .. }, Some(app)) => Self {
                name: scheme.waypoint_name(waypoint, app, &page.namespace),
                is_host: true,
                through_waypoint: true,
            },
            _ => Self {
                name: waypoint.to_owned(),
                is_host: false,
                through_waypoint: true,
            },
        }
    }
}
