//! The rules, one kind of hop at a time.
use super::*;

const WAYPOINT: &str =
    "waypoint~10.244.0.28~waypoint-5b7c754ccb-55jwk.bookinfo~bookinfo.svc.cluster.local";
const ROUTER: &str = "router~10.244.0.27~bookinfo-gateway-istio-6754756766-pmxnn.bookinfo~bookinfo.svc.cluster.local";
const SIDECAR: &str =
    "sidecar~10.244.0.11~reviews-v1-794db9df8f-8ksxt.bookinfo~bookinfo.svc.cluster.local";

fn name(span: &Span, settings: &MeshSettings) -> String {
    apply(span, settings).service_name().to_owned()
}

fn istio<'a>(span: &'a Span, tag: &str) -> Option<&'a str> {
    span.tag(&format!("istio.{tag}"))
}

fn waypoint(service: &str, cluster: &str) -> Span {
    span(
        service,
        "route",
        2,
        &[
            ("node_id", WAYPOINT),
            ("component", "proxy"),
            ("upstream_cluster", cluster),
            ("istio.canonical_service", "waypoint"),
            ("istio.namespace", "bookinfo"),
        ],
    )
}

#[test]
fn a_waypoint_is_named_by_the_scheme_whatever_istio_emitted() {
    let cluster = "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local";
    for emitted in [
        "waypoint.bookinfo",
        "reviews.bookinfo.svc.cluster.local",
        "waypoint",
    ] {
        for (settings, want) in [
            (settings(4, true, false), "reviews.bookinfo"),
            (settings(7, true, false), "waypoint.bookinfo"),
            (settings(7, false, false), "waypoint"),
            (settings(30, true, true), "waypoint.bookinfo"),
            (
                settings(30, true, false),
                "reviews.bookinfo.svc.cluster.local",
            ),
            (settings(30, false, false), "reviews.svc.cluster.local"),
        ] {
            let out = apply(&waypoint(emitted, cluster), &settings);
            assert_eq!(out.service_name(), want, "{emitted}");
            let original = out.resource_tag(key::ORIGINAL_SERVICE_NAME);
            assert_eq!(original, (emitted != want).then_some(emitted));
            assert_eq!(istio(&out, "destination_app"), Some("reviews"));
            assert_eq!(
                istio(&out, "destination_canonical_service"),
                Some("reviews")
            );
            assert_eq!(istio(&out, "destination_namespace"), Some("bookinfo"));
            assert_eq!(istio(&out, "destination_workload"), None);
            assert_eq!(istio(&out, "cluster_id"), Some("Kubernetes"));
            assert_eq!(istio(&out, "source_canonical_service"), None);
        }
    }
}

#[test]
fn a_cross_namespace_waypoint_is_named_in_the_destinations_namespace() {
    let span = waypoint(
        "waypoint.bookinfo",
        "inbound-vip|80|http|cart.shop.svc.cluster.local",
    );
    assert_eq!(name(&span, &settings(7, true, false)), "waypoint.shop");
    assert_eq!(
        name(&span, &settings(30, true, false)),
        "cart.shop.svc.cluster.local"
    );
}

#[test]
fn a_custom_trust_domain_is_followed() {
    let span = waypoint(
        "reviews.bookinfo.svc.k8s.corp",
        "inbound-vip|80|http|reviews.bookinfo.svc.k8s.corp",
    );
    let mut settings = settings(30, true, false);
    settings.kiali.trust_domain = "corp".to_owned();
    assert_eq!(name(&span, &settings), "reviews.bookinfo.svc.corp");
}

