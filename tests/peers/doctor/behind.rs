//! Faults behind Istio: of the collector, of Jaeger, and of what Kiali is told of them.

use super::{
    assert_all_named, broken, doctor, doctor_with, first_cause,
    install::{change_mesh, install, permit},
    keys_of_first_fix,
    large::a_large_namespace_is_looked_at_quickly,
    spans::{emitted, send},
};
use crate::jaeger::Jaeger;
use crate::kiali_objects::{Installed, Installer};
use crate::{kubectl, kubernetes::Cluster};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    Ca, Setup, Wayspan, binary, free_port,
    kiali::{Kiali, Says},
    wait_for,
};

#[test]
fn faults_behind_istio_are_found_with_a_real_jaeger_and_collector() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    install(&cluster);
    permit(&cluster);
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

    send(wayspan.grpc, &emitted());
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
    let healthy_again = |kiali: &Installed| {
        kiali.apply(&cluster);
        let (code, said) = doctor_with(&cluster, &collector(wayspan.grpc, wayspan.metrics));
        assert_eq!(
            (code, broken(&said)),
            (0, vec![]),
            "{}: {said:#}",
            kiali.more
        );
    };
    let dead = format!("http://127.0.0.1:{}", free_port());
    for (check, key, value) in [
        ("kiali-protocol", "use_grpc", json!(true)),
        ("kiali-protocol", "internal_url", json!(grpc)),
        ("kiali-path", "internal_url", json!(format!("{http}/query"))),
        ("jaeger-reachable", "internal_url", json!(tls)),
        ("jaeger-reachable", "internal_url", json!(dead)),
        ("kiali-tracing", "enabled", json!(false)),
        ("names-asked", "use_waypoint_name", json!(true)),
        ("names-asked", "namespace_selector", json!(false)),
    ] {
        kiali.tracing = right.clone();
        kiali.tracing[key] = value.clone();
        kiali.more = json!({});
        kiali.apply(&cluster);
        let (code, said) = doctor(&cluster);
        assert_eq!(
            (code, &*first_cause(&said).0),
            (1, check),
            "{}: {said:#}",
            kiali.tracing
        );
        match keys_of_first_fix(&said) {
            Some(keys) => {
                kiali.more = keys;
                healthy_again(&kiali);
            }
            None => assert_eq!(value, json!(dead), "{said:#}"),
        }
    }
    kiali.tracing = right.clone();
    // What Kiali and the mesh have been told of cluster and domain.
    kiali.more = json!({"kubernetes_config": {"cluster_name": "east"}});
    kiali.apply(&cluster);
    let (code, said) = doctor(&cluster);
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "kiali-cluster"),
        "{said:#}"
    );
    kiali.more = keys_of_first_fix(&said).unwrap();
    healthy_again(&kiali);
    kiali.more = json!({});
    kiali.apply(&cluster);
    change_mesh(&cluster, |mesh| mesh["trustDomain"] = "corp.example".into());
    let (code, said) = doctor(&cluster);
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "names-asked"),
        "{said:#}"
    );
    let what = said["causes"][0]["what"].to_string();
    assert!(what.contains("another domain"), "{what}");
    kiali.more = keys_of_first_fix(&said).unwrap();
    healthy_again(&kiali);
    change_mesh(&cluster, |mesh| {
        mesh["trustDomain"] = "cluster.local".into()
    });
    kiali.more = json!({});
    a_jaeger_with_tls_is_told_from_one_without(&cluster, &mut kiali);
    of_two_faults_both_are_named(&cluster, &mut kiali, &right);
    kiali.tracing = right.clone();
    kiali.tracing["namespace_selector"] = false.into();
    kiali.apply(&cluster);
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
    send(unnamed.grpc, &emitted());
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
    send(lost.grpc, &emitted());
    let (code, said) = doctor_with(&cluster, &collector(lost.grpc, lost.metrics));
    assert_eq!(
        (code, &*first_cause(&said).0),
        (1, "collector-sends"),
        "{said:#}"
    );

    without_kubernetes_addresses_are_enough(&wayspan, [&http, &grpc]);
    a_large_namespace_is_looked_at_quickly(&cluster, &wayspan);
}

