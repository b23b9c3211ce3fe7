//! The Kiali of a cluster is found and followed with nothing said about it: its
//! objects as Helm's chart and the operator make them in a real Kubernetes API,
//! the rights and the configuration those of `deploy/wayspan.yaml`.
//!
//! wayspan runs as in a Pod there: with a service account's files and variables,
//! and no word about Kubernetes in its configuration.

use crate::collector::health;
use crate::kiali_objects::{Installed, Installer, define_kialis, install_istiod};
use crate::kubernetes::Cluster;
use crate::spans::export;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    Backend, Setup, Wayspan, free_port,
    kiali::{Kiali, Says},
    wait_for,
};

/// wayspan as `deploy/wayspan.yaml` runs it, in a Pod of the cluster.
fn deployed(cluster: &Cluster, backend: &Backend) -> Wayspan {
    let setup = Setup::file(cluster.deployed_config()).exporter("otlp_grpc", backend.port);
    Wayspan::start(cluster.as_pod(setup, &[]))
}

fn scheme(form: &str, version: &str, source: &str) -> String {
    format!(
        "wayspan_kiali_scheme{{processor=\"mesh\",form=\"{form}\",namespace_selector=\"true\",\
         version=\"{version}\",source=\"{source}\"}}"
    )
}

fn wait_followed(wayspan: &Wayspan, form: &str, version: &str, source: &str) {
    wayspan.wait_metric(&scheme(form, version, source), |value| value == 1.0);
}

/// A text of what the health page says of Kiali.
fn detail(wayspan: &Wayspan, key: &str) -> Option<String> {
    let page = health(wayspan);
    page["kiali"]["mesh"][key].as_str().map(str::to_owned)
}

/// Waits until the health page says all of these words.
fn wait_detail(wayspan: &Wayspan, key: &str, words: &[&str]) -> String {
    wait_for(&format!("{key} with {words:?}"), || {
        let text = detail(wayspan, key)?;
        words.iter().all(|word| text.contains(word)).then_some(text)
    })
}

/// The service name under which a waypoint's span arrives.
fn named(wayspan: &Wayspan, backend: &Backend) -> String {
    let id: [u8; 16] = rand::random();
    let node = "waypoint~10.244.0.9~waypoint-6f7d9c5b4-qwert.bookinfo~bookinfo.svc.cluster.local";
    let tags = [
        ("component", "proxy"),
        ("node_id", node),
        (
            "upstream_cluster",
            "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local",
        ),
    ];
    export(wayspan, id, &[("service.name", "waypoint.bookinfo")], &tags);
    wait_for("the span at the backend", || {
        let all = backend.resource_spans();
        let of_span = all.iter().find(|resource| {
            let mut spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
            spans.any(|span| span.trace_id == id)
        });
        let resource = of_span?.resource.as_ref()?;
        let name = resource
            .attributes
            .iter()
            .find(|a| a.key == "service.name")?;
        match name.value.as_ref()?.value.as_ref()? {
            AnyValue::StringValue(name) => Some(name.clone()),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn helms_kiali_is_followed_by_what_deploy_has() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    let backend = Backend::grpc();
    let wayspan = deployed(&cluster, &backend);

    // Nothing may be read, then nothing is there: names are the newest Kiali's.
    wait_detail(
        &wayspan,
        "trouble",
        &["it is found by its Pods, which cannot be listed"],
    );
    assert_eq!(wayspan.metric(&scheme("host", "2.30", "static")), Some(1.0));
    cluster.permit();
    wait_detail(
        &wayspan,
        "discovery",
        &["no Kiali is among the Pods of all namespaces"],
    );
    assert_eq!(detail(&wayspan, "trouble"), None);
    install_istiod(&cluster, "east");
    wayspan.wait_said("istio.cluster_id east, istiod's CLUSTER_ID");

    // It is added later.
    let mut kiali = Installed::new(Installer::Helm, "istio-system", "v2.7.1");
    kiali.apply(&cluster);
    wait_followed(&wayspan, "waypoint", "2.7", "config_map");
    wait_detail(
        &wayspan,
        "discovery",
        &["names are for Kiali istio-system/kiali (version 2.7), the only one found"],
    );
    assert_eq!(detail(&wayspan, "trouble"), None);
    assert_eq!(named(&wayspan, &backend), "waypoint.bookinfo");

    // An upgrade, then a switched setting.
    kiali.upgrade(&cluster, "v2.30.0");
    wait_followed(&wayspan, "host", "2.30", "config_map");
    assert_eq!(
        named(&wayspan, &backend),
        "reviews.bookinfo.svc.cluster.local"
    );
    kiali.tracing["use_waypoint_name"] = true.into();
    cluster.apply(&kiali.config_map());
    wait_followed(&wayspan, "waypoint", "2.30", "config_map");
    assert_eq!(named(&wayspan, &backend), "waypoint.bookinfo");

    // It goes, and comes again by the operator's hand.
    kiali.uninstall(&cluster);
    wait_detail(&wayspan, "discovery", &["no Kiali is among the Pods"]);
    assert_eq!(
        wayspan.metric(&scheme("waypoint", "2.30", "config_map")),
        Some(1.0)
    );
    Installed::new(Installer::Operator, "istio-system", "v2.26.0").apply(&cluster);
    wait_followed(&wayspan, "host", "2.26", "config_map");
    wayspan.wait_said("istio.cluster_id east. Read from ConfigMap istio-system/kiali");
    let log = wayspan.log();
    assert!(!log.contains("abcdefghijklmnop"), "{log}");
}

#[test]
fn what_is_forbidden_is_told_and_the_version_is_known_all_the_same() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    let kinds = cluster.permit_only(&["ClusterRole", "ClusterRoleBinding"]);
    assert_eq!(kinds, 2);
    let mut kiali = Installed::new(Installer::Helm, "istio-system", "v2.7.1");
    kiali.apply(&cluster);
    let backend = Backend::grpc();
    let wayspan = deployed(&cluster, &backend);

    wait_followed(&wayspan, "waypoint", "2.7", "pods");
    wait_detail(
        &wayspan,
        "trouble",
        &[
            "ConfigMap istio-system/kiali: the service account may not read it",
            "resources [configmaps], resourceNames [kiali], verbs [list, watch]",
            "kubectl -n istio-system create role wayspan-configmaps-kiali --verb=list,watch \
         --resource=configmaps --resource-name=kiali",
            "--serviceaccount=istio-system:wayspan",
        ],
    );
    wait_detail(&wayspan, "discovery", &["its configuration cannot be read"]);
    wayspan.wait_said("cannot read Kiali's configuration from Kiali istio-system/kiali");
    kiali.upgrade(&cluster, "v2.30.0");
    wait_followed(&wayspan, "host", "2.30", "pods");

    kiali.tracing["use_waypoint_name"] = true.into();
    cluster.apply(&kiali.config_map());
    cluster.permit();
    wait_followed(&wayspan, "waypoint", "2.30", "config_map");
    assert_eq!(detail(&wayspan, "trouble"), None);
}

#[test]
fn the_operators_resource_stands_in_for_a_config_map_that_may_not_be_read() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    cluster.permit_only(&["ClusterRole", "ClusterRoleBinding"]);
    define_kialis(&cluster);
    cluster.permit_object("istio-system", "kiali.io", "kialis", "mesh");
    let mut kiali = Installed::new(Installer::Operator, "istio-system", "v2.22.0");
    kiali.instance = "mesh";
    kiali.apply(&cluster);
    let backend = Backend::grpc();
    let wayspan = deployed(&cluster, &backend);
    wait_followed(&wayspan, "host", "2.22", "custom_resource");
    wait_detail(
        &wayspan,
        "discovery",
        &[
            "names are for Kiali istio-system/mesh (version 2.22)",
            "Not read: ConfigMap istio-system/mesh: the service account may not read it",
        ],
    );
    kiali.tracing["use_waypoint_name"] = true.into();
    cluster.apply(&kiali.custom_resource());
    wait_followed(&wayspan, "waypoint", "2.22", "custom_resource");
}

#[test]
fn kiali_itself_is_asked_where_nothing_of_it_may_be_read() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    cluster.permit_only(&["ClusterRole", "ClusterRoleBinding"]);
    let mut kiali = Installed::new(Installer::Helm, "istio-system", "v2.26.0");
    kiali.port = free_port();
    kiali.apply(&cluster);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let says = Says {
        version: "v2.26.0",
        namespace_selector: true,
        use_waypoint_name: Some(true),
        identity_domain: "svc.cluster.local",
        session: false,
    };
    let server = runtime.block_on(Kiali::serve(kiali.port, says, None));
    let backend = Backend::grpc();
    let setup = Setup::file(cluster.deployed_config()).exporter("otlp_grpc", backend.port);
    let wayspan = Wayspan::start(cluster.as_pod(setup, &["kiali.istio-system"]));
    wait_followed(&wayspan, "waypoint", "2.26", "url");
    wait_detail(
        &wayspan,
        "discovery",
        &["Not read: ConfigMap istio-system/kiali"],
    );
    assert_eq!(detail(&wayspan, "trouble"), None);
    let tokens = server.tokens();
    assert!(
        !tokens.is_empty() && tokens.iter().all(String::is_empty),
        "{tokens:?}"
    );

    // As soon as its ConfigMap may be read that is followed.
    cluster.permit();
    wait_followed(&wayspan, "host", "2.26", "config_map");
}

