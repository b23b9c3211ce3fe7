//! What Kiali asks Jaeger for each of its pages, and what it keeps of the answer.
//!
//! Idea: written from Kiali's behaviour and sharing nothing with wayspan, so
//! that it can judge wayspan's names. A page is found when it shows exactly the
//! traces that the test sent.
//! Invariants: the rules are those of the release described, from 2.5 on
//! (earlier ones knew no waypoint).

use crate::jaeger::{Jaeger, Search};
use crate::trace::{Span, Trace};
use std::collections::BTreeSet;

const NAMESPACE: &str = "bookinfo";
const WAYPOINT: &str = "waypoint";
const GATEWAY: &str = "bookinfo-gateway-istio";
const IDENTITY_DOMAIN: &str = "svc.cluster.local";
const CLUSTER: (&str, &str) = ("istio.cluster_id", "Kubernetes");

/// The settings of a Kiali that decide what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kiali {
    pub version: (u32, u32),
    pub namespace_selector: bool,
    pub use_waypoint_name: bool,
}

impl Kiali {
    pub const fn new(minor: u32, namespace_selector: bool, use_waypoint_name: bool) -> Self {
        Self {
            version: (2, minor),
            namespace_selector,
            use_waypoint_name,
        }
    }

    pub const fn v2_7(namespace_selector: bool) -> Self {
        Self {
            version: (2, 7),
            namespace_selector,
            use_waypoint_name: false,
        }
    }

    /// The first that has `use_waypoint_name`, and does not read peer tags yet.
    pub const fn v2_22(use_waypoint_name: bool) -> Self {
        Self {
            version: (2, 22),
            namespace_selector: true,
            use_waypoint_name,
        }
    }

    pub const fn newest(use_waypoint_name: bool, namespace_selector: bool) -> Self {
        Self {
            version: (2, 30),
            namespace_selector,
            use_waypoint_name,
        }
    }

    /// Every Kiali that the tests ask for.
    pub const ALL: [Self; 8] = [
        Self::v2_7(true),
        Self::v2_7(false),
        Self::v2_22(true),
        Self::v2_22(false),
        Self::newest(true, true),
        Self::newest(true, false),
        Self::newest(false, true),
        Self::newest(false, false),
    ];

    pub fn label(&self) -> String {
        let (major, minor) = self.version;
        let ns = if self.namespace_selector { "on" } else { "off" };
        let names = match (self.knows_use_waypoint_name(), self.use_waypoint_name) {
            (false, _) => "",
            (true, true) => ", waypoint names",
            (true, false) => ", default names",
        };
        format!("Kiali {major}.{minor}{names}, namespace selector {ns}")
    }

    fn knows_use_waypoint_name(&self) -> bool {
        self.version >= (2, 22)
    }

    pub fn reads_peer_tags(&self) -> bool {
        self.version >= (2, 26)
    }

    /// Whether a service behind a waypoint is asked for by its host name.
    pub fn asks_hosts(&self) -> bool {
        self.knows_use_waypoint_name() && !self.use_waypoint_name
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    App,
    Service,
    Workload,
}

/// One page of Kiali's, with what Kiali knows of its object from the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    kind: Kind,
    name: &'static str,
    app_label: &'static str,
    behind_waypoint: bool,
    /// A gateway or a waypoint, which Kiali asks for under its own name.
    is_proxy: bool,
}

impl Page {
    pub fn id(&self) -> String {
        let kind = match self.kind {
            Kind::App => "app",
            Kind::Service => "service",
            Kind::Workload => "workload",
        };
        format!("{kind} {}", self.name)
    }

    fn plain(kind: Kind, name: &'static str, app_label: &'static str, ambient: bool) -> Self {
        Self {
            kind,
            name,
            app_label,
            behind_waypoint: ambient,
            is_proxy: false,
        }
    }

    fn proxy(kind: Kind, name: &'static str) -> Self {
        Self {
            is_proxy: true,
            ..Self::plain(kind, name, "", false)
        }
    }

    /// A workload behind the reviews service that gets no traffic.
    pub fn idle_workload() -> Self {
        Self::plain(Kind::Workload, "reviews-v2", "reviews", true)
    }
}

/// Selects pods without an app label, so only peer tags lead to its traces.
pub const GATEWAY_SERVICE: &str = "service bookinfo-gateway-istio";

/// The pages of bookinfo: 14 in an ambient mesh, 12 where sidecars do the work.
pub fn pages(ambient: bool) -> Vec<Page> {
    let mut pages = Vec::new();
    for (app, workload) in [
        ("productpage", "productpage-v1"),
        ("reviews", "reviews-v1"),
        ("ratings", "ratings-v1"),
    ] {
        pages.push(Page::plain(Kind::App, app, app, ambient));
        pages.push(Page::plain(Kind::Service, app, app, ambient));
        pages.push(Page::plain(Kind::Workload, workload, app, ambient));
    }
    pages.push(Page::proxy(Kind::Workload, GATEWAY));
    pages.push(Page::plain(Kind::App, GATEWAY, GATEWAY, false));
    pages.push(Page::plain(Kind::Service, GATEWAY, "", ambient));
    if ambient {
        pages.push(Page::proxy(Kind::Workload, WAYPOINT));
        pages.push(Page::proxy(Kind::Service, WAYPOINT));
    }
    pages
}

