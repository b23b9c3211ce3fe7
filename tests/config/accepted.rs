//! What other collectors' files have and wayspan takes with a warning.

use super::{good, load, over, text};
use wayspan::{auth::ServerAuth, pdata::Signal};

fn warned(warnings: &[String], place: &str, said: &str) {
    let found = warnings
        .iter()
        .any(|w| w.starts_with(place) && w.contains(said));
    assert!(found, "expected {place} … {said} in {warnings:#?}");
}

/// The shape of Istio's own collector sample, for the parts wayspan serves.
const ISTIO_SAMPLE: &str = "\
receivers:
  opencensus:
    endpoint: 0.0.0.0:55678
  otlp:
    protocols:
      grpc:
        endpoint: 0.0.0.0:4317
      http:
        endpoint: 0.0.0.0:4318
  otlp/auth:
    protocols:
      grpc:
        endpoint: 0.0.0.0:5317
        auth:
          authenticator: bearertokenauth
processors:
  batch:
exporters:
  zipkin:
    endpoint: http://zipkin.istio-system.svc:9411/api/v2/spans
  debug:
    verbosity: detailed
extensions:
  bearertokenauth:
    token: somerandomtoken
  health_check:
    endpoint: 0.0.0.0:13133
  pprof:
    endpoint: 0.0.0.0:1777
  zpages:
    endpoint: 0.0.0.0:55679
service:
  extensions: [bearertokenauth, health_check, pprof, zpages]
  pipelines:
    logs:
      receivers: [otlp]
      processors: [batch]
      exporters: [debug]
    traces:
      receivers: [otlp, opencensus]
      exporters: [debug]
    traces/auth:
      receivers: [otlp/auth]
      exporters: [debug]
";

#[test]
fn the_istio_sample_loads_and_says_what_it_leaves_out() {
    let config = good(ISTIO_SAMPLE);
    assert_eq!(config.receivers.len(), 2);
    let signals: Vec<_> = config.pipelines.iter().map(|p| p.signal).collect();
    assert_eq!(signals, [Signal::Logs, Signal::Traces, Signal::Traces]);
    assert!(config.health_check.is_some());
    let guarded = super::otlp(&config, 1).grpc.unwrap();
    assert!(matches!(guarded.auth, Some(ServerAuth::Bearer(_))));
    assert!(!format!("{config:?}").contains("somerandomtoken"));
    warned(
        &config.warnings,
        "config.yaml:2:3: ",
        "wayspan has no receiver \"opencensus\", so nobody listens on 0.0.0.0:55678",
    );
    warned(
        &config.warnings,
        "config.yaml:28:3: ",
        "wayspan has no extension \"pprof\"; ignored",
    );
}

#[test]
fn the_istio_sample_is_refused_where_spans_would_be_lost_or_unguarded() {
    let debug = "[otlp, opencensus]\n      exporters: [debug]\n";
    let zipkin = ISTIO_SAMPLE.replace(debug, "[otlp]\n      exporters: [zipkin]\n");
    let loaded = load(&[text(&zipkin)]).unwrap();
    let mut exporters = loaded.exporters.iter();
    let sends_to = exporters.find_map(|exporter| exporter.settings.destination());
    let expected = "http://zipkin.istio-system.svc:9411/api/v2/spans";
    assert_eq!(sends_to.as_deref(), Some(expected));
    let auth = ISTIO_SAMPLE.replace("extensions: [bearertokenauth, ", "extensions: [");
    let message = load(&[text(&auth)]).unwrap_err();
    let said = "config.yaml:15:26: receivers.otlp/auth.protocols.grpc.auth.authenticator: \
                service.extensions does not enable this extension";
    assert!(message.contains(said), "{message}");
    let only = ISTIO_SAMPLE.replace("[otlp, opencensus]", "[opencensus]");
    let message = load(&[text(&only)]).unwrap_err();
    assert!(
        message.contains("nothing would be received: wayspan does not serve opencensus"),
        "{message}"
    );
}

#[test]
fn old_names_work_from_both_sides() {
    let config = over(
        "\
exporters:
  otlp/jaeger: {endpoint: 'j:4317', tls: {insecure: true}}
  otlphttp: {endpoint: 'http://j:4318'}
  logging/old:
service: {pipelines: {traces: {exporters: [otlp_grpc/jaeger, otlphttp, logging/old]}}}
",
    );
    let ids: Vec<String> = config.exporters.iter().map(|e| e.id.to_string()).collect();
    assert_eq!(ids, ["otlp_grpc/jaeger", "otlp_http", "debug/old"]);
    warned(
        &config.warnings,
        "config.yaml:2:3: ",
        "\"otlp\" is the old name of \"otlp_grpc\"",
    );
}

#[test]
fn keys_without_effect_are_named() {
    let config = over("\
receivers:
  otlp:
    protocols:
      grpc: {read_buffer_size: 524288, include_metadata: true}
exporters:
  otlp_grpc: {endpoint: 'j:1', balancer_name: least_loads, sending_queue: {enabled: false, sizer: bytes, queue_size: 5000000}}
  elasticsearch: {}
service:
  pipelines:
    traces: {exporters: [otlp_grpc]}
    profiles/x: {receivers: [nothing], exporters: [nothing]}
  telemetry: {metrics: {level: none, address: ':1'}}
");
    for (place, said) in [
        (
            "config.yaml:4:14: ",
            "grpc.read_buffer_size: has no effect in wayspan; ignored",
        ),
        ("config.yaml:4:40: ", "grpc.include_metadata: has no effect"),
        (
            "config.yaml:6:32: ",
            "balancer_name: neither round_robin nor pick_first",
        ),
        (
            "config.yaml:6:76: ",
            "sending_queue.enabled: wayspan always queues",
        ),
        (
            "config.yaml:7:3: ",
            "no pipeline uses this exporter; ignored",
        ),
        (
            "config.yaml:11:5: ",
            "wayspan handles traces, metrics and logs only",
        ),
    ] {
        warned(&config.warnings, place, said);
    }
    assert_eq!(config.exporters[0].queue.size.limit, 5_000_000);
}

#[test]
fn an_unset_variable_is_a_warning() {
    let config = over("exporters: {debug: {verbosity: '${env:UNSET}'}}");
    warned(
        &config.warnings,
        "config.yaml:1:32: ",
        "environment variable UNSET is not set; taken as empty",
    );
}

#[test]
fn batch_comes_last_wherever_it_is_listed() {
    let config = over(
        "processors: {mesh: , batch: }\nservice: {pipelines: {traces: {processors: [batch, mesh]}}}",
    );
    warned(
        &config.warnings,
        "config.yaml:2:52",
        "batch always comes last in wayspan",
    );
    let config = over(
        "processors: {mesh: , batch: }\nservice: {pipelines: {traces: {processors: [mesh, batch]}}}",
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}
