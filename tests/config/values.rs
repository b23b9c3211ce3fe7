//! What keys mean: defaults, and every honoured key set to something else.

use super::{MINIMAL, good, load_in, over, text};
use std::time::Duration;
use wayspan::{
    config::Id,
    exporter::{
        ConfiguredExporter, Retry, SendingQueue,
        debug::Verbosity,
        otlp::{Encoding, Http},
    },
    extension::health_check::HealthCheck,
    http::{Balancer, ClientSettings, Compression},
    mesh,
    pdata::Signal,
    pipeline::BatchSettings,
    queue::{Fsync, QueueSize, Sizer, Storage},
    telemetry::{LogLevel, Resource, Selection, Style},
    tls::{ClientTls, Pem},
};

const SECOND: Duration = Duration::from_secs(1);

fn exporter(yaml: &str, id: &str) -> ConfiguredExporter {
    let service = format!("service: {{pipelines: {{traces: {{exporters: [{id}]}}}}}}");
    let config = over(&format!("exporters: {{{id}: {yaml}}}\n{service}"));
    config.exporters[0].clone()
}

fn client(yaml: &str, id: &str) -> ClientSettings {
    super::otlp_client(&exporter(yaml, id))
}

#[test]
fn receivers_without_settings_listen_where_the_collector_does() {
    let yaml = MINIMAL.replace("{grpc: {endpoint: 127.0.0.1:0}}", "{grpc: , http: }");
    let config = good(&yaml);
    let grpc = super::otlp(&config, 0).grpc.unwrap();
    let http = super::otlp(&config, 0).http.unwrap();
    assert_eq!(grpc.endpoint.to_string(), "127.0.0.1:4317");
    assert_eq!(http.server.endpoint.to_string(), "127.0.0.1:4318");
    assert_eq!(
        (grpc.max_message_bytes, http.server.max_body_bytes),
        (64 << 20, 64 << 20)
    );
    assert_eq!(
        (grpc.max_concurrent_streams, grpc.max_header_bytes),
        (256, 16 << 10)
    );
    assert_eq!(grpc.keepalive.max_connection_age, None);
    assert_eq!(grpc.keepalive.max_connection_age_grace, 30 * SECOND);
    assert_eq!(
        (grpc.keepalive.time, grpc.keepalive.timeout),
        (30 * SECOND, 10 * SECOND)
    );
    assert_eq!(
        (http.server.header_timeout, http.server.idle_timeout),
        (60 * SECOND, None)
    );
    assert_eq!(http.traces_path, "/v1/traces");
    assert_eq!(http.logs_path, "/v1/logs");
}

