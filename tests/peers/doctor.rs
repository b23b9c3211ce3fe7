//! `wayspan doctor` on a real Kubernetes API: it finds a mesh well, finds each fault made
//! there, and its fixes, applied as printed, mend it.

use crate::envoy::{Collector, Envoy, Export, Hop, Role};
use crate::jaeger::Jaeger;
use crate::kiali_objects::{Installed, Installer};
use crate::{kubectl, kubernetes::Cluster, spans::export};
use serde_json::{Value, json};
use std::{
    io::Read as _,
    process::Stdio,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{
    Setup, Wayspan, binary, free_port,
    kiali::{Kiali, Says},
    root, wait_for,
};

/// The kinds of objects in `healthy.yaml` that Istio and the Gateway API define.
const KINDS: [(&str, &str); 3] = [
    ("telemetry.istio.io", "Telemetry"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
];

/// What the doctor's own tests call a healthy mesh.
fn healthy() -> Value {
    let file = root().join("src/cli/doctor/tests/healthy.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn typed(object: &Value, version: &str, kind: &str) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = version.into();
    object["kind"] = kind.into();
    if let Some(meta) = object["metadata"].as_object_mut() {
        meta.remove("creationTimestamp");
    }
    object
}

/// Puts all of `healthy.yaml` into a cluster.
fn install(cluster: &Cluster) {
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
    for slice in collector["endpoints"]["got"].as_array().unwrap() {
        let mut slice = typed(slice, "discovery.k8s.io/v1", "EndpointSlice");
        slice["addressType"] = "IPv4".into();
        slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "istio-collector"});
        cluster.apply(&slice);
    }
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

/// Runs the doctor: its exit code and what it says as JSON.
fn doctor(cluster: &Cluster) -> (i32, Value) {
    doctor_with(cluster, &[])
}

fn doctor_with(cluster: &Cluster, arguments: &[String]) -> (i32, Value) {
    let mut command = binary();
    command.args(["doctor", "--output", "json", "--kubeconfig"]);
    command.arg(cluster.kubeconfig()).args(arguments);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = output.status.code().unwrap();
    assert_eq!(said["exit_code"], code);
    (code, said)
}

fn first_cause(said: &Value) -> (String, String) {
    let first = &said["causes"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&first["check"]), text(&first["fix"]["command"]))
}

#[test]
fn faults_of_istio_are_found_and_mended_by_what_is_printed() {
    let dir = TempDir::new().unwrap();
    let mut cluster = Cluster::start(dir.path());
    install(&cluster);

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
    let faults: [Fault<'_>; 9] = [
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
        kubectl::run(&cluster, &fix.replace("NAMESPACE", "bookinfo"));
        let (code, said) = doctor(&cluster);
        let broken: Vec<&Value> = said["causes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["likelihood"] != "possible")
            .collect();
        assert_eq!(
            (code, broken),
            (0, vec![]),
            "after the fix of {check}: {said:#}"
        );
    }

    drop(faults);
    cluster.stop_api_server();
    let (code, said) = doctor(&cluster);
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

/// Spans as Istio 1.30 emits them, of all Services of `healthy.yaml`.
fn send(wayspan: &Wayspan) {
    let waypoint =
        "waypoint~10.244.0.9~waypoint-6f7d9c5b4-qwert.bookinfo~bookinfo.svc.cluster.local";
    for service in ["reviews", "ratings"] {
        let upstream = format!("inbound-vip|9080|http|{service}.bookinfo.svc.cluster.local");
        let tags = [
            ("component", "proxy"),
            ("node_id", waypoint),
            ("upstream_cluster", &upstream),
            ("istio.cluster_id", "Kubernetes"),
            ("istio.destination_workload", &format!("{service}-v1")),
            ("istio.destination_namespace", "bookinfo"),
        ];
        export(
            wayspan,
            rand::random(),
            &[("service.name", "waypoint.bookinfo")],
            &tags,
        );
    }
    // A request that was addressed to a workload, and one through the gateway.
    let gateway = "router~10.244.0.8~bookinfo-gateway-istio-1.bookinfo~bookinfo.svc.cluster.local";
    for (node, cluster, name) in [
        (waypoint, "encap", "waypoint.bookinfo"),
        (
            gateway,
            "outbound|9080||reviews.bookinfo.svc.cluster.local",
            "bookinfo-gateway-istio.bookinfo",
        ),
    ] {
        let tags = [
            ("component", "proxy"),
            ("node_id", node),
            ("upstream_cluster", cluster),
            ("istio.cluster_id", "Kubernetes"),
        ];
        export(wayspan, rand::random(), &[("service.name", name)], &tags);
    }
    let sidecar = "sidecar~10.244.0.12~cart-1.shop~shop.svc.cluster.local";
    let tags = [
        ("component", "proxy"),
        ("node_id", sidecar),
        ("upstream_cluster", "inbound|8080||"),
        ("istio.cluster_id", "Kubernetes"),
    ];
    export(
        wayspan,
        rand::random(),
        &[("service.name", "cart.shop")],
        &tags,
    );
}

#[test]
fn faults_behind_istio_are_found_with_a_real_jaeger_and_collector() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    install(&cluster);
    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]);
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
    let jaeger = Jaeger::start(dir.path());
    let wayspan = Wayspan::start(Setup::to_grpc(jaeger.otlp_grpc).adding_mesh());
    let http = format!("http://127.0.0.1:{}", jaeger.query_http);
    let grpc = format!("http://127.0.0.1:{}", jaeger.query_grpc);
    let mut kiali = Installed::new(Installer::Helm, "istio-system", "v2.30.0");
    let right = json!({"enabled": true, "use_grpc": false, "internal_url": http});
    kiali.tracing = right.clone();
    kiali.apply(&cluster);
    let collector = |grpc: u16, metrics: u16| {
        vec![
            format!("--collector=http://127.0.0.1:{grpc}"),
            format!("--collector-metrics=http://127.0.0.1:{metrics}/metrics"),
        ]
    };

    // Before any span.
    let (code, said) = doctor_with(&cluster, &collector(wayspan.grpc, wayspan.metrics));
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "collector-accepts"),
        "{said:#}"
    );
    let explains = said["causes"][0]["explains"].to_string();
    assert!(explains.contains("Jaeger holds no spans"), "{said:#}");

    send(&wayspan);
    wait_for("the spans in Jaeger", || {
        let held = jaeger.services_grpc().unwrap();
        held.iter().any(|name| name == "cart.shop").then_some(())
    });
    let probing = |wayspan: &Wayspan| {
        let mut arguments = collector(wayspan.grpc, wayspan.metrics);
        arguments.push("--probe".to_owned());
        doctor_with(&cluster, &arguments)
    };
    let probed = |said: &Value| {
        let checks = said["checks"].as_array().unwrap().iter();
        let probe = checks.filter(|check| check["category"] == "probe");
        probe
            .map(|check| check["status"].clone())
            .collect::<Vec<_>>()
    };
    let (code, said) = probing(&wayspan);
    assert_eq!((code, &said["causes"]), (0, &json!([])), "{said:#}");
    assert_eq!(probed(&said), ["ok", "ok", "ok"], "{said:#}");
    let with_grpc = json!({"enabled": true, "internal_url": format!("{grpc}/jaeger")});
    kiali.tracing = with_grpc;
    kiali.apply(&cluster);
    let (code, said) = probing(&wayspan);
    assert_eq!((code, &said["causes"]), (0, &json!([])), "{said:#}");
    assert_eq!(probed(&said), ["ok", "ok", "ok"], "{said:#}");

    let tls = http.replace("http://", "https://");
    for (check, key, value) in [
        ("kiali-protocol", "use_grpc", json!(true)),
        ("kiali-protocol", "internal_url", json!(grpc)),
        ("kiali-path", "internal_url", json!(format!("{http}/query"))),
        ("jaeger-reachable", "internal_url", json!(tls)),
        (
            "jaeger-reachable",
            "internal_url",
            json!(format!("http://127.0.0.1:{}", free_port())),
        ),
        ("kiali-tracing", "enabled", json!(false)),
        ("names-asked", "use_waypoint_name", json!(true)),
        ("names-asked", "namespace_selector", json!(false)),
    ] {
        kiali.tracing = right.clone();
        kiali.tracing[key] = value;
        kiali.apply(&cluster);
        let (code, said) = doctor(&cluster);
        assert_eq!(
            (code, &*first_cause(&said).0),
            (1, check),
            "{}: {said:#}",
            kiali.tracing
        );
    }
    // Where an operator makes the configuration, its resource is what is patched.
    cluster.define("kiali.io", "v1alpha1", "Kiali");
    cluster.apply(&json!({
        "apiVersion": "kiali.io/v1alpha1", "kind": "Kiali",
        "metadata": {"name": "mesh", "namespace": "istio-system"}, "spec": {"version": "default"},
    }));
    let (_, said) = doctor(&cluster);
    let (check, command) = first_cause(&said);
    assert_eq!(check, "names-asked", "{said:#}");
    kubectl::run(&cluster, &command);
    let resource = "/apis/kiali.io/v1alpha1/namespaces/istio-system/kialis/mesh";
    let spec = cluster.find(resource).unwrap()["spec"].clone();
    let tracing = json!({"tracing": {"namespace_selector": true}});
    assert_eq!(
        spec,
        json!({"version": "default", "external_services": tracing})
    );

    kiali.tracing = right;
    kiali.apply(&cluster);

    // A collector that leaves names as they are: the probe is there, and not for this Kiali.
    let unnamed = Wayspan::start(Setup::to_grpc(jaeger.otlp_grpc));
    send(&unnamed);
    let (code, said) = probing(&unnamed);
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "probe-kiali"),
        "{said:#}"
    );
    assert_eq!(probed(&said), ["ok", "ok", "broken"], "{said:#}");
    let evidence = &said["causes"][0]["evidence"];
    assert!(
        evidence
            .to_string()
            .contains("Jaeger holds it as wayspan-probe.istio-system"),
        "{said:#}"
    );

    let nobody = free_port();
    let (code, said) = doctor_with(&cluster, &collector(nobody, wayspan.metrics));
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "collector-grpc"),
        "{said:#}"
    );
    let (code, said) = doctor_with(&cluster, &collector(wayspan.http, wayspan.metrics));
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "collector-grpc"),
        "{said:#}"
    );
    let lost = Wayspan::start(Setup::to_grpc(nobody).adding_mesh());
    send(&lost);
    let (code, said) = doctor_with(&cluster, &collector(lost.grpc, lost.metrics));
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "collector-sends"),
        "{said:#}"
    );

    without_kubernetes_addresses_are_enough(&wayspan, [&http, &grpc]);
    a_large_namespace_is_looked_at_quickly(&cluster, &wayspan);
}

