//! What connectors make of spans: it goes out through a pipeline of its own, from all shards,
//! across a reload, and at the end.

use crate::spans::{request, span};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, metric::Data, number_data_point::Value as Number,
};
use prost::Message as _;
use testkit::{Backend, Grpc, Setup, Signal, Wayspan, free_port, get, metrics::Page, wait_for};

/// Traces to the backend, counted, and the counts to the backend.
fn counting(backend: &Backend, keys: &str, more: &str) -> Setup {
    Setup::to(backend).layer(format!(
        "connectors: {{span_metrics: {{{keys}}}}}\n\
         processors: {{attributes: {{actions: [{{key: zone, value: a, action: insert}}{more}]}}}}\n\
         service:\n\
         \x20 wayspan: {{shards: 2}}\n\
         \x20 pipelines:\n\
         \x20   traces: {{receivers: [otlp], processors: [attributes, batch], exporters: [otlp_grpc, span_metrics]}}\n\
         \x20   metrics: {{receivers: [span_metrics], exporters: [otlp_grpc]}}\n"
    ))
}

/// The sum of all counts in the points of `traces.span.metrics.calls`; each has the zone that
/// a processor gave its spans.
fn calls(backend: &Backend) -> u64 {
    let mut sum = 0;
    for item in backend.records().items(Signal::Metrics) {
        let metric = Metric::decode(item).unwrap();
        let Some(Data::Sum(data)) = metric.data else {
            continue;
        };
        assert_eq!(metric.name, "traces.span.metrics.calls");
        for point in data.data_points {
            assert!(point.attributes.iter().any(|pair| pair.key == "zone"));
            match point.value {
                Some(Number::AsInt(count)) => sum += count as u64,
                other => panic!("{other:?}"),
            }
        }
    }
    sum
}

/// Sends 50 spans, numbered from `first`, a request each, over five connections.
async fn send_from(wayspan: &Wayspan, first: u64) {
    for connection in 0..5 {
        let mut client = Grpc::connect(wayspan.grpc).await;
        for n in 1..=10 {
            let spans = vec![span(first + connection * 10 + n, "good")];
            let reply = client
                .export(&request("orders", spans).encode_to_vec())
                .await;
            assert_eq!(reply.grpc_status(), Some(0), "{}", reply.message());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_span_is_counted_once_across_a_reload_and_at_the_end() {
    let backend = Backend::grpc();
    let keys = "dimensions: [{name: zone}], aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA, \
                metrics_flush_interval: 100ms";
    let mut wayspan = Wayspan::start(counting(&backend, keys, ""));
    send_from(&wayspan, 0).await;
    wait_for("the first counts", || (calls(&backend) == 50).then_some(()));
    send_from(&wayspan, 50).await;
    wayspan.rewrite(counting(
        &backend,
        keys,
        ", {key: b, value: b, action: insert}",
    ));
    wayspan.hang_up();
    wayspan.wait_metric("wayspan_config_reloads{result=\"taken\"}", |taken| {
        taken >= 1.0
    });
    send_from(&wayspan, 100).await;
    assert_eq!(wayspan.metric("wayspan_connector_series"), Some(1.0));
    wayspan.stop();
    assert_eq!(calls(&backend), 150);
    assert_eq!(backend.spans().len(), 150);
}

/// Traces counted, and served for Prometheus on `port`.
fn served(port: u16, keys: &str) -> Setup {
    Setup::to_grpc(1).layer(format!(
        "connectors: {{span_metrics: {{metrics_flush_interval: 100ms}}}}\n\
         exporters: {{prometheus: {{endpoint: '127.0.0.1:{port}'{keys}}}, nop: }}\n\
         service:\n\
         \x20 pipelines:\n\
         \x20   traces: {{receivers: [otlp], exporters: [nop, span_metrics]}}\n\
         \x20   metrics: {{receivers: [span_metrics], exporters: [prometheus]}}\n"
    ))
}

/// The port stays open while another exporter takes over, and the counts go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_finds_what_was_counted_across_a_reload() {
    let port = free_port();
    let mut wayspan = Wayspan::start(served(port, ""));
    send_from(&wayspan, 0).await;
    let calls = "traces_span_metrics_calls_total{service_name=\"orders\",span_name=\"good\",\
                 span_kind=\"SPAN_KIND_UNSPECIFIED\",status_code=\"STATUS_CODE_UNSET\",\
                 job=\"orders\",otel_scope_name=\"spanmetricsconnector\"}";
    let wait = |selector: &str, count: f64| {
        wait_for(selector, || {
            let page = Page::fetch(port).ok()?;
            (page.sum(selector) == Some(count)).then_some(page)
        })
    };
    let page = wait(calls, 50.0);
    let fast = "traces_span_metrics_duration_milliseconds_bucket{le=\"2\"}";
    assert_eq!(page.sum(fast), Some(50.0));

    wayspan.rewrite(served(port, ", namespace: mesh, enable_open_metrics: true"));
    wayspan.hang_up();
    wait(&format!("mesh_{calls}"), 50.0);
    send_from(&wayspan, 50).await;
    wait(&format!("mesh_{calls}"), 100.0);
    let accept = [("accept", "application/openmetrics-text;version=1.0.0")];
    let open = get(port, "/metrics", &accept).unwrap();
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    assert_eq!(get(port, "/", &[]).unwrap().status, 404);
    wayspan.stop();
}
