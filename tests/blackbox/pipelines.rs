//! The ready configurations under `pipelines/` and the deployment's own: each
//! runs and delivers, with nothing changed but addresses.

use crate::spans::good;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use testkit::{Backend, Grpc, Setup, Wayspan, free_port, root};

/// Runs `file` with its ports moved and its exporter, of this id, pointed at a
/// backend, and sends a span through it.
async fn runs(file: &Path, exporter: &str) {
    runs_with(file, exporter, "").await;
}

/// The same with more settings.
async fn runs_with(file: &Path, exporter: &str, layer: &str) {
    let backend = match exporter.starts_with("otlp_http") {
        true => Backend::http(),
        false => Backend::grpc(),
    };
    let setup = Setup::file(file).exporter(exporter, backend.port);
    let wayspan = Wayspan::start(setup.layer(layer));
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    backend.wait(1);
}

/// A file under `pipelines/`.
fn shipped(name: &str) -> PathBuf {
    root().join("pipelines").join(name)
}

#[tokio::test]
async fn ambient_newest_kiali() {
    runs(&shipped("ambient-newest-kiali.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("spans.json");
    let layer = format!("exporters: {{file: {{path: '{}'}}}}", path.display());
    runs_with(&shipped("file.yaml"), "otlp_grpc/jaeger", &layer).await;
    assert!(path.exists());
}

#[tokio::test]
async fn filter_transform() {
    runs(&shipped("filter-transform.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn attributes() {
    runs(&shipped("attributes.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn probabilistic_sampler() {
    runs(&shipped("probabilistic_sampler.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn redaction() {
    runs(&shipped("redaction.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn follow_kiali() {
    // No cluster here: names are the defaults', and spans pass all the same.
    runs(&shipped("follow-kiali.yaml"), "otlp_grpc/jaeger").await;
}

/// Pipelines that are joined: whichever receiver takes it, a span comes out behind the last.
#[tokio::test]
async fn forward() {
    runs(&shipped("forward.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn k8s_attributes() {
    // No cluster here: nothing is added, and spans pass all the same.
    runs(&shipped("k8s-attributes.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn kiali_2_7() {
    runs(&shipped("kiali-2.7.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn istio_collector() {
    let file = shipped("istio-collector.yaml");
    runs(&file, "otlp/jaeger").await;
}

#[tokio::test]
async fn resource() {
    runs(&shipped("resource.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn resource_detection() {
    runs(&shipped("resource-detection.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn segment_log() {
    let dir = TempDir::new().unwrap();
    let log = format!(
        "extensions: {{file_storage: {{directory: '{}'}}}}",
        dir.path().display()
    );
    let file = shipped("segment-log.yaml");
    runs_with(&file, "otlp_grpc/jaeger", &log).await;
    assert!(dir.path().join("wayspan/traces/lock").exists());
}

/// Its metrics: `connectors`.
#[tokio::test]
async fn span_metrics() {
    let layer = format!(
        "exporters: {{prometheus: {{endpoint: '127.0.0.1:{}'}}}}",
        free_port()
    );
    runs_with(&shipped("span-metrics.yaml"), "otlp_grpc/jaeger", &layer).await;
}

#[tokio::test]
async fn jaeger_http() {
    runs(&shipped("jaeger-http.yaml"), "otlp_http/jaeger").await;
}

#[tokio::test]
async fn zipkin() {
    let layer = format!(
        "receivers: {{zipkin: {{endpoint: '127.0.0.1:{}'}}}}",
        free_port()
    );
    runs_with(&shipped("zipkin.yaml"), "otlp_grpc/jaeger", &layer).await;
}

#[tokio::test]
async fn ztunnel_connections() {
    // With its logs: `connections`.
    runs(&shipped("ztunnel-connections.yaml"), "otlp_grpc/jaeger").await;
}

#[test]
fn every_file_is_run() {
    let mut names: Vec<_> = fs::read_dir(shipped(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let run = [
        "ambient-newest-kiali.yaml",
        "attributes.yaml",
        "file.yaml",
        "filter-transform.yaml",
        "follow-kiali.yaml",
        "forward.yaml",
        "istio-collector.yaml",
        "jaeger-http.yaml",
        "k8s-attributes.yaml",
        // By `kafka`.
        "kafka-exporter.yaml",
        "kafka-receiver.yaml",
        "kiali-2.7.yaml",
        "probabilistic_sampler.yaml",
        "redaction.yaml",
        "resource-detection.yaml",
        "resource.yaml",
        "segment-log.yaml",
        "span-metrics.yaml",
        // By `secure::tls_and_token`.
        "tls-and-token.yaml",
        "zipkin.yaml",
        "ztunnel-connections.yaml",
    ];
    assert_eq!(names, run, "add a test for a new file");
}

#[tokio::test]
async fn deployment() {
    let manifest = fs::read_to_string(root().join("deploy/wayspan.yaml")).unwrap();
    let (_, rest) = manifest.split_once("config.yaml: |\n").unwrap();
    let (config, _) = rest.split_once("---\n").unwrap();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    fs::write(&file, config).unwrap();
    runs(&file, "otlp_grpc").await;
}

#[tokio::test]
async fn debian_package() {
    let dir = TempDir::new().unwrap();
    let log = format!(
        "extensions: {{file_storage: {{directory: '{}'}}}}",
        dir.path().display()
    );
    let file = root().join("deploy/debian/config.yaml");
    runs_with(&file, "otlp_grpc", &log).await;
}
