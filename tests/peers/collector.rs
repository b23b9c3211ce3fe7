//! The configurations in which the tests with peers run the binary.

use crate::kiali::Kiali;
use serde_json::{Value, json};
use testkit::{Setup, Wayspan, get};

/// Traces to a Jaeger over gRPC, named for a Kiali.
pub fn naming(jaeger_grpc: u16, kiali: &Kiali) -> Setup {
    named_with(jaeger_grpc, kiali, json!({}))
}

/// The same with more keys of the processor `mesh`.
pub fn named_with(jaeger_grpc: u16, kiali: &Kiali, more: Value) -> Setup {
    let layer = json!({
        "processors": {"mesh": mesh(kiali, "Kubernetes")},
        "service": {"pipelines": {"traces": {"processors": ["mesh", "batch"]}}},
    });
    // JSON is YAML, so nothing need be spelt twice.
    Setup::to_grpc(jaeger_grpc)
        .batching("200ms")
        .layer(layer.to_string())
        .layer(json!({"processors": {"mesh": more}}).to_string())
}

/// The health page, which must be green.
pub fn health(wayspan: &Wayspan) -> Value {
    let page = get(wayspan.health, "/", &[]).unwrap();
    assert_eq!(page.status, 200, "{}", page.body);
    serde_json::from_str(&page.body).unwrap()
}

/// The settings of `mesh` for a Kiali that looks at a cluster.
pub fn mesh(kiali: &Kiali, cluster: &str) -> Value {
    let (major, minor) = kiali.version;
    json!({
        "kiali": {
            "version": format!("{major}.{minor}"),
            "namespace_selector": kiali.namespace_selector,
            "use_waypoint_name": kiali.use_waypoint_name,
            "istio_identity_domain": "svc.cluster.local",
        },
        "cluster_id": cluster,
    })
}
