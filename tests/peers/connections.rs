//! Workloads without waypoint and sidecar: from ztunnel's access log, sent as
//! OTLP logs, to Kiali's pages, by way of a real Jaeger.
//!
//! Idea: both ztunnels of one connection write their line. The page of each
//! end must show the trace of its own line and no other, whatever that Kiali
//! asks; pages of workloads that had no connection stay empty.

use crate::collector::named_with;
use crate::installed::peer;
use crate::jaeger::{Jaeger, Search};
use crate::kiali::{self, Kiali};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use testkit::{PATIENCE, Process, Wayspan, wait_for};

/// productpage calls reviews, seen from the node of `direction`.
fn line(direction: &str) -> String {
    format!(
        "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
         src.addr=10.244.0.24:46238 src.workload=\"productpage-v1-54bb874995-8qdrz\" \
         src.namespace=\"bookinfo\" dst.addr=10.244.0.42:15008 dst.hbone_addr=10.244.0.42:9080 \
         dst.service=\"reviews.bookinfo.svc.cluster.local\" \
         dst.workload=\"reviews-v1-6d8bcd654d-t88gp\" dst.namespace=\"bookinfo\" \
         direction=\"{direction}\" bytes_sent=67 bytes_recv=490 duration=\"13ms\" \
         id=4bf92f3577b34da6a3ce929d0e0e4736"
    )
}

fn record(direction: &str) -> LogRecord {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    LogRecord {
        time_unix_nano: u64::try_from(now.as_nanos()).unwrap(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(line(direction))),
        }),
        ..LogRecord::default()
    }
}

fn send(port: u16, records: Vec<LogRecord>) {
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let response = runtime.block_on(async {
        let mut client = LogsServiceClient::connect(format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        client.export(request).await.unwrap().into_inner()
    });
    assert_eq!(response.partial_success, None);
}

#[test]
fn l4_workloads_are_found() {
    for kiali in [
        Kiali::v2_7(true),
        Kiali::newest(true, true),
        Kiali::newest(false, false),
    ] {
        let dir = TempDir::new().unwrap();
        let jaeger = Jaeger::start(dir.path());
        let on = json!({"ztunnel_connections": "on"});
        let mut wayspan = Wayspan::start(named_with(jaeger.otlp_grpc, &kiali, on));
        // Twice: a log collector that sends again adds nothing.
        let records = vec![record("outbound"), record("inbound")];
        send(wayspan.grpc, records.clone());
        send(wayspan.grpc, records);

        let pages = kiali::pages(false);
        let page = |id: &str| pages.iter().find(|page| page.id() == id).unwrap();
        let trace_of = |app: &str| {
            let service = kiali.asked(page(&format!("app {app}")));
            let search = Search {
                service: &service,
                tags: &[],
                limit: 10,
            };
            let what = format!("a trace of {service} in Jaeger");
            wait_for(&what, || jaeger.find_http(&search).unwrap().pop())
        };
        let mut traces = Vec::new();
        for (app, workload) in [("productpage", "productpage-v1"), ("reviews", "reviews-v1")] {
            let trace = trace_of(app);
            traces.push(trace.id.clone());
            for id in [
                format!("app {app}"),
                format!("service {app}"),
                format!("workload {workload}"),
            ] {
                let shown = kiali.show(&jaeger, page(&id));
                assert_eq!(
                    shown,
                    std::slice::from_ref(&trace.id),
                    "{}: {id}",
                    kiali.label()
                );
            }
            let span = &trace.spans[0];
            assert_eq!(span.operation, "reviews.bookinfo.svc.cluster.local:9080");
            assert_eq!(span.text("wayspan.synthetic"), Some("true"));
            assert_eq!(span.links, 1, "the trace that the line names");
        }
        for id in [
            "app ratings",
            "workload ratings-v1",
            "workload bookinfo-gateway-istio",
        ] {
            let shown = kiali.show(&jaeger, page(id));
            assert!(shown.is_empty(), "{}: {id} {shown:?}", kiali.label());
        }
        assert_eq!(wayspan.metric("wayspan_ztunnel_connections"), Some(4.0));
        wayspan.stop();
        for id in traces {
            let spans = jaeger.trace(&id).unwrap().spans;
            assert_eq!(spans.len(), 1, "{id} was sent twice");
        }
    }
}

/// The fields of a line as a parser leaves them, in telemetrygen's spelling.
const PARSED: [&str; 11] = [
    "src.addr=\"10.244.0.24:46238\"",
    "src.workload=\"productpage-v1-54bb874995-8qdrz\"",
    "src.namespace=\"bookinfo\"",
    "dst.addr=\"10.244.0.42:15008\"",
    "dst.hbone_addr=\"10.244.0.42:9080\"",
    "dst.service=\"reviews.bookinfo.svc.cluster.local\"",
    "dst.namespace=\"bookinfo\"",
    "direction=\"outbound\"",
    "bytes_sent=67",
    "bytes_recv=490",
    "duration=\"13ms\"",
];

/// OpenTelemetry's own log exporters, each with a line whole and a line parsed.
#[test]
fn a_stock_exporter_is_understood() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let (kiali, on) = (
        Kiali::newest(true, true),
        json!({"ztunnel_connections": "on"}),
    );
    let mut wayspan = Wayspan::start(named_with(jaeger.otlp_grpc, &kiali, on));
    let whole = line("outbound");
    for (name, port, http) in [("grpc", wayspan.grpc, false), ("http", wayspan.http, true)] {
        let run = |shape: &str, body: &str, attributes: &[&str]| {
            telemetrygen(
                dir.path(),
                &format!("{name}-{shape}"),
                (port, http),
                body,
                attributes,
            );
        };
        run("whole", &whole, &[]);
        run("parsed", "connection complete", &PARSED);
    }
    wait_for("4 spans of productpage.bookinfo in Jaeger", || {
        (jaeger.count("productpage.bookinfo") == 4).then_some(())
    });
    let search = Search {
        service: "productpage.bookinfo",
        tags: &[("wayspan.synthetic", "true")],
        limit: 10,
    };
    for trace in jaeger.find_http(&search).unwrap() {
        let span = &trace.spans[0];
        assert_eq!(span.operation, "reviews.bookinfo.svc.cluster.local:9080");
        assert_eq!(span.links, 1, "the span that the record names");
        assert_ne!(trace.id, NAMED.0);
    }
    assert_eq!(wayspan.metric("wayspan_logs_ignored_records"), Some(0.0));
    wayspan.stop();
}

/// The span in whose context the records claim to be.
const NAMED: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

fn telemetrygen(dir: &Path, name: &str, (port, http): (u16, bool), body: &str, with: &[&str]) {
    let mut command = Command::new(peer("bin/telemetrygen"));
    command
        .args(["logs", "--otlp-insecure", "--logs", "1", "--rate", "0"])
        .args(["--otlp-endpoint", &format!("127.0.0.1:{port}")])
        .args(["--trace-id", NAMED.0, "--span-id", NAMED.1])
        .args(["--body", body]);
    for attribute in with {
        command.args(["--telemetry-attributes", attribute]);
    }
    if http {
        command.arg("--otlp-http");
    }
    let mut process = Process::start(dir, name, &mut command);
    let status = process.wait_end(PATIENCE);
    assert!(status.success(), "{status}\n{}", process.log_tail());
}
