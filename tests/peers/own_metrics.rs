//! wayspan's own metrics beside the Collector's: pushed under the same file, and read as
//! Prometheus reads them.

use crate::installed::peer;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{Metric, metric::Data, number_data_point::Value},
};
use prost::Message;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    process::{Command, Stdio},
};
use testkit::{
    Backend, Grpc, Process, Setup, Signal, Wayspan, binary, free_port, get, samples, wait_for,
};

/// What the Collector pushes and wayspan does not.
const LACKING: [(&str, &str); 3] = [
    (
        "otelcol_process_runtime_heap_alloc_bytes",
        "of Go's runtime",
    ),
    (
        "otelcol_process_runtime_total_alloc_bytes",
        "of Go's runtime",
    ),
    (
        "otelcol_process_runtime_total_sys_memory_bytes",
        "of Go's runtime",
    ),
];

/// Labels that the Collector alone gives to exporters' metrics.
const OWN_LABELS: [&str; 2] = ["server.address", "server.port"];

/// What a metric is: scope, unit, type, and the names of its attributes.
type Shape = (String, String, String, BTreeSet<String>);

fn shape(scope: &str, metric: &Metric) -> Shape {
    let names = |attributes: &[KeyValue]| {
        let names = attributes.iter().map(|pair| pair.key.clone());
        names
            .filter(|name| !OWN_LABELS.contains(&name.as_str()))
            .collect()
    };
    let number = |value: &Option<Value>| match value {
        Some(Value::AsInt(_)) => "whole numbers",
        Some(Value::AsDouble(_)) => "fractions",
        None => panic!("{metric:?}"),
    };
    let (kind, attributes) = match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            let point = &sum.data_points[0];
            let (monotonic, temporality) = (sum.is_monotonic, sum.aggregation_temporality);
            let kind = format!("sum {monotonic} {temporality} {}", number(&point.value));
            (kind, names(&point.attributes))
        }
        Data::Gauge(gauge) => {
            let point = &gauge.data_points[0];
            (
                format!("gauge {}", number(&point.value)),
                names(&point.attributes),
            )
        }
        Data::Histogram(histogram) => {
            let point = &histogram.data_points[0];
            let (temporality, bounds) = (histogram.aggregation_temporality, &point.explicit_bounds);
            (
                format!("histogram {temporality} {bounds:?}"),
                names(&point.attributes),
            )
        }
        other => panic!("{other:?}"),
    };
    (scope.to_owned(), metric.unit.clone(), kind, attributes)
}

/// Metrics by name, of all that a backend took.
fn shapes(backend: &Backend) -> BTreeMap<String, Shape> {
    let mut shapes = BTreeMap::new();
    for received in &backend.records().requests {
        let request = ExportMetricsServiceRequest::decode(received.message.clone()).unwrap();
        for group in request.resource_metrics {
            let resource = group.resource.unwrap().attributes;
            let keys: BTreeSet<_> = resource.iter().map(|pair| pair.key.as_str()).collect();
            assert_eq!(
                keys,
                BTreeSet::from(["service.name", "service.version", "team"])
            );
            for in_scope in group.scope_metrics {
                let scope = in_scope.scope.unwrap().name;
                for metric in in_scope.metrics {
                    shapes.insert(metric.name.clone(), shape(&scope, &metric));
                }
            }
        }
    }
    shapes
}

