#![allow(clippy::unwrap_used)]
use super::*;

pub(crate) fn labels(text: &str) -> Arc<Labels> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    Arc::new(text.split_whitespace().map(pair).collect())
}

impl Directory {
    /// Returns true if Pods of the workload stand behind the Service.
    fn backs(&self, namespace: &str, service: &str, workload: &str) -> bool {
        self.backed(namespace, service)
            .is_some_and(|backed| backed.workloads.iter().any(|one| &**one == workload))
    }
}

fn pod(place: &str, workload: &str, of: &str) -> PodRecord {
    let (namespace, name) = place.split_once('/').unwrap();
    PodRecord {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: labels(of),
        workload: (!workload.is_empty()).then(|| workload.to_owned()),
        ..PodRecord::default()
    }
}

fn service(place: &str, selector: &str) -> ServiceRecord {
    let (namespace, name) = place.split_once('/').unwrap();
    ServiceRecord {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        selector: labels(selector),
        ..ServiceRecord::default()
    }
}

const NONE: [NamespaceRecord; 0] = [];

#[test]
fn app_labels() {
    let both = "app=a app.kubernetes.io/name=b";
    let all = "app=a app.kubernetes.io/name=b service.istio.io/canonical-name=C";
    let only = |name: &str| AppLabels::Only(name.to_owned());
    for (of, by, app, canonical) in [
        ("app=a", AppLabels::Canonical, Some("a"), "a"),
        (both, AppLabels::Canonical, Some("b"), "b"),
        (all, AppLabels::Canonical, Some("C"), "C"),
        (
            "app.kubernetes.io/name= app=a",
            AppLabels::Canonical,
            None,
            "w",
        ),
        ("x=y", AppLabels::Canonical, None, "w"),
        (all, only("app"), Some("a"), "C"),
        (all, only("team"), None, "C"),
        ("team=T", only("team"), Some("T"), "w"),
    ] {
        let none: [ServiceRecord; 0] = [];
        let directory = Directory::build([pod("ns/p", "w", of)], none, NONE, &by);
        let pod = directory.pod("ns", "p").unwrap();
        assert_eq!((pod.app, pod.canonical), (app, canonical), "{of} by {by:?}");
    }
}

