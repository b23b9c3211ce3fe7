//! `filter` and `transform` in the binary: what is dropped, what is changed, what the sender is told.

use crate::spans::{request, span, text};
use prost::Message;
use testkit::{Backend, Grpc, Setup, Wayspan};

/// The processors of a pipeline, by what the file says of them.
fn with(backend: &Backend, processors: &str, list: &str) -> Setup {
    Setup::to(backend).layer(format!(
        "processors:\n{processors}service: {{pipelines: {{traces: {{processors: [{list}, batch]}}}}}}\n"
    ))
}

/// One span for each URL.
fn requests(urls: &[&str]) -> Vec<u8> {
    let spans = urls.iter().zip(1..).map(|(url, n)| {
        let mut span = span(n, "GET");
        span.attributes = vec![text("component", "proxy"), text("http.url", url)];
        span
    });
    request("orders", spans.collect()).encode_to_vec()
}

#[tokio::test]
async fn spans_are_dropped_and_changed_and_counted() {
    let backend = Backend::grpc();
    let processors = r#"
  filter/noise:
    trace_conditions: ['IsMatch(span.attributes["http.url"], "/healthz$$")']
  transform:
    trace_statements:
      - replace_pattern(span.attributes["http.url"], "token=([^&]{2})[^&]*", "token=$$1***")
      - set(span.name, Concat([span.name, resource.attributes["service.name"]], " "))
  transform/resource:
    trace_statements: ['set(resource.attributes["team"], "shop")']
"#;
    let list = "filter/noise, transform, transform/resource";
    let wayspan = Wayspan::start(with(&backend, processors, list));
    let mut client = Grpc::connect(wayspan.grpc).await;
    let sent = requests(&["/cart?token=secret&x=1", "/healthz", "/orders"]);
    assert_eq!(client.export(&sent).await.grpc_status(), Some(0));
    let mut spans = backend.wait(2);
    spans.sort_by(|a, b| a.span_id.cmp(&b.span_id));
    let shown: Vec<_> = spans
        .iter()
        .map(|span| (&span.name[..], span.attributes[1].clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("GET orders", text("http.url", "/cart?token=se***&x=1")),
            ("GET orders", text("http.url", "/orders")),
        ]
    );
    for group in backend.resource_spans() {
        let resource = group.resource.unwrap();
        assert!(
            resource.attributes.contains(&text("team", "shop")),
            "{resource:?}"
        );
    }
    wayspan.wait_metric(
        "otelcol_processor_filter_spans_filtered{filter=\"filter/noise\"}",
        |n| n == 1.0,
    );
}

#[tokio::test]
async fn an_error_that_is_propagated_refuses_the_request() {
    let backend = Backend::grpc();
    let processors = r#"
  transform:
    error_mode: propagate
    trace_statements: ['set(span.attributes["n"], Double(span.attributes["http.url"]))']
"#;
    let wayspan = Wayspan::start(with(&backend, processors, "transform"));
    let mut client = Grpc::connect(wayspan.grpc).await;
    let reply = client.export(&requests(&["1.5", "no number"])).await;
    // UNAVAILABLE: it may be sent again.
    assert_eq!(reply.grpc_status(), Some(14), "{reply:?}");
    assert!(reply.message().contains("transform"), "{}", reply.message());
    assert_eq!(
        client.export(&requests(&["2.5"])).await.grpc_status(),
        Some(0)
    );
    assert_eq!(backend.wait(1).len(), 1);
}

#[tokio::test]
async fn the_older_form_of_filter_keeps_what_it_selects() {
    let backend = Backend::grpc();
    let processors = r#"
  filter:
    spans:
      include: {match_type: strict, services: [orders]}
      exclude: {match_type: regexp, attributes: [{key: http.url, value: "^/healthz$$"}]}
"#;
    let wayspan = Wayspan::start(with(&backend, processors, "filter"));
    let mut client = Grpc::connect(wayspan.grpc).await;
    let sent = requests(&["/cart", "/healthz", "/healthz/deep"]);
    assert_eq!(client.export(&sent).await.grpc_status(), Some(0));
    let other = request("other", vec![span(7, "GET")]).encode_to_vec();
    assert_eq!(client.export(&other).await.grpc_status(), Some(0));
    wayspan.wait_metric(
        "otelcol_processor_filter_spans_filtered{filter=\"filter\"}",
        |n| n == 2.0,
    );
    assert_eq!(backend.wait(2).len(), 2);
}