/// What one of both pushes of itself, once it has taken requests of all signals and delivered
/// them.
async fn pushed(mut command: Command, name: &str) -> BTreeMap<String, Shape> {
    let (behind, own) = (Backend::grpc(), Backend::grpc());
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let file = dir.path().join("config.yaml");
    let pipeline =
        |more: &str| format!("{{receivers: [otlp], processors: [{more}batch], exporters: [otlp]}}");
    let yaml = format!(
        "\
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}
exporters: {{otlp: {{endpoint: '127.0.0.1:{}', tls: {{insecure: true}}}}}}
processors:
  batch: {{timeout: 10ms}}
  memory_limiter: {{check_interval: 1s, limit_mib: 400}}
  filter: {{traces: {{span: ['name == \"none\"']}}}}
  probabilistic_sampler: {{sampling_percentage: 100}}
service:
  pipelines:
    traces: {}
    metrics: {}
    logs: {}
  telemetry:
    resource: {{service.instance.id: null, team: mesh}}
    metrics: {{readers: [{{periodic: {{interval: 100, exporter: {{otlp: {{protocol: grpc, endpoint: 'http://127.0.0.1:{}'}}}}}}}}]}}
",
        behind.port,
        pipeline("memory_limiter, filter, probabilistic_sampler, "),
        pipeline("memory_limiter, "),
        pipeline("memory_limiter, "),
        own.port
    );
    fs::write(&file, yaml).unwrap();
    let mut process = Process::start(dir.path(), name, command.arg("--config").arg(&file));
    process.wait_ready(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut client = Grpc::connect(port).await;
    for signal in Signal::ALL {
        let request = testkit::frames::grpc(0, &samples::request(signal, 1, 3));
        let reply = client.send("POST", signal.grpc_path(), &[], request).await;
        assert_eq!(reply.grpc_status(), Some(0), "{}", reply.message());
        behind.wait_items(signal, samples::count(signal, 3).min(12));
    }
    let last = "otelcol_exporter_sent_log_records";
    wait_for("metrics of the delivery", || {
        shapes(&own).contains_key(last).then_some(())
    });
    process.terminate();
    process.wait_end(testkit::PATIENCE);
    shapes(&own)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_collector_pushes_of_itself_wayspan_does_too() {
    let collector = pushed(Command::new(peer("bin/otelcol")), "otelcol").await;
    let mut command = binary();
    command.arg("--no-auto-mesh");
    let wayspan = pushed(command, "wayspan").await;
    assert!(collector.len() > 20, "{collector:?}");
    let is_lacking = |name: &str| LACKING.iter().any(|(lacking, _)| *lacking == name);
    let mut wrong = Vec::new();
    for (name, shape) in &collector {
        match wayspan.get(name) {
            Some(same) if same == shape && !is_lacking(name) => {}
            None if is_lacking(name) => {}
            other => wrong.push(format!("{name}: {shape:?}, and not {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The mistakes that Prometheus' own checks find in a page.
fn lint(page: &str) -> Vec<String> {
    let mut command = Command::new(peer("bin/promlint"));
    let mut linting = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    linting
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let output = linting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_metrics_pass_the_checks_of_prometheus() {
    let backend = Backend::grpc();
    let (suffixed, served) = (free_port(), free_port());
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup::to(&backend)
        .readers(format!(
            "{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {suffixed}, without_type_suffix: false}}}}}}}}"
        ))
        .layer(format!(
            "\
extensions: {{file_storage: {{directory: '{}/log', create_directory: true}}}}
exporters: {{prometheus: {{endpoint: '127.0.0.1:{served}'}}, otlp_grpc: {{sending_queue: {{storage: file_storage}}}}}}
connectors: {{span_metrics: {{metrics_flush_interval: 100ms, histogram: {{unit: s}}}}}}
processors: {{mesh: , filter: {{traces: {{span: ['false']}}}}, probabilistic_sampler: {{sampling_percentage: 100}}, k8s_attributes: {{passthrough: true}}}}
service:
  extensions: [health_check, zpages, file_storage]
  pipelines:
    traces: {{processors: [memory_limiter, mesh, filter, probabilistic_sampler, k8s_attributes, batch], exporters: [otlp_grpc, span_metrics]}}
    metrics: {{receivers: [otlp, span_metrics], processors: [memory_limiter, batch], exporters: [prometheus]}}
    logs: {{receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc]}}
",
            dir.path().display()
        ));
    let wayspan = Wayspan::start(setup);
    let request = samples::request(Signal::Traces, 1, 3);
    let reply = Grpc::connect(wayspan.grpc).await.export(&request).await;
    assert_eq!(reply.grpc_status(), Some(0), "{}", reply.message());
    let page = |port| get(port, "/metrics", &[]).unwrap().body;
    let spans = wait_for("metrics of spans", || {
        let page = page(served);
        page.contains("traces_span_metrics_duration_seconds")
            .then_some(page)
    });

    assert_eq!(lint(&page(suffixed)), [""; 0]);
    // Without suffixes, which is the Collector's default, counters are not called so.
    for mistake in lint(wayspan.page().text()) {
        assert!(
            mistake.ends_with("counter metrics should have \"_total\" suffix"),
            "{mistake}"
        );
    }
    // Metrics of spans have no description, as the Collector's have none.
    let expected = [
        "traces_span_metrics_calls_total",
        "traces_span_metrics_duration_seconds",
    ];
    assert_eq!(
        lint(&spans),
        expected.map(|name| format!("{name} no help text"))
    );
}