#[test]
fn a_waypoint_without_destination_keeps_its_own_pages_name() {
    for cluster in [
        "encap",
        "inbound-vip|443|http|httpbin.org",
        "outbound|80||10.0.0.1",
        "",
    ] {
        for (settings, want) in [
            (settings(7, true, false), "waypoint.bookinfo"),
            (settings(30, true, false), "waypoint.bookinfo"),
            (settings(30, false, false), "waypoint"),
        ] {
            assert_eq!(
                name(&waypoint("waypoint.bookinfo", cluster), &settings),
                want,
                "{cluster}"
            );
        }
    }
    let out = apply(
        &waypoint("waypoint.bookinfo", "inbound-vip|443|http|httpbin.org"),
        &MeshSettings::default(),
    );
    assert_eq!(
        istio(&out, "destination_canonical_service"),
        Some("httpbin.org")
    );
    assert_eq!(istio(&out, "destination_namespace"), None);
    let out = apply(
        &waypoint("waypoint.bookinfo", "encap"),
        &MeshSettings::default(),
    );
    assert_eq!(istio(&out, "destination_canonical_service"), None);
}

#[test]
fn tags_of_istio_win_and_stay() {
    let mut span = waypoint(
        "waypoint.bookinfo",
        "inbound-vip|80|http|reviews-svc.bookinfo.svc.cluster.local",
    );
    for (tag, text) in [
        ("istio.destination_canonical_service", "reviews"),
        ("istio.destination_namespace", "bookinfo"),
        ("istio.cluster_id", "east"),
    ] {
        span.attributes.push((tag.to_owned(), text.to_owned()));
    }
    let out = apply(&span, &MeshSettings::default());
    assert_eq!(out.service_name(), "reviews.bookinfo.svc.cluster.local");
    assert_eq!(istio(&out, "destination_app"), Some("reviews"));
    assert_eq!(istio(&out, "cluster_id"), Some("east"));
    assert_eq!(out.attributes[..span.attributes.len()], span.attributes[..]);
}

#[test]
fn a_gateway_is_named_by_its_workload_and_says_who_called_whom() {
    let cluster = "outbound|9080||productpage.bookinfo.svc.cluster.local";
    let tags = [
        ("component", "proxy"),
        ("upstream_cluster", cluster),
        ("istio.canonical_service", "gw-label"),
        ("istio.namespace", "bookinfo"),
    ];
    let spawned = "router outbound|9080||productpage.bookinfo.svc.cluster.local; egress";
    let mut server = span("gw-label.bookinfo", "route", 2, &tags);
    server
        .attributes
        .push(("node_id".to_owned(), ROUTER.to_owned()));
    let mut client = span("gw-label.bookinfo", spawned, 3, &tags);
    client.kin = parent(ROUTER);
    for span in [server, client] {
        let out = apply(&span, &MeshSettings::default());
        assert_eq!(out.service_name(), "bookinfo-gateway-istio.bookinfo");
        assert_eq!(
            name(&span, &settings(7, false, false)),
            "bookinfo-gateway-istio"
        );
        assert_eq!(istio(&out, "source_canonical_service"), Some("gw-label"));
        assert_eq!(istio(&out, "source_namespace"), Some("bookinfo"));
        assert_eq!(
            istio(&out, "destination_canonical_service"),
            Some("productpage")
        );
    }
    let mut old = span("label.bookinfo", spawned, 3, &tags);
    old.kin = parent(ROUTER);
    assert_eq!(name(&old, &settings(4, true, false)), "label.bookinfo");
    // Alone, the spawned span keeps what Istio called it.
    let alone = span("gw.bookinfo", spawned, 3, &tags);
    assert_eq!(name(&alone, &settings(30, true, true)), "gw.bookinfo");
    assert_eq!(name(&alone, &settings(30, false, true)), "gw");
    let semantic = span("gw-1", spawned, 3, &tags);
    assert_eq!(
        name(&semantic, &settings(30, true, true)),
        "gw-label.bookinfo"
    );
}

