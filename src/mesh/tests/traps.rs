//! Where Istio's names and Kiali's questions part for a reason of their own:
//! pages that no Kiali finds as Istio emits the spans, after the rules.
use super::*;
use crate::mesh::pages::{Page, PageKind, PageRole, Question};

const NS: &str = "bookinfo";
const KINDS: [PageKind; 3] = [PageKind::App, PageKind::Service, PageKind::Workload];

/// A trace of one span, emitted by a waypoint of `namespace` for a request to
/// the service `reviews-svc` or `reviews`.
pub(super) struct Hop {
    pub(crate) emitted: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) service: &'static str,
    pub(crate) domain: &'static str,
    pub(crate) name: Option<&'static str>,
    pub(crate) peer_tags: bool,
    pub(crate) istio_tags: bool,
}

pub(super) const HOP: Hop = Hop {
    emitted: "waypoint.bookinfo",
    namespace: NS,
    service: "reviews",
    domain: "svc.cluster.local",
    name: None,
    peer_tags: false,
    istio_tags: true,
};

impl Hop {
    pub(crate) fn span(&self) -> Span {
        let Self {
            service,
            domain,
            namespace,
            ..
        } = self;
        let host = format!("{service}.{NS}.{domain}");
        let node =
            format!("waypoint~10.0.0.9~waypoint-6f7d9c5b4-qwert.{namespace}~{namespace}.svc");
        let cluster = format!("inbound-vip|9080|http|{host}");
        let mut tags = vec![
            ("component", "proxy"),
            ("node_id", node.as_str()),
            ("upstream_cluster", cluster.as_str()),
        ];
        if self.istio_tags {
            tags.extend([
                ("istio.canonical_service", "waypoint"),
                ("istio.namespace", *namespace),
                ("istio.cluster_id", "Kubernetes"),
            ]);
        }
        if self.peer_tags {
            tags.extend([
                ("istio.destination_canonical_service", "reviews"),
                ("istio.destination_namespace", NS),
                ("istio.destination_workload", "reviews-v1"),
                ("istio.source_canonical_service", "productpage"),
                ("istio.source_namespace", NS),
                ("istio.source_workload", "productpage-v1"),
            ]);
        }
        let name = self.name.map_or(format!("{host}:9080/*"), str::to_owned);
        span(self.emitted, &name, 2, &tags)
    }

    pub(crate) fn pages(&self) -> [Page; 3] {
        KINDS.map(|kind| {
            let name = match kind {
                PageKind::App => "reviews",
                PageKind::Service => self.service,
                PageKind::Workload => "reviews-v1",
            };
            let mut page = Page::plain(kind, name, "reviews", NS, Some("waypoint"));
            page.first_service = page.first_service.map(|_| self.service.to_owned());
            page
        })
    }

    /// Says for the app's, service's and workload's pages if they show it, as
    /// emitted and after the rules.
    fn found(&self, settings: &MeshSettings) -> [[bool; 3]; 2] {
        let span = self.span();
        [span.clone(), apply(&span, settings)]
            .map(|span| self.pages().map(|page| shows(&page, &span, settings)))
    }
}

pub(super) fn shows(page: &Page, span: &Span, settings: &MeshSettings) -> bool {
    shows_all(page, std::slice::from_ref(span), settings)
}

pub(super) fn shows_all(page: &Page, spans: &[Span], settings: &MeshSettings) -> bool {
    let question = Question::new(&settings.kiali, &settings.cluster_id, page);
    !question.finds(spans).is_empty()
}

pub(super) const ALL: [bool; 3] = [true; 3];
pub(super) const NONE: [bool; 3] = [false; 3];

/// Kiali appends the namespace of the page's object to the waypoint's name.
#[test]
fn a_waypoint_of_another_namespace() {
    for peer_tags in [false, true] {
        let hop = Hop {
            emitted: "waypoint.infra",
            namespace: "infra",
            peer_tags,
            ..HOP
        };
        for minor in [5, 7, 21, 22, 26, 30] {
            for (selector, waypoint) in [(true, true), (true, false), (false, true), (false, false)]
            {
                let settings = settings(minor, selector, waypoint);
                let want = [NONE, ALL];
                assert_eq!(hop.found(&settings), want, "{:?}", settings.kiali);
            }
        }
    }
}

/// Hosts end in the cluster's domain, Kiali's question in the trust domain.
#[test]
fn a_trust_domain_of_its_own() {
    let hop = Hop {
        emitted: "reviews.bookinfo.svc.k8s.corp",
        domain: "svc.k8s.corp",
        peer_tags: true,
        ..HOP
    };
    for minor in [22, 26, 30] {
        for selector in [true, false] {
            let mut settings = settings(minor, selector, false);
            settings.kiali.trust_domain = "corp".to_owned();
            assert_eq!(hop.found(&settings), [NONE, ALL], "{:?}", settings.kiali);
        }
    }
}

