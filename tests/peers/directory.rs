//! With a Kubernetes API server at hand, names are those of its objects'
//! labels; without its permission, or without it, spans flow all the same.
//!
//! Idea: a span is sent again and again until it arrives under the name that
//! is waited for, since nobody outside can tell when a change was taken in.

use crate::collector::{health, named_with};
use crate::jaeger::Jaeger;
use crate::kiali::Kiali;
use crate::kubernetes::Cluster;
use crate::spans::{Tags, export};
use crate::trace::Span as Stored;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;
use testkit::{Wayspan, wait_for};

/// wayspan between a test and a Jaeger, watching a cluster.
struct Bench {
    jaeger: Jaeger,
    wayspan: Wayspan,
}

impl Bench {
    fn start(dir: &Path, cluster: &Cluster, namespaces: &[&str]) -> Self {
        let jaeger = Jaeger::start(dir);
        let watching = json!({"kubernetes": {
            "mode": "on", "kubeconfig": cluster.kubeconfig(), "namespaces": namespaces,
        }});
        let setup = named_with(jaeger.otlp_grpc, &Kiali::newest(true, true), watching);
        let wayspan = Wayspan::start(setup);
        Self { jaeger, wayspan }
    }

    /// A span as Jaeger stores it.
    fn stored(&self, resource: Tags, tags: Tags) -> Stored {
        let id: [u8; 16] = rand::random();
        export(&self.wayspan, id, resource, tags);
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut trace = wait_for("the span in Jaeger", || {
            self.jaeger
                .trace(&id)
                .filter(|trace| !trace.spans.is_empty())
        });
        trace.spans.remove(0)
    }

    /// Waits until such a span is stored under `name`.
    fn wait_for_name(&self, name: &str, resource: Tags, tags: Tags) -> Stored {
        wait_for(
            &format!("{resource:?} {tags:?} under the name {name}"),
            || {
                let stored = self.stored(resource, tags);
                (stored.service == name).then_some(stored)
            },
        )
    }

    fn wait_for_line(&self, text: &str) -> String {
        wait_for(&format!("the line {text:?} in the log"), || {
            let log = self.wayspan.log();
            log.lines().find(|l| l.contains(text)).map(str::to_owned)
        })
    }

    fn wait_for_metric(&self, selector: &str, value: f64) {
        self.wayspan.wait_metric(selector, |now| now == value);
    }
}

/// Bookinfo with labels in odd cases.
struct Bookinfo {
    reviews: String,
}

impl Bookinfo {
    fn new(cluster: &Cluster) -> Self {
        for namespace in ["bookinfo", "istio-system"] {
            cluster.namespace(namespace);
        }
        let pod = |workload: &str, ip: &str, app: &str, version: &str| {
            cluster.pod(
                "bookinfo",
                workload,
                ip,
                json!({"app": app, "version": version}),
            )
        };
        pod("productpage-v1", "10.244.0.1", "ProductPage", "v1");
        let reviews = pod("reviews-v1", "10.244.0.2", "REVIEWS", "v1");
        pod("reviews-v2", "10.244.0.3", "REVIEWS", "v2");
        pod("ratings-v1", "10.244.0.4", "ratings", "v1");
        for (name, app) in [
            ("productpage-service", "ProductPage"),
            ("reviews", "REVIEWS"),
            ("ratings", "ratings"),
        ] {
            cluster.service("bookinfo", name, json!({"app": app}));
        }
        Self { reviews }
    }

    /// A client span of the reviews' sidecar, to a host of the namespace.
    fn sidecar(&self, to: &str) -> [(&'static str, String); 3] {
        let domain = "bookinfo.svc.cluster.local";
        [
            ("component", "proxy".to_owned()),
            (
                "node_id",
                format!("sidecar~10.244.0.2~{}.bookinfo~{domain}", self.reviews),
            ),
            ("upstream_cluster", format!("outbound|9080||{to}.{domain}")),
        ]
    }
}

fn borrowed<'a>(tags: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    tags.iter()
        .map(|(key, text)| (*key, text.as_str()))
        .collect()
}

