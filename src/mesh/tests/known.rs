//! The rules where Kubernetes is watched: a mesh whose labels are in odd cases.
use super::*;
use crate::mesh::directory::{Labels, NamespaceRecord, PodRecord, ServiceRecord};
use std::sync::Arc;

pub(super) fn labels(text: &str) -> Arc<Labels> {
    let pairs = text.split_whitespace().filter_map(|p| p.split_once('='));
    Arc::new(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
}

pub(super) fn pod(namespace: &str, name: &str, workload: &str, ip: &str, of: &str) -> PodRecord {
    PodRecord {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        addresses: ip.parse().into_iter().collect(),
        labels: labels(of),
        workload: Some(workload.to_owned()),
        ..PodRecord::default()
    }
}

pub(super) fn service(namespace: &str, name: &str, selector: &str) -> ServiceRecord {
    ServiceRecord {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        selector: labels(selector),
        ..ServiceRecord::default()
    }
}

/// What is known about the mesh, for a Kiali.
pub(super) fn mesh(settings: &MeshSettings) -> Knowledge {
    let mut knowledge = Knowledge::of(settings);
    let pods = [
        pod(
            "bookinfo",
            "reviews-v1-794db9df8f-8ksxt",
            "reviews-v1",
            "10.0.0.1",
            "app=Reviews version=v1",
        ),
        pod(
            "bookinfo",
            "reviews-v2-794db9df8f-8ksxt",
            "reviews-v2",
            "10.0.0.2",
            "app=Reviews version=v2",
        ),
        pod(
            "bookinfo",
            "ratings-v1-xx",
            "ratings-v1",
            "10.0.0.3",
            "app=Ratings app.kubernetes.io/name=RATINGS",
        ),
        pod(
            "bookinfo",
            "gw-6754756766-pmxnn",
            "gw",
            "10.0.0.4",
            "gateway.networking.k8s.io/gateway-name=gw app=edge",
        ),
        pod(
            "infra",
            "wp-5b7c754ccb-55jwk",
            "way-point-6",
            "10.0.0.5",
            "gateway.networking.k8s.io/gateway-name=wp",
        ),
        pod("shop", "orders-1", "orders", "10.0.0.6", "app=Orders"),
        pod("shop", "plain-1", "plain", "10.0.0.7", ""),
        pod("shop", "dotted-1", "dotted", "10.0.0.8", "app=my.shop"),
        pod(
            "observability",
            "otel-collector-1",
            "otel-collector",
            "10.0.0.9",
            "app=otel-collector",
        ),
        pod("shop", "hotel-1", "hotel", "10.0.0.10", "app=Hotel"),
    ];
    let services = [
        service("bookinfo", "reviews", "app=Reviews"),
        service("bookinfo", "reviews-v2", "app=Reviews version=v2"),
        service("bookinfo", "ratings", "app=Ratings"),
        service("shop", "orders-service", "app=Orders"),
    ];
    let namespaces = [NamespaceRecord {
        name: "shop".to_owned(),
        ..NamespaceRecord::default()
    }];
    let labels = knowledge.scheme.app_labels();
    knowledge.directory = Arc::new(Directory::build(pods, services, namespaces, labels));
    knowledge
}

const REVIEWS: &str = "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local";
const SIDECAR: &str =
    "sidecar~10.0.0.1~reviews-v1-794db9df8f-8ksxt.bookinfo~bookinfo.svc.cluster.local";
const RATINGS: &str = "sidecar~10.0.0.3~ratings-v1-xx.bookinfo~bookinfo.svc.cluster.local";
const GATEWAY: &str = "router~10.0.0.4~gw-6754756766-pmxnn.bookinfo~bookinfo.svc.cluster.local";
const WAYPOINT: &str = "waypoint~10.0.0.5~wp-5b7c754ccb-55jwk.infra~infra.svc.cluster.local";

#[test]
fn names_of_proxies() {
    let host = "Reviews.bookinfo.svc.cluster.local";
    for (minor, waypoint, node_id, emitted, cluster, want) in [
        (30, false, WAYPOINT, "wp.infra", REVIEWS, host),
        // The owner's name rather than a guess by the Pod's.
        (
            30,
            true,
            WAYPOINT,
            "wp.infra",
            REVIEWS,
            "way-point-6.bookinfo",
        ),
        (
            30,
            false,
            WAYPOINT,
            "wp.infra",
            "encap",
            "way-point-6.infra",
        ),
        (4, false, WAYPOINT, "wp.infra", REVIEWS, "Reviews.bookinfo"),
        (
            30,
            false,
            SIDECAR,
            "reviews.bookinfo",
            "inbound|9080||",
            "Reviews.bookinfo",
        ),
        (
            30,
            false,
            SIDECAR,
            "reviews-v1",
            "inbound|9080||",
            "Reviews.bookinfo",
        ),
        // Two labels: Kiali's order, and `app` alone before 2.6.
        (
            30,
            false,
            RATINGS,
            "Ratings.bookinfo",
            "inbound|9080||",
            "RATINGS.bookinfo",
        ),
        (
            5,
            false,
            RATINGS,
            "ratings.bookinfo",
            "inbound|9080||",
            "Ratings.bookinfo",
        ),
        (30, false, GATEWAY, "edge.bookinfo", REVIEWS, "gw.bookinfo"),
        (
            4,
            false,
            GATEWAY,
            "gateway.bookinfo",
            REVIEWS,
            "edge.bookinfo",
        ),
    ] {
        let settings = settings(minor, true, waypoint);
        let tags = [
            ("node_id", node_id),
            ("upstream_cluster", cluster),
            ("component", "proxy"),
        ];
        let span = span(emitted, "x", 2, &tags);
        let out = apply_with(&span, &settings, &mesh(&settings));
        assert_eq!(out.service_name(), want, "2.{minor} {node_id} {cluster}");
    }
}

#[test]
fn destinations() {
    let app = "istio.destination_app";
    let canonical = "istio.destination_canonical_service";
    let workload = "istio.destination_workload";
    for (host, extra, want) in [
        // Two workloads: which of them it was cannot be told.
        (
            "reviews.bookinfo",
            None,
            [Some("Reviews"), Some("Reviews"), None],
        ),
        (
            "reviews-v2.bookinfo",
            None,
            [Some("Reviews"), Some("Reviews"), Some("reviews-v2")],
        ),
        (
            "ratings.bookinfo",
            None,
            [Some("Ratings"), Some("RATINGS"), Some("ratings-v1")],
        ),
        (
            "unknown.bookinfo",
            None,
            [Some("unknown"), Some("unknown"), None],
        ),
        // What is there stays.
        (
            "ratings.bookinfo",
            Some((workload, "ratings-v9")),
            [Some("Ratings"), Some("RATINGS"), Some("ratings-v9")],
        ),
        (
            "ratings.bookinfo",
            Some((canonical, "ratings")),
            [Some("Ratings"), Some("ratings"), Some("ratings-v1")],
        ),
    ] {
        let settings = settings(30, true, true);
        for node_id in [WAYPOINT, GATEWAY] {
            let cluster = format!("outbound|9080||{host}.svc.cluster.local");
            let mut tags = vec![("node_id", node_id), ("upstream_cluster", cluster.as_str())];
            tags.extend(extra);
            let out = apply_with(&span("a.b", "x", 3, &tags), &settings, &mesh(&settings));
            let got = [app, canonical, workload].map(|key| out.tag(key));
            assert_eq!(got, want, "{host} {extra:?}");
        }
    }
}

type Tags = &'static [(&'static str, &'static str)];

#[test]
fn applications() {
    let mut settings = settings(30, true, false);
    let renames = [
        ("Order.Api", "orders"),
        ("Pay.Api", "payments"),
        ("Review.Api", "reviews-v1.bookinfo"),
    ];
    settings.rename = renames
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into();
    let pod: Tags = &[("k8s.pod.name", "orders-1"), ("k8s.namespace.name", "shop")];
    let pod_alone: Tags = &[("k8s.pod.name", "orders-1")];
    let foreign: Tags = &[("k8s.pod.name", "elsewhere-1")];
    let shop: Tags = &[("k8s.namespace.name", "shop")];
    let bookinfo: Tags = &[("k8s.namespace.name", "bookinfo")];
    let logical: Tags = &[("service.namespace", "team-a")];
    let cases: &[(&str, Tags, &str, &str, Option<&str>)] = &[
        // By the Pod, whatever the name.
        ("Anything", pod, "", "Orders.shop", Some("orders-1")),
        ("Anything", pod_alone, "", "Orders.shop", Some("orders-1")),
        (
            "Anything",
            &[("k8s.pod.ip", "10.0.0.6")],
            "",
            "Orders.shop",
            Some("orders-1"),
        ),
        (
            "Anything",
            &[("host.name", "orders-1")],
            "",
            "Orders.shop",
            Some("orders-1"),
        ),
        (
            "Anything",
            &[("hostname", "orders-1")],
            "",
            "Orders.shop",
            Some("orders-1"),
        ),
        (
            "unknown_service:dotnet",
            pod,
            "",
            "Orders.shop",
            Some("orders-1"),
        ),
        ("Anything", &[], "10.0.0.6", "Orders.shop", Some("orders-1")),
        ("Anything", &[], "10.0.0.10", "Hotel.shop", Some("hotel-1")),
        // A label's own dots are no namespace.
        ("x", &[], "10.0.0.8", "my.shop.shop", Some("dotted-1")),
        // A Pod without the label: its namespace, and the name's own meaning.
        ("plain", &[], "10.0.0.7", "plain.shop", Some("plain-1")),
        // A Pod that is not known here is not the one who sent it either.
        (
            "Anything",
            foreign,
            "10.0.0.6",
            "Anything",
            Some("elsewhere-1"),
        ),
        // By its name.
        ("ORDERS", shop, "", "Orders.shop", Some("orders")),
        ("Orders.shop", shop, "", "Orders.shop", Some("orders")),
        ("orders-service", shop, "", "Orders.shop", Some("orders")),
        ("reviews", bookinfo, "", "Reviews.bookinfo", None),
        (
            "ratings",
            bookinfo,
            "",
            "RATINGS.bookinfo",
            Some("ratings-v1"),
        ),
        ("orders.shop", &[], "", "Orders.shop", None),
        ("orders-service", &[], "", "Orders.shop", None),
        ("ORDERS", logical, "", "Orders.shop", None),
        ("reviews-V1", &[], "", "Reviews.bookinfo", None),
        ("Order.Web", shop, "", "Order.Web.shop", None),
        // A rename wins, and means an app as any other name does.
        ("Order.Api", pod, "", "Orders.shop", Some("orders-1")),
        ("Order.Api", shop, "", "Orders.shop", Some("orders")),
        ("Order.Api", &[], "", "Orders.shop", None),
        (
            "Order.Api",
            &[],
            "10.0.0.6",
            "Orders.shop",
            Some("orders-1"),
        ),
        ("Order.Api", &[], "10.0.0.10", "Orders.shop", None),
        ("Review.Api", &[], "", "Reviews.bookinfo", None),
        ("Pay.Api", pod, "", "payments.shop", Some("orders-1")),
        ("Pay.Api", &[], "", "payments", None),
        // Who passes on what others send is not the sender.
        ("Anything", &[], "10.0.0.9", "Anything", None),
        ("Anything", &[], "10.0.0.4", "Anything", None),
        ("reviews", &[], "10.0.0.6", "Reviews.bookinfo", None),
        ("Anything", &[], "127.0.0.1", "Anything", None),
        // Nor is a Pod of another namespace than the resource names.
        ("Anything", shop, "10.0.0.1", "Anything.shop", None),
    ];
    let knowledge = mesh(&settings);
    for (emitted, resource, peer, want, hostname) in cases {
        let mut span = span(emitted, "x", 2, &[]);
        let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
        span.resource.extend(resource.iter().map(own));
        span.peer = peer.parse().ok();
        let out = apply_with(&span, &settings, &knowledge);
        let got = (out.service_name(), out.resource_tag("hostname"));
        assert_eq!(
            got,
            (*want, *hostname),
            "{emitted} {resource:?} from {peer:?}"
        );
        assert_eq!(out.tag("istio.cluster_id"), Some("Kubernetes"));
        assert_eq!(
            apply_with(&out, &settings, &knowledge),
            out,
            "{emitted} {resource:?}"
        );
    }
}

#[test]
fn ends_of_connections() {
    let settings = settings(30, true, false);
    let knowledge = mesh(&settings);
    for (direction, to, want, workload) in [
        ("outbound", "orders-1", "RATINGS.bookinfo", "orders"),
        ("inbound", "orders-1", "Orders.shop", "orders"),
        // A Pod that is not known, or has no label, has its service's app.
        (
            "inbound",
            "new-v1-54bb874995-8qdrz",
            "Orders.shop",
            "new-v1",
        ),
        ("inbound", "plain-1", "Orders.shop", "plain"),
    ] {
        let tags = [
            ("direction", direction),
            ("src.workload", "ratings-v1-xx"),
            ("src.namespace", "bookinfo"),
            ("dst.workload", to),
            ("dst.namespace", "shop"),
            ("dst.service", "orders-service.shop.svc.cluster.local"),
        ];
        let span = span("ztunnel", "x", 3, &tags);
        let out = apply_with(&span, &settings, &knowledge);
        assert_eq!(out.service_name(), want, "{direction} {to}");
        for (tag, text) in [
            ("istio.source_workload", "ratings-v1"),
            ("istio.source_namespace", "bookinfo"),
            ("istio.destination_workload", workload),
            ("istio.destination_namespace", "shop"),
            ("istio.destination_app", "Orders"),
        ] {
            assert_eq!(out.tag(tag), Some(text), "{tag}, {direction} {to}");
        }
        assert_eq!(apply_with(&out, &settings, &knowledge), out);
    }
}

/// The application, with what its resource says, as the rules leave it.
fn application(
    emitted: &str,
    resource: &[(&str, &str)],
    settings: &MeshSettings,
    knowledge: &Knowledge,
) -> (String, Option<String>) {
    let mut span = span(emitted, "x", 2, &[]);
    let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    span.resource.extend(resource.iter().map(own));
    let out = apply_with(&span, settings, knowledge);
    assert_eq!(apply_with(&out, settings, knowledge), out, "{emitted}");
    let hostname = out.resource_tag("hostname").map(str::to_owned);
    (out.service_name().to_owned(), hostname)
}

/// What is known is this cluster's, and another's spans are not told of it.
#[test]
fn other_clusters() {
    // The default is given to no cluster: who has another may still be this one.
    for (own, others, is_foreign) in [
        ("east", "east", false),
        ("east", "west", true),
        ("east", "Kubernetes", true),
        ("east", "", false),
        ("Kubernetes", "west", false),
        ("", "west", false),
    ] {
        let settings = MeshSettings {
            cluster_id: own.to_owned(),
            ..settings(30, true, false)
        };
        let knowledge = mesh(&settings);
        let row = format!("{others} seen from {own}");
        let (app, workload) = match is_foreign {
            true => ("ratings", None),
            false => ("Ratings", Some("ratings-v1")),
        };
        let tags = [
            ("node_id", WAYPOINT),
            (
                "upstream_cluster",
                "outbound|9080||ratings.bookinfo.svc.cluster.local",
            ),
            ("istio.cluster_id", others),
        ];
        let out = apply_with(&span("wp.infra", "x", 3, &tags), &settings, &knowledge);
        assert_eq!(out.tag("istio.destination_app"), Some(app), "{row}");
        assert_eq!(out.tag("istio.destination_workload"), workload, "{row}");

        let tags = [
            ("direction", "outbound"),
            ("src.workload", "wp-5b7c754ccb-55jwk"),
            ("src.namespace", "infra"),
            ("istio.cluster_id", others),
        ];
        let out = apply_with(&span("ztunnel", "x", 3, &tags), &settings, &knowledge);
        let workload = if is_foreign { "wp" } else { "way-point-6" };
        assert_eq!(out.tag("istio.source_workload"), Some(workload), "{row}");

        let resource = [("k8s.namespace.name", "shop"), ("istio.cluster_id", others)];
        let got = application("ORDERS", &resource, &settings, &knowledge);
        let want = match is_foreign {
            true => ("ORDERS.shop", None),
            false => ("Orders.shop", Some("orders".to_owned())),
        };
        assert_eq!(got, (want.0.to_owned(), want.1), "{row}");
    }
}

/// The only one of those seen need not be the only one.
#[test]
fn a_part_of_the_mesh() {
    let all = settings(30, true, false);
    let mut part = all.clone();
    part.kubernetes.namespaces = ["bookinfo".to_owned(), "shop".to_owned()].into();
    let shop = ("k8s.namespace.name", "shop");
    let pod = ("k8s.pod.name", "orders-1");
    let ip = ("k8s.pod.ip", "10.0.0.6");
    for (emitted, resource, whole, of_part) in [
        ("ORDERS", &[][..], "Orders.shop", "ORDERS"),
        ("Anything", &[pod], "Orders.shop", "Anything"),
        ("ORDERS", &[shop], "Orders.shop", "Orders.shop"),
        ("orders.shop", &[], "Orders.shop", "Orders.shop"),
        ("Anything", &[pod, shop], "Orders.shop", "Orders.shop"),
        ("Anything", &[ip], "Orders.shop", "Orders.shop"),
    ] {
        for (settings, want) in [(&all, whole), (&part, of_part)] {
            let (name, _) = application(emitted, resource, settings, &mesh(settings));
            assert_eq!(name, want, "{emitted} {resource:?}");
        }
    }
}

#[test]
fn letter_case_preserved() {
    let mut settings = settings(30, true, false);
    settings.case = Case::Preserve;
    settings.rename = [("Order.Api".to_owned(), "orderS".to_owned())].into();
    let shop = ("k8s.namespace.name", "shop");
    let pod = ("k8s.pod.name", "orders-1");
    for (emitted, resource, want) in [
        ("ORDERS", &[shop][..], "ORDERS.shop"),
        ("ORDERS", &[], "ORDERS.shop"),
        ("ORDERS", &[pod], "ORDERS.shop"),
        ("ORDERS.shop", &[], "ORDERS.shop"),
        ("Order.Api", &[], "orderS.shop"),
        // More than the case differs.
        ("orders-service", &[shop], "Orders.shop"),
        ("Anything", &[pod], "Orders.shop"),
        ("ANYTHING", &[shop], "ANYTHING.shop"),
    ] {
        let (name, _) = application(emitted, resource, &settings, &mesh(&settings));
        assert_eq!(name, want, "{emitted} {resource:?}");
    }
}