/// Nobody emits a host without a namespace.
#[test]
fn hosts_without_namespace() {
    for emitted in [
        "waypoint.bookinfo",
        "waypoint",
        "reviews.bookinfo.svc.cluster.local",
    ] {
        let hop = Hop { emitted, ..HOP };
        for minor in [22, 26, 30] {
            let settings = settings(minor, false, false);
            assert_eq!(hop.found(&settings), [NONE, ALL], "{emitted} 2.{minor}");
        }
    }
}

/// The waypoint's own pages ask for its own namespace: a marker is found there.
#[test]
fn the_pages_of_a_waypoint_of_another_namespace() {
    let span = Hop {
        emitted: "waypoint.infra",
        namespace: "infra",
        ..HOP
    }
    .span();
    for kind in [PageKind::Service, PageKind::Workload] {
        let page = Page::proxy(kind, PageRole::Waypoint, "waypoint", "infra", None);
        for (minor, waypoint) in [(7, false), (22, true), (30, true), (30, false)] {
            let plain = settings(minor, true, waypoint);
            let aliases = MeshSettings {
                aliases: Aliases::On,
                ..plain.clone()
            };
            // A workload's page wants the waypoint's id, which its span has.
            let all = apply_all(std::slice::from_ref(&span), &aliases);
            assert!(shows_all(&page, &all, &aliases), "2.{minor} {kind:?}");
            assert!(!shows(&page, &apply(&span, &plain), &plain));
        }
    }
}

/// The span of a route to several clusters is named after the route. Tags lead
/// to it from Kiali 2.26 on; with its host in the name it is found by all.
#[test]
fn a_weighted_route() {
    for peer_tags in [false, true] {
        let hop = Hop {
            name: Some("reviews~0~istio-autogenerated-k8s-gateway:9080/*"),
            peer_tags,
            ..HOP
        };
        for minor in [5, 7, 21, 22, 26, 30] {
            for (selector, waypoint) in [(true, true), (true, false), (false, true), (false, false)]
            {
                let repaired = settings(minor, selector, waypoint);
                assert_eq!(hop.found(&repaired)[1], ALL, "{:?}", repaired.kiali);
                let mut tags_only = repaired.clone();
                tags_only.repairs.span_name = false;
                let [before, after] = hop.found(&tags_only);
                let want = match (minor >= 26, peer_tags) {
                    (true, true) => ALL,
                    // The rules' tags say which app; which workload they cannot.
                    (true, false) => [true, true, false],
                    (false, _) => NONE,
                };
                assert_eq!(after, want, "{:?}", tags_only.kiali);
                assert!(peer_tags || before == NONE);
            }
        }
    }
}

/// The span's name holds the service, the app's page asks for the app.
#[test]
fn a_service_called_otherwise_than_its_app() {
    for (minor, waypoint, peer_tags, want) in [
        // By the span's name only the service is found.
        (7, false, false, [false, true, false]),
        (7, false, true, [false, true, false]),
        (22, true, true, [false, true, false]),
        (30, true, true, ALL),
        // Kiali asks for the host of the service on the app's page, and for
        // the host of the app on the others.
        (22, false, true, [false, true, false]),
        (30, false, true, [false, true, true]),
    ] {
        let hop = Hop {
            service: "reviews-svc",
            peer_tags,
            ..HOP
        };
        for selector in [true, false] {
            let settings = settings(minor, selector, waypoint);
            let [_, after] = hop.found(&settings);
            assert_eq!(after, want, "{:?} {peer_tags}", settings.kiali);
        }
    }
}

/// Each service's page shows its own requests, not those of the other.
#[test]
fn two_services_of_one_app() {
    for (minor, waypoint) in [(7, false), (22, true), (30, true), (30, false)] {
        for selector in [true, false] {
            let settings = settings(minor, selector, waypoint);
            let hop = |service| Hop {
                service,
                peer_tags: true,
                ..HOP
            };
            let services = ["reviews-a", "reviews-b"];
            for called in services {
                let span = apply(&hop(called).span(), &settings);
                for service in services {
                    let [_, page, _] = hop(service).pages();
                    let shown = shows(&page, &span, &settings);
                    assert_eq!(shown, service == called, "{:?}", settings.kiali);
                }
            }
        }
    }
}

