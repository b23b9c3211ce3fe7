//! The traps again where Kubernetes is watched: labels tell what spans do not.
use super::{
    known::{labels, pod, service},
    traps::{ALL, HOP, Hop, NONE, shows, shows_all},
    *,
};
use crate::mesh::{
    directory::{NamespaceRecord, PodRecord, ServiceRecord},
    pages::{self, Page, PageKind, Question},
};
use std::sync::Arc;

const NS: &str = "bookinfo";

/// The labels of a Service or Namespace, where there is any.
type Labelled<'a> = Option<&'a str>;

fn knowing(
    settings: &MeshSettings,
    pods: &[PodRecord],
    services: &[ServiceRecord],
    namespace: Labelled,
) -> Knowledge {
    let mut knowledge = Knowledge::of(settings);
    let namespaces = namespace.map(|of| NamespaceRecord {
        name: NS.to_owned(),
        labels: labels(of),
        ..NamespaceRecord::default()
    });
    let found_by = knowledge.scheme.app_labels();
    let directory = Directory::build(pods.to_vec(), services.to_vec(), namespaces, found_by);
    knowledge.directory = Arc::new(directory);
    knowledge
}

/// A Pod of version `version` of bookinfo's `app`.
fn version(app: &str, version: &str) -> PodRecord {
    let workload = format!("{app}-{version}");
    let name = format!("{workload}-794db9df8f-8ksxt");
    pod(
        NS,
        &name,
        &workload,
        "",
        &format!("app={app} version={version}"),
    )
}

/// Bookinfo as in the captures, but for versions of which no Pod runs, and with
/// a second version of some apps.
fn bookinfo(settings: &MeshSettings, second: &[&str]) -> Knowledge {
    let apps = ["productpage", "reviews", "ratings"];
    let mut pods: Vec<_> = apps.iter().map(|app| version(app, "v1")).collect();
    pods.extend(second.iter().map(|app| version(app, "v2")));
    let services = apps.map(|app| service(NS, app, &format!("app={app}")));
    knowing(settings, &pods, &services, None)
}

const FORMS: [&str; 4] = [
    "ambient-istio-1.24",
    "ambient-istio-1.28",
    "ambient-istio-1.29",
    "ambient-istio-1.30",
];

/// Pages that show something, of the second versions and of all others.
fn shown(spans: &[Span], settings: &MeshSettings) -> (Vec<String>, usize) {
    let finds = |page: &Page| shows_all(page, spans, settings);
    let seconds = ["productpage", "reviews"].map(|app| {
        let workload = format!("{app}-v2");
        Page::plain(PageKind::Workload, &workload, app, NS, Some("waypoint"))
    });
    let seconds = seconds.into_iter().filter(finds).map(|page| page.name);
    let busy = pages::bookinfo(Some("waypoint"));
    (seconds.collect(), busy.iter().filter(|p| finds(p)).count())
}

/// Scaled to zero, a workload shows nothing, whatever the Istio, and no page is
/// lost by that. Where both versions run, only Istio knows which one answered,
/// and it does not say it on the gateway's spans.
#[test]
fn workloads_that_do_not_run_show_nothing() {
    for form in FORMS {
        let all = captured(form);
        let mut past = all.clone();
        past.retain(|span| {
            span.hop().class != Class::Waypoint || !span.name.starts_with("productpage.")
        });
        for (spans, by_host) in [(all, 11), (past, 8)] {
            for minor in [26, 30] {
                for (waypoint, aliases, want) in [
                    (true, Aliases::Off, 14),
                    (true, Aliases::On, 14),
                    (false, Aliases::Off, by_host),
                    (false, Aliases::On, 13),
                ] {
                    let settings = MeshSettings {
                        aliases,
                        ..settings(minor, true, waypoint)
                    };
                    let of = |second: &[&str]| {
                        let knowledge = bookinfo(&settings, second);
                        let delivered = apply_all_with(&spans, &settings, &knowledge);
                        shown(&delivered, &settings)
                    };
                    let row = format!("{form}, 2.{minor}, {waypoint}, {aliases:?}");
                    assert_eq!(of(&[]), (Vec::new(), want), "{row}");
                    let (seconds, busy) = of(&["productpage", "reviews"]);
                    let reviews = ["ambient-istio-1.24", "ambient-istio-1.28"].contains(&form);
                    assert_eq!(seconds.contains(&"reviews-v2".to_owned()), reviews, "{row}");
                    assert_eq!(busy, want, "{row}");
                }
            }
        }
    }
}

/// Kialis before 2.26 do not read the tags.
#[test]
fn older_kialis_show_them_all_the_same() {
    for (minor, waypoint) in [(7, false), (22, true)] {
        let settings = settings(minor, true, waypoint);
        let spans = captured("ambient-istio-1.28");
        let delivered = apply_all_with(&spans, &settings, &bookinfo(&settings, &[]));
        let (seconds, busy) = shown(&delivered, &settings);
        assert_eq!((seconds.len(), busy), (2, 13), "2.{minor}");
    }
}

/// Says for the app's, service's and workload's pages if they show a hop.
fn found(hop: &Hop, settings: &MeshSettings, knowledge: &Knowledge) -> [bool; 3] {
    let span = apply_with(&hop.span(), settings, knowledge);
    hop.pages().map(|page| shows(&page, &span, settings))
}

