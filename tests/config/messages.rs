//! What an operator reads when something is wrong.

use super::{MINIMAL, bad, load, text};
use std::{fs, path::Path};

#[test]
fn an_unknown_key_is_shown_in_its_line_with_the_nearest_valid_one() {
    let yaml = "\
receivers:
  otlp:
    protocols:
      http:
      # a comment
      grpc:
        endpont: 0.0.0.0:4317
exporters:
  debug:
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [debug]
";
    let message = load(&[text(yaml)]).unwrap_err();
    let expected = "\
config.yaml:7:9: unknown key \"endpont\" in receivers.otlp.protocols.grpc; did you mean \"endpoint\"?
  7 |         endpont: 0.0.0.0:4317
    |         ^^^^^^^
    = valid keys: endpoint, transport, tls, max_recv_msg_size_mib, max_concurrent_streams, \
max_header_bytes, read_buffer_size, write_buffer_size, keepalive, auth, include_metadata, middlewares";
    assert_eq!(message, expected);
}

#[test]
fn a_bad_value_is_shown_with_its_key_path() {
    let message = bad("processors:\n  batch:\n    timeout: 200\n");
    assert_eq!(
        message,
        "config.yaml:3:14: processors.batch.timeout: \"200\" lacks a unit: write 200s, 200ms or 200m\n  \
         3 |     timeout: 200\n    |              ^^^"
    );
}

#[test]
fn every_mistake_is_shown_at_once_in_the_order_of_the_file() {
    let message = bad("\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: nonsense, max_recv_msg_size_mib: many}
      htpp:
processors:
  batch: {timeout: soon, send_batch_size: -1, size: 3}
exporters:
  debug: {verbosity: detialed}
service:
  pipelines: {traces: {exporters: [debgu]}}
");
    let heads: Vec<&str> = message
        .lines()
        .filter(|line| line.starts_with("config.yaml:"))
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        heads,
        [
            "config.yaml:4:24",
            "config.yaml:4:57",
            "config.yaml:5:7",
            "config.yaml:7:20",
            "config.yaml:7:43",
            "config.yaml:7:47",
            "config.yaml:9:22",
            "config.yaml:11:36",
        ],
        "{message}"
    );
    assert!(message.contains("did you mean \"http\"?"));
    assert!(message.contains("did you mean \"detailed\"?"));
    assert!(message.contains("no exporter \"debgu\" is defined; did you mean \"debug\"?"));
    assert!(message.contains("defined exporters: debug"));
}

