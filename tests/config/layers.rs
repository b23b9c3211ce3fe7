//! Several sources over each other, and the built-in one.

use super::{MINIMAL, load, load_in, text};
use wayspan::{
    config::{self, Source},
    exporter::debug::Verbosity,
    mesh,
};

#[test]
fn later_sources_win_and_null_wipes() {
    let batch = text(
        "processors: {batch: {send_batch_size: 5, timeout: 1s}}\n\
         service: {pipelines: {traces: {processors: [batch]}}}",
    );
    let spans = |sources: &[Source]| {
        let batch = load(sources).unwrap().pipelines[0].batch.clone();
        (batch.items, batch.timeout.as_millis())
    };
    let minimal = text(MINIMAL);
    assert_eq!(spans(&[minimal.clone(), batch.clone()]), (5, 1000));
    let inline: Source = "yaml:processors::batch::send_batch_size: 6"
        .parse()
        .unwrap();
    assert_eq!(spans(&[minimal.clone(), batch.clone(), inline]), (6, 1000));
    let set = Source::Set("processors.batch.timeout=2s".to_owned());
    assert_eq!(spans(&[minimal.clone(), batch.clone(), set]), (5, 2000));
    let wiped = text("processors: {batch: }");
    assert_eq!(spans(&[minimal, batch, wiped]), (8192, 200));
}

#[test]
fn sources_of_every_kind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("part.yaml");
    std::fs::write(&path, "{verbosity: normal}\n").unwrap();
    let exporters = format!("exporters: {{debug: '${{file:{}}}'}}", path.display());
    let env: Source = "env:CONFIG".parse().unwrap();
    let config = load_in(&[env, text(&exporters)], &[("CONFIG", MINIMAL)]).unwrap();
    let verbosity = config.exporters[0].settings::<Verbosity>();
    assert_eq!(verbosity, Some(&Verbosity::Normal));
    let missing = load(&["env:CONFIG".parse().unwrap()]).unwrap_err();
    assert_eq!(missing, "env:CONFIG: this environment variable is not set");
}

#[test]
fn the_default_prints_until_it_is_told_where_to_send() {
    let config = load(&[config::default_source()]).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    let receiver = super::otlp(&config, 0);
    assert_eq!(
        receiver.grpc.as_ref().unwrap().endpoint.to_string(),
        "0.0.0.0:4317"
    );
    assert_eq!(
        receiver.http.as_ref().unwrap().server.endpoint.to_string(),
        "0.0.0.0:4318"
    );
    let [exporter] = &config.exporters[..] else {
        panic!("{:?}", config.exporters)
    };
    assert!(exporter.settings::<Verbosity>().is_some());
    let settings = super::mesh(&config);
    assert_eq!(settings, mesh::MeshSettings::default());
    assert_eq!(
        config.health_check.unwrap().endpoint.to_string(),
        "0.0.0.0:13133"
    );
    assert_eq!(config.telemetry.metrics[0].0.to_string(), "0.0.0.0:8888");
}

#[test]
fn the_default_follows_the_environment() {
    for (endpoint, url, tls) in [
        ("jaeger:4317", "http://jaeger:4317", false),
        ("http://jaeger:4317", "http://jaeger:4317", false),
        ("https://jaeger:4317", "https://jaeger:4317", true),
    ] {
        let env = [
            ("WAYSPAN_EXPORT_ENDPOINT", endpoint),
            ("WAYSPAN_KIALI_VERSION", "2.7"),
            ("WAYSPAN_KIALI_NAMESPACE_SELECTOR", "false"),
            ("WAYSPAN_KIALI_USE_WAYPOINT_NAME", "true"),
        ];
        let config = load_in(&[config::default_source()], &env).unwrap();
        let [exporter] = &config.exporters[..] else {
            panic!("{:?}", config.exporters)
        };
        let client = super::otlp_client(exporter);
        assert_eq!((client.url.as_str(), client.tls.is_some()), (url, tls));
        let settings = super::mesh(&config);
        assert_eq!(settings.kiali.version, mesh::Version::new(2, 7));
        assert!(!settings.kiali.namespace_selector && settings.kiali.use_waypoint_name);
    }
    let bad = load_in(
        &[config::default_source()],
        &[("WAYSPAN_KIALI_VERSION", "x")],
    )
    .unwrap_err();
    assert!(
        bad.contains("processors.mesh.kiali.version: \"x\" is not a Kiali version"),
        "{bad}"
    );
}