#[test]
fn a_sidecar_is_named_by_its_app() {
    let tags = [
        ("node_id", SIDECAR),
        ("component", "proxy"),
        (
            "upstream_cluster",
            "outbound|9080||ratings.bookinfo.svc.cluster.local",
        ),
        ("istio.canonical_service", "reviews"),
        ("istio.namespace", "bookinfo"),
    ];
    // By app label, by workload, by semantic conventions, without namespace.
    for emitted in [
        "reviews.bookinfo",
        "reviews-v1.bookinfo",
        "reviews-v1",
        "reviews",
        "",
    ] {
        for kind in [2, 3] {
            let span = span(emitted, "route", kind, &tags);
            let out = apply(&span, &MeshSettings::default());
            assert_eq!(out.service_name(), "reviews.bookinfo", "{emitted}");
            assert_eq!(
                name(&span, &settings(7, false, false)),
                "reviews",
                "{emitted}"
            );
            let client = kind == 3;
            assert_eq!(istio(&out, "destination_app"), client.then_some("ratings"));
            assert_eq!(
                istio(&out, "source_canonical_service"),
                client.then_some("reviews")
            );
        }
    }
    // Kiali before 2.6 knew one label only.
    let labelled = span("front.bookinfo", "route", 2, &tags);
    for (minor, want) in [
        (4, "front.bookinfo"),
        (5, "front.bookinfo"),
        (6, "reviews.bookinfo"),
    ] {
        assert_eq!(
            name(&labelled, &settings(minor, true, false)),
            want,
            "{minor}"
        );
    }
    let untagged = [("node_id", SIDECAR), ("component", "proxy")];
    for (emitted, want) in [
        ("reviews.bookinfo", "reviews.bookinfo"),
        ("reviews", "reviews.bookinfo"),
        ("unknown_service:envoy", "reviews-v1.bookinfo"),
    ] {
        assert_eq!(
            name(
                &span(emitted, "route", 2, &untagged),
                &MeshSettings::default()
            ),
            want
        );
    }
}

#[test]
fn proxies_of_unknown_types_keep_their_name() {
    let tags = [
        ("node_id", "agent~10.0.0.1~a-1.ns~ns.svc.cluster.local"),
        ("component", "proxy"),
    ];
    let span = span("whatever", "x", 2, &tags);
    assert_eq!(span.facts().class(), Class::OtherProxy);
    assert_eq!(name(&span, &MeshSettings::default()), "whatever");
}

fn application(service: &str, resource: &[(&str, &str)]) -> Span {
    let mut span = span(service, "GET /", 2, &[]);
    span.resource.extend(
        resource
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
    );
    span
}

#[test]
fn applications_get_the_apps_name() {
    let mut settings = MeshSettings::default();
    settings
        .rename
        .insert("Order.Api".to_owned(), "Orders".to_owned());
    let in_shop = &[("k8s.namespace.name", "shop")][..];
    for (emitted, resource, want) in [
        ("cart", &[][..], "cart"),
        ("cart", in_shop, "cart.shop"),
        ("cart.shop", in_shop, "cart.shop"),
        ("Cart", in_shop, "Cart.shop"),
        ("Order.Api", in_shop, "Orders.shop"),
        ("Order.Api", &[][..], "Orders"),
        ("order.api", &[][..], "order.api"),
        ("cart", &[("service.namespace", "shop")][..], "cart.shop"),
        ("unknown_service:python", in_shop, "unknown_service:python"),
        ("", in_shop, ""),
    ] {
        assert_eq!(
            name(&application(emitted, resource), &settings),
            want,
            "{emitted}"
        );
    }
    settings.case = Case::Lower;
    assert_eq!(name(&application("Cart", in_shop), &settings), "cart.shop");
    assert_eq!(
        name(&application("Order.Api", in_shop), &settings),
        "Orders.shop"
    );
    settings.kiali.namespace_selector = false;
    assert_eq!(name(&application("Cart", in_shop), &settings), "cart");
}

#[test]
fn applications_can_be_found() {
    let pod = ("k8s.pod.name", "cart-5b7c754ccb-55jwk");
    let out = apply(&application("cart", &[pod]), &MeshSettings::default());
    assert_eq!(istio(&out, "cluster_id"), Some("Kubernetes"));
    assert_eq!(out.resource_tag("hostname"), Some("cart-5b7c754ccb-55jwk"));
    let host = ("host.name", "laptop");
    assert_eq!(
        apply(&application("cart", &[host]), &MeshSettings::default()).resource_tag("hostname"),
        None
    );
    let on_resource = application("cart", &[("istio.cluster_id", "east")]);
    assert_eq!(
        istio(&apply(&on_resource, &MeshSettings::default()), "cluster_id"),
        None
    );
    let none = MeshSettings {
        cluster_id: String::new(),
        ..MeshSettings::default()
    };
    assert_eq!(
        istio(&apply(&application("cart", &[]), &none), "cluster_id"),
        None
    );
}

