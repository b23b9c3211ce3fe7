//! With a Kubernetes API server at hand, `k8s_attributes` tells what its objects say;
//! what it has no right to see is missing, and one line says so.
//!
//! Idea: a span is sent again and again until its resource has what is waited for,
//! since nobody outside can tell when a change was taken in.

use crate::kubernetes::Cluster;
use crate::spans::{Tags, export};
use serde_json::json;
use std::collections::BTreeMap;
use tempfile::TempDir;
use testkit::{Backend, Setup, Wayspan, wait_for};

/// All kinds of objects, by a Pod's address or the sender's.
fn processor() -> String {
    let label = |from: &str| json!({"from": from, "key": "is", "tag_name": format!("{from}.is")});
    let kinds = ["pod", "namespace", "node", "deployment"];
    json!({
        "auth_type": "kubeConfig",
        "wait_for_metadata": true,
        "pod_delete_grace_period": "1s",
        "extract": {
            "metadata": [
                "k8s.pod.name", "k8s.pod.uid", "k8s.pod.start_time", "k8s.namespace.name",
                "k8s.node.name", "k8s.node.uid", "k8s.deployment.name", "k8s.deployment.uid",
                "k8s.cluster.uid", "container.image.name", "container.image.tag",
            ],
            "labels": kinds.map(label),
            "otel_annotations": true,
        },
    })
    .to_string()
}

struct Bench {
    backend: Backend,
    wayspan: Wayspan,
}

impl Bench {
    /// What the resource of a span has that is sent with these attributes.
    fn enriched(&self, resource: Tags) -> BTreeMap<String, String> {
        let id: [u8; 16] = rand::random();
        export(&self.wayspan, id, resource, &[]);
        wait_for("the span", || {
            let all = self.backend.resource_spans();
            let with_span = all.iter().find(|group| {
                let mut spans = group.scope_spans.iter().flat_map(|scope| &scope.spans);
                spans.any(|span| span.trace_id == id)
            });
            let attributes = &with_span?.resource.as_ref()?.attributes;
            let text = |kv: &opentelemetry_proto::tonic::common::v1::KeyValue| {
                use opentelemetry_proto::tonic::common::v1::any_value::Value;
                match kv.value.clone()?.value? {
                    Value::StringValue(text) => Some((kv.key.clone(), text)),
                    _ => None,
                }
            };
            Some(attributes.iter().filter_map(text).collect())
        })
    }

    fn wait_for(&self, resource: Tags, key: &str, value: Option<&str>) -> BTreeMap<String, String> {
        wait_for(&format!("{key} {value:?} for {resource:?}"), || {
            let all = self.enriched(resource);
            (all.get(key).map(String::as_str) == value).then_some(all)
        })
    }
}