/// Versions behind waypoints of their own: each page finds what went through
/// the waypoint that Kiali asks for.
#[test]
fn several_waypoints() {
    let through = |waypoint: &str, workload| {
        let mut span = Hop {
            peer_tags: true,
            ..HOP
        }
        .span();
        let id = format!("waypoint~10.0.0.9~{waypoint}-6f7d9c5b4-qwert.bookinfo~bookinfo.svc");
        for (key, text) in &mut span.attributes {
            match key.as_str() {
                "node_id" => *text = id.clone(),
                "istio.destination_workload" => *text = String::from(workload),
                _ => {}
            }
        }
        span
    };
    let settings = settings(30, true, true);
    for (workload, waypoint) in [("reviews-v1", "blue"), ("reviews-v2", "green")] {
        let page = Page::plain(PageKind::Workload, workload, "reviews", NS, Some(waypoint));
        for (called, by) in [("reviews-v1", "blue"), ("reviews-v2", "green")] {
            let span = apply(&through(by, called), &settings);
            assert_eq!(span.service_name(), format!("{by}.bookinfo"));
            assert_eq!(shows(&page, &span, &settings), called == workload);
        }
    }
    let app = Page {
        waypoints: vec!["blue".to_owned(), "green".to_owned()],
        ..Page::plain(PageKind::App, "reviews", "reviews", NS, None)
    };
    let hosts = self::settings(30, true, false);
    for (by, workload) in [("blue", "reviews-v1"), ("green", "reviews-v2")] {
        let span = through(by, workload);
        // Kiali asks for the first one only; by hosts it asks for both.
        let named = apply(&span, &settings);
        assert_eq!(shows(&app, &named, &settings), by == "blue");
        assert!(shows(&app, &apply(&span, &hosts), &hosts));
    }
}

/// Without Istio's tags no Kiali since 2.4 finds anything.
#[test]
fn istio_tags_off() {
    let hop = Hop {
        istio_tags: false,
        ..HOP
    };
    for minor in [5, 7, 21, 22, 26, 30] {
        for waypoint in [true, false] {
            let settings = settings(minor, true, waypoint);
            assert_eq!(hop.found(&settings), [NONE, ALL], "{:?}", settings.kiali);
        }
    }
}

/// A Kiali that looks at another cluster finds none of this one's spans.
#[test]
fn another_cluster() {
    let settings = MeshSettings {
        cluster_id: "west".to_owned(),
        ..settings(30, true, true)
    };
    assert_eq!(HOP.found(&settings), [NONE, NONE]);
}

fn sidecar(service: &str, canonical: &str) -> Span {
    let id = "sidecar~10.0.0.6~reviews-v1-7c9f6d5b8-xk2lp.bookinfo~bookinfo.svc.cluster.local";
    let tags = [
        ("component", "proxy"),
        ("node_id", id),
        ("upstream_cluster", "inbound|9080||"),
        ("istio.canonical_service", canonical),
        ("istio.namespace", NS),
        ("istio.cluster_id", "Kubernetes"),
    ];
    let name = "reviews.bookinfo.svc.cluster.local:9080/*";
    span(service, name, 2, &tags)
}

/// The link of an app's page always asks for `<app>.<namespace>`
/// (Kiali `TracesComponent.tsx`): sidecars emit that, and keep it. A waypoint's
/// span has the name that the page itself needs.
#[test]
fn the_link_of_an_apps_page() {
    let link = "reviews.bookinfo";
    for (minor, waypoint) in [(7, false), (22, true), (30, true), (30, false)] {
        let settings = settings(minor, true, waypoint);
        let kept = apply(&sidecar(link, "reviews"), &settings);
        assert_eq!(kept.service_name(), link);
        let named = apply(&HOP.span(), &settings);
        assert_ne!(named.service_name(), link, "{:?}", settings.kiali);
        assert_eq!(HOP.found(&settings)[1], ALL);
    }
    let before_waypoints = settings(4, true, false);
    assert_eq!(apply(&HOP.span(), &before_waypoints).service_name(), link);
}

/// Istio names a sidecar by the label `app` first, Kiali since 2.6 asks for
/// `app.kubernetes.io/name` first. With both, they differ.
#[test]
fn labels_in_another_order() {
    let span = sidecar("reviews-legacy.bookinfo", "reviews");
    for (minor, app, before) in [
        (5, "reviews-legacy", true),
        (7, "reviews", false),
        (22, "reviews", false),
        (30, "reviews", false),
    ] {
        let settings = settings(minor, true, true);
        let named = apply(&span, &settings);
        for kind in [PageKind::App, PageKind::Workload] {
            let name = if kind == PageKind::App {
                app
            } else {
                "reviews-v1"
            };
            let page = Page::plain(kind, name, app, NS, None);
            assert_eq!(shows(&page, &span, &settings), before, "2.{minor} {kind:?}");
            assert!(shows(&page, &named, &settings), "2.{minor} {kind:?}");
        }
    }
}
