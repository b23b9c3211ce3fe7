//! Everything under `deploy/`: the chart rendered by Helm, the bases and components
//! put together by kustomize, the plain files. A real API server takes all of it, and
//! what it starts runs.

use crate::installed::peer;
use crate::kubernetes::{Cluster, manifest};
use crate::pod::{Pod, only, own_address, workload};
use crate::spans::export_to;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use testkit::{Backend, Protocol, metrics::Page, root};

/// Kinds that others define, of which the API server takes whatever content.
const DEFINED: [(&str, &str, &str); 4] = [
    ("telemetry.istio.io", "v1", "Telemetry"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor"),
    ("monitoring.coreos.com", "v1", "PodMonitor"),
    ("monitoring.coreos.com", "v1", "PrometheusRule"),
];

/// All that the chart can add.
const ALL: &str = "telemetry.create=true,autoscaling.enabled=true,\
    podDisruptionBudget.enabled=true,networkPolicy.enabled=true,\
    networkPolicy.nodeCIDRs={10.0.0.0/16},serviceMonitor.enabled=true,\
    prometheusRule.enabled=true,podLabels.team=mesh,log.storageClassName=fast,\
    image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

fn helm(command: &[&str], settings: &[&str]) -> Output {
    let mut helm = Command::new(peer("bin/helm"));
    helm.args(command).arg(root().join("deploy/chart"));
    for setting in settings {
        helm.args(["--set", setting]);
    }
    helm.args(["--namespace", "istio-system"]).output().unwrap()
}

fn render(settings: &[&str]) -> Vec<Value> {
    let template = ["template", "mesh", "--kube-version", "1.34"];
    documents(&succeed(helm(&template, settings)))
}

/// The base with a component, as a user's own kustomization has them.
fn kustomized(component: &str) -> Vec<Value> {
    let dir = TempDir::new().unwrap();
    // kustomize wants paths that are relative to where the links lead.
    let at = dir.path().canonicalize().unwrap();
    let up = "../".repeat(at.components().count() - 1);
    let deploy = format!("{up}.{}/deploy", root().canonicalize().unwrap().display());
    let kustomization = json!({
        "resources": [deploy],
        "components": [format!("{deploy}/kustomize/{component}")],
    });
    fs::write(at.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let mut kustomize = Command::new(peer("bin/kustomize"));
    documents(&succeed(kustomize.arg("build").arg(&at).output().unwrap()))
}

fn components() -> Vec<String> {
    let entries = fs::read_dir(root().join("deploy/kustomize")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// The files of `deploy/` that are objects of a cluster.
fn plain_files() -> Vec<String> {
    // What kustomize and istioctl read.
    let inputs = ["kustomization.yaml", "provider.yaml"];
    let entries = fs::read_dir(root().join("deploy")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(".yaml") && !inputs.contains(&name.as_str()))
        .collect()
}

/// What there is, and where it is from.
fn everything() -> Vec<(String, Vec<Value>)> {
    let modes = ["deployment", "statefulset", "daemonset"];
    let chart = modes.into_iter().flat_map(|mode| {
        let mode = format!("mode={mode}");
        let all = format!("chart, {mode}, with everything");
        [
            (format!("chart, {mode}"), render(&[&mode])),
            (all, render(&[&mode, ALL])),
        ]
    });
    let plain = plain_files().into_iter();
    let plain = plain.map(|name| (name.clone(), manifest(&name)));
    let components = components().into_iter();
    let components = components.map(|name| (format!("component {name}"), kustomized(&name)));
    chart.chain(plain).chain(components).collect()
}

#[test]
fn the_api_server_takes_all_of_it() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    cluster.namespace("istio-system");
    for (group, version, kind) in DEFINED {
        cluster.define(group, version, kind);
    }
    let mut kinds = BTreeSet::new();
    for (place, documents) in everything() {
        for document in &documents {
            let answer = cluster.dry_run(document);
            answer.unwrap_or_else(|error| panic!("{place}: {error}\n{document}"));
            kinds.insert(document["kind"].as_str().unwrap().to_owned());
        }
    }
    assert!(kinds.len() >= 17, "{kinds:?}");
    let mut wrong = render(&[]);
    let wrong = wrong
        .iter_mut()
        .find(|document| document["kind"] == "Deployment");
    let wrong = wrong.unwrap();
    wrong["spec"]["template"]["spec"]["container"] = json!([]);
    let refused = cluster.dry_run(wrong).unwrap_err().to_string();
    assert!(refused.contains("container"), "{refused}");
    installs(&cluster);
}

/// Helm installs the chart, changes its mode, and takes everything away again.
fn installs(cluster: &Cluster) {
    let kubeconfig = cluster.admin_kubeconfig();
    let config = ["--kubeconfig", kubeconfig.to_str().unwrap()];
    let run =
        |command: &[&str], settings: &[&str]| succeed(helm(&[command, &config].concat(), settings));
    let notes = run(&["install", "mesh"], &[]);
    for words in [
        "service: istio-collector.istio-system.svc.cluster.local",
        "use_waypoint_name: true",
    ] {
        assert!(notes.contains(words), "{notes}");
    }
    let apps = "/apis/apps/v1/namespaces/istio-system";
    let [deployment, stateful] =
        ["deployments", "statefulsets"].map(|kind| format!("{apps}/{kind}/mesh-wayspan"));
    assert!(cluster.find(&deployment).is_some() && cluster.find(&stateful).is_none());
    run(&["upgrade", "mesh"], &["mode=statefulset"]);
    assert!(cluster.find(&deployment).is_none() && cluster.find(&stateful).is_some());
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    let lint = succeed(helm(&["lint", "--strict"], &[]));
    assert!(lint.contains("0 chart(s) failed"), "{lint}");
    for (setting, words) in [
        ("mode=pod", "/mode"),
        ("image.tga=1", "tga"),
        ("log.size=5", "/log/size"),
        ("service.ports[0].port=0", "/port"),
        (
            "telemetry.randomSamplingPercentage=101",
            "/randomSamplingPercentage",
        ),
        (
            "config.service.extensions={zpages}",
            "/config/service/extensions",
        ),
    ] {
        let output = helm(&["template", "mesh", "--kube-version", "1.34"], &[setting]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(words),
            "{setting}: {error}"
        );
    }
}

fn named<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is = |document: &&Value| document["kind"] == kind && document["metadata"]["name"] == name;
    documents
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn config(documents: &[Value]) -> Value {
    let text = &only(documents, "ConfigMap")["data"]["config.yaml"];
    serde_saphyr::from_str(text.as_str().unwrap()).unwrap()
}

/// Two ways to install the same: neither is changed without the other.
#[test]
fn the_chart_and_the_plain_manifest_say_the_same() {
    let (chart, plain) = (render(&[]), manifest("wayspan.yaml"));
    assert_eq!(config(&chart), config(&plain));
    for kind in ["ClusterRole", "Role"] {
        let [chart, plain] = [&chart, &plain].map(|all| {
            let mut rules = only(all, kind)["rules"].clone();
            if let Some(names) = rules[0]["resourceNames"].as_array_mut() {
                names.sort_by_key(Value::to_string);
            }
            rules
        });
        assert_eq!(chart, plain, "{kind}");
    }
    let service = |all| named(all, "Service", "istio-collector")["spec"]["ports"].clone();
    assert_eq!(service(&chart), service(&plain));
    let [chart, plain] =
        [&chart, &plain].map(|all| workload(all)["spec"]["template"]["spec"].clone());
    let key = "terminationGracePeriodSeconds";
    assert_eq!(chart[key], plain[key]);
    let [chart, plain] = [chart, plain].map(|spec| spec["containers"][0].clone());
    let image = concat!("wayspan:", env!("CARGO_PKG_VERSION"));
    assert_eq!(plain["image"], image, "the version of Cargo.toml");
    for (key, value) in plain.as_object().unwrap() {
        assert_eq!(chart[key], *value, "{key}");
    }
}

/// Runs a rendered workload whose addresses are the Pod's own, and passes a span on.
fn passes_a_span_on(documents: &[Value], backend: &Backend) -> Pod {
    let pod = Pod::start(documents, &[]);
    assert_eq!(pod.probes(), 2);
    assert!(pod.silent_ports().is_empty());
    export_to(
        pod.address(4317),
        [8; 16],
        &[("service.name", "orders")],
        &[],
    );
    assert_eq!(backend.wait(1)[0].trace_id, [8; 16]);
    pod
}

#[test]
fn what_the_chart_starts_passes_spans_on_and_finds_its_alerts() {
    let jaeger = own_address();
    let backend = Backend::start_at((jaeger, 4317).into(), Protocol::Grpc, true);
    let prometheus = "config.service.telemetry.metrics.readers[0].pull.exporter.prometheus";
    // On the Pod's own address, where ports are free.
    let settings = [
        "extraEnv[0].name=POD_IP",
        "extraEnv[0].valueFrom.fieldRef.fieldPath=status.podIP",
        "config.receivers.otlp.protocols.grpc.endpoint=${env:POD_IP}:4317",
        "config.receivers.otlp.protocols.http.endpoint=${env:POD_IP}:4318",
        "config.extensions.health_check.endpoint=${env:POD_IP}:13133",
        &format!("{prometheus}.host=${{env:POD_IP}}"),
        &format!("{prometheus}.port=8888"),
        &format!("config.exporters.otlp_grpc.endpoint={jaeger}:4317"),
        "mode=statefulset",
        "prometheusRule.enabled=true",
    ];
    let documents = render(&settings);
    let pod = passes_a_span_on(&documents, &backend);
    let page = Page::of(pod.page(8888, "/metrics"));
    assert_eq!(
        page.sum("wayspan_log_healthy"),
        Some(1.0),
        "the log is in use"
    );
    let rules = &only(&documents, "PrometheusRule")["spec"]["groups"][0]["rules"];
    for rule in rules.as_array().unwrap() {
        let expression = rule["expr"].as_str().unwrap();
        let not_name = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let name = expression
            .split(not_name)
            .find(|word| word.starts_with("wayspan_") || word.starts_with("otelcol_"));
        assert!(page.sum(name.unwrap()).is_some(), "{expression}");
    }
}

/// What `validate` says of the files that a workload is started with.
fn validated(documents: &[Value], workload: &Value) -> String {
    let dir = TempDir::new().unwrap();
    let pod = &workload["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array().unwrap();
    let map = volumes
        .iter()
        .find_map(|at| at["configMap"]["name"].as_str());
    let data = &named(documents, "ConfigMap", map.unwrap())["data"];
    let mut validate = testkit::binary();
    validate.arg("validate");
    let args = pod["containers"][0]["args"].as_array().unwrap();
    for arg in args.iter().map(|arg| arg.as_str().unwrap()) {
        match Path::new(arg).file_name().filter(|_| arg.starts_with('/')) {
            None => validate.arg(arg),
            Some(name) => {
                let text = data[name.to_str().unwrap()].as_str().unwrap();
                fs::write(dir.path().join(name), text).unwrap();
                validate.arg(dir.path().join(name))
            }
        };
    }
    succeed(validate.arg("--no-files").output().unwrap())
}

#[test]
fn components_make_valid_configurations() {
    for (component, workload, words) in [
        ("segment-log", "wayspan", "/var/lib/wayspan"),
        (
            "kafka",
            "wayspan",
            "-> kafka kafka.kafka:9092 (topics jaeger-spans",
        ),
        (
            "kafka",
            "wayspan-ingester",
            "kafka kafka.kafka:9092 (topics jaeger-spans, group wayspan-ingester) -> batch -> otlp_grpc",
        ),
    ] {
        let documents = kustomized(component);
        let is = |document: &&Value| {
            document["metadata"]["name"] == workload && document["spec"]["template"].is_object()
        };
        let said = validated(&documents, documents.iter().find(is).unwrap());
        assert!(said.contains(words), "{component}, {workload}: {said}");
    }
}
