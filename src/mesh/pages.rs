/*!
What a Kiali asks for a page, and whether spans answer it.

A page of Kiali is a search in Jaeger (a service name, and since 2.4 the tag
`istio.cluster_id`, both on one span or its resource) followed by filters over
the traces that came back. [`Question::new`] builds that search as the
described Kiali would; [`Question::keeps`] is what it does with a trace that
Jaeger answered, and [`Question::finds`] does Jaeger's part, too, over decoded
spans.

[`lookup`] holds the names, [`filter`] the filters, and [`mod@concerned`] which pages
spans concern. The behaviour is that of
Kiali 2.4 to 2.30, odd parts included; every rule names the file and function
it was read in. Wherever releases differ, the constants of
[`super::scheme`] say from which on.
*/

mod concerned;
mod filter;
mod lookup;

use super::{
    Kiali,
    facts::key,
    model::Span,
    scheme::{ASKS_CLUSTER, READS_PEER_TAGS},
};
pub(crate) use concerned::concerned;
use filter::Filter;
use lookup::Lookup;
use std::collections::{HashMap, HashSet};

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageKind {
    /// An application: the workloads and services of one app label.
    App,
    /// A Kubernetes service.
    Service,
    /// A workload.
    Workload,
}

/// The part an object plays in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PageRole {
    /// An application of the mesh.
    Plain,
    /// A gateway.
    Gateway,
    /// A waypoint.
    Waypoint,
}

/// A page of Kiali, with what Kiali knows of its object from the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is about.
    pub kind: PageKind,
    /// The part that object plays.
    pub(crate) role: PageRole,
    /// The object's name.
    pub name: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// The app label of the workload, or of the service's selector, as this
    /// Kiali picks it; may be empty.
    pub app: String,
    /// On an app's page: the first of its services' names.
    pub(crate) first_service: Option<String>,
    /// The waypoints that serve the object, by their workloads' names, in
    /// Kiali's order. On an app's page: the first one of each of its workloads
    /// that has any.
    pub waypoints: Vec<String>,
}

impl Page {
    /// Returns what it is, for tables: "gateway workload bookinfo-gateway".
    pub(crate) fn title(&self) -> String {
        self.titled(&self.name)
    }

    /// The same, of something that is called `name`.
    pub(crate) fn titled(&self, name: &str) -> String {
        let kind = match self.kind {
            PageKind::App => "app",
            PageKind::Service => "service",
            PageKind::Workload => "workload",
        };
        let role = match self.role {
            PageRole::Plain => "",
            PageRole::Gateway => "gateway ",
            PageRole::Waypoint => "waypoint ",
        };
        format!("{role}{kind} {name}")
    }

