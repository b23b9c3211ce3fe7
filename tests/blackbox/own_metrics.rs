//! wayspan's own metrics by OTLP and on several pages, with the resource that the file gives.

use crate::spans::{request, span};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{Metric, metric::Data, number_data_point::Value as Number},
};
use prost::Message as _;
use testkit::{Backend, Grpc, Mode, Setup, Signal, Wayspan, free_port, metrics::Page, wait_for};

const RECEIVED: &str = "otelcol_receiver_accepted_spans";

/// The values of a counter of `transport` grpc in the pushes that a backend took, in their order.
fn values(backend: &Backend, name: &str) -> Vec<i64> {
    let of_metric = |metric: &Metric| match &metric.data {
        Some(Data::Sum(sum)) if metric.name == name => {
            let is_of_grpc = |key: &str, value: &str| key != "transport" || value == "grpc";
            let mut points = sum.data_points.iter().filter(|point| {
                point.attributes.iter().all(|pair| {
                    let value = pair.value.clone().unwrap().value.unwrap();
                    let text = format!("{value:?}");
                    is_of_grpc(&pair.key, text.split('"').nth(1).unwrap())
                })
            });
            match points.next().unwrap().value {
                Some(Number::AsInt(value)) => Some(value),
                other => panic!("{other:?}"),
            }
        }
        _ => None,
    };
    let records = backend.records();
    let taken = (records.requests.iter()).filter(|r| r.taken && r.signal == Signal::Metrics);
    let metrics = taken.flat_map(|received| {
        let request = ExportMetricsServiceRequest::decode(received.message.clone()).unwrap();
        let groups = request.resource_metrics.into_iter();
        let scopes = groups.flat_map(|group| group.scope_metrics);
        scopes.flat_map(|scope| scope.metrics)
    });
    metrics.filter_map(|metric| of_metric(&metric)).collect()
}

async fn send(wayspan: &Wayspan, numbers: std::ops::Range<u64>) {
    let spans = numbers.map(|n| span(n, "good")).collect();
    let request = request("orders", spans).encode_to_vec();
    let reply = Grpc::connect(wayspan.grpc).await.export(&request).await;
    assert_eq!(reply.grpc_status(), Some(0), "{}", reply.message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_metrics_are_pushed_and_shown_by_each_reader() {
    let backend = Backend::grpc();
    let (cumulative, delta) = (Backend::grpc(), Backend::http());
    let styled = free_port();
    let readers = format!(
        "\
{{periodic: {{interval: 50, exporter: {{otlp: {{protocol: grpc, endpoint: 'http://127.0.0.1:{}', headers: {{x-team: mesh}}, compression: gzip}}}}}}}},
{{periodic: {{interval: 50, timeout: 200, exporter: {{otlp: {{protocol: http/protobuf, endpoint: '127.0.0.1:{}', insecure: true, temporality_preference: delta}}}}}}}},
{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {}, without_type_suffix: false, without_scope_info: false, with_resource_constant_labels: {{included: [team]}}}}}}}}}}",
        cumulative.port, delta.port, styled
    );
    let telemetry = "\
service:
  telemetry:
    resource: {service.name: mesh-collector, service.instance.id: null, team: mesh}
    logs: {encoding: json}
";
    let setup = Setup::to(&backend).layer(telemetry).readers(readers);
    let mut wayspan = Wayspan::start(setup);
    send(&wayspan, 1..4).await;
    wait_for("three spans in both", || {
        let last = values(&cumulative, RECEIVED).last().copied();
        let sum: i64 = values(&delta, RECEIVED).iter().sum();
        (last == Some(3) && sum == 3).then_some(())
    });
    {
        let records = cumulative.records();
        let first = &records.requests[0];
        assert_eq!(first.headers["x-team"], "mesh");
        let request = ExportMetricsServiceRequest::decode(first.message.clone()).unwrap();
        let resource = request.resource_metrics[0].resource.clone().unwrap();
        let keys: Vec<_> = resource.attributes.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(keys, ["service.name", "service.version", "team"]);
    }

    let (plain, styled) = (wayspan.page(), Page::fetch(styled).unwrap());
    let target = "target_info{service_name=\"mesh-collector\",team=\"mesh\"}";
    assert_eq!(plain.sum(target), Some(1.0), "{}", plain.text());
    let of_grpc = "receiver=\"otlp\",transport=\"grpc\"";
    assert_eq!(plain.sum(&format!("{RECEIVED}{{{of_grpc}}}")), Some(3.0));
    let scope = "go.opentelemetry.io/collector/receiver/receiverhelper";
    let labels = format!("{of_grpc},otel_scope_name=\"{scope}\",team=\"mesh\"");
    let styled_name = format!("{RECEIVED}_total{{{labels}}}");
    assert_eq!(styled.sum(&styled_name), Some(3.0), "{}", styled.text());
    for name in [
        "otelcol_process_uptime_seconds_total",
        "otelcol_process_cpu_seconds_total",
        "otelcol_process_memory_rss_bytes",
    ] {
        assert!(styled.sum(name).is_some_and(|value| value > 0.0), "{name}");
    }

    // What a backend did not take is in a later delta.
    delta.set(Mode::Unavailable);
    send(&wayspan, 4..6).await;
    wayspan.wait_said("own metrics:");
    delta.set(Mode::Take);
    wait_for("five spans in the deltas", || {
        let sum: i64 = values(&delta, RECEIVED).iter().sum();
        (sum == 5).then_some(())
    });

    // The last push is of the end.
    backend.wait(5);
    wayspan.stop();
    let sent = values(&cumulative, "otelcol_exporter_sent_spans");
    assert_eq!(sent.last(), Some(&5), "{sent:?}");
    let log = wayspan.log();
    let line = log.lines().find(|line| line.contains("own metrics are"));
    let line: serde_json::Value = serde_json::from_str(line.expect(&log)).unwrap();
    assert_eq!(line["resource"]["service.name"], "mesh-collector");
    assert_eq!(line["resource"]["team"], "mesh");
    assert_eq!(line["level"], "INFO");
}