fn ztunnel(direction: &str, tags: &[(&str, &str)]) -> Span {
    let mut span = span("ztunnel", "connection", 1, tags);
    span.attributes
        .push(("direction".to_owned(), direction.to_owned()));
    span
}

#[test]
fn ztunnel_is_named_by_the_side_it_stands_on() {
    // It writes the Pod's name, or the workload's where it does not know that.
    for (source, destination) in [
        ("productpage-v1", "cart-v2"),
        ("productpage-v1-54bb874995-8qdrz", "cart-v2-0"),
    ] {
        let tags = [
            ("src.workload", source),
            ("src.namespace", "bookinfo"),
            ("dst.workload", destination),
            ("dst.namespace", "shop"),
            ("dst.service", "cart.shop.svc.cluster.local"),
        ];
        for (direction, want, short, pod) in [
            ("inbound", "cart.shop", "cart", destination),
            ("outbound", "productpage.bookinfo", "productpage", source),
        ] {
            let span = ztunnel(direction, &tags);
            let out = apply(&span, &MeshSettings::default());
            assert_eq!(out.service_name(), want);
            assert_eq!(name(&span, &settings(30, false, false)), short);
            assert_eq!(out.resource_tag("hostname"), Some(pod));
            assert_eq!(istio(&out, "source_workload"), Some("productpage-v1"));
            assert_eq!(istio(&out, "source_namespace"), Some("bookinfo"));
            assert_eq!(istio(&out, "destination_workload"), Some("cart-v2"));
            assert_eq!(istio(&out, "destination_app"), Some("cart"));
            assert_eq!(istio(&out, "destination_namespace"), Some("shop"));
            assert_eq!(istio(&out, "cluster_id"), Some("Kubernetes"));
        }
    }
}

#[test]
fn ztunnel_without_a_service_is_named_by_its_workload() {
    let tags = [
        ("dst.workload", "redis-v1-54bb874995-8qdrz"),
        ("dst.namespace", "shop"),
    ];
    let out = apply(&ztunnel("inbound", &tags), &MeshSettings::default());
    assert_eq!(out.service_name(), "redis.shop");
    assert_eq!(istio(&out, "destination_workload"), Some("redis-v1"));
    assert_eq!(istio(&out, "destination_namespace"), Some("shop"));
    assert_eq!(istio(&out, "source_workload"), None);
    // Nor does a ServiceEntry's host name an app of the mesh.
    let external = [&tags[..], &[("dst.service", "redis.example.com")]].concat();
    let out = apply(&ztunnel("inbound", &external), &MeshSettings::default());
    assert_eq!(out.service_name(), "redis.shop");
}

#[test]
fn ztunnel_before_a_waypoint_of_another_namespace() {
    let tags = [
        ("src.workload", "productpage-v1-54bb874995-8qdrz"),
        ("src.namespace", "bookinfo"),
        ("dst.workload", "waypoint-5b7c754ccb-55jwk"),
        ("dst.namespace", "infra"),
        ("dst.service", "cart.shop.svc.cluster.local"),
    ];
    let out = apply(&ztunnel("outbound", &tags), &MeshSettings::default());
    assert_eq!(out.service_name(), "productpage.bookinfo");
    assert_eq!(istio(&out, "destination_canonical_service"), Some("cart"));
    assert_eq!(istio(&out, "destination_namespace"), Some("shop"));
    // `waypoint` is no workload of `shop`.
    assert_eq!(istio(&out, "destination_workload"), None);
    // And at the waypoint itself, the connection is the waypoint's.
    let out = apply(&ztunnel("inbound", &tags), &MeshSettings::default());
    assert_eq!(out.service_name(), "waypoint.infra");
}

