//! What Jaeger holds against what Kiali asks for: a Collector that happens to be right, spans that
//! lack something or are called otherwise, and what traces tell of their senders.
//!
//! Each has a Jaeger of its own, since it keeps every name that it was ever sent.

use super::{
    broken, doctor_with, first_cause,
    install::{install, permit},
    keys_of_first_fix,
    spans::{Emitted, GATEWAY, SIDECAR, emitted, send},
};
use crate::{
    collector::named_with,
    installed::peer,
    jaeger::Jaeger,
    kiali::Kiali,
    kiali_objects::{Installed, Installer},
    kubernetes::Cluster,
    spans::{export_spans_to, span},
};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path, process::Command};
use tempfile::TempDir;
use testkit::{Process, Wayspan, free_port, metrics::Page, wait_for};

/// A Kiali that asks for waypoints by name, as Istio 1.30 calls them.
fn kiali(jaeger: &Jaeger) -> Installed {
    let mut kiali = Installed::new(Installer::Helm, "istio-system", "v2.30.0");
    kiali.tracing = json!({
        "enabled": true, "use_grpc": false, "use_waypoint_name": true,
        "internal_url": format!("http://127.0.0.1:{}", jaeger.query_http),
    });
    kiali
}

fn wait_held(jaeger: &Jaeger, all: &[Emitted]) {
    wait_for("the spans in Jaeger", || {
        let held = jaeger.services_grpc().unwrap();
        all.iter().all(|one| held.contains(&one.name)).then_some(())
    });
}

/// A real Collector that passes spans on as they are.
fn collector(dir: &Path, jaeger: &Jaeger) -> (Process, u16, u16) {
    let (grpc, metrics) = (free_port(), free_port());
    let reader =
        json!({"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": metrics}}}});
    let config = json!({
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": format!("127.0.0.1:{grpc}")}}}},
        "exporters": {"otlp": {
            "endpoint": format!("127.0.0.1:{}", jaeger.otlp_grpc), "tls": {"insecure": true},
        }},
        "service": {
            "telemetry": {"metrics": {"readers": [reader]}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp"]}},
        },
    });
    let file = dir.join("collector.yaml");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(peer("bin/otelcol"));
    command.arg("--config").arg(&file);
    let mut process = Process::start(dir, "collector", &mut command);
    process.wait_ready(|| {
        std::net::TcpStream::connect(("127.0.0.1", grpc)).is_ok() && Page::fetch(metrics).is_ok()
    });
    (process, grpc, metrics)
}

/// The same spans by way of wayspan, which follows this Kiali.
fn send_by_wayspan(cluster: &Cluster, jaeger: &Jaeger, all: &[Emitted]) {
    let more = json!({"kubernetes": {"mode": "on", "kubeconfig": cluster.kubeconfig()}});
    let mut wayspan = Wayspan::start(named_with(
        jaeger.otlp_grpc,
        &Kiali::new(30, true, true),
        more,
    ));
    let pods = "wayspan_kubernetes_objects{resource=\"pods\"}";
    wayspan.wait_metric(pods, |now| now >= 5.0);
    send(wayspan.grpc, all);
    // It sends what it has before it ends.
    wayspan.stop();
}

