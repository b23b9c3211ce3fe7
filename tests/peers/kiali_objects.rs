//! Kubernetes objects of a Kiali, as Helm's chart and the operator write them
//! (kiali/helm-charts, `kiali-server/templates`, v2.30; kiali/kiali-operator,
//! `roles/default/kiali-deploy`, v2.30), less what no reader of them looks at.

use crate::kubernetes::Cluster;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    Helm,
    Operator,
}

/// One installed Kiali.
#[derive(Clone, Debug)]
pub struct Installed {
    pub by: Installer,
    pub namespace: &'static str,
    pub instance: &'static str,
    pub version: &'static str,
    /// `external_services.tracing`.
    pub tracing: Value,
    /// More of its configuration, which is merged into the rest.
    pub more: Value,
    /// `server.port`.
    pub port: u16,
}

impl Installed {
    pub fn new(by: Installer, namespace: &'static str, version: &'static str) -> Self {
        Self {
            by,
            namespace,
            instance: "kiali",
            version,
            tracing: json!({"enabled": true}),
            more: json!({}),
            port: 20001,
        }
    }

    fn labels(&self) -> Value {
        let mut labels = json!({
            "app": "kiali", "version": self.version,
            "app.kubernetes.io/name": "kiali",
            "app.kubernetes.io/instance": self.instance,
            "app.kubernetes.io/version": self.version,
            "app.kubernetes.io/part-of": "kiali",
        });
        if self.by == Installer::Helm {
            let chart = format!("kiali-server-{}", self.version.trim_start_matches('v'));
            labels["helm.sh/chart"] = chart.into();
        }
        labels
    }

    fn object(&self, version: &str, kind: &str) -> Value {
        json!({
            "apiVersion": version, "kind": kind,
            "metadata": {
                "name": self.instance, "namespace": self.namespace, "labels": self.labels(),
            },
        })
    }

    /// What Kiali reads: Helm's values as they are, or all of the operator's defaults.
    fn config(&self) -> Value {
        let deployment = json!({
            "image_name": "quay.io/kiali/kiali", "image_version": self.version,
            "version_label": self.version, "instance_name": self.instance,
            "namespace": self.namespace,
        });
        let mut config = json!({
            "auth": {"strategy": "token"},
            "deployment": deployment,
            "external_services": {
                "istio": {"root_namespace": self.namespace},
                "tracing": self.tracing,
            },
            "login_token": {"signing_key": "abcdefghijklmnop"},
            "server": {"port": self.port, "web_root": "/kiali"},
        });
        if self.by == Installer::Operator {
            config["istio_labels"] = json!({"app_label_name": "", "version_label_name": ""});
            config["kubernetes_config"] = json!({"cluster_name": ""});
            config["external_services"]["istio"]["istio_identity_domain"] = "".into();
        }
        merge(&mut config, &self.more);
        config
    }

    pub fn config_map(&self) -> Value {
        let mut map = self.object("v1", "ConfigMap");
        // JSON is YAML.
        map["data"] = json!({"config.yaml": self.config().to_string()});
        map
    }

    fn service(&self) -> Value {
        let mut service = self.object("v1", "Service");
        service["spec"] = json!({
            "ports": [
                {"name": "http", "appProtocol": "http", "protocol": "TCP", "port": self.port},
                {"name": "http-metrics", "appProtocol": "http", "protocol": "TCP", "port": 9090},
            ],
            "selector": {
                "app.kubernetes.io/name": "kiali", "app.kubernetes.io/instance": self.instance,
            },
        });
        service
    }

    fn pod_name(&self) -> String {
        format!("{}-{}-x", self.instance, self.version.replace('.', ""))
    }