/// Kiali asks in plaintext where Jaeger speaks TLS.
fn a_jaeger_with_tls_is_told_from_one_without(cluster: &Cluster, kiali: &mut Installed) {
    let dir = TempDir::new().unwrap();
    let ca = Ca::new();
    ca.install(&ca.sign("localhost"));
    let jaeger = Jaeger::secure(dir.path(), &ca);
    for (use_grpc, port) in [(false, jaeger.query_http), (true, jaeger.query_grpc)] {
        let url = format!("http://127.0.0.1:{port}");
        kiali.tracing = json!({"enabled": true, "use_grpc": use_grpc, "internal_url": url});
        kiali.apply(cluster);
        let (code, said) = doctor(cluster);
        assert_eq!(
            (code, &*first_cause(&said).0),
            (1, "jaeger-reachable"),
            "{said:#}"
        );
        kiali.more = keys_of_first_fix(&said).unwrap();
        kiali.apply(cluster);
        let (_, said) = doctor(cluster);
        // It is another one, which holds no spans yet.
        assert_eq!(first_cause(&said).0, "jaeger-services", "{said:#}");
        kiali.more = json!({});
    }
}

/// One fault of Istio's objects and one behind them.
fn of_two_faults_both_are_named(cluster: &Cluster, kiali: &mut Installed, right: &Value) {
    let telemetry = "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries/mesh";
    let rule = |key: &str, value: Value| {
        let path = format!("/spec/tracing/0/{key}");
        cluster.json_patch(
            telemetry,
            &json!([{"op": "add", "path": path, "value": value}]),
        );
    };
    let unlabelled = json!({"metadata": {"labels": {"istio.io/use-waypoint": null}}});
    let http = json!([{"op": "replace", "path": "/spec/ports/0/name", "value": "http"}]);
    let service = "/api/v1/namespaces/istio-system/services/istio-collector";
    let url = right["internal_url"].as_str().unwrap();
    let wrong_path = json!(format!("{url}/query"));
    type Make<'a> = Box<dyn Fn() + 'a>;
    let pairs: [(&str, Make<'_>, &str, &str, Value); 4] = [
        (
            "sampling",
            Box::new(|| rule("randomSamplingPercentage", json!(0))),
            "kiali-path",
            "internal_url",
            wrong_path,
        ),
        (
            "istio-tags",
            Box::new(|| rule("enableIstioTags", json!(false))),
            "kiali-protocol",
            "use_grpc",
            json!(true),
        ),
        (
            "waypoint-used",
            Box::new(|| cluster.patch("/api/v1/namespaces/bookinfo", &unlabelled)),
            "kiali-tracing",
            "enabled",
            json!(false),
        ),
        (
            "provider-port",
            Box::new(|| cluster.json_patch(service, &http)),
            "names-asked",
            "namespace_selector",
            json!(false),
        ),
    ];
    for (one, make, other, key, value) in pairs {
        make();
        kiali.tracing = right.clone();
        kiali.tracing[key] = value;
        kiali.apply(cluster);
        let (code, said) = doctor(cluster);
        assert_eq!(code, 1, "{said:#}");
        // Which of the two is the likelier does not depend on the order of the chain alone.
        assert!([one, other].contains(&&*first_cause(&said).0), "{said:#}");
        let is_broken = |id: &str| {
            let mut checks = said["checks"].as_array().unwrap().iter();
            checks.any(|check| check["id"] == id && check["status"] == "broken")
        };
        assert!(
            is_broken(one) && is_broken(other),
            "{one} and {other}: {said:#}"
        );
        assert_all_named(&said);
        install(cluster);
    }
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
    // A Kiali that is not there, and one with a login, do not answer, which is said.
    let mut command = binary();
    command.args(["doctor", "--no-kubernetes", "--output", "json"]);
    command.arg(format!("--kiali=http://127.0.0.1:{}/kiali", free_port()));
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said:#}");
    let checks = said["checks"].as_array().unwrap().iter();
    let unknown = checks.filter(|check| check["status"] == "unknown");
    let unknown: Vec<&Value> = unknown.map(|check| &check["id"]).collect();
    assert!(unknown.contains(&&json!("kiali-config")), "{said:#}");
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