#[test]
fn names_follow_the_labels_of_a_cluster() {
    let dir = TempDir::new().unwrap();
    let mut cluster = Cluster::start(dir.path());
    let bookinfo = Bookinfo::new(&cluster);
    cluster.permit();
    let mut bench = Bench::start(dir.path(), &cluster, &[]);
    for (resource, least) in [("pods", 4), ("services", 3), ("namespaces", 2)] {
        bench.wait_for_metric(
            &format!("wayspan_kubernetes_watch_up{{resource=\"{resource}\"}}"),
            1.0,
        );
        let health = health(&bench.wayspan);
        let objects = health["kubernetes"][resource]["objects"].as_u64();
        assert!(objects.is_some_and(|n| n >= least), "{health}");
    }
    bench.wait_for_metric("wayspan_kubernetes_objects{resource=\"pods\"}", 4.0);

    // A proxy, its destination, and what calls itself by other names.
    let to_ratings = bookinfo.sidecar("ratings");
    let sidecar = [("service.name", "reviews-v1")];
    let stored = bench.wait_for_name("REVIEWS.bookinfo", &sidecar, &borrowed(&to_ratings));
    let want = [
        ("istio.destination_app", Some("ratings")),
        ("istio.destination_workload", Some("ratings-v1")),
        ("istio.cluster_id", Some("Kubernetes")),
    ];
    for (tag, value) in want {
        assert_eq!(stored.text(tag), value, "{tag}");
    }
    let to_reviews = bookinfo.sidecar("reviews");
    let stored = bench.stored(&sidecar, &borrowed(&to_reviews));
    assert_eq!(stored.text("istio.destination_app"), Some("REVIEWS"));
    assert_eq!(
        stored.text("istio.destination_workload"),
        None,
        "there are two"
    );
    for (resource, want) in [
        (
            &[("service.name", "productPAGE")][..],
            "ProductPage.bookinfo",
        ),
        (
            &[("service.name", "productpage-service")],
            "ProductPage.bookinfo",
        ),
        (
            &[("service.name", "Order.Api"), ("k8s.pod.ip", "10.244.0.3")],
            "REVIEWS.bookinfo",
        ),
    ] {
        assert_eq!(bench.stored(resource, &[]).service, want);
    }
    let hostname = bench.stored(
        &[("service.name", "x"), ("host.name", &bookinfo.reviews)],
        &[],
    );
    let process_tag = hostname
        .process_tags
        .get("hostname")
        .and_then(|v| v.as_str());
    assert_eq!(process_tag, Some(bookinfo.reviews.as_str()));

    // A change is followed.
    let path = format!("/api/v1/namespaces/bookinfo/pods/{}", bookinfo.reviews);
    cluster.patch(&path, &json!({"metadata": {"labels": {"app": "Reviews"}}}));
    bench.wait_for_name("Reviews.bookinfo", &sidecar, &borrowed(&to_ratings));

    // The API server goes away and comes back.
    cluster.stop_api_server();
    bench.wait_for_line("kubernetes: cannot");
    bench.wait_for_metric("wayspan_kubernetes_watch_up{resource=\"pods\"}", 0.0);
    let stored = bench.stored(&sidecar, &borrowed(&to_ratings));
    assert_eq!(stored.service, "Reviews.bookinfo", "what was known stays");
    assert_eq!(health(&bench.wayspan)["kubernetes"]["pods"]["up"], false);
    cluster.start_api_server();
    cluster.patch(&path, &json!({"metadata": {"labels": {"app": "ReViews"}}}));
    bench.wait_for_name("ReViews.bookinfo", &sidecar, &borrowed(&to_ratings));
    bench.wait_for_line("kubernetes: pods are watched now");
    bench.wait_for_metric("wayspan_kubernetes_watch_up{resource=\"pods\"}", 1.0);

    cluster.delete(&path);
    bench.wait_for_metric("wayspan_kubernetes_objects{resource=\"pods\"}", 3.0);
    bench.wayspan.stop();
}

