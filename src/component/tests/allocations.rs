//! In steady state no processor allocates for a span: only where groups of the batch grow.

use super::{Through, span};
use allocation_counter::measure;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use serde_json::json;

/// Five spans, as an Envoy sends them.
fn request() -> Vec<u8> {
    let pairs = json!([
        ["upstream_cluster", "inbound|9080||"],
        ["http.status_code", "200"],
        ["user_agent", "curl/8.5.0 token abc"],
        ["guid:x-request-id", "f6d5e1c7-3f3c-9d0b-8e9c-0a6f2b6b4b1e"],
        ["http.url", "http://shop.example/cart?user=ann@example.com"],
    ]);
    let spans = (1..6).map(|n| Span {
        span_id: vec![n; 8],
        ..span("shop.default.svc.cluster.local:80/*", pairs.clone())
    });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: super::attributes(&json!([["service.name", "shop.default"], ["x", 1]])),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: spans.collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

#[test]
fn processors_allocate_nothing_for_a_span() {
    for (processors, list) in [
        (
            "  resource: {attributes: [{key: a, value: 1, action: upsert}, {pattern: ^x, action: delete}, \
             {key: c, from_context: client.address, action: insert}]}",
            "resource",
        ),
        (
            "  attributes: {include: {match_type: regexp, services: [shop], span_names: ['^shop']}, actions: [\
             {key: http.url, pattern: '^(?P<scheme>\\w+)://(?P<host>[^/]+)', action: extract}, \
             {key: user_agent, action: hash}, {key: http.status_code, action: convert, converted_type: int}, \
             {key: code, from_attribute: http.status_code, action: upsert}, {key: code, action: convert, converted_type: string}, \
             {pattern: guid, action: delete}, {key: n, value: [1, 2], action: insert}]}",
            "attributes",
        ),
        (
            "  probabilistic_sampler: {sampling_percentage: 100}",
            "probabilistic_sampler",
        ),
        (
            "  probabilistic_sampler: {sampling_percentage: 100, mode: proportional}",
            "probabilistic_sampler",
        ),
        (
            "  redaction: {allowed_keys: [http.url, user_agent, service.name], blocked_key_patterns: [agent], \
             blocked_values: ['[\\w.]+@[\\w.]+'], hash_function: hmac-sha256, \
             hmac_key: 0123456789abcdef0123456789abcdef, summary: debug}",
            "redaction",
        ),
    ] {
        let through = Through::new(processors, list);
        let request = request();
        // Until scratch has grown, and groups are long enough to grow seldom.
        (0..200).for_each(|_| through.take(&request));
        let quiet = (0..50).filter(|_| {
            let info = measure(|| through.take(&request));
            info.count_total == 0
        });
        let quiet = quiet.count();
        assert!(
            quiet >= 48,
            "{list}: {quiet} of 50 requests allocate nothing"
        );
    }
}
