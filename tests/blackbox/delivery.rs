//! Delivery: everything accepted arrives, grouped; SIGTERM drains; the
//! defaults work without a file; metrics are there from the start.

use crate::spans::{good, request, span};
use prost::Message;
use std::{collections::HashSet, process::Command};
use testkit::{
    Backend, Grpc, Process, Protocol, Setup, Wayspan, binary, free_port, is_healthy, metrics::Page,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_one_resource_arrive_in_one_group() {
    let backend = Backend::grpc();
    // No batch comes of age: the drain alone seals, once.
    let mut wayspan = Wayspan::start(Setup::to(&backend).batching("1h"));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 0..40u64 {
        let service = if n % 2 == 0 { "even" } else { "odd" };
        let spans = vec![span(2 * n + 1, service), span(2 * n + 2, service)];
        let reply = client
            .export(&request(service, spans).encode_to_vec())
            .await;
        assert_eq!(reply.grpc_status(), Some(0));
    }
    wayspan.stop();
    let groups = backend.resource_spans();
    assert_eq!(groups.len(), 2, "one group a resource");
    for group in groups {
        assert_eq!(group.scope_spans.len(), 1, "one scope a resource");
        let spans = &group.scope_spans[0].spans;
        let ids: HashSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
        assert_eq!((spans.len(), ids.len()), (40, 40), "each once");
        assert!(spans.iter().all(|span| span.name == spans[0].name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_delivers_all_that_was_accepted_and_says_so() {
    let backend = Backend::grpc();
    let mut wayspan = Wayspan::start(Setup::to(&backend).batching("1h"));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=200 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
    }
    wayspan.stop();
    assert_eq!(backend.spans().len(), 200);
    let log = wayspan.log();
    assert!(
        log.contains("accepted 200; otlp_grpc: delivered 200, failed 0"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_exist_with_the_value_zero_before_any_span() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let page = wayspan.page();
    for line in include_str!("series.txt").lines() {
        let (selector, value) = line.rsplit_once(' ').unwrap();
        assert_eq!(page.sum(selector), value.parse().ok(), "{selector}");
    }

    let mut client = Grpc::connect(wayspan.grpc).await;
    client.export(&good(1)).await;
    backend.wait(1);
    let accepted = "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"}";
    assert_eq!(wayspan.metric(accepted), Some(1.0));
    let sent = "otelcol_exporter_sent_spans{exporter=\"otlp_grpc\"}";
    wayspan.wait_metric(sent, |value| value == 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_connections_share_the_work_and_lose_nothing() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let senders = (0..16u64).map(|sender| {
        let port = wayspan.grpc;
        tokio::spawn(async move {
            let mut client = Grpc::connect(port).await;
            for n in 0..25 {
                let reply = client.export(&good(1 + sender * 25 + n)).await;
                assert_eq!(reply.grpc_status(), Some(0));
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let spans = backend.wait(400);
    let ids: HashSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    assert_eq!((spans.len(), ids.len()), (400, 400));
}

/// A backend that is away is told by a metric, and so is its return.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_away_is_told_and_gets_all_when_it_is_back() {
    let port = free_port();
    let wayspan = Wayspan::start(Setup::to_grpc(port));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=5 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
    }
    let up = "wayspan_exporter_up{exporter=\"otlp_grpc\"}";
    wayspan.wait_metric(up, |value| value == 0.0);
    let backend = Backend::start(port, Protocol::Grpc, true);
    backend.wait(5);
    wayspan.wait_metric(up, |value| value == 1.0);
    wayspan.assert_alive();
    let log = wayspan.log();
    assert!(log.contains("delivering again after"), "{log}");
}

/// One exporter's thread hangs in the file of its credentials, as on a volume
/// that has gone away: the other delivers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exporter_that_is_stuck_holds_up_no_other() {
    let (stuck, well) = (Backend::grpc(), Backend::grpc());
    let dir = tempfile::TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("token"), "one").unwrap();
    let config = format!(
        "\
receivers: {{otlp: {{protocols: {{grpc: , http: }}}}}}
processors: {{batch: {{timeout: 10ms}}}}
exporters:
  otlp_grpc/stuck: {{endpoint: 'j:1', tls: {{insecure: true}}, auth: {{authenticator: bearertokenauth}}}}
  otlp_grpc/well: {{endpoint: '127.0.0.1:{}', tls: {{insecure: true}}}}
extensions:
  health_check:
  bearertokenauth: {{filename: '{}'}}
service:
  extensions: [health_check, bearertokenauth]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc/stuck, otlp_grpc/well]}}
",
        well.port,
        path("token").display()
    );
    std::fs::write(path("config.yaml"), config).unwrap();
    let setup = Setup::file(path("config.yaml")).exporter("otlp_grpc/stuck", stuck.port);
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    client.export(&good(1)).await;
    stuck.wait(1);

    // A pipe without a writer: opening it does not return.
    let made = Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(made.success());
    std::fs::rename(path("pipe"), path("token")).unwrap();
    for n in 2..=6 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
        well.wait(n as usize);
    }
    assert_eq!(stuck.spans().len(), 1);

    std::fs::rename(path("token"), path("pipe")).unwrap();
    std::fs::write(path("token"), "two").unwrap();
    tokio::task::block_in_place(|| std::fs::write(path("pipe"), "two").unwrap());
    stuck.wait(6);
    wayspan.stop();
}

/// The embedded default on its own ports, which `--set` moves out of the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_file_the_default_exports_where_the_environment_says() {
    let backend = Backend::grpc();
    let [grpc, http, health, metrics] = std::array::from_fn(|_| free_port());
    let dir = tempfile::TempDir::new().unwrap();
    let mut command = binary();
    command.env(
        "WAYSPAN_EXPORT_ENDPOINT",
        format!("127.0.0.1:{}", backend.port),
    );
    for set in [
        format!("receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{grpc}"),
        format!("receivers.otlp.protocols.http.endpoint=127.0.0.1:{http}"),
        format!("extensions.health_check.endpoint=127.0.0.1:{health}"),
        format!(
            "service.telemetry.metrics.readers=[{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]"
        ),
    ] {
        command.arg("--set").arg(set);
    }
    let mut process = Process::start(dir.path(), "wayspan", &mut command);
    process.wait_ready(|| is_healthy(health));
    let mut client = Grpc::connect(grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    backend.wait(1);
    let page = Page::fetch(metrics).unwrap();
    assert!(page.sum("otelcol_process_uptime").is_some());
    // The start says what it listens on, the pipeline, and the naming scheme.
    let log = process.log();
    for said in [
        &format!("127.0.0.1:{grpc}"),
        "otlp → mesh → batch → otlp_grpc",
        "Kiali",
    ] {
        assert!(log.contains(said), "{said} is not in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_an_error_that_says_what_to_do() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let output = binary()
        .arg("--set")
        .arg(format!(
            "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{}",
            wayspan.grpc
        ))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&wayspan.grpc.to_string()) && said.contains("ss -ltnp"),
        "{said}"
    );
}
