//! The configuration from outside: files in, checked values or messages out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accepted;
mod binary;
mod files;
mod layers;
mod messages;
mod robust;
mod security;
mod values;

use wayspan::config::{self, Config, Source};

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
    config::load_with(sources, &find).map_err(|error| error.to_string())
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
