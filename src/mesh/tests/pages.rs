//! Kiali's questions, release by release, and what its filters keep.
use super::*;
use crate::mesh::pages::{Page, PageKind, PageRole, Question};

const NS: &str = "bookinfo";
const GATEWAY: &str = "bookinfo-gateway-istio";

fn asked(kiali: &Kiali, page: &Page) -> String {
    Question::new(kiali, "Kubernetes", page).service_name
}

fn page(kind: PageKind, waypoint: Option<&str>) -> Page {
    let name = if kind == PageKind::Workload {
        "reviews-v1"
    } else {
        "reviews"
    };
    Page::plain(kind, name, "reviews", NS, waypoint)
}

const KINDS: [PageKind; 3] = [PageKind::App, PageKind::Service, PageKind::Workload];

/// Every release that asks differently, and those at both ends of an interval.
#[test]
fn names_by_release() {
    for (minor, selector, waypoint_name, behind, bare) in [
        (4, true, true, "reviews.bookinfo", "reviews.bookinfo"),
        (4, false, true, "reviews", "reviews"),
        (5, true, false, "waypoint.bookinfo", "reviews.bookinfo"),
        (5, true, true, "waypoint.bookinfo", "reviews.bookinfo"),
        (7, false, false, "waypoint", "reviews"),
        (21, true, false, "waypoint.bookinfo", "reviews.bookinfo"),
        (22, true, true, "waypoint.bookinfo", "reviews.bookinfo"),
        (22, false, true, "waypoint", "reviews"),
        (
            22,
            true,
            false,
            "reviews.bookinfo.svc.cluster.local",
            "reviews.bookinfo",
        ),
        (22, false, false, "reviews.svc.cluster.local", "reviews"),
        (26, true, true, "waypoint.bookinfo", "reviews.bookinfo"),
        (
            30,
            true,
            false,
            "reviews.bookinfo.svc.cluster.local",
            "reviews.bookinfo",
        ),
        (30, false, false, "reviews.svc.cluster.local", "reviews"),
    ] {
        let kiali = kiali(minor, selector, waypoint_name);
        for kind in KINDS {
            let found = asked(&kiali, &page(kind, Some("waypoint")));
            assert_eq!(found, behind, "{kiali:?} {kind:?}");
            assert_eq!(asked(&kiali, &page(kind, None)), bare, "{kiali:?} {kind:?}");
        }
    }
}

#[test]
fn gateways_and_waypoints_by_release() {
    let gateway = |kind, by| Page::proxy(kind, PageRole::Gateway, GATEWAY, NS, by);
    let waypoint = |kind| Page::proxy(kind, PageRole::Waypoint, "waypoint", NS, None);
    let own = "bookinfo-gateway-istio.bookinfo";
    for (minor, waypoint_name, gateway_service) in [
        (5, false, "waypoint.bookinfo"),
        (7, false, "waypoint.bookinfo"),
        (21, false, "waypoint.bookinfo"),
        (22, true, "waypoint.bookinfo"),
        // The selector has no app label; a host is made of it all the same.
        (22, false, ".bookinfo.svc.cluster.local"),
        (26, true, "waypoint.bookinfo"),
        (30, false, ".bookinfo.svc.cluster.local"),
    ] {
        let kiali = kiali(minor, true, waypoint_name);
        assert_eq!(asked(&kiali, &gateway(PageKind::App, None)), own);
        assert_eq!(asked(&kiali, &gateway(PageKind::Workload, None)), own);
        // A namespace's waypoint is nothing to a gateway's own workload.
        let taken = gateway(PageKind::Workload, Some("waypoint"));
        assert_eq!(asked(&kiali, &taken), own);
        let service = gateway(PageKind::Service, Some("waypoint"));
        assert_eq!(asked(&kiali, &service), gateway_service, "{kiali:?}");
        assert_eq!(
            asked(&kiali, &gateway(PageKind::Service, None)),
            ".bookinfo"
        );
        for kind in [PageKind::Service, PageKind::Workload] {
            assert_eq!(asked(&kiali, &waypoint(kind)), "waypoint.bookinfo");
        }
    }
}

#[test]
fn several_waypoints() {
    for kind in KINDS {
        let page = Page {
            waypoints: vec!["blue".to_owned(), "green".to_owned()],
            ..page(kind, None)
        };
        for (minor, waypoint_name) in [(5, false), (21, false), (22, true), (30, true)] {
            // Of an app's workloads the last one decided once, now the first.
            let want = match kind == PageKind::App && minor < 22 {
                true => "green.bookinfo",
                false => "blue.bookinfo",
            };
            let kiali = kiali(minor, true, waypoint_name);
            assert_eq!(asked(&kiali, &page), want, "2.{minor} {kind:?}");
        }
    }
}