#[test]
fn addresses_belong_to_one_pod() {
    let ip: IpAddr = "10.0.0.1".parse().unwrap();
    use PodPhase::{Finished, Pending, Running};
    for (phases, owner) in [
        (&[Running][..], Some("p0")),
        (&[Pending], Some("p0")),
        (&[Finished], None),
        (&[Finished, Running], Some("p1")),
        (&[Running, Pending], Some("p0")),
        (&[Pending, Running], Some("p1")),
        (&[Pending, Pending, Running], Some("p2")),
        // Who of the two it is now cannot be told.
        (&[Running, Running], None),
        (&[Running, Running, Pending], None),
        (&[Running, Running, Running], None),
    ] {
        let pods = phases.iter().enumerate().map(|(at, phase)| PodRecord {
            addresses: vec![ip],
            phase: *phase,
            ..pod(&format!("ns/p{at}"), "", "")
        });
        let none: [ServiceRecord; 0] = [];
        let directory = Directory::build(pods, none, NONE, &AppLabels::default());
        let found = directory.pod_at(ip).map(|pod| pod.name);
        assert_eq!(found, owner, "{phases:?}");
        let mapped = directory.pod_at("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(mapped.map(|pod| pod.name), owner);
    }
}

#[test]
fn services_and_what_stands_behind_them() {
    let finished = PodRecord {
        phase: PodPhase::Finished,
        ..pod("ns/old", "old", "app=Reviews version=v0")
    };
    let pods = [
        pod("ns/r1a", "reviews-v1", "app=Reviews version=v1"),
        pod("ns/r1b", "reviews-v1", "app=Reviews version=v1"),
        pod("ns/r2", "reviews-v2", "app=Reviews version=v2"),
        finished,
        pod("ns/x", "x", "tier=back app=X"),
        pod("ns/y", "y", "tier=back app.kubernetes.io/name=Y"),
        pod("ns/z", "z", "tier=bare"),
        pod("else/r3", "reviews-v3", "app=Reviews version=v3"),
    ];
    type Want = (
        Option<&'static str>,
        Option<&'static str>,
        Option<&'static str>,
        Option<&'static str>,
        usize,
    );
    let cases: [(&str, &str, Want); 8] = [
        (
            "all",
            "app=Reviews",
            (Some("Reviews"), Some("Reviews"), Some("Reviews"), None, 2),
        ),
        (
            "one",
            "version=v1 app=Reviews",
            (
                Some("Reviews"),
                Some("Reviews"),
                Some("Reviews"),
                Some("reviews-v1"),
                1,
            ),
        ),
        (
            "plain",
            "version=v1",
            (
                None,
                Some("Reviews"),
                Some("Reviews"),
                Some("reviews-v1"),
                1,
            ),
        ),
        ("mixed", "tier=back", (None, None, None, None, 2)),
        ("bare", "tier=bare", (None, None, Some("z"), Some("z"), 1)),
        ("gone", "version=v0", (None, None, None, None, 0)),
        (
            "nobody",
            "app=nobody",
            (Some("nobody"), None, None, None, 0),
        ),
        ("by-hand", "", (None, None, None, None, 0)),
    ];
    let services = cases.map(|(name, selector, _)| service(&format!("ns/{name}"), selector));
    let directory = Directory::build(pods.clone(), services.clone(), NONE, &AppLabels::default());
    for (name, selector, want) in cases {
        let s = directory.service("ns", name).unwrap();
        let got = (
            s.app,
            s.app_of_pods,
            s.canonical_of_pods,
            s.workload,
            s.workloads,
        );
        assert_eq!(got, want, "{name}: {selector}");
    }
    assert!(directory.service("else", "all").is_none());
    assert!(directory.backs("ns", "all", "reviews-v2"));
    assert!(!directory.backs("ns", "one", "reviews-v2"));
    assert!(
        !directory.backs("ns", "all", "reviews-v3"),
        "another namespace's"
    );

    // Some Pods are missing: the one workload seen may not be the only one.
    let directory = Directory::build(pods, services, NONE, &AppLabels::default()).truncated();
    let one = directory.service("ns", "one").unwrap();
    assert_eq!(
        (one.app, one.app_of_pods, one.workload),
        (Some("Reviews"), None, None)
    );
    assert_eq!(directory.app(None, "reviews"), None);
    let there = directory.app(Some("ns"), "reviews");
    assert_eq!(there.map(|app| app.name), Some("Reviews"));
    assert!(directory.pod("ns", "r2").is_some());
    assert_eq!(directory.pod_named("r2"), None);
    assert_eq!(directory.workload("ns", "X"), None);
}

#[test]
fn what_applications_call_themselves() {
    let directory = Directory::build(
        [
            pod("shop/o", "orders-v1", "app=Orders"),
            pod("shop/c", "cart-v1", "app=cart"),
            pod("shop/C", "cart-v2", "app=Cart"),
            pod("shop/n", "nameless", ""),
            pod("shop/m1", "both", "app=m1"),
            pod("shop/m2", "both", "app=m2"),
            pod("stage/o", "orders-v1", "app=Orders"),
            pod("stage/p", "pay-v1", "app=pay"),
            pod("other/p", "p", "app=PAY"),
        ],
        [
            service("shop/orders-service", "app=Orders"),
            service("shop/basket", "app=cart"),
            service("stage/basket", "app=pay"),
            service("shop/pay", "app=Orders"),
            service("shop/nothing", "x=y"),
        ],
        NONE,
        &AppLabels::default(),
    );
    for (namespace, name, want) in [
        (Some("shop"), "orders", Some(("Orders", Some("shop")))),
        (Some("shop"), "ORDERS", Some(("Orders", Some("shop")))),
        (Some("shop"), "Orders", Some(("Orders", Some("shop")))),
        (
            Some("shop"),
            "Orders-Service",
            Some(("Orders", Some("shop"))),
        ),
        (Some("shop"), "orders-V1", Some(("Orders", Some("shop")))),
        // The exact one wins; else two fit equally well.
        (Some("shop"), "cart", Some(("cart", Some("shop")))),
        (Some("shop"), "Cart", Some(("Cart", Some("shop")))),
        (Some("shop"), "CART", None),
        (Some("shop"), "Order.Api", None),
        (Some("shop"), "order", None),
        (Some("shop"), "nameless", None),
        (Some("shop"), "nothing", None),
        (Some("shop"), "both", None),
        (Some("shop"), "", None),
        (Some("shop"), "größe", None),
        (Some("nowhere"), "orders", None),
        // Without a namespace: one app of the whole mesh, maybe in several.
        (None, "orders", Some(("Orders", None))),
        (None, "orders-service", Some(("Orders", Some("shop")))),
        (None, "pay", Some(("pay", Some("stage")))),
        (None, "Pay", None),
        (None, "basket", None),
        (None, "\u{212A}", None),
    ] {
        let got = directory.app(namespace, name);
        let got = got.map(|app| (app.name, app.namespace));
        assert_eq!(got, want, "{name} in {namespace:?}");
    }
}

#[test]
fn pods_and_namespaces_by_name() {
    let records = [NamespaceRecord {
        name: "empty".to_owned(),
        labels: labels("istio.io/use-waypoint=w"),
        ..NamespaceRecord::default()
    }];
    let none: [ServiceRecord; 0] = [];
    let pods = [
        pod("a/db-0", "db", ""),
        pod("b/db-0", "db", "app=db"),
        pod("b/db2-0", "db2", "app=db"),
        pod("b/web-x", "web", "app=web"),
        pod("b/web-y", "web", "app=web"),
    ];
    let directory = Directory::build(pods, none, records, &AppLabels::default());
    for (app, want) in [("db", None), ("web", Some("web")), ("none", None)] {
        assert_eq!(directory.workload("b", app), want, "{app}");
    }
    assert_eq!(directory.workload("a", "web"), None, "of another namespace");
    assert_eq!(directory.pod("a", "db-0").map(|p| p.workload), Some("db"));
    assert_eq!(directory.pod("a", "web-x"), None);
    assert_eq!(directory.pod_named("db-0"), None, "in two namespaces");
    assert_eq!(directory.pod_named("web-x").map(|p| p.namespace), Some("b"));
    for (name, is_one) in [("empty", true), ("a", true), ("c", false)] {
        assert_eq!(directory.has_namespace(name), is_one);
    }
    let labels = directory.namespace_labels("empty").unwrap();
    assert_eq!(
        labels.get("istio.io/use-waypoint").map(String::as_str),
        Some("w")
    );
    assert_eq!(
        directory.namespace_labels("a"),
        None,
        "only known by its Pods"
    );
    assert!(Directory::default().is_empty() && !directory.is_empty());
}
