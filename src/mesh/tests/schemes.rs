//! What each Kiali asks for each page, line by line of its sources, and whether
//! a waypoint's span is named so.
use super::*;
use crate::mesh::{
    directory::AppLabels,
    pages::{Page, PageKind, Question},
};

const NS: &str = "bookinfo";

/// Something of Kiali's: its page, and what the span of a request to it says
/// that passed a waypoint.
struct Thing {
    page: Page,
    /// The waypoint's deployment and namespace, and the canonical service that
    /// Istio 1.29+ tags or the service's name.
    hop: (&'static str, &'static str, &'static str),
}

fn behind(kind: PageKind, name: &str, app: &str, service: &str, waypoint: &'static str) -> Thing {
    let mut page = Page::plain(kind, name, app, NS, Some(waypoint));
    page.first_service = (kind == PageKind::App).then(|| service.to_owned());
    Thing {
        page,
        hop: (waypoint, NS, "reviews"),
    }
}

/// The service name that a span gets which passed the waypoint on its way.
fn named(hop: (&str, &str, &str), settings: &MeshSettings) -> String {
    let (waypoint, namespace, app) = hop;
    let node = format!(
        "waypoint~10.0.0.1~{waypoint}-5b7c754ccb-55jwk.{namespace}~{namespace}.svc.cluster.local"
    );
    let emitted = format!("{waypoint}.{namespace}");
    let tags = [
        ("node_id", node.as_str()),
        ("component", "proxy"),
        (
            "upstream_cluster",
            "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local",
        ),
        ("istio.destination_canonical_service", app),
        ("istio.destination_namespace", NS),
    ];
    let span = span(
        &emitted,
        "reviews.bookinfo.svc.cluster.local:9080/*",
        2,
        &tags,
    );
    apply(&span, settings).service_name().to_owned()
}

/// A row: where it stands in Kiali, its version, (namespace_selector,
/// use_waypoint_name), (identity domain, trust domain), and what is asked.
type Row = (
    &'static str,
    u16,
    (bool, bool),
    (Option<&'static str>, &'static str),
    &'static str,
);

fn check(what: &str, thing: &Thing, rows: &[Row], found: bool) {
    for &(place, minor, (selector, waypoint_name), (domain, trust), want) in rows {
        let kiali = Kiali {
            istio_identity_domain: domain.map(str::to_owned),
            trust_domain: trust.to_owned(),
            ..kiali(minor, selector, waypoint_name)
        };
        let row = format!("{what}, Kiali 2.{minor} {place}");
        let question = Question::new(&kiali, "Kubernetes", &thing.page);
        assert_eq!(question.service_name, want, "{row}");
        let settings = MeshSettings {
            kiali,
            ..MeshSettings::default()
        };
        assert_eq!(named(thing.hop, &settings) == want, found, "{row}");
    }
}

const CLUSTER: (Option<&str>, &str) = (None, "cluster.local");
const TRUST: (Option<&str>, &str) = (None, "td");
const DOMAIN: (Option<&str>, &str) = (Some("svc.own"), "td");

/// Behind a waypoint, where the service has its app's name.
const USUAL: [Row; 17] = [
    (
        "business/tracing.go:119",
        4,
        (true, false),
        CLUSTER,
        "reviews.bookinfo",
    ),
    (
        "tracing/client.go:271",
        4,
        (false, false),
        CLUSTER,
        "reviews",
    ),
    (
        "business/apps.go:528",
        5,
        (true, false),
        CLUSTER,
        "waypoint.bookinfo",
    ),
    (
        "business/services.go:919",
        7,
        (true, true),
        DOMAIN,
        "waypoint.bookinfo",
    ),
    (
        "business/workloads.go:2719",
        21,
        (true, false),
        TRUST,
        "waypoint.bookinfo",
    ),
    (
        "tracing/client.go:321",
        21,
        (false, false),
        CLUSTER,
        "waypoint",
    ),
    (
        "business/apps.go:598",
        22,
        (true, true),
        CLUSTER,
        "waypoint.bookinfo",
    ),
    (
        "business/services.go:972",
        22,
        (false, true),
        CLUSTER,
        "waypoint",
    ),
    (
        "business/apps.go:602",
        22,
        (true, false),
        CLUSTER,
        "reviews.bookinfo.svc.cluster.local",
    ),
    (
        "business/services.go:980",
        22,
        (false, false),
        CLUSTER,
        "reviews.svc.cluster.local",
    ),
    // config/config.go:1041: the trust domain plays no part yet.
    (
        "business/workloads.go:2815",
        22,
        (true, false),
        TRUST,
        "reviews.bookinfo.svc.cluster.local",
    ),
    (
        "business/workloads.go:2836",
        25,
        (true, false),
        DOMAIN,
        "reviews.bookinfo.svc.own",
    ),
    (
        "business/apps.go:608",
        26,
        (true, false),
        TRUST,
        "reviews.bookinfo.svc.td",
    ),
    (
        "business/mesh.go:97",
        26,
        (true, false),
        DOMAIN,
        "reviews.bookinfo.svc.own",
    ),
    (
        "business/services.go:942",
        30,
        (true, true),
        TRUST,
        "waypoint.bookinfo",
    ),
    (
        "business/services.go:952",
        30,
        (true, false),
        CLUSTER,
        "reviews.bookinfo.svc.cluster.local",
    ),
    (
        "business/workloads.go:2954",
        30,
        (false, false),
        TRUST,
        "reviews.svc.td",
    ),
];

#[test]
fn all_pages_behind_a_waypoint_ask_alike_and_find_its_spans() {
    for (kind, name) in [
        (PageKind::App, "reviews"),
        (PageKind::Service, "reviews"),
        (PageKind::Workload, "reviews-v1"),
    ] {
        let thing = behind(kind, name, "reviews", "reviews", "waypoint");
        check(&format!("{kind:?}"), &thing, &USUAL, true);
    }
}

#[test]
fn a_service_named_otherwise_than_its_app() {
    let by_app: [Row; 2] = [
        (
            "business/services.go:978",
            22,
            (true, false),
            CLUSTER,
            "reviews.bookinfo.svc.cluster.local",
        ),
        (
            "business/services.go:954",
            30,
            (false, false),
            CLUSTER,
            "reviews.svc.cluster.local",
        ),
    ];
    let by_service: [Row; 2] = [
        (
            "business/apps.go:602",
            22,
            (true, false),
            CLUSTER,
            "backend.bookinfo.svc.cluster.local",
        ),
        (
            "business/apps.go:635",
            30,
            (false, false),
            CLUSTER,
            "backend.svc.cluster.local",
        ),
    ];
    let by_waypoint: [Row; 2] = [
        (
            "business/apps.go:541",
            21,
            (true, false),
            CLUSTER,
            "waypoint.bookinfo",
        ),
        (
            "business/apps.go:628",
            30,
            (true, true),
            CLUSTER,
            "waypoint.bookinfo",
        ),
    ];
    let service = behind(
        PageKind::Service,
        "backend",
        "reviews",
        "backend",
        "waypoint",
    );
    let workload = behind(
        PageKind::Workload,
        "reviews-v1",
        "reviews",
        "backend",
        "waypoint",
    );
    let app = behind(PageKind::App, "reviews", "reviews", "backend", "waypoint");
    check("service", &service, &by_app, true);
    check("workload", &workload, &by_app, true);
    // One name cannot be two: the app's page asks for its first service.
    check("app", &app, &by_service, false);
    for (what, thing) in [("service", service), ("workload", workload), ("app", app)] {
        check(what, &thing, &by_waypoint, true);
    }
}

#[test]
fn app_labels_by_version_and_configuration() {
    let only = |label: &str| AppLabels::Only(label.to_owned());
    for (place, minor, configured, want) in [
        ("config/config.go:800", 5, None, only("app")),
        ("config/config.go:1030", 6, None, AppLabels::Canonical),
        ("config/config.go:1618", 30, Some(""), AppLabels::Canonical),
        ("config/config.go:1615", 30, Some("my/app"), only("my/app")),
    ] {
        let kiali = Kiali {
            app_label_name: configured.map(str::to_owned),
            ..kiali(minor, true, false)
        };
        assert_eq!(*Scheme::new(&kiali).app_labels(), want, "{place}");
    }
}

#[test]
fn a_sidecar_is_named_by_the_label_that_kiali_reads() {
    let tags = [
        (
            "node_id",
            "sidecar~10.0.0.9~reviews-v1-794db9df8f-8ksxt.bookinfo~bookinfo.svc.cluster.local",
        ),
        ("component", "proxy"),
        ("istio.canonical_service", "canonical"),
        ("istio.namespace", NS),
    ];
    let sidecar = span("label.bookinfo", "x", 2, &tags);
    for (minor, configured, want) in [
        (5, None, "label.bookinfo"),
        (6, None, "canonical.bookinfo"),
        (30, Some("app"), "label.bookinfo"),
        (30, None, "canonical.bookinfo"),
    ] {
        let settings = MeshSettings {
            kiali: Kiali {
                app_label_name: configured.map(str::to_owned),
                ..kiali(minor, true, false)
            },
            ..MeshSettings::default()
        };
        assert_eq!(
            apply(&sidecar, &settings).service_name(),
            want,
            "2.{minor} {configured:?}"
        );
    }
}