#[test]
fn an_app_is_asked_for_by_its_first_service() {
    let mut page = page(PageKind::App, Some("waypoint"));
    page.first_service = Some("reviews-svc".to_owned());
    let default = kiali(30, true, false);
    let host = "reviews-svc.bookinfo.svc.cluster.local";
    assert_eq!(asked(&default, &page), host);
    assert_eq!(asked(&kiali(30, true, true), &page), "waypoint.bookinfo");
    page.first_service = None;
    assert_eq!(asked(&default, &page), "reviews.bookinfo");
}

#[test]
fn a_workload_without_app_label_is_asked_for_by_nothing() {
    let page = Page {
        app: String::new(),
        ..page(PageKind::Workload, Some("waypoint"))
    };
    assert_eq!(asked(&kiali(30, true, true), &page), "waypoint.bookinfo");
    assert_eq!(asked(&kiali(30, true, false), &page), ".bookinfo");
    assert_eq!(asked(&kiali(30, false, false), &page), "");
}

#[test]
fn identity_domains() {
    let page = page(PageKind::Service, Some("waypoint"));
    for (minor, domain, trust, want) in [
        (22, None, "corp", "reviews.bookinfo.svc.cluster.local"),
        (26, None, "corp", "reviews.bookinfo.svc.corp"),
        (
            30,
            Some("svc.my.net"),
            "corp",
            "reviews.bookinfo.svc.my.net",
        ),
    ] {
        let kiali = Kiali {
            istio_identity_domain: domain.map(str::to_owned),
            trust_domain: trust.to_owned(),
            ..kiali(minor, true, false)
        };
        assert_eq!(asked(&kiali, &page), want);
    }
}

const ROUTE: &str = "reviews.bookinfo.svc.cluster.local:9080/*";

/// A span as a waypoint emits it for Kiali with waypoint names.
fn waypoint_span(name: &str, tags: &[(&str, &str)]) -> Span {
    let tags = [&[("istio.cluster_id", "Kubernetes")], tags].concat();
    span("waypoint.bookinfo", name, 2, &tags)
}

fn keeps(minor: u16, page: &Page, span: &Span) -> bool {
    let question = Question::new(&kiali(minor, true, true), "Kubernetes", page);
    let kept = question.keeps(std::slice::from_ref(span));
    let found = question.finds(std::slice::from_ref(span)).len() == 1;
    assert_eq!(found, kept, "the search finds this span");
    kept
}

#[test]
fn apps_and_services_are_filtered_by_span_name_or_peer_tags() {
    const TO: [(&str, &str); 2] = [
        ("istio.destination_canonical_service", "reviews"),
        ("istio.destination_namespace", "bookinfo"),
    ];
    const FROM: [(&str, &str); 2] = [
        ("istio.source_canonical_service", "reviews"),
        ("istio.source_namespace", "bookinfo"),
    ];
    let elsewhere = [TO[0], ("istio.destination_namespace", "shop")];
    // Kiali takes the two of a pair, not one of each.
    let mixed = [TO[0], FROM[1]];
    for kind in [PageKind::App, PageKind::Service] {
        let page = page(kind, Some("waypoint"));
        for (name, tags, before, since) in [
            (ROUTE, &[][..], true, true),
            ("reviews.bookinfo2.svc:80", &[], true, true),
            ("reviews.shop.svc.cluster.local:9080/*", &[], false, false),
            ("reviews-x.bookinfo.svc.cluster.local", &[], false, false),
            ("route", &TO, false, true),
            ("route", &FROM, false, true),
            ("route", &elsewhere, false, false),
            ("route", &mixed, false, false),
            ("route", &TO[..1], false, false),
        ] {
            let span = waypoint_span(name, tags);
            for minor in [5, 7, 21, 22] {
                assert_eq!(
                    keeps(minor, &page, &span),
                    before,
                    "2.{minor} {name} {tags:?}"
                );
            }
            for minor in [26, 30] {
                assert_eq!(
                    keeps(minor, &page, &span),
                    since,
                    "2.{minor} {name} {tags:?}"
                );
            }
        }
    }
}