/// The cases in `mistakes/`, parted by empty lines: a configuration, then a
/// comment with the place in it and a part of what must be said.
#[test]
fn each_mistake_alone_is_shown_at_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/mistakes");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for case in text.trim_end().split("\n\n") {
            let (yaml, comment) = case.rsplit_once("\n# ").expect("a comment");
            let (place, said) = comment.split_once(": ").expect("a place and a text");
            let head = format!("config.yaml:{place}: ");
            let message = bad(yaml);
            if !message
                .lines()
                .any(|line| line.starts_with(&head) && line.contains(said))
            {
                wrong.push(format!("{yaml}\nexpected {head}… {said}\ngot:\n{message}"));
            }
            cases += 1;
        }
    }
    assert!(cases >= 60, "{cases} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn types_that_wayspan_lacks_say_what_to_use_instead() {
    let message = bad("\
receivers: {jaeger: {protocols: {grpc: }}}
processors: {tail_sampling: }
exporters: {jaeger: {endpoint: 'http://jaeger:14250'}, kafak: }
service: {pipelines: {traces: {receivers: [otlp, jaeger], processors: [tail_sampling], exporters: [jaeger, kafak]}}}
");
    for said in [
        "config.yaml:2:14: processors.tail_sampling: wayspan has no processor \"tail_sampling\"",
        "= it decides which traces are kept",
        "config.yaml:3:13: exporters.jaeger: wayspan has no exporter \"jaeger\"",
        "= Jaeger takes OTLP: use otlp_grpc with endpoint jaeger-collector:4317",
        "= exporters wayspan has: otlp_grpc, otlp_http, zipkin, kafka, debug",
        "config.yaml:3:56: exporters.kafak: wayspan has no exporter \"kafak\"; did you mean \"kafka\"?",
    ] {
        assert!(message.contains(said), "expected {said}\ngot:\n{message}");
    }
}

#[test]
fn a_configuration_inside_of_something_else_is_pointed_at() {
    let inner = "receivers: {otlp: }\nexporters: {debug: }\nservice: {pipelines: }\n";
    let block = inner.replace('\n', "\n    ");
    for (file, said) in [
        (
            format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    {block}\n"),
            "config.yaml:4:3: the collector's configuration stands in data.config.yaml here",
        ),
        (
            format!("apiVersion: v1\nkind: X\nspec:\n  config:\n    {block}\n"),
            "= give wayspan that alone, as kubectl get prints it with -o jsonpath='{.spec.config}'",
        ),
        (
            format!("mode: daemonset\nconfig:\n    {block}\n"),
            "= give wayspan that alone; what a chart adds to it shows in helm template",
        ),
    ] {
        let message = load(&[text(&file)]).unwrap_err();
        assert!(message.contains(said), "expected {said}\ngot:\n{message}");
        let heads = message
            .lines()
            .filter(|line| line.starts_with("config.yaml:"));
        assert_eq!(heads.count(), 1, "{message}");
    }
}

#[test]
fn places_name_the_file_that_has_the_mistake() {
    let message = load(&[
        text(MINIMAL),
        super::Source::Set("processors.batch.timeout=x".to_owned()),
    ]);
    let message = message.unwrap_err();
    assert!(
        message.starts_with("--set:1:29: processors.batch.timeout: "),
        "{message}"
    );
    let message = load(&[super::Source::File("/no/such/file.yaml".into())]).unwrap_err();
    assert!(
        message.starts_with("/no/such/file.yaml: cannot read: "),
        "{message}"
    );
}

#[test]
fn an_inserted_value_is_blamed_where_it_is_inserted() {
    let yaml = format!("{MINIMAL}processors: {{batch: {{timeout: \"${{env:T}}\"}}}}\n");
    let message = super::load_in(&[text(&yaml)], &[("T", "eternity")]).unwrap_err();
    assert!(
        message.starts_with("config.yaml:9:31: processors.batch.timeout: \"eternity\""),
        "{message}"
    );
}

#[test]
fn secrets_stay_out_of_messages() {
    let yaml = "\
exporters: {otlp_http: {endpoint: 'http://j:4318', headers: {authorization: \"Bearer \\u0007${env:TOKEN}\"}}}
service: {pipelines: {traces: {exporters: [otlp_http]}}}
";
    let error = super::load_in(&[text(MINIMAL), text(yaml)], &[("TOKEN", "s3cret")]).unwrap_err();
    assert!(
        error.contains("headers.authorization: the value has characters"),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn kiali_is_read_from_one_place() {
    for (kiali, want) in [
        (
            "{config_map: a/b, url: 'http://k/kiali'}",
            "kiali.url beside kiali.config_map: Kiali's configuration is read from one place",
        ),
        (
            "{config_map: kiali}",
            "\"kiali\" is not NAMESPACE/NAME, such as istio-system/kiali",
        ),
        ("{custom_resource: A/b}", "is not NAMESPACE/NAME"),
        (
            "{url: 'kiali:20001'}",
            "not a URL such as http://kiali.istio-system:20001/kiali",
        ),
        (
            "{url: 'http://u:hunter2@k/kiali'}",
            "http://*********@k/kiali",
        ),
        ("{url: 'u:hunter2@k'}", "use kiali.token_file"),
        (
            "{token: hunter2}",
            "kiali.token is for kiali.url, which is not set",
        ),
        (
            "{config_map: a/b, token_file: /t}",
            "kiali.token_file is for kiali.url",
        ),
        (
            "{config_map: a/b, tls: {ca_file: /c}}",
            "kiali.tls.ca_file is for kiali.url",
        ),
        (
            "{url: 'http://k', token: hunter2, token_file: /t}",
            "remove one of the two",
        ),
        ("{url: 'http://k', token: 'hunter2 x'}", "not a token"),
        ("{url: 'http://k', poll_interval: 1ms}", "at least 100ms"),
        (
            "{url: 'http://k', istio_config_map: a/b}",
            "kiali.istio_config_map is for",
        ),
        (
            "{discovery: off, istio_config_map: a/b}",
            "kiali.istio_config_map is for",
        ),
        (
            "{discovery: on, config_map: a/b}",
            "kiali.discovery beside kiali.config_map",
        ),
        ("{config_mpa: a/b}", "did you mean \"config_map\"?"),
    ] {
        let message = bad(&format!(
            "processors: {{mesh: {{kiali: {kiali}}}}}\nexporters: {{debug: }}\n"
        ));
        assert!(message.contains(want), "{kiali}: {message}");
        let heads = message
            .lines()
            .filter(|line| line.starts_with("config.yaml:"));
        for head in heads {
            assert!(!head.contains("hunter2"), "{head}");
        }
    }
}