#[test]
fn connections_of_the_access_log_are_found_on_both_workloads_pages() {
    use crate::mesh::{
        pages::{Page, PageKind, Question},
        ztunnel::{Connection, FieldValue, Fields, plain},
    };
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, any_value},
        logs::v1::LogRecord,
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans},
    };
    let line = |direction: &str| {
        format!(
            "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
             src.addr=10.0.0.1:4 src.workload=\"web-v1-54bb874995-8qdrz\" src.namespace=\"shop\" \
             dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:6379 \
             dst.service=\"redis.shop.svc.cluster.local\" \
             dst.workload=\"redis-v1-6d8bcd654d-t88gp\" dst.namespace=\"shop\" \
             direction=\"{direction}\" bytes_sent=1 bytes_recv=2 duration=\"1ms\""
        )
    };
    let fields: Fields = plain(&line("inbound")).unwrap();
    assert_eq!(fields.get("bytes_sent"), Some(&FieldValue::Int(1)));
    let made = |direction: &str| {
        let record = LogRecord {
            body: Some(AnyValue {
                value: Some(any_value::Value::StringValue(line(direction))),
            }),
            ..LogRecord::default()
        };
        let mut resource = Resource::default();
        resource
            .attributes
            .push(opentelemetry_proto::tonic::common::v1::KeyValue {
                key: "service.name".to_owned(),
                value: Some(AnyValue {
                    value: Some(any_value::Value::StringValue("ztunnel".to_owned())),
                }),
                ..Default::default()
            });
        model::spans(&ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![ScopeSpans {
                    spans: vec![Connection::of(&record).unwrap().span()],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        })
    };
    let emitted: Vec<Span> = [made("outbound"), made("inbound")].concat();
    for (minor, selector) in [(4, true), (7, true), (7, false), (30, true), (30, false)] {
        let settings = settings(minor, selector, false);
        let spans: Vec<Span> = emitted.iter().map(|span| apply(span, &settings)).collect();
        for (app, workload, at) in [("web", "web-v1", 0), ("redis", "redis-v1", 1)] {
            for (kind, page) in [
                (PageKind::App, app),
                (PageKind::Service, app),
                (PageKind::Workload, workload),
            ] {
                let page = Page::plain(kind, page, app, "shop", None);
                let question = Question::new(&settings.kiali, "Kubernetes", &page);
                let found = question.finds(&spans);
                let own = [&spans[at].trace_id[..]].into();
                assert_eq!(found, own, "Kiali 2.{minor} {selector} {page:?}");
            }
        }
        // A workload without connections shows none.
        let page = Page::plain(PageKind::Workload, "redis-v2", "redis", "shop", None);
        let question = Question::new(&settings.kiali, "Kubernetes", &page);
        assert!(question.finds(&spans).is_empty());
    }
}

#[test]
fn a_status_that_nobody_set_says_what_the_error_tag_says() {
    let mut failed = waypoint("waypoint.bookinfo", "encap");
    failed.error = true;
    let mut off = MeshSettings::default();
    off.repairs.status = false;
    for (status, want) in [(0, 2), (1, 1), (2, 2)] {
        failed.status = status;
        assert_eq!(apply(&failed, &MeshSettings::default()).status, want);
        assert_eq!(apply(&failed, &off).status, status);
    }
    let mut application = span("Order.Api", "GET", 1, &[]);
    assert_eq!(apply(&application, &MeshSettings::default()).status, 0);
    application.error = true;
    assert_eq!(apply(&application, &MeshSettings::default()).status, 2);
}

