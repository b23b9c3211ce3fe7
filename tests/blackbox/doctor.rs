//! `wayspan doctor` as its users see it: what it prints, with the facts of a file, is what
//! the golden files have. `WRITE_GOLDEN=1` writes them anew.

use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use testkit::{binary, root};

fn healthy() -> Value {
    let file = root().join("src/cli/doctor/tests/healthy.yaml");
    serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// What the doctor says of these facts, with its exit code as the last line.
fn judged(facts: &Value, arguments: &[&str]) -> String {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("seen.json");
    fs::write(&file, facts.to_string()).unwrap();
    let mut command = binary();
    command
        .args(["doctor", "--replay"])
        .arg(&file)
        .args(arguments);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let said = String::from_utf8(output.stdout).unwrap();
    format!("{said}exit code {}\n", output.status.code().unwrap())
}

fn golden(name: &str, said: &str) {
    let file: PathBuf = root().join("tests/blackbox/doctor").join(name);
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, said).unwrap();
    }
    let wanted = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(said, wanted, "{name}: WRITE_GOLDEN=1 writes it anew");
}

/// Three faults, of which one is a consequence, and something that may be meant.
fn faulty() -> Value {
    let mut facts = healthy();
    let kubernetes = &mut facts["kubernetes"];
    kubernetes["provider_services"][0]["service"]["got"]["spec"]["ports"][0]["name"] =
        "http".into();
    kubernetes["telemetries"]["got"][0]["metadata"]["namespace"] = "shop".into();
    kubernetes["telemetries"]["got"][0]["spec"]["tracing"][0]["randomSamplingPercentage"] =
        json!(0.5);
    facts
}

#[test]
fn what_it_prints_is_what_the_golden_files_have() {
    golden("healthy.txt", &judged(&healthy(), &[]));
    golden("faulty.txt", &judged(&faulty(), &[]));
    golden(
        "faulty-short.txt",
        &judged(&faulty(), &["--output", "short"]),
    );
    golden("faulty.json", &judged(&faulty(), &["--output", "json"]));
    let unreachable =
        json!({"failed": {"cause": "the Kubernetes API does not answer: connection refused"}});
    golden(
        "unreachable.txt",
        &judged(&json!({"kubernetes": {"api": unreachable}}), &[]),
    );
}

/// kiali/kiali#8266 with the facts of healthy.yaml otherwise: Istio 1.24.1 in ambient mode, Kiali
/// 2.7.0 without namespaces in its questions, Jaeger 1.53 below `/jaeger`, and a Telemetry that
/// reaches the ingress gateway alone.
fn kiali_8266() -> Value {
    let mut facts = healthy();
    facts["scope"]["namespaces"] = json!(["bookinfo"]);
    facts["proxies"] = json!([]);
    let kubernetes = &mut facts["kubernetes"];
    let image = "docker.io/istio/pilot:1.24.1";
    kubernetes["istiods"]["got"][0]["spec"]["containers"][0]["image"] = image.into();
    let pods = kubernetes["pods"]["got"].as_array_mut().unwrap();
    pods[0]["spec"]["containers"][0]["image"] = "docker.io/istio/proxyv2:1.24.1".into();
    pods.retain(|pod| {
        let meta = &pod["metadata"];
        meta["namespace"] != "shop" && meta["name"] != "bookinfo-gateway-istio-1"
    });
    let gateways = kubernetes["gateways"]["got"].as_array_mut().unwrap();
    gateways[1]["metadata"] = json!({"name": "ingress", "namespace": "istio-ingress"});
    kubernetes["telemetries"]["got"][0]["metadata"]["namespace"] = "istio-ingress".into();
    let jaeger = &mut facts["jaegers"][0];
    jaeger["http"]["got"]["version"] = "v1.53.0".into();
    jaeger["http"]["got"]["services"] = json!(["ingress-istio.istio-ingress", "Reviews"]);
    jaeger["recent"] = json!({});
    let kiali = &mut facts["kialis"]["got"][0];
    kiali["version"] = "2.7".into();
    kiali["namespaceSelector"] = false.into();
    let metrics = &mut facts["collector"]["metrics"]["got"];
    metrics["is_wayspan"] = false.into();
    metrics["scheme"] = Value::Null;
    facts
}

/// The same once Telemetry holds for the mesh, as the first fix has it.
fn kiali_8266_reported() -> Value {
    let mut facts = kiali_8266();
    let telemetries = facts["kubernetes"]["telemetries"]["got"].as_array_mut();
    let telemetries = telemetries.unwrap();
    let mut added = telemetries[0].clone();
    added["metadata"] = json!({"name": "tracing", "namespace": "istio-system"});
    telemetries.push(added);
    facts["jaegers"][0]["http"]["got"]["services"] = json!([
        "ingress-istio.istio-ingress",
        "Reviews",
        "waypoint.bookinfo"
    ]);
    facts
}

#[test]
fn the_manual_shows_what_is_said_of_kiali_8266() {
    let manual = root().join("docs/troubleshooting.md");
    let text = fs::read_to_string(&manual).unwrap();
    let mut written = text.clone();
    for (name, facts) in [
        ("kiali-8266", kiali_8266()),
        ("kiali-8266-reported", kiali_8266_reported()),
    ] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = written.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        let said = judged(&facts, &["--output", "short"]);
        let said = said.replace("exit code 1\n", "");
        written = format!("{before}{begin}```text\n{said}```\n{end}{after}");
    }
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        fs::write(&manual, &written).unwrap();
        return;
    }
    assert_eq!(text, written, "WRITE_GOLDEN=1 writes it anew");
}

#[test]
fn before_the_installation_a_collector_need_not_be_there() {
    let mut facts = healthy();
    facts["kubernetes"]["provider_services"][0]["endpoints"]["got"] = json!([]);
    assert!(judged(&facts, &[]).ends_with("exit code 1\n"));
    assert!(judged(&facts, &["--pre"]).ends_with("exit code 0\n"));
}

#[test]
fn what_nobody_looked_at_is_not_well() {
    let said = judged(&json!({}), &["--output", "short"]);
    assert!(said.contains("Nothing was looked at"), "{said}");
    assert!(said.ends_with("exit code 2\n"), "{said}");
}

#[test]
fn a_silent_api_server_ends_a_question_and_not_the_doctor() {
    let dir = TempDir::new().unwrap();
    // It accepts connections, by the kernel's hand, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "it", "user": {"token": "hunter2"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    });
    let file = dir.path().join("kubeconfig");
    let bundle = dir.path().join("seen.json");
    fs::write(&file, config.to_string()).unwrap();
    let mut command = binary();
    command
        .args(["doctor", "--timeout", "200ms", "--kubeconfig"])
        .arg(&file);
    let output = command.arg("--bundle").arg(&bundle).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no answer within 200ms"), "{said}");
    let seen = fs::read_to_string(&bundle).unwrap();
    assert!(!seen.contains("hunter2"), "{seen}");
    // What was seen is judged alike wherever that is done.
    let again = judged(&serde_json::from_str(&seen).unwrap(), &[]);
    assert_eq!(again, format!("{said}exit code 2\n"));
}
