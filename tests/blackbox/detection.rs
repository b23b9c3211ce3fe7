//! `resource_detection`: what the environment and the system say is in every resource,
//! and a variable that is wrong stops the start.

use crate::spans::good;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::collections::BTreeMap;
use testkit::{Backend, Grpc, Setup, Signal, Wayspan, http, samples};

fn setup(backend: &Backend, keys: &str) -> Setup {
    let pipeline = "processors: [resource_detection], exporters: [otlp_grpc]";
    Setup::to(backend).layer(format!(
        "processors: {{resource_detection: {keys}}}\n\
         service:\n  pipelines:\n    traces: {{{pipeline}}}\n    logs: {{receivers: [otlp], {pipeline}}}\n"
    ))
}

/// The attributes and the schema of the resource of the only span.
async fn resource_of(setup: Setup, backend: &Backend) -> (BTreeMap<String, String>, String) {
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    backend.wait(1);
    let group = backend.resource_spans().remove(0);
    let attributes = group.resource.unwrap().attributes.into_iter();
    let text = |value| match value {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    };
    let attributes = attributes.map(|kv| (kv.key, text(kv.value.and_then(|v| v.value))));
    wayspan.stop();
    (attributes.collect(), group.schema_url)
}

#[tokio::test]
async fn the_environment_and_the_system_are_told() {
    let backend = Backend::grpc();
    let setup = setup(
        &backend,
        "{detectors: [env, system, gcp], system: {hostname_sources: [os]}}",
    )
    .env(
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment=a%20b,service.name=env",
    );
    let (all, schema) = resource_of(setup, &backend).await;
    assert_eq!(all["deployment.environment"], "a b");
    assert_eq!(all["service.name"], "env", "what is there is replaced");
    assert_eq!(all["os.type"], std::env::consts::OS);
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(all["host.name"], hostname.trim());
    assert_eq!(schema, "https://opentelemetry.io/schemas/1.40.0");
}

#[tokio::test]
async fn without_override_what_is_there_stays() {
    let backend = Backend::grpc();
    let setup = setup(&backend, "{override: false}")
        .env("OTEL_RESOURCE_ATTRIBUTES", "service.name=env,x=1");
    let (all, schema) = resource_of(setup, &backend).await;
    assert_eq!((&*all["service.name"], &*all["x"]), ("orders", "1"));
    assert_eq!(schema, "", "the environment keeps to no schema");
}

#[tokio::test]
async fn logs_get_it_too() {
    let backend = Backend::grpc();
    let setup = setup(&backend, "{}").env("OTEL_RESOURCE_ATTRIBUTES", "x=told-of-logs");
    let wayspan = Wayspan::start(setup);
    let request = samples::request(Signal::Logs, 1, 3);
    let headers = [("content-type", "application/x-protobuf")];
    let path = Signal::Logs.http_path();
    let reply = http(wayspan.http, "POST", path, &headers, &request).await;
    assert_eq!(reply.status, 200);
    let records = samples::count(Signal::Logs, 3);
    assert_eq!(backend.wait_items(Signal::Logs, records).len(), records);
    let items =
        "otelcol_processor_outgoing_items{processor=\"resource_detection\",otel_signal=\"logs\"}";
    wayspan.wait_metric(items, |count| count == records as f64);
}

#[test]
fn a_variable_that_is_wrong_stops_the_start() {
    let backend = Backend::grpc();
    let setup = setup(&backend, "{}").env("OTEL_RESOURCE_ATTRIBUTES", "x=1,oops");
    let mut wayspan = Wayspan::prepare(setup);
    wayspan.spawn();
    let (code, log) = wayspan.wait_end();
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("OTEL_RESOURCE_ATTRIBUTES: \"oops\" is not KEY=VALUE"),
        "{log}"
    );
}