/// Kiali is asked by its API, Jaeger in both ways, and the probe is found in both.
fn without_kubernetes_addresses_are_enough(wayspan: &Wayspan, jaeger: [&str; 2]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let port = free_port();
    let says = Says {
        version: "v2.30.0",
        namespace_selector: true,
        use_waypoint_name: Some(false),
        identity_domain: "svc.cluster.local",
        session: false,
    };
    let kiali = runtime.block_on(Kiali::serve(port, says.clone(), None));
    let doctor = |jaeger: &str| {
        let mut command = binary();
        command.args(["doctor", "--no-kubernetes", "--probe", "--output", "json"]);
        command.args(["--jaeger", jaeger]);
        command.arg(format!("--kiali=http://127.0.0.1:{port}/kiali"));
        command.arg(format!("--collector=http://127.0.0.1:{}", wayspan.grpc));
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), said)
    };
    for url in jaeger {
        let (code, said) = doctor(url);
        assert_eq!((code, &said["causes"]), (0, &json!([])), "{url}: {said:#}");
        let checks = said["checks"].as_array().unwrap();
        let probe = checks.iter().find(|check| check["id"] == "probe-kiali");
        let saw = probe.unwrap_or_else(|| panic!("{said:#}"))["saw"].to_string();
        let asked = "wayspan-probe.istio-system.svc.cluster.local with istio.cluster_id=east";
        assert!(saw.contains(asked), "{saw}");

        // What Jaeger holds is explained, too.
        let mut command = binary();
        command.args(["explain", "--output", "json", "--jaeger", url]);
        let output = command
            .args(["--service", "reviews.bookinfo.svc.cluster.local"])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{url}: {errors}");
        let account: Value = serde_json::from_slice(&output.stdout).unwrap();
        let span = &account["spans"][0];
        assert_eq!(span["hop"], "waypoint", "{account:#}");
        assert_eq!(
            span["service_name"]["now"],
            "reviews.bookinfo.svc.cluster.local"
        );
        let original = &span["sees"]["wayspan.original_service_name"];
        assert_eq!(original, "waypoint.bookinfo", "{account:#}");
    }
    // A Kiali with a login does not answer, which is said.
    let session = true;
    kiali.now_says(Some(Says { session, ..says }));
    let (code, said) = doctor(jaeger[0]);
    assert_eq!(code, 2, "{said:#}");
    assert!(
        said.to_string()
            .contains("/api/tracing answers HTTP status 401"),
        "{said:#}"
    );
}

