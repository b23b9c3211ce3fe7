//! What the doctor's own tests call a healthy mesh, put into a cluster.

use crate::kubernetes::Cluster;
use serde_json::{Value, json};
use testkit::root;

/// The kinds of objects in `healthy.yaml` that Istio and the Gateway API define.
const KINDS: [(&str, &str); 3] = [
    ("telemetry.istio.io", "Telemetry"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
];

/// What the doctor's own tests call a healthy mesh.
pub fn healthy() -> Value {
    let file = root().join("src/cli/doctor/tests/healthy.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

pub fn typed(object: &Value, version: &str, kind: &str) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = version.into();
    object["kind"] = kind.into();
    if let Some(meta) = object["metadata"].as_object_mut() {
        meta.remove("creationTimestamp");
    }
    object
}

/// Puts all of `healthy.yaml` into a cluster.
pub fn install(cluster: &Cluster) {
    let facts = healthy();
    let kubernetes = &facts["kubernetes"];
    let list = |of: &str| kubernetes[of]["got"].as_array().unwrap().clone();
    for (group, kind) in KINDS {
        cluster.define(group, "v1", kind);
    }
    for namespace in list("namespaces") {
        cluster.apply(&typed(&namespace, "v1", "Namespace"));
    }
    let mesh = kubernetes["mesh_config"]["got"].to_string();
    cluster.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": mesh},
    }));
    let collector = &kubernetes["provider_services"][0];
    let services = list("services")
        .into_iter()
        .chain([collector["service"]["got"].clone()]);
    for service in services {
        cluster.apply(&typed(&service, "v1", "Service"));
    }
    install_endpoints(cluster);
    for pod in list("pods").into_iter().chain(list("istiods")) {
        let mut pod = typed(&pod, "v1", "Pod");
        let status = pod.as_object_mut().unwrap().remove("status").unwrap();
        if pod["spec"].is_null() {
            pod["spec"] = json!({"containers": [{"name": "app", "image": "app"}]});
        }
        cluster.apply(&pod);
        let name = pod["metadata"]["name"].as_str().unwrap();
        let namespace = pod["metadata"]["namespace"].as_str().unwrap();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
        cluster.patch(&path, &json!({"status": status}));
    }
    for gateway in list("gateways") {
        cluster.apply(&typed(&gateway, "gateway.networking.k8s.io/v1", "Gateway"));
    }
    for telemetry in list("telemetries") {
        cluster.apply(&typed(&telemetry, "telemetry.istio.io/v1", "Telemetry"));
    }
}

/// Puts the addresses of the collector's Service there.
pub fn install_endpoints(cluster: &Cluster) {
    let facts = healthy();
    let collector = &facts["kubernetes"]["provider_services"][0];
    for slice in collector["endpoints"]["got"].as_array().unwrap() {
        let mut slice = typed(slice, "discovery.k8s.io/v1", "EndpointSlice");
        slice["addressType"] = "IPv4".into();
        slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "istio-collector"});
        cluster.apply(&slice);
    }
}

/// Lets the doctor and wayspan read everything.
pub fn permit(cluster: &Cluster) {
    let everything =
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]);
    let subject = json!({"kind": "ServiceAccount", "name": "wayspan", "namespace": "istio-system"});
    let role =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"});
    for (kind, rest) in [
        ("ClusterRole", json!({"rules": everything})),
        (
            "ClusterRoleBinding",
            json!({"roleRef": role, "subjects": [subject]}),
        ),
    ] {
        let mut object = rest;
        object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
        object["kind"] = kind.into();
        object["metadata"] = json!({"name": "reader"});
        cluster.apply(&object);
    }
}

/// Changes the mesh configuration.
pub fn change_mesh(cluster: &Cluster, change: impl FnOnce(&mut Value)) {
    let path = "/api/v1/namespaces/istio-system/configmaps/istio";
    let map = cluster.find(path).unwrap();
    let mut mesh: Value = serde_saphyr::from_str(map["data"]["mesh"].as_str().unwrap()).unwrap();
    change(&mut mesh);
    cluster.patch(path, &json!({"data": {"mesh": mesh.to_string()}}));
}