#[test]
fn a_spawned_span_gets_its_parents_id() {
    let tags = [
        ("component", "proxy"),
        (
            "upstream_cluster",
            "outbound|9080||productpage.bookinfo.svc.cluster.local",
        ),
        ("istio.canonical_service", "gw"),
        ("istio.namespace", "bookinfo"),
    ];
    let name = "bookinfo-gateway-istio.bookinfo";
    let alone = span(name, "x", 3, &tags);
    let mut child = alone.clone();
    child.kin = parent(ROUTER);
    let out = apply(&child, &MeshSettings::default());
    assert_eq!(out.tag("node_id"), Some(ROUTER));
    // It shares its parent's resource then.
    let parents = apply(
        &span(name, "x", 2, &[("node_id", ROUTER)]),
        &MeshSettings::default(),
    );
    assert_eq!(out.resource, parents.resource);
    let again = Span {
        kin: None,
        ..out.clone()
    };
    assert_eq!(apply(&again, &MeshSettings::default()), again);

    let mut off = MeshSettings::default();
    off.repairs.node_id = false;
    for (span, settings) in [(&alone, &MeshSettings::default()), (&child, &off)] {
        let out = apply(span, settings);
        assert_eq!(out.tag("node_id"), None);
        // Decided once: the parent may be elsewhere next time.
        assert_eq!(out.resource_tag(key::ORIGINAL_SERVICE_NAME), Some(name));
        let later = Span {
            kin: parent(ROUTER),
            ..out
        };
        assert_eq!(apply(&later, &MeshSettings::default()), later);
    }
    // Nobody but a gateway spawns spans, and only what is an id is lent.
    for other in [WAYPOINT, SIDECAR, "garbage"] {
        child.kin = parent(other);
        assert_eq!(apply(&child, &MeshSettings::default()).tag("node_id"), None);
    }
}

#[test]
fn a_name_that_hides_the_destination_is_replaced_where_a_request_is_sent() {
    const HIDING: &str = "reviews~0~istio-autogenerated-k8s-gateway:80/api*";
    const TELLING: &str = "reviews.bookinfo.svc.cluster.local:9080/api*";
    let mut off = MeshSettings::default();
    off.repairs.span_name = false;
    for (node_id, kind, cluster, name, want) in [
        (WAYPOINT, 2, "inbound-vip|9080|http/v1|", HIDING, TELLING),
        (ROUTER, 3, "outbound|9080|v1|", HIDING, TELLING),
        (SIDECAR, 3, "outbound|9080|v1|", HIDING, TELLING),
        (ROUTER, 2, "outbound|9080|v1|", HIDING, HIDING),
        (SIDECAR, 2, "outbound|9080|v1|", HIDING, HIDING),
        (SIDECAR, 3, "outbound|9080|v1|", "mine", "mine"),
        ("agent~1~a-0.b~", 3, "outbound|9080|v1|", HIDING, HIDING),
    ] {
        let cluster = format!("{cluster}reviews.bookinfo.svc.cluster.local");
        let tags = [("node_id", node_id), ("upstream_cluster", &*cluster)];
        let span = span("x.bookinfo", name, kind, &tags);
        let out = apply(&span, &MeshSettings::default());
        assert_eq!(out.name, want, "{node_id} {kind}");
        let original = out.tag(key::ORIGINAL_SPAN_NAME);
        assert_eq!(original, (name != want).then_some(name));
        assert_eq!(apply(&span, &off).name, name);
    }
    // What names the destination besides the cluster is no ground to rename.
    let tags = [("node_id", WAYPOINT), ("upstream_cluster", "encap")];
    let span = span("reviews.bookinfo.svc.cluster.local", HIDING, 2, &tags);
    assert_eq!(apply(&span, &MeshSettings::default()).name, HIDING);
}

#[test]
fn markers_are_left_alone() {
    let settings = MeshSettings {
        aliases: Aliases::On,
        ..MeshSettings::default()
    };
    let cluster = "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local";
    let span = waypoint("waypoint.bookinfo", cluster);
    let [mut made] = <[Span; 1]>::try_from(markers(&span, &settings)).unwrap();
    assert_eq!(made.service_name(), "waypoint.bookinfo");
    assert_eq!(made.name, "reviews.bookinfo.svc.cluster.local");
    made.error = true;
    assert_eq!(apply(&made, &settings), made);
    assert_eq!(markers(&made, &settings), []);
    // The attribute alone does not make one: spans of connections have it.
    made.kind = 3;
    assert_ne!(apply(&made, &settings), made);
    assert_eq!(markers(&span, &MeshSettings::default()), []);
}