/// Labels say which app it was where Istio before 1.29 does not.
#[test]
fn a_service_called_otherwise_than_its_app() {
    let hop = Hop {
        service: "reviews-svc",
        ..HOP
    };
    for (minor, waypoint, unwatched, watched) in [
        // By the span's name only the service is found.
        (7, false, [false, true, false], [false, true, false]),
        (22, true, [false, true, false], [false, true, false]),
        (30, true, [false, true, false], ALL),
        // The app's page asks for the host of the service, the others for the
        // host of the app. Kiali 2.22 filters the workload's by the span's name.
        (22, false, NONE, [false, true, false]),
        (30, false, NONE, [false, true, true]),
    ] {
        let settings = settings(minor, true, waypoint);
        let services = [service(NS, "reviews-svc", "app=reviews")];
        let knowledge = knowing(&settings, &[version("reviews", "v1")], &services, None);
        let row = format!("2.{minor}, {waypoint}");
        let without = found(&hop, &settings, &Knowledge::of(&settings));
        assert_eq!(without, unwatched, "{row}");
        assert_eq!(found(&hop, &settings, &knowledge), watched, "{row}");
    }
}

/// Kiali finds apps by a label of the operator's choice, which Istio does not
/// know: Istio 1.29+ tags its own canonical service, and that is kept.
#[test]
fn an_app_label_of_ones_own() {
    for (app_label, app) in [("my/app", "Reviews-Team"), ("app", "reviews")] {
        for waypoint in [true, false] {
            let mut settings = settings(30, true, waypoint);
            settings.kiali.app_label_name = Some(app_label.to_owned());
            let of = "app=reviews my/app=Reviews-Team";
            let pods = [pod(NS, "reviews-v1-x", "reviews-v1", "10.0.0.1", of)];
            let services = [service(NS, "reviews", of)];
            let knowledge = knowing(&settings, &pods, &services, None);
            for peer_tags in [false, true] {
                let hop = Hop { peer_tags, ..HOP };
                let span = apply_with(&hop.span(), &settings, &knowledge);
                let same = app == "reviews";
                for (kind, name, found) in [
                    // By default the app's page asks for its service's host.
                    (PageKind::App, app, same || (waypoint && !peer_tags)),
                    (PageKind::Service, "reviews", true),
                    (PageKind::Workload, "reviews-v1", same || !peer_tags),
                ] {
                    let mut page = Page::plain(kind, name, app, NS, Some("waypoint"));
                    page.first_service = page.first_service.map(|_| "reviews".to_owned());
                    let row = format!("{app_label}, {waypoint}, {peer_tags}, {kind:?}");
                    assert_eq!(shows(&page, &span, &settings), found, "{row}");
                }
            }
        }
    }
}

/// The name of a weighted route hides the host, and Istio before 1.29 has no
/// tags: those of the directory lead to the workload.
#[test]
fn a_weighted_route_by_tags_alone() {
    let hop = Hop {
        name: Some("reviews~0~istio-autogenerated-k8s-gateway:9080/*"),
        ..HOP
    };
    for (minor, waypoint, want) in [
        (7, false, NONE),
        (22, true, NONE),
        (26, true, ALL),
        (30, true, ALL),
        (30, false, ALL),
    ] {
        let mut settings = settings(minor, true, waypoint);
        settings.repairs.span_name = false;
        let knowledge = bookinfo(&settings, &[]);
        assert_eq!(found(&hop, &settings, &knowledge), want, "2.{minor}");
        // Of two workloads it is not known which.
        let several = bookinfo(&settings, &["reviews"]);
        let [app, of_service, _] = want;
        assert_eq!(found(&hop, &settings, &several), [app, of_service, false]);
    }
}

/// A gateway that goes past the waypoint has the only span: its marker bears
/// the name that Kiali asks for by the labels of Service and Namespace.
#[test]
fn a_marker_is_called_as_labels_say() {
    let tags = [
        ("component", "proxy"),
        (
            "node_id",
            "router~10.0.0.4~gw-6754756766-pmxnn.infra~infra.svc.cluster.local",
        ),
        (
            "upstream_cluster",
            "outbound|9080||reviews.bookinfo.svc.cluster.local",
        ),
        ("istio.canonical_service", "gw"),
        ("istio.cluster_id", "Kubernetes"),
    ];
    let name = "reviews.bookinfo.svc.cluster.local:9080/*";
    let gateway = [span("gw.infra", name, 3, &tags)];
    let wp = "istio.io/use-waypoint=wp";
    let none = "istio.io/use-waypoint=none";
    for (of_service, of_namespace, waypoint) in [
        ("", "", None),
        ("", wp, Some("wp")),
        ("istio.io/use-waypoint=own", wp, Some("own")),
        (none, wp, None),
        ("", none, None),
        (wp, none, Some("wp")),
    ] {
        for (minor, waypoint_name) in [(4, false), (7, false), (22, true), (30, true), (30, false)]
        {
            for selector in [true, false] {
                let settings = MeshSettings {
                    aliases: Aliases::On,
                    ..settings(minor, selector, waypoint_name)
                };
                let services = [ServiceRecord {
                    labels: labels(of_service),
                    ..service(NS, "reviews", "app=reviews")
                }];
                let pods = [version("reviews", "v1")];
                let knowledge = knowing(&settings, &pods, &services, Some(of_namespace));
                let delivered = apply_all_with(&gateway, &settings, &knowledge);
                for kind in [PageKind::App, PageKind::Service] {
                    let page = Page::plain(kind, "reviews", "reviews", NS, waypoint);
                    let asked = Question::new(&settings.kiali, "Kubernetes", &page).service_name;
                    let row = format!("{of_service:?} {of_namespace:?} {:?}", settings.kiali);
                    assert_eq!(delivered[1].service_name(), asked, "{row}");
                    assert!(shows_all(&page, &delivered, &settings), "{row}");
                }
            }
        }
    }
}
