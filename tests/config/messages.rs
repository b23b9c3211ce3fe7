//! What an operator reads when something is wrong.

use super::{MINIMAL, bad, load, text};

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

/// Each mistake alone: what is written, and what must be said about it.
#[test]
fn mistakes() {
    for (yaml, place, said) in [
        ("recievers: {}", "1:1", "did you mean \"receivers\"?"),
        (
            "receivers: [otlp]",
            "1:12",
            "receivers: expected a map, found a list",
        ),
        (
            "receivers: {otlp: 3}",
            "1:19",
            "receivers.otlp: expected a map, found `3`",
        ),
        (
            "receivers: {otlp: {protocols: ~}}",
            "1:20",
            "serves no protocol",
        ),
        (
            "receivers: {'ot lp': }",
            "1:13",
            "is not an id such as otlp or otlp/name",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {tls: {cert_file: x}}}}}",
            "1:39",
            "receivers.otlp.protocols.grpc.tls: a server needs cert_file and key_file, and key_file is \
             not set",
        ),
        (
            "receivers: {otlp: {protocols: {http: {auth: {authenticator: x}}}}}",
            "1:61",
            "no extension \"x\" is defined",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {endpoint: [1]}}}}",
            "1:49",
            "grpc.endpoint: expected a string, found a list",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost'}}}}",
            "1:49",
            "is not HOST:PORT: the port is missing",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {endpoint: 'no-such-host.invalid:1'}}}}",
            "1:49",
            "cannot find the address of \"no-such-host.invalid\"",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:4318'}, http: {endpoint: ':4318'}}}}",
            "1:85",
            "0.0.0.0:4318 is already used by receivers.otlp.protocols.grpc",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 4096}}}}",
            "1:62",
            "at most 1 GiB",
        ),
        (
            "receivers: {otlp: {protocols: {http: {traces_url_path: v1/traces}}}}",
            "1:56",
            "not a path such as /v1/traces",
        ),
        (
            "processors: {batch: {timeout: 3 parsecs}}",
            "1:31",
            "is not a duration such as 5s",
        ),
        (
            "processors: {batch: {send_batch_size: 100, send_batch_max_size: 50}}",
            "1:65",
            "50 is less than send_batch_size, which is 100",
        ),
        (
            "processors: {mesh: {kiali: {version: two}}}",
            "1:38",
            "\"two\" is not a Kiali version",
        ),
        (
            "processors: {mesh: {kiali: {namespace_selector: maybe}}}",
            "1:49",
            "expected true or false, found \"maybe\"",
        ),
        (
            "processors: {mesh: {kubernetes: onn}}",
            "1:33",
            "expected one of auto, on, true, false, off, found \"onn\"; did you mean \"on\"?",
        ),
        (
            "processors: {mesh: {kubernetes: {namespace: [a]}}}",
            "1:34",
            "unknown key \"namespace\" in processors.mesh.kubernetes; did you mean \"namespaces\"?",
        ),
        (
            "processors: {mesh: {kubernetes: {namespaces: [shop, My_Shop]}}}",
            "1:53",
            "\"My_Shop\" cannot be the name of a namespace",
        ),
        (
            "processors: {mesh: {kubernetes: {mode: off, kubeconfig: /a}}}",
            "1:45",
            "processors.mesh.kubernetes.kubeconfig: has no effect: kubernetes.mode is off",
        ),
        (
            "processors: {mesh: {kubernetes: {namespaces: [a], mode: off}}}",
            "1:34",
            "processors.mesh.kubernetes.namespaces: has no effect: kubernetes.mode is off",
        ),
        (
            "processors: {mesh: {kubernetes: {peer_address: true, mode: off}}}",
            "1:34",
            "has no effect",
        ),
        (
            "processors: {mesh: {aliases: auto}}",
            "1:30",
            "expected one of on, true, false, off, found \"auto\"",
        ),
        (
            "processors: {mesh: {repairs: some}}",
            "1:30",
            "expected one of on, true, false, off, found \"some\"",
        ),
        (
            "processors: {mesh: {repairs: {stauts: false}}}",
            "1:31",
            "unknown key \"stauts\" in processors.mesh.repairs; did you mean \"status\"?",
        ),
        (
            "processors: {mesh: {repairs: {status: maybe}}}",
            "1:39",
            "expected one of on, true, false, off, found \"maybe\"",
        ),
        (
            "processors: {mesh: {ztunnel_connections: auto}}",
            "1:42",
            "expected one of on, true, false, off, found \"auto\"",
        ),
        (
            "receivers: {otlp: {protocols: {http: {logs_url_path: v1/logs}}}}",
            "1:54",
            "not a path such as /v1/logs",
        ),
        (
            "processors: {mesh: {service_name: {case: lowre}}}",
            "1:42",
            "expected one of match, lower, preserve, found \"lowre\"; did you mean \"lower\"?",
        ),
        (
            "processors: {memory_limiter: {check_interval: 1s}}",
            "1:14",
            "processors.memory_limiter: has no limit",
        ),
        (
            "processors: {memory_limiter: {limit_mib: 100, spike_limit_mib: 100}}",
            "1:64",
            "the spike is not below the limit",
        ),
        (
            "processors: {memory_limiter: {limit_percentage: 130}}",
            "1:49",
            "130 is more than 100 %",
        ),
        (
            "exporters: {otlp_grpc: }",
            "1:13",
            "exporters.otlp_grpc: an exporter needs an endpoint",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:4317', sending_queue: {storage: file_storage}}}",
            "1:70",
            "no extension \"file_storage\" is defined",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:4317', sending_queue: {storage: file_storage}}}\n\
             extensions: {file_storage: {}}",
            "1:70",
            "service.extensions does not enable this extension",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:4317', sending_queue: {storage: db_storage}}}\n\
             extensions: {db_storage: {}}",
            "1:70",
            "wayspan has no storage \"db_storage\"",
        ),
        (
            "extensions: {file_storage: {fsnc: true}}",
            "1:29",
            "unknown key \"fsnc\" in extensions.file_storage; did you mean \"fsync\"?",
        ),
        (
            "extensions: {file_storage: {fsync: sometimes}}",
            "1:36",
            "expected one of always, true, interval, false, never",
        ),
        (
            "extensions: {file_storage: {max_size_mib: 1}}\nservice: {extensions: [file_storage]}",
            "1:43",
            "at least 64",
        ),
        (
            "extensions: {file_storage: {timeout: 0s}}\nservice: {extensions: [file_storage]}",
            "1:38",
            "or every write is too slow",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:4317', compression: snappy}}",
            "1:58",
            "expected one of none, gzip, zstd",
        ),
        (
            "exporters: {otlp_http: {endpoint: 'j:4318'}}",
            "1:35",
            "is not a URL such as http://jaeger:4318",
        ),
        (
            "exporters: {otlp_http: {endpoint: 'http://j:4318', headers: {'a b': c}}}",
            "1:62",
            "not a name that a header can have",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:1', tls: {cert_file: c.pem}}}",
            "1:59",
            "needs key_file beside it",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:1', retry_on_failure: {multiplier: 0.5}}}",
            "1:73",
            "not between 1 and 100",
        ),
        (
            "exporters: {otlp_grpc: {endpoint: 'j:1'}, otlp: {endpoint: 'k:1'}}",
            "1:43",
            "the same exporter as \"otlp_grpc\", under another name",
        ),
        (
            "service: {pipelines: {trace: }}",
            "1:23",
            "unknown signal \"trace\"; did you mean \"traces\"?",
        ),
        (
            "service: {pipelines: {traces: {receivers: []}}}",
            "1:32",
            "service.pipelines.traces.receivers: a pipeline needs receivers",
        ),
        (
            "processors: {mesh: , batch: }\nservice: {pipelines: {traces: {processors: [mesh, batch, mesh]}}}",
            "2:58",
            "this processor is listed twice",
        ),
        (
            "service: {pipelines: {traces: {processors: [bacth]}}}",
            "1:45",
            "no processor \"bacth\" is defined",
        ),
        (
            "service: {extensions: [health_check]}",
            "1:24",
            "no extension \"health_check\" is defined",
        ),
        ("service: {pipelines: ~}", "1:11", "has no traces pipeline"),
        (
            "service: {telemetry: {logs: {level: wran}}}",
            "1:37",
            "did you mean \"warn\"?",
        ),
        ("service: {wayspan: {shards: 1000}}", "1:29", "at most 256"),
        ("service: {wayspan: {gather: 1s}}", "1:29", "at most 100ms"),
        (
            "service: {wayspan: {drain_timeout: 1 fortnight}}",
            "1:36",
            "is not a duration",
        ),
        ("a: [", "", "not valid YAML"),
        (
            "exporters: {debug: {}}\nexporters: {}",
            "2:1",
            "appears twice here, first on line 1",
        ),
        (
            "exporters: {debug: {verbosity: '${A'}}",
            "1:32",
            "without its closing `}`",
        ),
    ] {
        // Parts of the pipelines under test are used, so that they are checked whole.
        let used = [(
            "exporters: {otlp",
            "service: {pipelines: {traces: {exporters: [otlp_NAME]}}}",
        )];
        let yaml = match used.iter().find(|(start, _)| yaml.starts_with(start)) {
            Some((_, service)) => {
                let name = if yaml.contains("otlp_http") {
                    "otlp_http"
                } else {
                    "otlp_grpc"
                };
                format!("{yaml}\n{}", service.replace("otlp_NAME", name))
            }
            None => yaml.to_owned(),
        };
        let message = bad(&yaml);
        let prefix = format!("config.yaml:{place}");
        assert!(
            message
                .lines()
                .any(|line| line.starts_with(&prefix) && line.contains(said)),
            "for:\n{yaml}\nexpected {prefix}: … {said}\ngot:\n{message}"
        );
    }
}

#[test]
fn types_that_wayspan_lacks_say_what_to_use_instead() {
    let message = bad("\
receivers: {jaeger: {protocols: {grpc: }}}
processors: {tail_sampling: }
exporters: {zipkin: {endpoint: 'http://zipkin:9411'}, kafak: }
service: {pipelines: {traces: {receivers: [otlp, jaeger], processors: [tail_sampling], exporters: [zipkin, kafak]}}}
");
    for said in [
        "config.yaml:1:13: receivers.jaeger: wayspan has no receiver \"jaeger\"",
        "= Istio sends OTLP through an `opentelemetry` extension provider: remove this receiver",
        "config.yaml:2:14: processors.tail_sampling: wayspan has no processor \"tail_sampling\"",
        "config.yaml:3:13: exporters.zipkin: wayspan has no exporter \"zipkin\"",
        "= Jaeger takes OTLP: use otlp_grpc with endpoint jaeger-collector:4317",
        "= exporters wayspan has: otlp_grpc, otlp_http, debug",
        "config.yaml:3:55: exporters.kafak: wayspan has no exporter \"kafak\"",
    ] {
        assert!(message.contains(said), "expected {said}\ngot:\n{message}");
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