/// The pages that show exactly the traces of the run. A page that shows some
/// of them, or other ones, fails the test; so do two ways of asking that differ.
pub fn found(jaeger: &Jaeger, kiali: &Kiali, ambient: bool, run: &[String]) -> BTreeSet<String> {
    let sent: BTreeSet<_> = run.iter().map(String::as_str).collect();
    let shows = |page: &Page| {
        let shown = kiali.show(jaeger, page);
        let shown: BTreeSet<_> = shown.iter().map(String::as_str).collect();
        assert!(
            shown.is_empty() || shown == sent,
            "{}, page {}: shows {} of {} traces",
            kiali.label(),
            page.id(),
            shown.len(),
            sent.len()
        );
        !shown.is_empty()
    };
    let pages = pages(ambient);
    pages.iter().filter(|p| shows(p)).map(Page::id).collect()
}

impl Kiali {
    /// Ids of the traces on a page, the same over HTTP and gRPC.
    pub fn show(&self, jaeger: &Jaeger, page: &Page) -> Vec<String> {
        let asked = self.asked(page);
        let search = Search {
            service: &asked,
            tags: &[CLUSTER],
            limit: 100,
        };
        let keep = |answer: Result<Vec<Trace>, String>| -> Vec<String> {
            // Jaeger refuses an empty name; the page is then an error message.
            let traces = answer.unwrap_or_else(|error| {
                assert!(asked.is_empty(), "Jaeger refused {asked:?}: {error}");
                Vec::new()
            });
            let kept = traces.into_iter().filter(|t| self.keeps(page, t));
            let mut ids: Vec<_> = kept.map(|t| t.id).collect();
            ids.sort();
            ids
        };
        let over_http = keep(jaeger.find_http(&search));
        let over_grpc = keep(jaeger.find_grpc(&search));
        // Only the HTTP side refuses an empty name; gRPC then looks everywhere.
        assert!(
            asked.is_empty() || over_http == over_grpc,
            "HTTP and gRPC differ for {asked:?}: {over_http:?}, {over_grpc:?}"
        );
        over_http
    }

    /// The name looked up, before the namespace.
    fn lookup(&self, page: &Page) -> String {
        if page.is_proxy {
            return page.name.to_owned();
        }
        if !page.behind_waypoint {
            return page.app_label.to_owned();
        }
        if !self.asks_hosts() {
            return WAYPOINT.to_owned();
        }
        // The app page takes the first service of the app, which here bears its name.
        if self.namespace_selector {
            format!("{}.{NAMESPACE}.{IDENTITY_DOMAIN}", page.app_label)
        } else {
            format!("{}.{IDENTITY_DOMAIN}", page.app_label)
        }
    }

    /// The service name that Jaeger is asked for.
    pub fn asked(&self, page: &Page) -> String {
        let lookup = self.lookup(page);
        if self.namespace_selector && !lookup.contains(IDENTITY_DOMAIN) {
            format!("{lookup}.{NAMESPACE}")
        } else {
            lookup
        }
    }

    /// Whether the page keeps a trace that Jaeger answered with.
    pub fn keeps(&self, page: &Page, trace: &Trace) -> bool {
        let lookup = self.lookup(page);
        let any = |filter: &dyn Fn(&Span) -> bool| trace.spans.iter().any(filter);
        let concerns = |name: &str| lookup == name || any(&|s| self.span_concerns(s, name));
        match page.kind {
            Kind::App | Kind::Service => concerns(page.name),
            Kind::Workload => {
                (page.is_proxy || concerns(page.app_label))
                    && any(&|s| self.span_of_workload(s, page))
            }
        }
    }

    /// A span concerns a service by its peer tags or by the start of its name.
    fn span_concerns(&self, span: &Span, service: &str) -> bool {
        let peer = |side: &str| {
            span.text(&format!("istio.{side}_canonical_service")) == Some(service)
                && span.text(&format!("istio.{side}_namespace")) == Some(NAMESPACE)
        };
        (self.reads_peer_tags() && (peer("destination") || peer("source")))
            || span
                .operation
                .starts_with(&format!("{service}.{NAMESPACE}"))
    }

    fn span_of_workload(&self, span: &Span, page: &Page) -> bool {
        if !page.behind_waypoint {
            return node_of_workload(span, page.name);
        }
        let peer = |side: &str| {
            let tag = |what| span.text(&format!("istio.{side}_{what}"));
            let full = |text: &&str| !text.is_empty();
            tag("workload")
                .filter(full)
                .zip(tag("namespace").filter(full))
        };
        let peers = [peer("destination"), peer("source")];
        if self.reads_peer_tags() && peers.iter().any(Option::is_some) {
            return peers.contains(&Some((page.name, NAMESPACE)));
        }
        span.operation
            .starts_with(&format!("{}.{NAMESPACE}", page.app_label))
    }
}

/// The proxy's node id names the pod; an SDK's `hostname` may do so too.
fn node_of_workload(span: &Span, workload: &str) -> bool {
    let pod = span.text("node_id").and_then(|id| id.split('~').nth(2));
    let host = span.text("hostname");
    let process_host = span.process_tags.get("hostname").and_then(|v| v.as_str());
    pod.is_some_and(|p| p.starts_with(workload) && p.ends_with(NAMESPACE))
        || host.is_some_and(|h| h.starts_with(workload))
        || process_host.is_some_and(|h| h.starts_with(workload))
}