#[test]
fn without_permission_it_says_what_is_missing() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    Bookinfo::new(&cluster);
    let mut bench = Bench::start(dir.path(), &cluster, &[]);
    for resource in ["pods", "services", "namespaces"] {
        let line = bench.wait_for_line(&format!("may not list {resource}"));
        for part in [
            "service account istio-system/wayspan",
            "apiGroups [\"\"]",
            "verbs [\"list\", \"watch\"], cluster-wide",
            &format!("kubectl create clusterrole wayspan-{resource} --verb=list,watch"),
            "--serviceaccount=istio-system:wayspan",
        ] {
            assert!(line.contains(part), "{part}\n{line}");
        }
        let health = health(&bench.wayspan);
        let trouble = &health["kubernetes"][resource]["trouble"];
        assert!(
            trouble.as_str().is_some_and(|t| line.contains(t)),
            "{health}"
        );
        bench.wait_for_metric(
            &format!("wayspan_kubernetes_watch_up{{resource=\"{resource}\"}}"),
            0.0,
        );
    }
    // Spans flow, under the names that they say themselves.
    let resource = [
        ("service.name", "reviews"),
        ("k8s.namespace.name", "bookinfo"),
    ];
    assert_eq!(bench.stored(&resource, &[]).service, "reviews.bookinfo");
    let forbidden = wait_for("errors in the metrics", || {
        let name = "wayspan_kubernetes_errors{resource=\"pods\",reason=\"forbidden\"}";
        bench.wayspan.metric(name).filter(|count| *count > 0.0)
    });
    assert!(forbidden < 20.0, "asked {forbidden} times in a few seconds");

    cluster.permit();
    bench.wait_for_name("REVIEWS.bookinfo", &resource, &[]);
    let log = bench.wayspan.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("may not list pods"))
        .count();
    assert_eq!(lines, 1, "{log}");
    bench.wait_for_line("kubernetes: pods are watched now");
    bench.wait_for_metric("wayspan_kubernetes_objects{resource=\"pods\"}", 4.0);
    bench.wayspan.stop();
}

/// Looks into one namespace, with rights in that one only. It has more Services
/// than come on one page.
#[test]
fn rights_in_one_namespace_suffice_for_it() {
    const MANY: usize = 300;
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    Bookinfo::new(&cluster);
    cluster.namespace("other");
    cluster.service("other", "elsewhere", json!({"app": "elsewhere"}));
    for n in 0..MANY {
        cluster.service("bookinfo", &format!("many-{n}"), json!({"app": "many"}));
    }
    let mut bench = Bench::start(dir.path(), &cluster, &["bookinfo"]);
    for part in [
        "may not list pods: the missing rule is apiGroups [\"\"], resources [\"pods\"], verbs \
         [\"list\", \"watch\"], in namespace bookinfo",
        "kubectl -n bookinfo create role wayspan-services --verb=list,watch --resource=services",
        "kubectl create clusterrole wayspan-namespaces-bookinfo --verb=list,watch \
         --resource=namespaces --resource-name=bookinfo",
    ] {
        bench.wait_for_line(part);
    }

    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rule = |resources: &[&str], names: &[&str]| {
        json!([{
            "apiGroups": [""], "resources": resources, "verbs": ["list", "watch"],
            "resourceNames": names,
        }])
    };
    let subjects =
        json!([{"kind": "ServiceAccount", "name": "wayspan", "namespace": "istio-system"}]);
    for (place, kind, plural, rules) in [
        (
            "/namespaces/bookinfo",
            "Role",
            "roles",
            rule(&["pods", "services"], &[]),
        ),
        (
            "",
            "ClusterRole",
            "clusterroles",
            rule(&["namespaces"], &["bookinfo"]),
        ),
    ] {
        let metadata = json!({"name": "wayspan"});
        let role = json!({"metadata": metadata, "rules": rules});
        cluster.create(&format!("{rbac}{place}/{plural}"), &role);
        let role =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "wayspan"});
        let binding = json!({"metadata": metadata, "roleRef": role, "subjects": subjects});
        let bindings = plural.replace("roles", "rolebindings");
        cluster.create(&format!("{rbac}{place}/{bindings}"), &binding);
    }
    let resource = [
        ("service.name", "reviews"),
        ("k8s.namespace.name", "bookinfo"),
    ];
    bench.wait_for_name("REVIEWS.bookinfo", &resource, &[]);
    for (resource, objects) in [("pods", 4), ("services", 3 + MANY), ("namespaces", 1)] {
        bench.wait_for_metric(
            &format!("wayspan_kubernetes_objects{{resource=\"{resource}\"}}"),
            objects as f64,
        );
    }
    bench.wayspan.stop();
}