#[test]
fn workloads_behind_waypoints_are_filtered_by_tags_with_no_second_try() {
    let page = page(PageKind::Workload, Some("waypoint"));
    let tag = |what: &'static str, workload| {
        let [name, ns] = match what {
            "to" => ["istio.destination_workload", "istio.destination_namespace"],
            _ => ["istio.source_workload", "istio.source_namespace"],
        };
        vec![(name, workload), (ns, "bookinfo")]
    };
    for (tags, before, since) in [
        (vec![], true, true),
        (tag("to", "reviews-v1"), true, true),
        (tag("from", "reviews-v1"), true, true),
        (tag("to", "reviews-v2"), true, false),
        // Whatever is written there, even Envoy's word for nothing.
        (tag("to", "-"), true, false),
        (tag("to", ""), true, true),
        (tag("to", "reviews-v2")[..1].to_vec(), true, true),
    ] {
        let span = waypoint_span(ROUTE, &tags);
        for minor in [5, 21, 22] {
            assert_eq!(keeps(minor, &page, &span), before, "2.{minor} {tags:?}");
        }
        for minor in [26, 30] {
            assert_eq!(keeps(minor, &page, &span), since, "2.{minor} {tags:?}");
        }
    }
}

#[test]
fn workloads_without_waypoint_are_found_by_their_pods() {
    let page = page(PageKind::Workload, None);
    let id = |pod: &str| format!("sidecar~10.0.0.1~{pod}~bookinfo.svc.cluster.local");
    for (tags, resource, kept) in [
        (vec![("node_id", id("reviews-v1-abc.bookinfo"))], None, true),
        (
            vec![("node_id", id("reviews-v2-abc.bookinfo"))],
            None,
            false,
        ),
        (vec![("node_id", id("reviews-v1-abc.shop"))], None, false),
        (
            vec![("node_id", "sidecar~10.0.0.1".to_owned())],
            None,
            false,
        ),
        (vec![("hostname", "reviews-v1-abc".to_owned())], None, true),
        (vec![], Some("reviews-v1-abc"), true),
        (vec![], Some("ratings-v1-abc"), false),
        (vec![], None, false),
    ] {
        let tags: Vec<_> = tags.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let tags = [&[("istio.cluster_id", "Kubernetes")], &tags[..]].concat();
        let mut span = span("reviews.bookinfo", ROUTE, 3, &tags);
        if let Some(host) = resource {
            span.resource.push(("hostname".to_owned(), host.to_owned()));
        }
        // OpenTelemetry's own words for it are not read.
        for key in ["host.name", "k8s.pod.name"] {
            span.resource
                .push((key.to_owned(), "reviews-v1-abc".to_owned()));
        }
        for minor in [5, 7, 21, 22, 26, 30] {
            assert_eq!(keeps(minor, &page, &span), kept, "2.{minor} {tags:?}");
        }
    }
}

/// Over the charts go the spans of the process asked for, or all that concern
/// the object where the waypoint was asked for.
#[test]
fn lists_of_spans() {
    let id = "sidecar~10.0.0.1~reviews-v1-abc.bookinfo~bookinfo.svc.cluster.local";
    let trace = [
        span("reviews.bookinfo", ROUTE, 2, &[("node_id", id)]),
        span("reviews.bookinfo", "GET /reviews", 1, &[]),
        span("ratings.bookinfo", ROUTE, 2, &[("node_id", id)]),
        waypoint_span(ROUTE, &[]),
        waypoint_span("ratings.bookinfo.svc.cluster.local:9080/*", &[]),
    ];
    for minor in [5, 7, 21, 22, 26, 30] {
        for (kind, bare, behind) in [
            (PageKind::App, &[0, 1][..], &[0, 2, 3][..]),
            (PageKind::Service, &[0, 1], &[0, 2, 3]),
            (PageKind::Workload, &[0], &[0, 2, 3]),
        ] {
            for (waypoint, want) in [(None, bare), (Some("waypoint"), behind)] {
                let page = page(kind, waypoint);
                let question = Question::new(&kiali(minor, true, true), "Kubernetes", &page);
                let listed: Vec<_> = question.lists(&trace).collect();
                let want: Vec<_> = want.iter().map(|i: &usize| &trace[*i]).collect();
                assert_eq!(listed, want, "2.{minor} {kind:?} {waypoint:?}");
            }
        }
    }
}

/// The tag may stand on the resource; another cluster's spans are not found.
#[test]
fn the_cluster_is_part_of_the_search() {
    let page = page(PageKind::App, None);
    let mut span = span("reviews.bookinfo", ROUTE, 3, &[]);
    let finds = |minor, span: &Span| {
        let question = Question::new(&kiali(minor, true, true), "east", &page);
        !question.finds(std::slice::from_ref(span)).is_empty()
    };
    assert!(finds(3, &span) && !finds(4, &span) && !finds(30, &span));
    for (cluster, want) in [("east", true), ("west", false)] {
        span.resource.truncate(1);
        span.resource
            .push(("istio.cluster_id".to_owned(), cluster.to_owned()));
        assert_eq!(finds(30, &span), want, "{cluster}");
    }
}