#[test]
fn names_that_differ_are_found_and_mended_by_what_is_printed() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    install(&cluster);
    permit(&cluster);
    let doctor = |arguments: &[String]| {
        let (code, said) = doctor_with(&cluster, arguments);
        (code, first_cause(&said).0, said)
    };

    let jaeger = Jaeger::start(dir.path());
    let (_collector, grpc, metrics) = collector(dir.path(), &jaeger);
    send(grpc, &emitted());
    wait_held(&jaeger, &emitted());
    kiali(&jaeger).apply(&cluster);
    let well = [
        format!("--collector=http://127.0.0.1:{grpc}"),
        format!("--collector-metrics=http://127.0.0.1:{metrics}/metrics"),
    ];
    let (code, _, said) = doctor(&well);
    assert_eq!((code, &said["causes"]), (0, &json!([])), "{said:#}");
    let pages = said["pages"].as_array().unwrap();
    let shown = pages.iter().filter(|page| page["found"] == "shown");
    // But for the gateway's Service, which no Kiali finds.
    assert_eq!((pages.len(), shown.count()), (14, 13), "{pages:#?}");

    type Change = fn(Emitted) -> Emitted;
    let hosts: Change = |one| {
        let upstream = one.tags.iter().find(|(key, _)| *key == "upstream_cluster");
        let host = upstream.and_then(|(_, cluster)| cluster.strip_prefix("inbound-vip|9080|http|"));
        let host = host.map(str::to_owned);
        Emitted {
            name: host.unwrap_or(one.name),
            tags: one.tags,
        }
    };
    let scenarios: [(&str, Change, &str, &str); 5] = [
        (
            "upper case",
            |one| Emitted {
                name: one.name.replace("cart", "Cart"),
                ..one
            },
            "names-asked",
            "upper and lower case",
        ),
        (
            "tags off",
            |one| one.tagged("istio.cluster_id", None),
            "names-tags",
            "spans lack what Kiali asks for",
        ),
        (
            "another cluster",
            |one| one.tagged("istio.cluster_id", Some("west")),
            "names-tags",
            "spans are of cluster west",
        ),
        (
            "without namespaces",
            |one| Emitted {
                name: one.name.split('.').next().unwrap().to_owned(),
                ..one
            },
            "names-asked",
            "spans are named without",
        ),
        (
            "named by hosts, as Istio 1.28 does",
            hosts,
            "names-asked",
            "named after the Service's host",
        ),
    ];
    for (name, change, check, words) in scenarios {
        let dir = TempDir::new().unwrap();
        let jaeger = Jaeger::start(dir.path());
        let all: Vec<Emitted> = emitted().into_iter().map(change).collect();
        send(jaeger.otlp_grpc, &all);
        wait_held(&jaeger, &all);
        let mut kiali = kiali(&jaeger);
        kiali.apply(&cluster);
        let (code, first, said) = doctor(&well);
        assert_eq!((code, &*first), (1, check), "{name}: {said:#}");
        let what = said["causes"][0]["what"].as_str().unwrap();
        assert!(what.contains(words), "{name}: {what}");
        match (name, keys_of_first_fix(&said)) {
            // Which of the two names is right, nobody here can say.
            ("another cluster", keys) => {
                assert_eq!(
                    keys,
                    Some(json!({"kubernetes_config": {"cluster_name": "west"}}))
                );
                continue;
            }
            (_, Some(keys)) => kiali.more = keys,
            (_, None) => send_by_wayspan(&cluster, &jaeger, &all),
        }
        kiali.apply(&cluster);
        let (code, _, said) = doctor(&well);
        assert_eq!((code, broken(&said)), (0, vec![]), "{name}: {said:#}");
    }
    kiali(&jaeger).apply(&cluster);
    traces_tell_of_their_senders(&jaeger, || doctor(&well));
}

/// A sidecar whose clock is five seconds slow, and one that a hop calls which never reports.
fn traces_tell_of_their_senders(jaeger: &Jaeger, doctor: impl Fn() -> (i32, String, Value)) {
    let at = SocketAddr::from(([127, 0, 0, 1], jaeger.otlp_grpc));
    let minute_ago = |made: Span| Span {
        start_time_unix_nano: made.start_time_unix_nano - 60_000_000_000,
        end_time_unix_nano: made.end_time_unix_nano - 60_000_000_000,
        ..made
    };
    let tags = |node| {
        [
            ("node_id", node),
            ("istio.cluster_id", "Kubernetes"),
            ("peer.address", "10.244.0.8"),
        ]
    };
    let id: [u8; 16] = rand::random();
    let parent = minute_ago(span(id, &tags(GATEWAY)));
    let child = Span {
        span_id: vec![8; 8],
        parent_span_id: parent.span_id.clone(),
        start_time_unix_nano: parent.start_time_unix_nano - 5_000_000_000,
        end_time_unix_nano: parent.end_time_unix_nano - 5_000_000_000,
        ..span(id, &tags(SIDECAR))
    };
    let orphan = Span {
        parent_span_id: vec![9; 8],
        ..minute_ago(span(rand::random(), &tags(SIDECAR)))
    };
    let gateway = [("service.name", "bookinfo-gateway-istio.bookinfo")];
    export_spans_to(at, &gateway, vec![parent]);
    export_spans_to(at, &[("service.name", "cart.shop")], vec![child, orphan]);
    let said = wait_for("both to be seen", || {
        let (code, _, said) = doctor();
        assert_eq!(code, 0, "{said:#}");
        (said["causes"].as_array().unwrap().len() == 2).then_some(said)
    });
    let found = |check: &str| {
        let mut causes = said["causes"].as_array().unwrap().iter();
        let cause = causes.find(|cause| cause["check"] == check);
        cause.unwrap_or_else(|| panic!("{check}: {said:#}"))["evidence"].to_string()
    };
    let clocks = found("trace-clocks");
    assert!(
        clocks.contains("cart-1.shop begin up to 5000 ms before"),
        "{clocks}"
    );
    let orphans = found("trace-parents");
    let named = "cart.shop, called by bookinfo/bookinfo-gateway-istio, in 1 trace";
    assert!(orphans.contains(named), "{orphans}");
}
