//! Processors of a Collector's file in a row, through the binary: each sees what those before it wrote.

use crate::spans::{request, span, text};
use opentelemetry_proto::tonic::{common::v1::KeyValue, trace::v1::Span};
use prost::Message;
use testkit::{Backend, Grpc, Setup, Wayspan};

/// The text of each attribute with this key.
fn texts<'a>(pairs: &'a [KeyValue], key: &str) -> Vec<&'a str> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
    let values = pairs.iter().filter(|pair| pair.key == key);
    let values = values.filter_map(|pair| match pair.value.as_ref()?.value.as_ref()? {
        StringValue(text) => Some(text.as_str()),
        _ => None,
    });
    values.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_processor_sees_what_those_before_it_wrote() {
    let backend = Backend::grpc();
    let setup = Setup::to(&backend).layer(
        "\
processors:
  mesh: {kubernetes: off}
  resource: {attributes: [{key: owner, from_attribute: service.name, action: insert}]}
  attributes:
    include: {match_type: strict, resources: [{key: owner, value: orders}]}
    actions: [{key: note, value: 'card 4111111111111111', action: upsert}]
  redaction: {allow_all_keys: true, blocked_values: ['4[0-9]{12}(?:[0-9]{3})?'], summary: debug}
  probabilistic_sampler: {sampling_percentage: 50, mode: equalizing}
service:
  pipelines:
    traces:
      processors: [memory_limiter, resource, attributes, redaction, probabilistic_sampler, mesh, batch]
",
    );
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    // The last seven bytes of a trace id decide: these are below the half, and above.
    let with_id = |n: u64, byte: u8, name: &str| {
        let mut span = span(n, name);
        span.trace_id[9] = byte;
        span
    };
    let spans = vec![
        with_id(1, 0x7f, "dropped"),
        with_id(2, 0x80, "kept"),
        Span {
            attributes: vec![text("sampling.priority", "1"), text("note", "old")],
            ..with_id(3, 0x00, "asked for")
        },
    ];
    let sent = request("orders", spans).encode_to_vec();
    assert_eq!(client.export(&sent).await.grpc_status(), Some(0));
    let mut spans = backend.wait(2);
    spans.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<_> = spans
        .iter()
        .map(|span| {
            let note = texts(&span.attributes, "note");
            (span.name.as_str(), span.trace_state.as_str(), note)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("asked for", "ot=th:0", vec!["card ****"]),
            ("kept", "ot=th:8", vec!["card ****"]),
        ]
    );
    for span in &spans {
        assert_eq!(texts(&span.attributes, "redaction.masked.keys"), ["note"]);
        // What mesh adds comes last, and is there.
        assert_eq!(texts(&span.attributes, "istio.cluster_id"), ["Kubernetes"]);
    }
    let resources = backend.resource_spans();
    let resource = resources[0].resource.as_ref().unwrap();
    assert_eq!(texts(&resource.attributes, "owner"), ["orders"]);
    let sampled = "otelcol_processor_probabilistic_sampler_count_traces_sampled";
    for (labels, count) in [
        ("policy=\"trace_id_w3c\",sampled=\"false\"", 1.0),
        ("policy=\"trace_id_w3c\",sampled=\"true\"", 1.0),
        ("policy=\"sampling_priority\",sampled=\"true\"", 1.0),
    ] {
        let series = format!("{sampled}{{{labels}}}");
        assert_eq!(wayspan.metric(&series), Some(count), "{series}");
    }
    wayspan.assert_alive();
    wayspan.stop();
}
