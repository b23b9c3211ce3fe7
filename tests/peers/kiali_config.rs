//! Names follow Kiali's own configuration in a real Kubernetes API: its
//! ConfigMap and its custom resource, with and without the right to read them.

use crate::http;
use crate::kubernetes::Cluster;
use crate::proc::{Proc, free_port, wait_for};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

struct Wayspan {
    metrics: u16,
    health: u16,
    process: Proc,
}

impl Wayspan {
    /// Follows the Kiali that `kiali` names, as the service account.
    fn start(dir: &Path, cluster: &Cluster, kiali: &str) -> Self {
        let [grpc, health, metrics] = std::array::from_fn(|_| free_port());
        let config = json!({
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": format!("127.0.0.1:{grpc}")}}}},
            "exporters": {"debug": {}},
            "extensions": {"health_check": {"endpoint": format!("127.0.0.1:{health}")}},
            "service": {
                "extensions": ["health_check"],
                "pipelines": {"traces":
                    {"receivers": ["otlp"], "processors": ["mesh"], "exporters": ["debug"]}},
                "telemetry": {"metrics": {"readers": [{"pull": {"exporter":
                    {"prometheus": {"host": "127.0.0.1", "port": metrics}}}}]}},
            },
        });
        let file = dir.join(format!("wayspan-{grpc}.yaml"));
        let mesh = format!("processors: {{mesh: {{kiali: {kiali}}}}}\n");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut process = Proc::start(
            dir,
            &format!("wayspan-{grpc}"),
            Command::new(env!("CARGO_BIN_EXE_wayspan"))
                .env("KUBECONFIG", cluster.kubeconfig())
                .arg("--config")
                .arg(&file)
                .arg("--config")
                .arg(format!("yaml:{mesh}")),
        );
        process.wait_ready(|| http::get(health, "/", &[]).is_ok_and(|a| a.status == 200));
        Self {
            metrics,
            health,
            process,
        }
    }

    fn metric(&self, series: &str) -> Option<f64> {
        let page = http::get(self.metrics, "/metrics", &[]).unwrap().body;
        let line = page.lines().find(|line| line.starts_with(series))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits until this scheme is in force.
    fn follows(&self, form: &str, version: &str, source: &str) {
        let series = scheme(form, version, source);
        wait_for(&series, || {
            self.metric(&series).filter(|value| *value == 1.0)
        });
    }

    /// What the health page, which must be green, says of Kiali.
    fn detail(&self) -> Value {
        let page = http::get(self.health, "/", &[]).unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        let page: Value = serde_json::from_str(&page.body).unwrap();
        page["kiali"]["mesh"].clone()
    }

    fn says(&self, part: &str) {
        wait_for(part, || self.process.log().contains(part).then_some(()));
    }
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
    let wayspan = Wayspan::start(dir.path(), &cluster, "{config_map: istio-system/kiali}");

    // Without the right to read: the missing rule is named, defaults hold.
    wayspan.says("resources [configmaps], resourceNames [kiali], verbs [list, watch]");
    assert_eq!(wayspan.metric(&scheme("host", "2.30", "static")), Some(1.0));

    let detail = wayspan.detail();
    assert_eq!(detail["source"], "static");
    let trouble = detail["trouble"].as_str().unwrap();
    assert!(trouble.contains("resourceNames [kiali]"), "{trouble}");

    cluster.permit_by("kiali-config.yaml");
    wayspan.follows("waypoint", "2.7", "config_map");
    wayspan.says("can be read again");
    let now = json!({"version": "2.7", "form": "waypoint", "namespace_selector": true,
        "source": "config_map"});
    assert_eq!(wayspan.detail(), now);

    // An upgrade; the trust domain is the mesh's.
    cluster.apply(&config_map("v2.30.0", ""));
    wayspan.follows("host", "2.30", "config_map");
    wayspan.says("<app>.<namespace>.svc.td.example: Kiali 2.30");

    // It goes and comes again.
    cluster.delete("/api/v1/namespaces/istio-system/configmaps/kiali");
    wayspan.says("the ConfigMap was deleted");
    assert_eq!(
        wayspan.metric(&scheme("host", "2.30", "config_map")),
        Some(1.0)
    );
    let named = config_map("v2.30.0", ", use_waypoint_name: true");
    cluster.apply(&named);
    wayspan.follows("waypoint", "2.30", "config_map");

    // The API server goes and comes again, with a change in between.
    cluster.stop_api_server();
    wayspan.says("the API server cannot be asked");
    assert_eq!(
        wayspan.metric(&scheme("waypoint", "2.30", "config_map")),
        Some(1.0)
    );
    cluster.start_api_server();
    cluster.apply(&config_map("v2.26.0", ""));
    wayspan.follows("host", "2.26", "config_map");
}

#[test]
fn a_custom_resource_is_followed() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    cluster.permit_by("kiali-config.yaml");
    let wayspan = Wayspan::start(
        dir.path(),
        &cluster,
        "{custom_resource: istio-system/kiali}",
    );
    wayspan.says("knows no kialis: is the Kiali operator installed?");

    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "kialis.kiali.io"},
        "spec": {"group": "kiali.io", "scope": "Namespaced",
            "names": {"kind": "Kiali", "listKind": "KialiList", "plural": "kialis", "singular": "kiali"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": any}}]},
    });
    cluster.apply(&definition);
    wayspan.says("there is no Kiali of that name");
    let kiali = |tracing: Value| {
        json!({
            "apiVersion": "kiali.io/v1alpha1", "kind": "Kiali",
            "metadata": {"name": "kiali", "namespace": "istio-system"},
            "spec": {"version": "v2.22", "external_services": {"tracing": tracing}},
        })
    };
    cluster.apply(&kiali(json!({"enabled": true})));
    wayspan.follows("host", "2.22", "custom_resource");
    cluster.apply(&kiali(json!({"enabled": true, "use_waypoint_name": true})));
    wayspan.follows("waypoint", "2.22", "custom_resource");
}
