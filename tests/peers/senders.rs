//! Senders that push harder than a mesh does: nothing that was answered is
//! lost, neither under load nor when the process is told to stop.
//!
//! Idea: three counts must agree: what the sender sent, what wayspan's metrics
//! say, and what Jaeger holds.

use crate::collector::naming;
use crate::installed::peer;
use crate::jaeger::Jaeger;
use crate::kiali::Kiali;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use testkit::{Backend, Process, Setup, Signal, Wayspan, binary, wait_for};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Batched, below the rate at which the sender's own queue overflows.
const STEADY: [&str; 2] = ["--rate", "1000"];
/// As fast as answers come, one span a request.
const PRESSING: [&str; 3] = ["--rate", "0", "--batch=false"];

/// Runs telemetrygen to its end, which it reaches only if all was answered.
fn telemetrygen(dir: &Path, service: &str, to: (u16, bool), load: &[&[&str]]) {
    generate(Signal::Traces, dir, service, to, load);
}

/// The same with items of any signal.
fn generate(
    signal: Signal,
    dir: &Path,
    service: &str,
    (port, http): (u16, bool),
    load: &[&[&str]],
) {
    let mut command = Command::new(peer("bin/telemetrygen"));
    command
        .args([signal.pipeline(), "--otlp-insecure", "--service", service])
        .args(["--otlp-endpoint", &format!("127.0.0.1:{port}")])
        .args(load.concat());
    if http {
        command.arg("--otlp-http");
    }
    let mut process = Process::start(dir, service, &mut command);
    let status = process.wait_end(Duration::from_secs(600));
    let failed = !status.success() || process.log().contains("failed");
    assert!(!failed, "{status}\n{}", process.log_tail());
}

fn wait_for_metric(wayspan: &Wayspan, name: &str, value: usize) {
    wayspan.wait_metric(name, |now| now == value as f64);
}

#[test]
fn telemetrygen_over_grpc_and_http() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let mut wayspan = Wayspan::start(naming(jaeger.otlp_grpc, &Kiali::newest(true, true)));
    // Each of 2 × 500 traces is a parent and three children.
    let size = ["--workers", "2", "--traces", "500", "--child-spans", "3"];
    let over = [
        ("grpc", (wayspan.grpc, false)),
        ("http", (wayspan.http, true)),
    ];
    for (name, to) in over {
        for (how, rate) in [("steady", &STEADY[..]), ("pressing", &PRESSING[..])] {
            let service = format!("{how}-{name}");
            telemetrygen(dir.path(), &service, to, &[&size, rate]);
            wait_for(&format!("4000 spans of {service} in Jaeger"), || {
                (jaeger.count(&service) == 4000).then_some(())
            });
        }
    }
    wait_for_metric(&wayspan, "otelcol_receiver_accepted_spans", 16_000);
    wait_for_metric(&wayspan, "otelcol_exporter_sent_spans", 16_000);
    let refused = wayspan.metric("otelcol_receiver_refused_spans");
    assert_eq!(refused.unwrap_or_default(), 0.0);
    wayspan.stop();
}

/// Every record and point that telemetrygen sends, over either protocol, is at
/// the backend.
#[test]
fn telemetrygen_of_logs_and_metrics() {
    let dir = TempDir::new().unwrap();
    for signal in [Signal::Logs, Signal::Metrics] {
        let backend = Backend::grpc();
        let layer = format!(
            "service: {{pipelines: {{{}: {{receivers: [otlp], \
             processors: [memory_limiter, batch], exporters: [otlp_grpc]}}}}}}",
            signal.pipeline()
        );
        let mut wayspan = Wayspan::start(Setup::to(&backend).layer(layer));
        let each = format!("--{}", signal.pipeline());
        let size = ["--workers", "2", each.as_str(), "500"];
        for (name, to) in [
            ("grpc", (wayspan.grpc, false)),
            ("http", (wayspan.http, true)),
        ] {
            let service = format!("{}-{name}", signal.pipeline());
            generate(signal, dir.path(), &service, to, &[&size, &STEADY]);
        }
        backend.wait_items(signal, 2000);
        for name in ["otelcol_receiver_accepted_", "otelcol_exporter_sent_"] {
            wait_for_metric(&wayspan, &format!("{name}{}", signal.plural()), 2000);
        }
        wayspan.stop();
    }
}

#[test]
fn export_over_http() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let setup = Setup::usual().exporter("otlp_http", jaeger.otlp_http);
    let mut wayspan = Wayspan::start(setup);
    let size = ["--traces", "500"];
    telemetrygen(
        dir.path(),
        "exported",
        (wayspan.grpc, false),
        &[&size, &STEADY],
    );
    wait_for("1000 spans in Jaeger", || {
        (jaeger.count("exported") == 1000).then_some(())
    });
    wait_for_metric(&wayspan, "otelcol_exporter_sent_spans", 1000);
    wayspan.stop();
}