#[test]
fn attributes_follow_the_objects_of_a_cluster() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    for name in ["shop", "istio-system"] {
        cluster.namespace(name);
    }
    let labels = |kind: &str| json!({"metadata": {"labels": {"is": kind}}});
    cluster.patch("/api/v1/namespaces/shop", &labels("shop"));
    let node = json!({"metadata": {"name": "node-1", "labels": {"is": "node-1"}}});
    cluster.create("/api/v1/nodes", &node);
    let spec = json!({
        "selector": {"matchLabels": {"app": "cart"}},
        "template": {
            "metadata": {"labels": {"app": "cart"}},
            "spec": {"containers": [{"name": "app", "image": "q.io/shop/cart:1.2"}]},
        },
    });
    let deployment = json!({
        "metadata": {"name": "cart", "labels": {"is": "cart"}}, "spec": spec,
    });
    let deployment = cluster.create("/apis/apps/v1/namespaces/shop/deployments", &deployment);
    let owner = |kind: &str, object: &serde_json::Value| {
        json!([{
            "apiVersion": "apps/v1", "kind": kind, "name": object["metadata"]["name"],
            "uid": object["metadata"]["uid"], "controller": true,
        }])
    };
    let replica_set = json!({
        "metadata": {"name": "cart-5d", "ownerReferences": owner("Deployment", &deployment)},
        "spec": spec,
    });
    let replica_set = cluster.create("/apis/apps/v1/namespaces/shop/replicasets", &replica_set);
    let pod = json!({
        "metadata": {
            "name": "cart-5d-x", "generateName": "cart-5d-",
            "labels": {"app": "cart", "is": "cart-5d-x", "pod-template-hash": "5d"},
            "annotations": {"resource.opentelemetry.io/service.version": "7"},
            "ownerReferences": owner("ReplicaSet", &replica_set),
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "app", "image": "q.io/shop/cart:1.2"}],
        },
    });
    let pods = "/api/v1/namespaces/shop/pods";
    let pod = cluster.create(pods, &pod);
    let path = format!("{pods}/cart-5d-x");
    let at =
        |ip: &str| json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}});
    cluster.patch(&format!("{path}/status"), &at("10.244.0.1"));

    // Pods and namespaces may be seen, other kinds may not.
    cluster.permit();
    let backend = Backend::grpc();
    let setup = Setup::to(&backend).env("KUBECONFIG", cluster.kubeconfig().display());
    let wayspan = Wayspan::start(setup.layer(format!(
        "processors: {{k8s_attributes: {}}}\n\
         service: {{pipelines: {{traces: {{processors: [k8s_attributes, batch]}}}}}}",
        processor()
    )));
    let mut bench = Bench { backend, wayspan };
    let by_address = [("k8s.pod.ip", "10.244.0.1")];
    // The start has waited for the Pods, so the first span has it all.
    let all = bench.enriched(&by_address);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for (key, want) in [
        ("k8s.pod.name", "cart-5d-x".to_owned()),
        ("k8s.pod.uid", text(&pod["metadata"]["uid"])),
        (
            "k8s.pod.start_time",
            text(&pod["metadata"]["creationTimestamp"]),
        ),
        ("k8s.namespace.name", "shop".to_owned()),
        ("k8s.node.name", "node-1".to_owned()),
        ("k8s.deployment.name", "cart".to_owned()),
        ("container.image.name", "q.io/shop/cart".to_owned()),
        ("container.image.tag", "1.2".to_owned()),
        ("pod.is", "cart-5d-x".to_owned()),
        ("namespace.is", "shop".to_owned()),
        ("service.version", "7".to_owned()),
    ] {
        assert_eq!(all.get(key), Some(&want), "{key}: {all:?}");
    }
    assert!(all.contains_key("k8s.cluster.uid"), "{all:?}");
    for missing in [
        "k8s.node.uid",
        "node.is",
        "k8s.deployment.uid",
        "deployment.is",
    ] {
        assert!(!all.contains_key(missing), "{missing}: {all:?}");
    }
    for (kind, group) in [
        ("nodes", ""),
        ("replicasets", "apps"),
        ("deployments", "apps"),
    ] {
        bench.wayspan.wait_said(&format!("may not list {kind}"));
        let log = bench.wayspan.log();
        let line = log
            .lines()
            .find(|line| line.contains(&format!("may not list {kind}")));
        let rule = format!("apiGroups [\"{group}\"], resources [\"{kind}\"]");
        assert!(line.unwrap().contains(&rule), "{line:?}");
        let missing = format!("Attributes that come from {kind} are missing");
        assert_eq!(log.matches(&missing).count(), 1, "{log}");
    }

    // With the rights of the deployment they come.
    cluster.permit_file("k8s-attributes.yaml");
    let all = bench.wait_for(&by_address, "deployment.is", Some("cart"));
    assert_eq!(
        all.get("k8s.deployment.uid"),
        Some(&text(&deployment["metadata"]["uid"]))
    );
    bench.wait_for(&by_address, "node.is", Some("node-1"));

    // Changes are followed: of a label, and of an address.
    cluster.patch(&path, &labels("other"));
    bench.wait_for(&by_address, "pod.is", Some("other"));
    cluster.patch(&format!("{path}/status"), &at("127.0.0.1"));
    bench.wait_for(
        &[("service.name", "by-sender")],
        "k8s.pod.name",
        Some("cart-5d-x"),
    );
    bench.wait_for(&by_address, "k8s.pod.name", None);
    let known = "otelcol_k8s_pod_association{processor=\"k8s_attributes\",\
                 pod_identifier=\"connection\",status=\"success\"}";
    bench.wayspan.wait_metric(known, |count| count > 0.0);

    // One that is gone is known for as long as was said.
    cluster.delete(&path);
    bench.wait_for(&[("service.name", "by-sender")], "k8s.pod.name", None);
    bench.wayspan.stop();
}
