//! Faults in Istio's objects.

use super::{
    broken, doctor_with, first_cause,
    install::{change_mesh, install, install_endpoints, typed},
};
use crate::{kubectl, kubernetes::Cluster};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Setup, Wayspan, free_port};

#[test]
fn faults_of_istio_are_found_and_mended_by_what_is_printed() {
    let dir = TempDir::new().unwrap();
    let mut cluster = Cluster::start(dir.path());
    install(&cluster);
    // A collector that is well, whatever becomes of Istio's objects.
    let wayspan = Wayspan::start(Setup::to_grpc(free_port()));
    let arguments = [format!("--collector=http://127.0.0.1:{}", wayspan.grpc)];
    let doctor = |cluster: &Cluster| doctor_with(cluster, &arguments);

    // Without rights nothing is called well, and what is printed gives them.
    let (code, said) = doctor(&cluster);
    assert_eq!(code, 2, "{said:#}");
    for round in 0.. {
        let (code, said) = doctor(&cluster);
        if code == 0 {
            assert_eq!(said["causes"], json!([]), "{said:#}");
            break;
        }
        assert!(round < 6, "{said:#}");
        for cause in said["causes"].as_array().unwrap() {
            assert_eq!(cause["check"], "kubernetes-rights", "{said:#}");
            kubectl::run(&cluster, cause["fix"]["command"].as_str().unwrap());
        }
    }

    let service = "/api/v1/namespaces/istio-system/services/istio-collector";
    let telemetry = "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries/mesh";
    let namespace = "/api/v1/namespaces/bookinfo";
    let gateway = "/apis/gateway.networking.k8s.io/v1/namespaces/bookinfo/gateways/waypoint";
    type Fault<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let slice =
        "/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices/istio-collector-1";
    let faults: [Fault<'_>; 12] = [
        (
            "tracing-provider",
            Box::new(|| change_mesh(&cluster, |mesh| mesh["extensionProviders"] = json!([]))),
        ),
        ("provider-endpoints", Box::new(|| cluster.delete(slice))),
        (
            "provider-port",
            Box::new(|| {
                cluster.json_patch(
                    service,
                    &json!([{"op": "replace", "path": "/spec/ports/0/name", "value": "http"}]),
                )
            }),
        ),
        ("provider-service", Box::new(|| cluster.delete(service))),
        ("telemetry-provider", Box::new(|| cluster.delete(telemetry))),
        (
            "sampling",
            Box::new(|| {
                let telemetry =
                    "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries/tracing";
                cluster.json_patch(telemetry, &json!([{"op": "add", "path": "/spec/tracing/0/randomSamplingPercentage", "value": 0}]));
            }),
        ),
        (
            "istio-tags",
            Box::new(|| {
                let telemetry =
                    "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries/tracing";
                cluster.json_patch(telemetry, &json!([{"op": "add", "path": "/spec/tracing/0/enableIstioTags", "value": false}]));
            }),
        ),
        (
            "telemetry-waypoint",
            Box::new(|| {
                let all = "/apis/telemetry.istio.io/v1/namespaces";
                cluster.delete(&format!("{all}/istio-system/telemetries/tracing"));
                let rule =
                    json!({"providers": [{"name": "otel"}], "randomSamplingPercentage": 100});
                let telemetry = json!({"metadata": {"name": "mesh", "namespace": "shop"}, "spec": {"tracing": [rule]}});
                cluster.apply(&typed(&telemetry, "telemetry.istio.io/v1", "Telemetry"));
            }),
        ),
        (
            "waypoint-used",
            Box::new(|| {
                cluster.patch(
                    namespace,
                    &json!({"metadata": {"labels": {"istio.io/use-waypoint": null}}}),
                )
            }),
        ),
        (
            "mesh-members",
            Box::new(|| {
                cluster.patch(
                    namespace,
                    &json!({"metadata": {"labels": {"istio.io/dataplane-mode": null}}}),
                );
                cluster.patch(
                    "/api/v1/namespaces/shop",
                    &json!({"metadata": {"labels": {"istio-injection": null}}}),
                );
                cluster.delete("/api/v1/namespaces/shop/pods/cart-1");
            }),
        ),
        (
            "waypoint-used",
            Box::new(|| {
                cluster.patch(
                    gateway,
                    &json!({"metadata": {"labels": {"istio.io/waypoint-for": "workload"}}}),
                )
            }),
        ),
        (
            "agentgateway",
            Box::new(|| {
                let gateway = "/apis/gateway.networking.k8s.io/v1/namespaces/bookinfo/gateways/bookinfo-gateway";
                cluster.patch(
                    gateway,
                    &json!({"spec": {"gatewayClassName": "istio-agentgateway"}}),
                );
            }),
        ),
    ];
    for (check, make) in &faults {
        make();
        let (code, said) = doctor(&cluster);
        let (found, fix) = first_cause(&said);
        assert_eq!((code, &*found), (1, *check), "{said:#}");
        match *check {
            // What is printed is to be added to the mesh configuration.
            "tracing-provider" => {
                let text = said["causes"][0]["fix"]["text"].as_str().unwrap();
                let (_, yaml) = text.split_once('\n').unwrap();
                let added: Value = serde_saphyr::from_str(yaml).unwrap();
                change_mesh(&cluster, |mesh| {
                    mesh["extensionProviders"] = added["extensionProviders"].clone();
                });
            }
            // It says where to look; what is found there is somebody's to mend.
            "provider-endpoints" => install_endpoints(&cluster),
            _ => kubectl::run(&cluster, &fix.replace("NAMESPACE", "bookinfo")),
        }
        let (code, said) = doctor(&cluster);
        assert_eq!(
            (code, broken(&said)),
            (0, vec![]),
            "after the fix of {check}: {said:#}"
        );
    }

    drop(faults);
    cluster.stop_api_server();
    let (code, said) = super::doctor(&cluster);
    assert_eq!(code, 2, "{said:#}");
    assert_eq!(said["checks"].as_array().unwrap().len(), 1, "{said:#}");
    assert!(
        said["checks"][0]["saw"]
            .as_str()
            .unwrap()
            .contains("does not answer"),
        "{said:#}"
    );
}