/// A batch is sealed only after a minute here, so every span is still in the
/// process when the signal comes.
#[test]
fn sigterm_drains_what_was_answered() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let setup = naming(jaeger.otlp_grpc, &Kiali::newest(true, true)).batching("60s");
    let mut wayspan = Wayspan::start(setup);
    let size = ["--workers", "2", "--traces", "500"];
    telemetrygen(
        dir.path(),
        "drained",
        (wayspan.grpc, false),
        &[&size, &PRESSING],
    );
    let answered = answered_requests(wayspan.grpc, 200);
    wayspan.stop();
    // The process has ended: what is not in Jaeger now never will be.
    wait_for("2000 spans of telemetrygen", || {
        (jaeger.count("drained") == 2000).then_some(())
    });
    wait_for(&format!("{answered} spans of single requests"), || {
        (jaeger.count("single") == answered).then_some(())
    });
}

/// Sends requests of one span each, all at once, and counts the answers.
fn answered_requests(port: u16, requests: u8) -> usize {
    block_on(async {
        let client = TraceServiceClient::connect(format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let mut sent = tokio::task::JoinSet::new();
        for i in 0..requests {
            let mut client = client.clone();
            sent.spawn(async move { client.export(one_span(i)).await });
        }
        let answers = sent.join_all().await;
        for answer in &answers {
            let answer = answer.as_ref().unwrap().get_ref();
            let rejected = answer.partial_success.as_ref();
            assert_eq!(rejected.map_or(0, |p| p.rejected_spans), 0);
        }
        answers.len()
    })
}

fn one_span(i: u8) -> ExportTraceServiceRequest {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = u64::try_from(now.as_nanos()).unwrap();
    let name = KeyValue {
        key: "service.name".into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue("single".into())),
        }),
        ..KeyValue::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![name],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    trace_id: [&[1; 15][..], &[i]].concat(),
                    span_id: [&[2; 7][..], &[i]].concat(),
                    name: "single".into(),
                    start_time_unix_nano: now,
                    end_time_unix_nano: now + 1000,
                    ..Span::default()
                }],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

#[test]
fn grpc_health_answers() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let mut wayspan = Wayspan::start(Setup::to_grpc(jaeger.otlp_grpc));
    let status = block_on(async {
        let address = format!("http://127.0.0.1:{}", wayspan.grpc);
        let channel = Channel::from_shared(address).unwrap().connect_lazy();
        let mut client = HealthClient::new(channel);
        let request = HealthCheckRequest::default();
        client.check(request).await.unwrap().into_inner().status()
    });
    assert_eq!(status, ServingStatus::Serving);
    wayspan.stop();
}

/// `tests/run --long`: both protocols at once for some minutes, after which
/// the counts still agree.
#[test]
fn soak() {
    if std::env::var_os("WAYSPAN_LONG").is_none() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let mut wayspan = Wayspan::start(naming(jaeger.otlp_grpc, &Kiali::newest(true, true)));
    let size = ["--workers", "4", "--traces", "10000", "--child-spans", "4"];
    let send = |service, to| telemetrygen(dir.path(), service, to, &[&size, &PRESSING]);
    let (grpc, http) = ((wayspan.grpc, false), (wayspan.http, true));
    std::thread::scope(|scope| {
        scope.spawn(|| send("soak-grpc", grpc));
        scope.spawn(|| send("soak-http", http));
    });
    wait_for_metric(&wayspan, "otelcol_receiver_accepted_spans", 400_000);
    wait_for_metric(&wayspan, "otelcol_exporter_sent_spans", 400_000);
    wayspan.stop();
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// `wayspan demo --send-to` puts the recording into a real Jaeger.
#[test]
fn the_demo_reaches_a_jaeger() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let output = binary()
        .args(["demo", "--send-to"])
        .arg(format!("127.0.0.1:{}", jaeger.otlp_grpc))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("100 spans are in the Jaeger"), "{said}");
    // Jaeger answers after storing, and returns whole traces: each name finds
    // all twenty, of five spans.
    for name in [
        "productpage.bookinfo.svc.cluster.local",
        "reviews.bookinfo.svc.cluster.local",
        "ratings.bookinfo.svc.cluster.local",
        "bookinfo-gateway-istio.bookinfo",
    ] {
        assert_eq!(jaeger.count(name), 100, "{name}");
    }
}
