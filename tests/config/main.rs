//! The configuration from outside: files in, checked values or messages out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accepted;
mod binary;
mod files;
mod forms;
mod layers;
mod manual;
mod messages;
mod robust;
mod security;
mod values;

use wayspan::component::Config;
use wayspan::config::Source;
use wayspan::{
    exporter::{
        ConfiguredExporter,
        otlp::{Grpc, Http},
    },
    http::ClientSettings,
    receiver::otlp::Otlp,
};

/// Receivers, exporters and a service around nothing, for tests to build on.
const MINIMAL: &str = "\
receivers:
  otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}}}
exporters:
  debug:
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [debug]}
  telemetry: {metrics: {level: none}}
";

fn text(text: &str) -> Source {
    Source::Text {
        name: "config.yaml".to_owned(),
        text: text.to_owned(),
    }
}

/// Loads with an empty environment.
fn load(sources: &[Source]) -> Result<Config, String> {
    load_in(sources, &[])
}

fn load_in(sources: &[Source], env: &[(&str, &str)]) -> Result<Config, String> {
    let find = |name: &str| {
        let found = env.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    wayspan::component::load_with(sources, &find).map_err(|error| error.to_string())
}

/// Loads one text that must be good.
fn good(yaml: &str) -> Config {
    load(&[text(yaml)]).unwrap_or_else(|error| panic!("{error}"))
}

/// `MINIMAL` with `yaml` merged over it, which must be good.
fn over(yaml: &str) -> Config {
    load(&[text(MINIMAL), text(yaml)]).unwrap_or_else(|error| panic!("{error}"))
}

/// The messages for `yaml` merged over `MINIMAL`, which must be bad.
fn bad(yaml: &str) -> String {
    let minimal = Source::Text {
        name: "minimal.yaml".to_owned(),
        text: MINIMAL.to_owned(),
    };
    match load(&[minimal, text(yaml)]) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(message) => message,
    }
}

/// The settings of the `otlp` receiver at this index.
fn otlp(config: &Config, at: usize) -> Otlp {
    config.receivers[at].settings::<Otlp>().unwrap().clone()
}

/// The settings of the `mesh` processor that is the first of the first pipeline.
fn mesh(config: &Config) -> wayspan::mesh::MeshSettings {
    let processor = &config.pipelines[0].processors[0];
    processor
        .settings::<wayspan::mesh::MeshSettings>()
        .unwrap()
        .clone()
}

/// The client of the first exporter, which speaks OTLP.
fn otlp_client(exporter: &ConfiguredExporter) -> ClientSettings {
    let grpc = exporter.settings::<Grpc>().map(|grpc| &grpc.client);
    let http = exporter.settings::<Http>().map(|http| &http.client);
    grpc.or(http).unwrap().clone()
}