/// A hundred workloads, each with its Service and three Pods, and spans of all.
fn a_large_namespace_is_looked_at_quickly(cluster: &Cluster, wayspan: &Wayspan) {
    let waypoint =
        "waypoint~10.244.0.9~waypoint-6f7d9c5b4-qwert.bookinfo~bookinfo.svc.cluster.local";
    for number in 0..100 {
        let app = format!("app-{number}");
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": app, "namespace": "bookinfo"},
            "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 9080}]},
        }));
        for pod in 0..3 {
            cluster.apply(&json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{app}-7c9f6d5b8-xk2l{pod}"), "namespace": "bookinfo", "labels": {"app": app}},
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            }));
        }
        let upstream = format!("inbound-vip|9080|http|{app}.bookinfo.svc.cluster.local");
        let tags = [
            ("component", "proxy"),
            ("node_id", waypoint),
            ("upstream_cluster", &upstream),
            ("istio.cluster_id", "Kubernetes"),
        ];
        let resource = [("service.name", "waypoint.bookinfo")];
        export(wayspan, rand::random(), &resource, &tags);
    }
    let began = Instant::now();
    let mut command = binary();
    command.args([
        "doctor",
        "-n",
        "bookinfo",
        "--output",
        "json",
        "--kubeconfig",
    ]);
    command.arg(cluster.kubeconfig());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        text
    });
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let said: Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    let checks = said["checks"].as_array().unwrap();
    let names = checks.iter().find(|check| check["id"] == "names-asked");
    let saw = names.unwrap()["saw"].to_string();
    assert!(saw.contains("services 102 of 102"), "{saw}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    assert!(peak > 1000 && peak < 64 << 10, "{peak} KiB");
}