#[test]
fn receiver_keys() {
    let config = over("\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: ':0'
        max_recv_msg_size_mib: 8
        max_concurrent_streams: 7
        max_header_bytes: 9000
        keepalive:
          server_parameters: {max_connection_age: 10m, max_connection_age_grace: 5s, time: 6s, timeout: 7s}
      http:
        endpoint: '[::1]:0'
        max_request_body_size: 1000
        max_header_bytes: 9001
        read_header_timeout: 3s
        idle_timeout: 4s
        traces_url_path: /t
        logs_url_path: /l
");
    let grpc = super::otlp(&config, 0).grpc.unwrap();
    let http = super::otlp(&config, 0).http.unwrap();
    assert_eq!(grpc.endpoint.to_string(), "0.0.0.0:0");
    assert_eq!(grpc.max_message_bytes, 8 << 20);
    assert_eq!(
        (grpc.max_concurrent_streams, grpc.max_header_bytes),
        (7, 9000)
    );
    assert_eq!(grpc.keepalive.max_connection_age, Some(600 * SECOND));
    assert_eq!(grpc.keepalive.max_connection_age_grace, 5 * SECOND);
    assert_eq!(
        (grpc.keepalive.time, grpc.keepalive.timeout),
        (6 * SECOND, 7 * SECOND)
    );
    assert_eq!(http.server.endpoint.to_string(), "[::1]:0");
    assert_eq!(
        (http.server.max_body_bytes, http.server.max_header_bytes),
        (1000, 9001)
    );
    assert_eq!(
        (http.server.header_timeout, http.server.idle_timeout),
        (3 * SECOND, Some(4 * SECOND))
    );
    assert_eq!(http.traces_path, "/t");
    assert_eq!(http.logs_path, "/l");
    let zero = over("receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 0}}}}");
    assert_eq!(
        super::otlp(&zero, 0).grpc.unwrap().max_message_bytes,
        64 << 20
    );
}

#[test]
fn batches() {
    let config = good(MINIMAL);
    let default = &config.pipelines[0].batch;
    assert_eq!(
        (
            default.items,
            default.bytes,
            default.timeout,
            default.max_items
        ),
        (8192, 3 << 20, Duration::from_millis(200), 0)
    );
    let config = over(
        "\
processors:
  batch/b: {send_batch_size: 10, send_batch_max_size: 20, send_batch_max_bytes: 5000, timeout: 1s}
service: {pipelines: {traces: {processors: [batch/b]}}}
",
    );
    let BatchSettings {
        id,
        items: spans,
        bytes,
        timeout,
        max_items: max_spans,
        max_expansion: _,
    } = config.pipelines[0].batch.clone();
    assert_eq!(id.to_string(), "batch/b");
    assert_eq!((spans, bytes, timeout, max_spans), (10, 5000, SECOND, 20));
}

#[test]
fn mesh_settings() {
    let settings = |yaml: &str| {
        let used = "service: {pipelines: {traces: {processors: [mesh]}}}";
        let config = over(&format!("processors: {{mesh: {yaml}}}\n{used}"));
        super::mesh(&config)
    };
    assert_eq!(settings(""), mesh::MeshSettings::default());
    let all = settings(
        "{kiali: {version: 2.10, namespace_selector: false, use_waypoint_name: true, \
         istio_identity_domain: svc.x, trust_domain: y, app_label_name: team}, cluster_id: east, \
         service_name: {case: lower, rename: {A.B: c}}, kubernetes: off, aliases: off}",
    );
    // 2.10 is a version, not the number 2.1.
    assert_eq!(all.kiali.version, mesh::Version::new(2, 10));
    assert!(!all.kiali.namespace_selector && all.kiali.use_waypoint_name);
    assert_eq!(all.kiali.istio_identity_domain.as_deref(), Some("svc.x"));
    assert_eq!(
        (all.kiali.trust_domain.as_str(), all.cluster_id.as_str()),
        ("y", "east")
    );
    assert_eq!(all.kiali.app_label_name.as_deref(), Some("team"));
    assert_eq!(all.case, mesh::Case::Lower);
    assert_eq!(all.kubernetes.mode, mesh::KubernetesMode::Off);
    for (text, mode) in [
        ("{}", mesh::KubernetesMode::Auto),
        ("{kubernetes: }", mesh::KubernetesMode::Auto),
        ("{kubernetes: on}", mesh::KubernetesMode::On),
        ("{kubernetes: true}", mesh::KubernetesMode::On),
        ("{kubernetes: false}", mesh::KubernetesMode::Off),
        ("{kubernetes: 'false'}", mesh::KubernetesMode::Off),
        ("{kubernetes: {mode: false}}", mesh::KubernetesMode::Off),
        ("{kubernetes: {mode: true}}", mesh::KubernetesMode::On),
        ("{kubernetes: {mode: off}}", mesh::KubernetesMode::Off),
        (
            "{kubernetes: {mode: off, namespaces: [], kubeconfig: ''}}",
            mesh::KubernetesMode::Off,
        ),
    ] {
        assert_eq!(settings(text).kubernetes.mode, mode, "{text}");
    }
    let long = settings(
        "{kubernetes: {namespaces: [shop, bookinfo, shop], kubeconfig: /a/b, peer_address: false}}",
    );
    assert_eq!(long.kubernetes.namespaces, ["bookinfo", "shop"]);
    assert_eq!(long.kubernetes.kubeconfig, Some("/a/b".into()));
    assert!(!long.peer_address && settings("{}").peer_address);
    assert_eq!(all.rename.get("A.B").map(String::as_str), Some("c"));
    for (text, aliases) in [
        ("{aliases: }", mesh::Aliases::Auto),
        ("{aliases: auto}", mesh::Aliases::Auto),
        ("{aliases: on}", mesh::Aliases::On),
        ("{aliases: true}", mesh::Aliases::On),
        ("{aliases: off}", mesh::Aliases::Off),
        ("{aliases: false}", mesh::Aliases::Off),
    ] {
        assert_eq!(settings(text).aliases, aliases, "{text}");
    }
    assert_eq!(all.aliases, mesh::Aliases::Off);
    for (yaml, status, node_id, span_name) in [
        ("on", true, true, true),
        ("'on'", true, true, true),
        ("true", true, true, true),
        ("", true, true, true),
        ("{}", true, true, true),
        ("off", false, false, false),
        ("false", false, false, false),
        ("{status: false}", false, true, true),
        ("{status: off, node_id: on}", false, true, true),
        ("{node_id: false, span_name: false}", true, false, false),
    ] {
        let want = mesh::Repairs {
            status,
            node_id,
            span_name,
        };
        assert_eq!(settings(&format!("{{repairs: {yaml}}}")).repairs, want);
    }
    assert!(settings("{ztunnel_connections: on}").ztunnel_connections);
    assert!(!settings("{ztunnel_connections: off}").ztunnel_connections);
    assert_eq!(settings("{cluster_id: ''}").cluster_id, "");
    assert_eq!(
        settings("{kiali: {version: newest}}").kiali,
        mesh::Kiali::default()
    );
}

#[test]
fn where_kiali_is_read() {
    let follow = |kiali: &str| {
        let used = "service: {pipelines: {traces: {processors: [mesh]}}}";
        let config = over(&format!("processors: {{mesh: {{kiali: {kiali}}}}}\n{used}"));
        let settings = super::mesh(&config);
        settings.follow
    };
    let name = |text: &str| Some(text.parse::<mesh::ObjectName>().unwrap());
    for nothing in [
        "{version: '2.7'}",
        "{config_map: '', url: ''}",
        "{discovery: on}",
    ] {
        let found = follow(nothing).unwrap();
        assert_eq!(found.source, mesh::KialiSource::Discovery, "{nothing}");
        assert_eq!(found.istio_config_map, name("istio-system/istio"));
    }
    assert_eq!(follow("{discovery: off, version: '2.7'}"), None);
    assert!(follow("{discovery: off, config_map: a/b}").is_some());
    let map = follow("{config_map: istio-system/kiali, namespace_selector: false}").unwrap();
    assert_eq!(
        Some(map.source),
        name("istio-system/kiali").map(mesh::KialiSource::ConfigMap)
    );
    assert_eq!(map.istio_config_map, name("istio-system/istio"));
    let given = mesh::Described {
        namespace_selector: Some(false),
        ..mesh::Described::default()
    };
    assert_eq!(map.given, given);
    let resource = follow("{custom_resource: kiali/kiali, istio_config_map: ''}").unwrap();
    assert_eq!(
        Some(resource.source),
        name("kiali/kiali").map(mesh::KialiSource::CustomResource)
    );
    assert_eq!(resource.istio_config_map, None);
    let url = "{url: 'http://kiali:20001/kiali/', token_file: /t, poll_interval: 5s}";
    let mesh::KialiSource::Url(endpoint) = follow(url).unwrap().source else {
        panic!("{url}")
    };
    assert_eq!(endpoint.url, "http://kiali:20001/kiali");
    assert_eq!(endpoint.token, Some(mesh::Token::File("/t".into())));
    assert_eq!(endpoint.poll_interval, 5 * SECOND);
}

#[test]
fn memory_limits() {
    let limit = |yaml: &str| {
        let used = "service: {pipelines: {traces: {processors: [memory_limiter]}}}";
        over(&format!("processors: {{memory_limiter: {yaml}}}\n{used}")).memory_limit
    };
    assert_eq!(limit("{check_interval: 1s, limit_mib: 1000}"), 800 << 20);
    assert_eq!(limit("{limit_mib: 512, spike_limit_mib: 128}"), 384 << 20);
    let half = limit("{limit_percentage: 60, spike_limit_percentage: 10}");
    assert_eq!(half % 50, 0, "{half}");
    let default = good(MINIMAL).memory_limit;
    assert!((64 << 20..=1 << 30).contains(&default), "{default}");
}

#[test]
fn exporter_defaults() {
    let grpc = exporter("{endpoint: 'j:4317'}", "otlp_grpc");
    let queue = SendingQueue {
        consumers: 10,
        size: QueueSize {
            sizer: Sizer::Requests,
            limit: 1000,
        },
        blocks: false,
        waits: false,
        batch: None,
        storage: None,
    };
    let retry = Retry {
        enabled: true,
        initial_interval: SECOND,
        randomization_factor: 0.5,
        multiplier: 1.5,
        max_interval: 30 * SECOND,
        max_elapsed: Some(300 * SECOND),
    };
    assert_eq!(
        (grpc.queue, grpc.retry, grpc.timeout),
        (queue, retry, 5 * SECOND)
    );
    let client = client("{endpoint: 'j:4317'}", "otlp_grpc");
    assert_eq!(
        (client.compression, client.headers),
        (Compression::None, vec![])
    );
    assert_eq!(
        exporter("{endpoint: 'http://j:4318'}", "otlp_http").timeout,
        30 * SECOND
    );
}

#[test]
fn endpoints_and_tls() {
    let tls = Some(ClientTls::default());
    for (yaml, id, url, tls) in [
        (
            "{endpoint: 'j:4317'}",
            "otlp_grpc",
            "https://j:4317",
            tls.clone(),
        ),
        (
            "{endpoint: 'j:4317', tls: {insecure: true}}",
            "otlp_grpc",
            "http://j:4317",
            None,
        ),
        (
            "{endpoint: 'http://j:4317'}",
            "otlp_grpc",
            "http://j:4317",
            None,
        ),
        (
            "{endpoint: 'https://j:4317', tls: {insecure: true}}",
            "otlp_grpc",
            "https://j:4317",
            tls.clone(),
        ),
        (
            "{endpoint: 'dns:///j:4317', tls: {insecure: true}}",
            "otlp_grpc",
            "http://j:4317",
            None,
        ),
        (
            "{endpoint: 'http://j:4318'}",
            "otlp_http",
            "http://j:4318/v1/traces",
            None,
        ),
        (
            "{endpoint: 'https://j/x/'}",
            "otlp_http",
            "https://j/x/v1/traces",
            tls,
        ),
        (
            "{traces_endpoint: 'http://j:4318/in'}",
            "otlp_http",
            "http://j:4318/in",
            None,
        ),
    ] {
        let exporter = exporter(yaml, id);
        let client = super::otlp_client(&exporter);
        let sent_to = match exporter.settings::<Http>() {
            Some(http) => http.url(Signal::Traces).unwrap(),
            None => client.url,
        };
        assert_eq!((sent_to.as_str(), client.tls), (url, tls), "{yaml}");
    }
}

#[test]
fn exporter_keys() {
    let http = exporter(
        "{endpoint: 'https://j:4318', encoding: json, compression: zstd, timeout: 3s, \
         headers: {X-Scope-OrgID: one, n: 012}, \
         tls: {insecure_skip_verify: true, ca_file: ca, cert_file: c, key_file: k, server_name_override: s}, \
         sending_queue: {num_consumers: 2, queue_size: 3}, \
         retry_on_failure: {enabled: false, initial_interval: 2s, randomization_factor: 0, \
         multiplier: 2, max_interval: 4s, max_elapsed_time: 0}}",
        "otlp_http",
    );
    let settings = http.settings::<Http>().unwrap();
    let (client, encoding) = (settings.client.clone(), settings.encoding);
    assert_eq!(
        (encoding, client.compression),
        (Encoding::Json, Compression::Zstd)
    );
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        client.headers,
        [header("x-scope-orgid", "one"), header("n", "012")]
    );
    let tls = ClientTls {
        insecure_skip_verify: true,
        ca: Some(Pem::File("ca".into())),
        cert: Some(Pem::File("c".into())),
        key: Some(Pem::File("k".into())),
        server_name_override: Some("s".to_owned()),
        ..ClientTls::default()
    };
    assert_eq!(client.tls, Some(tls));
    assert_eq!(
        http.queue,
        SendingQueue {
            consumers: 2,
            size: QueueSize {
                sizer: Sizer::Requests,
                limit: 3,
            },
            blocks: false,
            waits: false,
            batch: None,
            storage: None,
        }
    );
    assert_eq!(http.timeout, 3 * SECOND);
    let retry = Retry {
        enabled: false,
        initial_interval: 2 * SECOND,
        randomization_factor: 0.0,
        multiplier: 2.0,
        max_interval: 4 * SECOND,
        max_elapsed: None,
    };
    assert_eq!(http.retry, retry);
}

