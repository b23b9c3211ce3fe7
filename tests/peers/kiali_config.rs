//! Names follow Kiali's own configuration in a real Kubernetes API: its
//! ConfigMap and its custom resource, with and without the right to read them.

use crate::collector::health;
use crate::kiali_objects::define_kialis;
use crate::kubernetes::Cluster;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Setup, Wayspan};

/// Follows the Kiali that `kiali` names, as the service account.
fn following(cluster: &Cluster, kiali: &str) -> Wayspan {
    let setup = Setup::usual()
        .env("KUBECONFIG", cluster.kubeconfig().display())
        .layer(format!("processors: {{mesh: {{kiali: {kiali}}}}}"))
        .layer(
            "exporters: {debug: }\n\
             service: {pipelines: {traces: {receivers: [otlp], processors: [mesh], \
             exporters: [debug]}}}",
        );
    Wayspan::start(setup)
}

/// Waits until this scheme is in force.
fn wait_followed(wayspan: &Wayspan, form: &str, version: &str, source: &str) {
    wayspan.wait_metric(&scheme(form, version, source), |value| value == 1.0);
}

/// What the health page says of Kiali.
fn detail(wayspan: &Wayspan) -> Value {
    health(wayspan)["kiali"]["mesh"].clone()
}

fn scheme(form: &str, version: &str, source: &str) -> String {
    format!(
        "wayspan_kiali_scheme{{processor=\"mesh\",form=\"{form}\",namespace_selector=\"true\",\
         version=\"{version}\",source=\"{source}\"}}"
    )
}

/// Kiali's ConfigMap as Helm's chart writes it.
fn config_map(version: &str, tracing: &str) -> Value {
    let config = format!(
        "auth: {{strategy: anonymous}}\ndeployment: {{image_version: {version}}}\n\
         external_services:\n  tracing: {{enabled: true{tracing}}}\n"
    );
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kiali", "namespace": "istio-system",
            "labels": {"app": "kiali", "app.kubernetes.io/version": version}},
        "data": {"config.yaml": config},
    })
}

#[test]
fn a_config_map_is_followed_as_soon_as_it_may_be_read() {
    let dir = TempDir::new().unwrap();
    let mut cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    cluster.apply(&config_map("v2.7.1", ""));
    let mesh = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "istio", "namespace": "istio-system"},
        "data": {"mesh": "trustDomain: td.example\n"}});
    cluster.apply(&mesh);
    let wayspan = following(&cluster, "{config_map: istio-system/kiali}");

    // Without the right to read: the missing rule is named, defaults hold.
    wayspan.wait_said("resources [configmaps], resourceNames [kiali], verbs [list, watch]");
    assert_eq!(wayspan.metric(&scheme("host", "2.30", "static")), Some(1.0));

    let found = detail(&wayspan);
    assert_eq!(found["source"], "static");
    let trouble = found["trouble"].as_str().unwrap();
    assert!(trouble.contains("resourceNames [kiali]"), "{trouble}");

    cluster.permit();
    wait_followed(&wayspan, "waypoint", "2.7", "config_map");
    wayspan.wait_said("can be read again");
    let now = json!({"version": "2.7", "form": "waypoint", "namespace_selector": true,
        "source": "config_map"});
    assert_eq!(detail(&wayspan), now);

    // An upgrade; the trust domain is the mesh's.
    cluster.apply(&config_map("v2.30.0", ""));
    wait_followed(&wayspan, "host", "2.30", "config_map");
    wayspan.wait_said("<app>.<namespace>.svc.td.example: Kiali 2.30");

    // It goes and comes again.
    cluster.delete("/api/v1/namespaces/istio-system/configmaps/kiali");
    wayspan.wait_said("the ConfigMap was deleted");
    assert_eq!(
        wayspan.metric(&scheme("host", "2.30", "config_map")),
        Some(1.0)
    );
    let named = config_map("v2.30.0", ", use_waypoint_name: true");
    cluster.apply(&named);
    wait_followed(&wayspan, "waypoint", "2.30", "config_map");

    // The API server goes and comes again, with a change in between.
    cluster.stop_api_server();
    wayspan.wait_said("the API server cannot be asked");
    assert_eq!(
        wayspan.metric(&scheme("waypoint", "2.30", "config_map")),
        Some(1.0)
    );
    cluster.start_api_server();
    cluster.apply(&config_map("v2.26.0", ""));
    wait_followed(&wayspan, "host", "2.26", "config_map");
}

#[test]
fn a_custom_resource_is_followed() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    cluster.permit_object("istio-system", "kiali.io", "kialis", "kiali");
    let wayspan = following(&cluster, "{custom_resource: istio-system/kiali}");
    wayspan.wait_said("knows no kialis: is the Kiali operator installed?");

    define_kialis(&cluster);
    wayspan.wait_said("there is no Kiali of that name");
    let kiali = |tracing: Value| {
        json!({
            "apiVersion": "kiali.io/v1alpha1", "kind": "Kiali",
            "metadata": {"name": "kiali", "namespace": "istio-system"},
            "spec": {"version": "v2.22", "external_services": {"tracing": tracing}},
        })
    };
    cluster.apply(&kiali(json!({"enabled": true})));
    wait_followed(&wayspan, "host", "2.22", "custom_resource");
    cluster.apply(&kiali(json!({"enabled": true, "use_waypoint_name": true})));
    wait_followed(&wayspan, "waypoint", "2.22", "custom_resource");
}
