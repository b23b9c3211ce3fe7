//! The ready configurations under `pipelines/` and the deployment's own: each
//! runs and delivers, with nothing changed but addresses.

use crate::{
    client::Grpc,
    proc::free_port,
    process::{Wayspan, shipped},
    sink::Sink,
    spans::good,
};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Runs `file` with its ports moved and its exporter, of this id, pointed at a
/// sink, and sends a span through it.
async fn runs(file: &Path, exporter: &str) {
    runs_with(file, exporter, &[]).await;
}

/// The same with more settings.
async fn runs_with(file: &Path, exporter: &str, sets: &[String]) {
    let sink = Sink::start();
    // The sink speaks gRPC alone: before it, a second wayspan takes OTLP/HTTP.
    let relay = match exporter.starts_with("otlp_http") {
        true => Some(Wayspan::start(&sink).await),
        false => None,
    };
    let to = match &relay {
        Some(relay) => format!("http://127.0.0.1:{}", relay.http),
        None => format!("127.0.0.1:{}", sink.port()),
    };
    let wayspan = Wayspan::ready(file, exporter, &to, |command| {
        sets.iter().for_each(|set| {
            command.arg("--set").arg(set);
        });
    })
    .await;
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    sink.wait(1).await;
}

#[tokio::test]
async fn ambient_newest_kiali() {
    runs(
        &shipped("pipelines", "ambient-newest-kiali.yaml"),
        "otlp_grpc/jaeger",
    )
    .await;
}

#[tokio::test]
async fn follow_kiali() {
    // No cluster here: names are the defaults', and spans pass all the same.
    runs(
        &shipped("pipelines", "follow-kiali.yaml"),
        "otlp_grpc/jaeger",
    )
    .await;
}

#[tokio::test]
async fn kiali_2_7() {
    runs(&shipped("pipelines", "kiali-2.7.yaml"), "otlp_grpc/jaeger").await;
}

#[tokio::test]
async fn istio_collector() {
    let file = shipped("pipelines", "istio-collector.yaml");
    runs_with(&file, "otlp/jaeger", &[pages()]).await;
}

/// Moves the debug pages to a free port.
fn pages() -> String {
    format!("extensions.zpages.endpoint=127.0.0.1:{}", free_port())
}

#[tokio::test]
async fn segment_log() {
    let dir = TempDir::new().unwrap();
    let log = format!("extensions.file_storage.directory={}", dir.path().display());
    let file = shipped("pipelines", "segment-log.yaml");
    runs_with(&file, "otlp_grpc/jaeger", &[log, pages()]).await;
    assert!(dir.path().join("wayspan/traces/lock").exists());
}

#[tokio::test]
async fn jaeger_http() {
    runs(
        &shipped("pipelines", "jaeger-http.yaml"),
        "otlp_http/jaeger",
    )
    .await;
}

#[tokio::test]
async fn ztunnel_connections() {
    // With its logs: `connections`.
    runs(
        &shipped("pipelines", "ztunnel-connections.yaml"),
        "otlp_grpc/jaeger",
    )
    .await;
}

#[test]
fn every_file_is_run() {
    let mut names: Vec<_> = fs::read_dir(shipped("pipelines", ""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let run = [
        "ambient-newest-kiali.yaml",
        "follow-kiali.yaml",
        "istio-collector.yaml",
        "jaeger-http.yaml",
        "kiali-2.7.yaml",
        "segment-log.yaml",
        // By `secure::tls_and_token`.
        "tls-and-token.yaml",
        "ztunnel-connections.yaml",
    ];
    assert_eq!(names, run, "add a test for a new file");
}

#[tokio::test]
async fn deployment() {
    let manifest = fs::read_to_string(shipped("deploy", "wayspan.yaml")).unwrap();
    let (_, rest) = manifest.split_once("config.yaml: |\n").unwrap();
    let (config, _) = rest.split_once("---\n").unwrap();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    fs::write(&file, config).unwrap();
    runs(&file, "otlp_grpc").await;
}