#[test]
fn of_several_kialis_one_is_taken_for_a_reason() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    for namespace in ["istio-system", "tools"] {
        cluster.namespace(namespace);
    }
    cluster.permit();
    let near = Installed::new(Installer::Helm, "istio-system", "v2.7.1");
    let far = Installed::new(Installer::Helm, "tools", "v2.30.0");
    far.apply(&cluster);
    near.apply(&cluster);
    let backend = Backend::grpc();
    let wayspan = deployed(&cluster, &backend);
    wait_followed(&wayspan, "waypoint", "2.7", "config_map");
    wait_detail(
        &wayspan,
        "discovery",
        &[
            "istio-system/kiali (version 2.7), which was taken because it is in Istio's namespace \
         (others: tools/kiali;",
        ],
    );

    // The other one is permitted to be read, and takes over when the first goes.
    near.uninstall(&cluster);
    wait_detail(
        &wayspan,
        "trouble",
        &["ConfigMap tools/kiali", "kubectl -n tools create role"],
    );
    wait_followed(&wayspan, "host", "2.30", "pods");
    cluster.permit_object("tools", "", "configmaps", "kiali");
    wait_followed(&wayspan, "host", "2.30", "config_map");

    // The first comes again, and goes before the other as it did.
    near.apply(&cluster);
    wait_followed(&wayspan, "waypoint", "2.7", "config_map");
    drop(wayspan);

    // The switch.
    let off = json!({"processors": {"mesh": {"kiali": {"discovery": "off"}}}});
    let setup = Setup::file(cluster.deployed_config()).exporter("otlp_grpc", backend.port);
    let wayspan = Wayspan::start(cluster.as_pod(setup.layer(off.to_string()), &[]));
    wayspan.wait_metric("wayspan_kubernetes_objects{resource=\"pods\"}", |n| {
        n == 2.0
    });
    assert_eq!(health(&wayspan)["kiali"], Value::Null);
    assert_eq!(wayspan.metric(&scheme("host", "2.30", "static")), Some(1.0));
}
