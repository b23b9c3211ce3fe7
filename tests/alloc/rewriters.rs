//! What `filter` and `transform` allocate for a span once they have seen its like: nothing.

use super::{count, deciding_again_allocates_nothing, requests, support::Engine};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use wayspan::{
    pdata::{Index, Keys, Signal, admit},
    pipeline::{IndexedRequest, ProcessorInstance, Rewritten},
};

/// Lets a processor write all requests twice; nothing may be allocated the second time. Returns how many it changed.
fn rewriting_again_allocates_nothing(processor: &str, keys: &str) -> usize {
    let engine = Engine::listing(processor, keys);
    let instance = engine.factory().instance(0, &mut Keys::default());
    let ProcessorInstance::Requests(mut rewriter) = instance else {
        panic!("{keys}: decides about items");
    };
    let (mut index, mut out, mut changed) = (Index::default(), Vec::new(), 0);
    let requests = requests();
    for round in 0..2 {
        for request in &requests {
            admit(Signal::Traces, request, &Keys::default(), &mut index).unwrap();
            out.clear();
            let request = IndexedRequest {
                request,
                index: &index,
                most: 1 << 20,
            };
            let mut rewritten = Rewritten::Unchanged;
            let info = count(|| {
                rewriter.begin(None);
                rewritten = rewriter.rewrite(&request, &mut out).unwrap();
                rewriter.end();
            });
            if round == 1 {
                assert_eq!(info.count_total, 0, "{keys}");
                changed += usize::from(rewritten == Rewritten::Changed);
            }
        }
    }
    changed
}

#[test]
fn conditions_allocate_nothing() {
    let conditions = r#"{trace_conditions: [
        'span.attributes["component"] == "proxy" and IsMatch(span.attributes["http.url"], "/(metrics|healthz)$$")',
        'resource.attributes["service.name"] == "none" or span.name == "none"',
        'span.end_time_unix_nano - span.start_time_unix_nano < 0',
        'IsRootSpan() and span.kind == SPAN_KIND_CLIENT',
    ]}"#;
    rewriting_again_allocates_nothing("filter", conditions);
    let all = r#"{trace_conditions: ['span.attributes["node_id"] != nil']}"#;
    assert!(rewriting_again_allocates_nothing("filter", all) > 0);
}

#[test]
fn the_older_form_of_filter_allocates_nothing() {
    let selection = r#"{spans: {
        include: {match_type: regexp, services: [".*"], span_names: ["."]},
        exclude: {match_type: strict, attributes: [{key: component, value: proxy}]},
    }}"#;
    let selection = selection.replace(['\n', ' '], "").replace(':', ": ");
    assert!(rewriting_again_allocates_nothing("filter", &selection) > 0);
}

#[test]
fn statements_allocate_nothing() {
    let statements = r#"{trace_statements: [
        'set(span.attributes["env"], "prod")',
        'set(span.name, Concat([span.attributes["http.method"], span.name], " ")) where span.kind == SPAN_KIND_SERVER',
        'replace_pattern(span.attributes["http.url"], "[0-9]+", "{id}")',
        'delete_key(span.attributes, "user_agent")',
        'delete_matching_keys(span.attributes, "^guid:")',
        'keep_matching_keys(span.attributes, ".")',
        'truncate_all(span.attributes, 64)',
        'set(span.attributes["hash"], SHA256(span.name))',
        'set(span.attributes["upper"], ToUpperCase(span.attributes["http.method"]))',
        'set(span.attributes["took"], span.end_time_unix_nano - span.start_time_unix_nano)',
        'set(span.status.message, "late") where span.end_time - span.start_time > Duration("1s")',
        'set_semconv_span_name("1.37.0", "original")',
    ]}"#;
    assert!(rewriting_again_allocates_nothing("transform", statements) > 0);
}

/// What depends on resources alone is worked out once for each; a span costs a look into a table.
#[test]
fn statements_for_resources_run_once_for_each() {
    let statements = r#"{trace_statements: [
        'set(resource.attributes["cluster"], Concat(["c", resource.attributes["service.name"]], "-"))',
        'delete_matching_keys(resource.attributes, "^telemetry\\\\.")',
    ]}"#;
    let engine = Engine::listing("transform", statements);
    deciding_again_allocates_nothing(&engine, &requests());
    requests().iter().for_each(|request| engine.take(request));
    let bytes: Vec<u8> = engine.seal().chunks.concat();
    assert!(bytes.windows(7).any(|part| part == b"cluster"));
}

/// A request of one span, from a Pod that nobody has seen.
fn request_of(pod: usize) -> Vec<u8> {
    let attribute = |key: &str, value: String| KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value)),
        }),
        ..Default::default()
    };
    let resource = Resource {
        attributes: vec![
            attribute("service.name", format!("app-{pod}.shop")),
            attribute("k8s.pod.name", format!("app-{pod}-7d9f")),
            attribute("k8s.cluster.name", "here".into()),
        ],
        ..Default::default()
    };
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        name: "GET /".into(),
        ..Default::default()
    };
    let group = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![ScopeSpans {
            spans: vec![span],
            ..Default::default()
        }],
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![group],
    }
    .encode_to_vec()
}

/// Memory grows with what is known at a time, and not with all that ever came.
#[test]
fn resources_that_come_and_go_keep_no_memory() {
    let chains = [
        (
            "resource",
            "{attributes: [{key: env, value: prod, action: upsert}]}",
        ),
        (
            "attributes",
            "{actions: [{key: env, value: prod, action: upsert}]}",
        ),
        (
            "transform",
            r#"{trace_statements: ['set(resource.attributes["env"], "prod")']}"#,
        ),
        (
            "filter",
            r#"{trace_conditions: ['resource.attributes["k8s.pod.name"] == "none"']}"#,
        ),
    ];
    for (processor, keys) in chains {
        let engine = Engine::listing(processor, keys);
        let kept = |pods: std::ops::Range<usize>| {
            let requests: Vec<_> = pods.map(request_of).collect();
            let info = count(|| {
                for some in requests.chunks(1000) {
                    some.iter().for_each(|request| engine.take(request));
                    drop(engine.seal());
                    // A full table ends a batch, too.
                    while engine.sealed().is_some() {}
                }
            });
            info.bytes_current
        };
        // The table of resources is emptied whenever it has so many: equal parts of its filling are compared.
        const TABLE: usize = 4096;
        let first = kept(0..3 * TABLE);
        let more = kept(3 * TABLE..6 * TABLE);
        assert!(
            more <= 64 << 10,
            "{processor}: 12 288 resources keep {first} bytes, 12 288 others {more} more"
        );
    }
}