    fn pod(&self) -> Value {
        // Helm names the volume after the instance, the operator does not.
        let prefix = match self.by {
            Installer::Helm => self.instance,
            Installer::Operator => "kiali",
        };
        let volume = |name: &str| format!("{prefix}-{name}");
        let probe =
            json!({"httpGet": {"path": "/kiali/healthz", "port": "api-port", "scheme": "HTTP"}});
        let container = json!({
            "name": "kiali", "image": format!("quay.io/kiali/kiali:{}", self.version),
            "command": ["/opt/kiali/kiali", "-config", "/kiali-configuration/config.yaml"],
            "ports": [
                {"name": "api-port", "containerPort": self.port},
                {"name": "http-metrics", "containerPort": 9090},
            ],
            "readinessProbe": probe,
            "livenessProbe": probe,
            "volumeMounts": [
                {"name": volume("cabundle"), "mountPath": "/kiali-cabundle"},
                {"name": volume("configuration"), "mountPath": "/kiali-configuration"},
                {"name": volume("secret"), "mountPath": "/kiali-secret"},
            ],
        });
        let bundle = format!("{}-cabundle", self.instance);
        let mut pod = self.object("v1", "Pod");
        pod["metadata"]["name"] = self.pod_name().into();
        pod["metadata"]["labels"]["pod-template-hash"] = "794db9df8f".into();
        pod["spec"] = json!({
            "containers": [container],
            "volumes": [
                {"name": volume("cabundle"), "configMap": {"name": bundle, "optional": true}},
                {"name": volume("configuration"), "configMap": {"name": self.instance}},
                {"name": volume("secret"), "secret": {"secretName": "kiali", "optional": true}},
            ],
        });
        pod
    }

    /// What the operator works from.
    pub fn custom_resource(&self) -> Value {
        let mut resource = self.object("kiali.io/v1alpha1", "Kiali");
        resource["metadata"]["labels"] = json!({});
        resource["spec"] = json!({
            "deployment": {"image_version": self.version, "instance_name": self.instance},
            "external_services": {"tracing": self.tracing},
        });
        resource
    }

    fn path(&self, plural: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}/{name}", self.namespace)
    }

    /// Installs it, or brings what is installed to this.
    pub fn apply(&self, cluster: &Cluster) {
        if self.by == Installer::Operator {
            define_kialis(cluster);
            cluster.apply(&self.custom_resource());
        }
        cluster.apply(&self.config_map());
        cluster.apply(&self.service());
        cluster.apply(&self.pod());
        let status = json!({"status": {"phase": "Running", "podIP": "10.244.0.99"}});
        let pod = self.path("pods", &self.pod_name());
        cluster.patch(&format!("{pod}/status"), &status);
    }

    /// As `helm upgrade`, or the operator: a new Pod comes, then the old one goes.
    pub fn upgrade(&mut self, cluster: &Cluster, version: &'static str) {
        let old = self.path("pods", &self.pod_name());
        self.version = version;
        self.apply(cluster);
        cluster.delete(&old);
    }

    pub fn uninstall(&self, cluster: &Cluster) {
        cluster.delete(&self.path("configmaps", self.instance));
        cluster.delete(&self.path("services", self.instance));
        cluster.delete(&self.path("pods", &self.pod_name()));
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// A Pod of istiod (istio/istio, `manifests/charts/istio-control/istio-discovery`), less
/// what no reader of it looks at.
pub fn install_istiod(cluster: &Cluster, cluster_id: &str) {
    let container = json!({
        "name": "discovery", "image": "docker.io/istio/pilot:1.30.0",
        "env": [
            {"name": "REVISION", "value": "default"},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "CLUSTER_ID", "value": cluster_id},
        ],
    });
    cluster.apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "istiod-794db9df8f-x", "namespace": "istio-system",
            "labels": {"app": "istiod", "istio": "pilot", "istio.io/rev": "default"}},
        "spec": {"containers": [container]},
    }));
}

/// The operator's kind of object.
pub fn define_kialis(cluster: &Cluster) {
    cluster.define("kiali.io", "v1alpha1", "Kiali");
}