#[test]
fn a_real_envoy_is_looked_into() {
    let dir = TempDir::new().unwrap();
    let wayspan = Wayspan::start(Setup::to_grpc(free_port()));
    let collector = Collector {
        export: Export::Grpc,
        port: wayspan.grpc,
    };
    let mut envoy = Envoy::new(
        Role::Waypoint,
        "waypoint",
        "6f7d9c5b4-qwert",
        "waypoint",
        "10.244.0.9",
        collector,
    );
    for app in ["reviews", "ratings"] {
        let host = format!("{app}.bookinfo.svc.cluster.local");
        envoy.listen(&Hop {
            host: &host,
            cluster: &format!("inbound-vip|9080|http|{host}"),
            upstream: free_port(),
            inbound: true,
            service_name: "waypoint.bookinfo",
            tags: Vec::new(),
        });
    }
    let admin = envoy.admin();
    let _process = envoy.start(dir.path());
    let judge = |port: u16| {
        let mut command = binary();
        command.args(["doctor", "--no-kubernetes", "--output", "json"]);
        command.arg(format!("--proxy=http://127.0.0.1:{port}"));
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (code, said) = judge(admin);
    assert_eq!(code, 0, "{said:#}");
    let saw = said["checks"][0]["saw"].as_str().unwrap();
    assert_eq!(saw, "waypoint-6f7d9c5b4-qwert.bookinfo: 2 of 2 listeners");
    assert_eq!(said["checks"][1]["id"], "proxy-cluster", "{said:#}");
    // What is no Envoy's admin port is no healthy proxy.
    let (code, said) = judge(wayspan.http);
    assert_eq!(code, 2, "{said:#}");
}