#[test]
fn headers_may_be_a_list() {
    let client = client(
        "{endpoint: 'j:1', headers: [{name: A, value: b}]}",
        "otlp_grpc",
    );
    assert_eq!(client.headers, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn balancers() {
    for (name, expected) in [
        ("", Balancer::RoundRobin),
        ("round_robin", Balancer::RoundRobin),
        ("pick_first", Balancer::PickFirst),
        ("grpclb", Balancer::RoundRobin),
    ] {
        let yaml = format!("{{endpoint: 'j:1', balancer_name: '{name}'}}");
        assert_eq!(client(&yaml, "otlp_grpc").balancer, expected, "{name}");
    }
    let http = client("{endpoint: 'http://j:1'}", "otlp_http");
    assert_eq!(http.balancer, Balancer::RoundRobin);
}

#[test]
fn debug_by_its_old_name() {
    let verbosity = |yaml: &str, id: &str| *exporter(yaml, id).settings::<Verbosity>().unwrap();
    assert_eq!(verbosity("", "debug"), Verbosity::Basic);
    assert_eq!(
        verbosity("{verbosity: detailed}", "debug"),
        Verbosity::Detailed
    );
    assert_eq!(
        verbosity("{loglevel: debug}", "logging/old"),
        Verbosity::Detailed
    );
    assert_eq!(
        verbosity("{loglevel: info}", "logging/old"),
        Verbosity::Normal
    );
}

#[test]
fn health_checks() {
    let health = |yaml: &str, id: &str| {
        over(&format!(
            "extensions: {{{id}: {yaml}}}\nservice: {{extensions: [{id}]}}"
        ))
        .health_check
    };
    let at = |endpoint: &str, path: &str| {
        Some(HealthCheck {
            endpoint: endpoint.parse().unwrap(),
            path: path.to_owned(),
            tls: None,
        })
    };
    assert_eq!(health("", "health_check"), at("127.0.0.1:13133", "/"));
    let v2 = "{use_v2: true, http: {endpoint: '0.0.0.0:9', status: {enabled: true}}}";
    assert_eq!(health(v2, "healthcheckv2"), at("0.0.0.0:9", "/status"));
    assert_eq!(
        health("{endpoint: ':8', path: /ok}", "health_check"),
        at("0.0.0.0:8", "/ok")
    );
    for (id, yaml) in [
        ("health_check", "{tls: {cert_file: /c, key_file: /k}}"),
        (
            "healthcheckv2",
            "{http: {endpoint: ':9', tls: {cert_file: /c, key_file: /k}}}",
        ),
    ] {
        let tls = health(yaml, id).unwrap().tls.unwrap();
        assert_eq!(tls.cert, Pem::File("/c".into()), "{id}");
    }
    // Defined, but not enabled by the service.
    assert_eq!(over("extensions: {health_check: }").health_check, None);
}

#[test]
fn telemetry() {
    let telemetry = |yaml: &str| {
        let minimal = MINIMAL.replace("  telemetry: {metrics: {level: none}}\n", "");
        good(&format!("{minimal}  telemetry: {yaml}\n")).telemetry
    };
    let plain = |address: &str| vec![(address.parse().unwrap(), Style::default())];
    let default = telemetry("");
    assert_eq!(default.metrics, plain("127.0.0.1:8888"));
    assert_eq!(
        (default.resource, default.log_level, default.log_json),
        (Resource::default(), LogLevel::Info, false)
    );
    let readers = |list: &str| telemetry(&format!("{{metrics: {{readers: [{list}]}}}}")).metrics;
    let reader = |keys: &str| format!("{{pull: {{exporter: {{prometheus: {{{keys}}}}}}}}}");
    let styled = reader(
        "host: 0.0.0.0, port: 9999, without_type_suffix: false, without_scope_info: false, \
         with_resource_constant_labels: {included: [a, b], excluded: [c]}",
    );
    let style = Style {
        suffixes: true,
        scopes: true,
        resource: Some(Selection {
            included: vec!["a".to_owned(), "b".to_owned()],
            excluded: vec!["c".to_owned()],
        }),
    };
    let other = reader("host: '::1', port: 1");
    assert_eq!(
        readers(&format!("{styled}, {other}")),
        [
            ("0.0.0.0:9999".parse().unwrap(), style),
            plain("[::1]:1").remove(0)
        ]
    );
    let push = "{periodic: {exporter: {otlp: {protocol: grpc, endpoint: 'http://c:1'}}}}";
    assert_eq!(readers(push), []);
    assert_eq!(readers(&format!("{push}, {other}")), plain("[::1]:1"));
    assert_eq!(telemetry("{metrics: {level: none}}").metrics, []);
    let old = telemetry("{metrics: {address: ':7777'}, logs: {level: WARN, encoding: json}}");
    assert_eq!(old.metrics, plain("0.0.0.0:7777"));
    assert_eq!((old.log_level, old.log_json), (LogLevel::Warn, true));
}

#[test]
fn the_resource_of_own_telemetry() {
    let resource = |yaml: &str| {
        over(&format!("service: {{telemetry: {{resource: {yaml}}}}}"))
            .telemetry
            .resource
    };
    let shown = |resource: Resource| {
        let pairs = resource.attributes();
        let pairs = pairs.filter(|(name, _)| *name != "service.version");
        let shown = pairs.map(|(name, value)| match name {
            "service.instance.id" => name.to_owned(),
            _ => format!("{name}={value:?}"),
        });
        shown.collect::<Vec<_>>().join(" ")
    };
    for (yaml, expected) in [
        ("", "service.instance.id service.name=Text(\"wayspan\")"),
        (
            "{service.name: collector, service.instance.id: null, k: '0123'}",
            "k=Text(\"0123\") service.name=Text(\"collector\")",
        ),
        (
            "{attributes: [{name: k, value: 3}, {name: up, value: true}, {name: service.name, value: c}]}",
            "k=Int(3) service.instance.id service.name=Text(\"c\") up=Bool(true)",
        ),
    ] {
        assert_eq!(shown(resource(yaml)), expected, "{yaml}");
    }
}

#[test]
fn the_service_itself() {
    let config = good(MINIMAL);
    assert_eq!((config.shards, config.drain_timeout), (None, 25 * SECOND));
    assert_eq!(config.gather, SECOND / 200);
    let config = over("service: {wayspan: {gather: 0s}}");
    assert!(config.gather.is_zero());
    let limits = |config: &wayspan::component::Config| {
        (config.max_connections, config.max_connections_per_peer)
    };
    assert_eq!(limits(&config), (None, None));
    let config = over("service: {wayspan: {max_connections: 9, max_connections_per_peer: 0}}");
    assert_eq!(limits(&config), (Some(9), None));
    let config = over("service: {wayspan: {shards: 3, drain_timeout: 1m}}");
    assert_eq!(
        (config.shards, config.drain_timeout),
        (Some(3), 60 * SECOND)
    );
}

#[test]
fn strings_keep_the_text_of_a_variable() {
    let yaml = "\
exporters: {otlp_grpc: {endpoint: '${HOST}:4317', headers: {a: '${env:ZEROS}', b: '${env:MAP}'}}}
processors: {batch: {send_batch_size: '${env:SIZE}'}}
service: {pipelines: {traces: {processors: [batch], exporters: [otlp_grpc]}}}
";
    let env = [
        ("HOST", "h"),
        ("ZEROS", "0123"),
        ("MAP", "k: v"),
        ("SIZE", "77"),
    ];
    let config = load_in(&[text(MINIMAL), text(yaml)], &env).unwrap();
    let client = super::otlp_client(&config.exporters[0]);
    assert_eq!(client.url, "https://h:4317");
    let values: Vec<&str> = client
        .headers
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(values, ["0123", "k: v"]);
    assert_eq!(config.pipelines[0].batch.items, 77);
}

#[test]
fn storages() {
    let with = |storage: &str| {
        good(&format!(
            "receivers: {{otlp: {{protocols: {{grpc: }}}}}}\n\
             exporters:\n  otlp_grpc: {{endpoint: 'j:4317', sending_queue: {{storage: file_storage/x}}}}\n  debug:\n\
             extensions:\n  file_storage: {{}}\n  file_storage/x: {storage}\n\
             service:\n  extensions: [file_storage, file_storage/x]\n  \
             pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_grpc, debug]}}}}\n"
        ))
    };
    let config = with("{}");
    let storage = Storage {
        id: Id {
            kind: "file_storage".to_owned(),
            name: Some("x".to_owned()),
        },
        directory: "/var/lib/otelcol/file_storage".into(),
        create_directory: true,
        directory_mode: 0o700,
        fsync: Fsync::Never,
        timeout: SECOND,
        max_bytes: 4 << 30,
    };
    assert_eq!(config.storages, std::slice::from_ref(&storage), "in use");
    assert_eq!(config.gather, SECOND * 3 / 1000);
    let [grpc, debug] = &config.exporters[..] else {
        panic!("{:?}", config.exporters)
    };
    assert_eq!((grpc.queue.storage, debug.queue.storage), (Some(0), None));
    assert_eq!(grpc.retry.max_elapsed, None, "what is in the log can wait");

    for (fsync, want) in [
        ("true", Fsync::Always),
        ("always", Fsync::Always),
        ("false", Fsync::Never),
        ("interval", Fsync::Interval(SECOND)),
        ("interval, fsync_interval: 5s", Fsync::Interval(5 * SECOND)),
    ] {
        assert_eq!(with(&format!("{{fsync: {fsync}}}")).storages[0].fsync, want);
    }
    for (permissions, want) in [("0750", 0o750), ("\"0755\"", 0o755), ("700", 0o700)] {
        let config = with(&format!("{{directory_permissions: {permissions}}}"));
        assert_eq!(config.storages[0].directory_mode, want);
    }
    let config = with("{directory: /data, create_directory: false, timeout: 3s, max_size_mib: 64}");
    let want = Storage {
        directory: "/data".into(),
        create_directory: false,
        timeout: 3 * SECOND,
        max_bytes: 64 << 20,
        ..storage
    };
    assert_eq!(config.storages, [want]);
}
