//! wayspan in the place of a Collector: what others wrote for the Collector runs with
//! nothing changed but the image.
//!
//! Idea: `swap/` holds the forms of these installations, as far as a collector has to
//! do with them. Where the Collector's chart itself is at hand, `WAYSPAN_OTEL_CHART`
//! names its directory; it is then rendered, and ours is compared with it.

use crate::installed::peer;
use crate::pod::{Pod, only, own_address, workload};
use crate::spans::{export, export_to};
use serde_json::{Value, json};
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use testkit::{
    Backend, EXPORT, Grpc, Protocol, Setup, Wayspan, frames, free_port, metrics::Page, root,
};

/// Where the chart's exporter sends.
const JAEGER: &str = "jaeger-collector.istio-system.svc.cluster.local";

fn held(name: &str) -> PathBuf {
    root().join("tests/peers/swap").join(name)
}

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

/// What the chart makes of `values.yaml`, if the chart is at hand.
fn rendered() -> Option<Vec<Value>> {
    let chart = std::env::var_os("WAYSPAN_OTEL_CHART")?;
    let output = Command::new(peer("bin/helm"))
        .args(["template", "otel"])
        .arg(chart)
        .args(["--namespace", "observability", "--kube-version", "1.34"])
        .arg("--values")
        .arg(held("values.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(documents(&String::from_utf8(output.stdout).unwrap()))
}

/// The objects of the Collector's chart.
fn chart() -> Vec<Value> {
    let held = documents(&fs::read_to_string(held("otel-chart.yaml")).unwrap());
    let Some(rendered) = rendered() else {
        return held;
    };
    let [ours, theirs] = [&held, &rendered].map(|all| configuration(all));
    assert_eq!(ours, theirs, "the configuration");
    let [ours, theirs] = [&held, &rendered].map(|all| container(all));
    for key in [
        "command",
        "args",
        "env",
        "ports",
        "livenessProbe",
        "readinessProbe",
    ] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    let [ours, theirs] = [&held, &rendered].map(|all| expressions(all));
    assert_eq!(ours, theirs, "the alerts");
    rendered
}

fn configuration(documents: &[Value]) -> Value {
    let relay = &only(documents, "ConfigMap")["data"]["relay"];
    serde_saphyr::from_str(relay.as_str().unwrap()).unwrap()
}

fn container(documents: &[Value]) -> Value {
    workload(documents)["spec"]["template"]["spec"]["containers"][0].clone()
}

fn expressions(documents: &[Value]) -> Vec<String> {
    let groups = only(documents, "PrometheusRule")["spec"]["groups"].as_array();
    let rules = groups
        .unwrap()
        .iter()
        .map(|group| group["rules"].as_array().unwrap());
    rules
        .flatten()
        .map(|rule| rule["expr"].as_str().unwrap().to_owned())
        .collect()
}

/// The series that expressions name.
fn series(expressions: &[String]) -> Vec<&str> {
    let not_name = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = expressions
        .iter()
        .flat_map(|expression| expression.split(not_name));
    words.filter(|word| word.starts_with("otelcol_")).collect()
}

/// Starts a Pod whose exporter reaches a backend.
fn start(documents: &[Value]) -> (Pod, Backend) {
    let jaeger: Ipv4Addr = own_address();
    let backend = Backend::start_at((jaeger, 4317).into(), Protocol::Grpc, true);
    (Pod::start(documents, &[(JAEGER, jaeger)]), backend)
}

#[test]
fn the_collectors_chart_runs_the_image() {
    let (pod, backend) = start(&chart());
    assert_eq!(pod.probes(), 2);
    export_to(
        pod.address(4317),
        [5; 16],
        &[("service.name", "orders")],
        &[],
    );
    assert_eq!(backend.wait(1)[0].trace_id, [5; 16]);
    // Of what is not served, the log names the port.
    let (silent, log) = (pod.silent_ports(), pod.log());
    assert!(
        !silent.contains(&4317) && !silent.contains(&4318),
        "{silent:?}"
    );
    for port in silent {
        let address = format!("{}:{port}", pod.ip);
        assert!(
            log.contains(&address),
            "nothing is said of {address}\n{log}"
        );
    }
    let page = Page::of(pod.page(8888, "/metrics"));
    assert_eq!(page.sum("otelcol_receiver_accepted_spans"), Some(1.0));
}

/// The chart's alerts are for names with `_total`, which the Collector has left since
/// 0.152 unless its reader is told to keep them; wayspan does as it does.
#[test]
fn the_alerts_of_the_collectors_chart_find_their_series() {
    let mut documents = chart();
    let mut relay = configuration(&documents);
    let readers = &mut relay["service"]["telemetry"]["metrics"]["readers"];
    readers[0]["pull"]["exporter"]["prometheus"]["without_type_suffix"] = json!(false);
    let map = documents
        .iter_mut()
        .find(|document| document["kind"] == "ConfigMap");
    map.unwrap()["data"]["relay"] = relay.to_string().into();
    let expressions = expressions(&documents);
    let asked = series(&expressions);
    assert!(asked.len() > 10, "{asked:?}");
    let (pod, _backend) = start(&documents);
    let page = Page::of(pod.page(8888, "/metrics"));
    for name in asked {
        assert!(
            page.sum(name).is_some(),
            "{name} is missing\n{}",
            page.text()
        );
    }
}

#[test]
fn the_collector_of_kialis_tempo_runs() {
    let (dir, backend) = (TempDir::new().unwrap(), Backend::grpc());
    let documents = documents(&fs::read_to_string(held("kiali-tempo.yaml")).unwrap());
    let file = dir.path().join("collector.yaml");
    let config = &only(&documents, "OpenTelemetryCollector")["spec"]["config"];
    fs::write(&file, config.to_string()).unwrap();
    // The operator adds the health check; addresses are the test's.
    let setup = Setup::file(&file)
        .exporter("otlp", backend.port)
        .layer("service: {extensions: [health_check]}")
        .batching("200ms");
    let wayspan = Wayspan::start(setup.adding_mesh());
    export(&wayspan, [6; 16], &[("service.name", "orders")], &[]);
    assert_eq!(backend.wait(1)[0].trace_id, [6; 16]);
}

/// Its exporter is Zipkin's; one of OTLP takes its place.
#[test]
fn istios_sample_runs_with_an_exporter_of_otlp() {
    let (backend, auth) = (Backend::grpc(), free_port());
    let exporters = "exporters: [otlp_grpc, debug]";
    let setup = Setup::file(held("istio-sample.yaml"))
        .layer(format!(
            "exporters: {{otlp_grpc: {{tls: {{insecure: true}}}}}}\n\
             receivers: {{otlp/auth: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{auth}'}}}}}}}}\n\
             service: {{pipelines: {{traces: {{{exporters}}}, traces/auth: {{{exporters}}}}}}}"
        ))
        .exporter("otlp_grpc", backend.port);
    let wayspan = Wayspan::start(setup.adding_mesh());
    export(&wayspan, [1; 16], &[("service.name", "orders")], &[]);
    assert_eq!(backend.wait(1)[0].trace_id, [1; 16]);
    wayspan.wait_said("GET /");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let statuses = runtime.block_on(async {
        let mut client = Grpc::connect(auth).await;
        let mut statuses = Vec::new();
        for token in ["Bearer wrong", "Bearer somesecrettoken"] {
            let request = frames::grpc(0, &[]);
            let headers = [("authorization", token)];
            let reply = client.send("POST", EXPORT, &headers, request).await;
            statuses.push(reply.grpc_status());
        }
        statuses
    });
    // UNAUTHENTICATED, then OK.
    assert_eq!(statuses, [Some(16), Some(0)]);
}