    /// Returns the page of a plain object whose app label is `app`. An app's
    /// only service bears its name.
    pub fn plain(
        kind: PageKind,
        name: &str,
        app: &str,
        namespace: &str,
        waypoint: Option<&str>,
    ) -> Self {
        Self {
            kind,
            role: PageRole::Plain,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            app: app.to_owned(),
            first_service: (kind == PageKind::App).then(|| name.to_owned()),
            waypoints: waypoint.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Returns the same page where the app label has another value.
    #[must_use]
    pub fn labelled(self, app: &str) -> Self {
        let app = app.to_owned();
        match self.kind {
            // The page is the label's; the Service keeps its name.
            PageKind::App => Self {
                name: app.clone(),
                app,
                ..self
            },
            PageKind::Service | PageKind::Workload => Self { app, ..self },
        }
    }

    /// Returns the page of a gateway's or waypoint's object. Such services
    /// select by labels of the Gateway API, so their app label is empty; a
    /// `waypoint` may serve a gateway's service where the whole namespace uses
    /// one.
    pub(crate) fn proxy(
        kind: PageKind,
        role: PageRole,
        name: &str,
        namespace: &str,
        waypoint: Option<&str>,
    ) -> Self {
        let app = if kind == PageKind::Service { "" } else { name };
        Self {
            role,
            ..Self::plain(kind, name, app, namespace, waypoint)
        }
    }
}

/// Returns the pages of Istio's bookinfo sample behind a gateway made by the
/// Gateway API, as recorded in `tests/fixtures`: each app has one service of
/// its name and one workload `<app>-v1`. With `waypoint`, all of the namespace
/// uses it (14 pages); without, workloads have sidecars (12 pages).
pub fn bookinfo(waypoint: Option<&str>) -> Vec<Page> {
    const NAMESPACE: &str = "bookinfo";
    const GATEWAY: &str = "bookinfo-gateway-istio";
    let proxy = |kind, role, name, by| Page::proxy(kind, role, name, NAMESPACE, by);
    let mut pages = Vec::new();
    for app in ["productpage", "reviews", "ratings"] {
        let workload = format!("{app}-v1");
        for (kind, name) in [
            (PageKind::App, app),
            (PageKind::Service, app),
            (PageKind::Workload, &workload),
        ] {
            pages.push(Page::plain(kind, name, app, NAMESPACE, waypoint));
        }
    }
    // Gateways and waypoints are not themselves served by a waypoint, but
    // Kiali takes a gateway's service for one that is.
    pages.push(proxy(PageKind::App, PageRole::Gateway, GATEWAY, None));
    pages.push(proxy(
        PageKind::Service,
        PageRole::Gateway,
        GATEWAY,
        waypoint,
    ));
    pages.push(proxy(PageKind::Workload, PageRole::Gateway, GATEWAY, None));
    if let Some(waypoint) = waypoint {
        pages.push(proxy(PageKind::Service, PageRole::Waypoint, waypoint, None));
        pages.push(proxy(
            PageKind::Workload,
            PageRole::Waypoint,
            waypoint,
            None,
        ));
    }
    pages
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
    /// The processes whose spans are listed; `None`: all.
    processes: Option<[String; 2]>,
}

impl Question {
    /// Returns the question that `kiali`, looking at cluster `cluster_id`, asks
    /// for `page`.
    ///
    /// The tag is `handlers/tracing.go:readQuery`.
    pub fn new(kiali: &Kiali, cluster_id: &str, page: &Page) -> Self {
        let lookup = Lookup::of(kiali, page);
        let tags = match kiali.version >= ASKS_CLUSTER {
            true => vec![(key::CLUSTER_ID, cluster_id.to_owned())],
            false => Vec::new(),
        };
        let service_name = lookup.service_name(kiali, &page.namespace);
        Self {
            filters: filter::of(page, &lookup),
            processes: match lookup.through_waypoint {
                true => None,
                false => Some([lookup.name, service_name.clone()]),
            },
            service_name,
            tags,
            namespace: page.namespace.clone(),
            peer_tags: kiali.version >= READS_PEER_TAGS,
        }
    }

    /// Returns true if the page shows a trace that Jaeger answered with.
    pub fn keeps(&self, trace: &[Span]) -> bool {
        self.keeps_any(|| trace.iter())
    }

    /// As [`Question::keeps`].
    pub(crate) fn keeps_among(&self, trace: &[&Span]) -> bool {
        self.keeps_any(|| trace.iter().copied())
    }

    /// Returns what a trace that Jaeger answered with must have besides, in words.
    pub(crate) fn wants(&self) -> impl Iterator<Item = String> {
        self.filters.iter().map(ToString::to_string)
    }

    /// Returns the spans of a trace that the page draws over its charts, of a
    /// trace that Jaeger answered with: `business/tracing.go:tracesToSpans`, as
    /// asked by `GetAppSpans`, `GetServiceSpans` and `GetWorkloadSpans`.
    pub fn lists<'s>(&self, trace: &'s [Span]) -> impl Iterator<Item = &'s Span> {
        // A workload's list is not filtered by app besides.
        let filter = self.filters.last();
        trace.iter().filter(move |span| {
            let process = self.processes.as_ref();
            process.is_none_or(|names| names.iter().any(|name| name == span.service_name()))
                && filter.is_none_or(|f| f.passes(span, &self.namespace, self.peer_tags))
        })
    }

    /// Returns the ids of the traces that the page would show, of all traces in
    /// `spans`.
    pub(crate) fn finds<'s>(&self, spans: &'s [Span]) -> HashSet<&'s [u8]> {
        let mut traces: HashMap<&[u8], Vec<&Span>> = HashMap::new();
        for span in spans {
            traces.entry(&span.trace_id).or_default().push(span);
        }
        traces.retain(|_, trace| {
            trace.iter().any(|span| self.matches(span)) && self.keeps_any(|| trace.iter().copied())
        });
        traces.into_keys().collect()
    }

    /// Each filter wants a span of the trace; it need not be the same one.
    fn keeps_any<'s, I: Iterator<Item = &'s Span>>(&self, trace: impl Fn() -> I) -> bool {
        self.filters
            .iter()
            .all(|filter| trace().any(|span| filter.passes(span, &self.namespace, self.peer_tags)))
    }

    /// Returns true if Jaeger's search returns the span.
    pub(crate) fn matches(&self, span: &Span) -> bool {
        span.service_name() == self.service_name
            && self.tags.iter().all(|(key, text)| {
                span.tag(key) == Some(text) || span.resource_tag(key) == Some(text)
            })
    }
}
