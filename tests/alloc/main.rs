/*!
The span path's memory, counted: allocations by a counting allocator, exact and
free of timing. A shard takes the captured requests over and over, as a mesh
sends them; what is counted is the steady state, after it has seen each once.

When a change makes a number here smaller, lower it; when larger, think.
*/
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod receiver;
mod rewriters;
#[path = "../../benches/support/mod.rs"]
mod support;

use allocation_counter::{AllocationInfo, measure};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use std::sync::Arc;
use support::{Decider, Engine, captured};
use wayspan::{
    mesh::{Aliases, MeshSettings},
    pdata::{Index, Keys, Signal, admit, wire::put_bytes},
    pipeline::{HeaderBytes, Resources, Scopes, SealedBatch, batch::Batch},
    queue::Budget,
};

/// Mixed Istio versions, ambient and sidecars; 5 spans a request.
fn requests() -> Vec<Vec<u8>> {
    ["ambient-istio-1.24", "ambient-istio-1.30", "sidecar"]
        .into_iter()
        .flat_map(captured)
        .collect()
}

/// An engine that has seen every request, its batch empty.
fn warm(requests: &[Vec<u8>]) -> Engine {
    let engine = Engine::new();
    requests.iter().for_each(|request| engine.take(request));
    engine.seal();
    engine
}

fn count(run: impl FnOnce()) -> AllocationInfo {
    let mut run = Some(run);
    measure(|| (run.take().unwrap())())
}

#[test]
fn the_counter_counts() {
    let info = count(|| drop(std::hint::black_box(vec![0u8; 1000])));
    assert_eq!((info.count_total, info.bytes_total), (1, 1000));
}

#[test]
fn admitting_a_request_allocates_nothing_and_copies_nothing() {
    let requests = requests();
    let (_, keys) = Engine::new().processor();
    let mut index = Index::default();
    // Every request once: the index then has room for each.
    for request in &requests {
        admit(Signal::Traces, request, &keys, &mut index).unwrap();
    }
    let info = count(|| {
        for request in &requests {
            let admitted = admit(Signal::Traces, request, &keys, &mut index).unwrap();
            assert_eq!(admitted.bytes.as_ptr(), request.as_ptr());
        }
    });
    assert_eq!(info.count_total, 0);
}

/// Lets the processor of `engine` decide about all requests twice; nothing may
/// be allocated the second time.
fn deciding_again_allocates_nothing(engine: &Engine, requests: &[Vec<u8>]) {
    let mut decider = Decider::of(engine);
    let mut index = Index::default();
    for round in 0..2 {
        for request in requests {
            admit(Signal::Traces, request, &decider.keys, &mut index).unwrap();
            let info = count(|| decider.decide(request, &index));
            assert!(round == 0 || info.count_total == 0, "{}", info.count_total);
        }
    }
}

/// Spans of applications are known by who sends them, which is looked up in a
/// second entry of the memo.
#[test]
fn deciding_allocates_nothing_where_kubernetes_is_watched() {
    let mut requests = requests();
    requests.push(application());
    let engine = Engine::watching();
    deciding_again_allocates_nothing(&engine, &requests);
    requests.iter().for_each(|request| engine.take(request));
    let bytes: Vec<u8> = engine.seal().chunks.concat();
    assert!(bytes.windows(14).any(|part| part == b"App-0.bookinfo"));
}

/// A span of an application that says nothing of itself but a name.
fn application() -> Vec<u8> {
    let name = KeyValue {
        key: "service.name".to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue("Order.Api".to_owned())),
        }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![name],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

#[test]
fn deciding_about_a_known_kind_of_span_allocates_nothing() {
    deciding_again_allocates_nothing(&Engine::new(), &requests());
}

/// Fills the batch until it is sealed.
fn fill(engine: &Engine, requests: &[Vec<u8>]) -> Arc<SealedBatch> {
    for request in requests.iter().cycle() {
        engine.take(request);
        if let Some(batch) = engine.sealed() {
            return batch;
        }
    }
    unreachable!("there are requests")
}

#[test]
fn a_request_allocates_only_where_its_groups_grow() {
    let requests = requests();
    let engine = warm(&requests);
    let (mut quiet, mut growths) = (0, 0);
    for request in requests.iter().cycle() {
        let info = count(|| engine.take(request));
        if engine.sealed().is_some() {
            break;
        }
        quiet += u64::from(info.count_total == 0);
        growths += info.count_total;
    }
    assert_eq!(
        (quiet, growths),
        (514, 66),
        "requests that allocate nothing, allocations in all others of a batch"
    );
}

/// A byte of a span is copied into its group, and once more whenever the group
/// grows: what the growing allocates says how much that is.
#[test]
fn a_whole_batch_allocates_for_its_groups_and_its_headers() {
    let requests = requests();
    let engine = warm(&requests);
    fill(&engine, &requests);
    let mut batch = None;
    let info = count(|| batch = Some(fill(&engine, &requests)));
    let batch = batch.unwrap();
    // How often groups grow depends on where the batch before ended: these are
    // one sample of numbers that vary by a fifth from batch to batch.
    assert_eq!((batch.items, batch.bytes), (2778, 3_145_390));
    assert_eq!(
        (info.count_total, info.bytes_total),
        (69, 3_549_416),
        "allocations and their bytes from one batch to the next"
    );
}

#[test]
fn sealing_copies_headers_and_small_groups_only() {
    let requests = requests();
    let engine = warm(&requests);
    for request in requests.iter().cycle().take(500) {
        engine.take(request);
        assert!(engine.sealed().is_none(), "full before it should be");
    }
    let mut sealed = None;
    let info = count(|| sealed = Some(engine.seal()));
    assert_eq!(sealed.unwrap().bytes, 2_834_551);
    assert_eq!(
        (info.count_total, info.bytes_total),
        (58, 15_371),
        "allocations and their bytes for sealing"
    );
}

/// Markers are written into scratch and copied from there, so a request with
/// them allocates where groups grow and nowhere else.
#[test]
fn markers_allocate_nothing_of_their_own() {
    let requests = requests();
    let engine = Engine::with(&MeshSettings {
        aliases: Aliases::On,
        ..MeshSettings::default()
    });
    requests.iter().for_each(|request| engine.take(request));
    let plain = warm(&requests);
    requests.iter().for_each(|request| plain.take(request));
    let plain = plain.seal();
    engine.seal();
    let (mut quiet, mut growths) = (0, 0);
    for request in &requests {
        let info = count(|| engine.take(request));
        quiet += u64::from(info.count_total == 0);
        growths += info.count_total;
    }
    let batch = engine.seal();
    let (items, bytes) = (batch.items - plain.items, batch.bytes - plain.bytes);
    assert_eq!(
        (items, bytes, quiet, growths),
        (220, 114_229, 62, 17),
        "markers, their bytes, requests that allocate nothing, allocations in all others"
    );
}

/// A turn's record is written into the buffer that goes to the log's thread and
/// comes back.
#[test]
fn recording_for_the_segment_log_allocates_nothing_and_copies_a_span_once() {
    let requests = requests();
    let (mut resources, mut scopes) = (Resources::default(), Scopes::default());
    let mut batch = Batch::new(Signal::Traces, &support::batch());
    let mut index = Index::default();
    let mut record = Vec::with_capacity(1 << 20);
    let (mut recorded, mut bytes) = (0, 0);
    for request in &requests {
        admit(Signal::Traces, request, &Keys::default(), &mut index).unwrap();
        for item in &index.items {
            let group = &index.resources[item.resource as usize];
            let resource = resources.intern(group.resource.of(request), b"", b"");
            let scope = scopes.intern(b"", b"", b"");
            let out = batch.group(resource, scope, item.bytes.len() + 8);
            let before = out.len();
            put_bytes(2, item.bytes.of(request), out);
            let written = out.len() - before;
            let headers = HeaderBytes {
                resource: group.resource.len(),
                scope: 0,
            };
            batch.appended(written, headers, item.count);
        }
        recorded += batch.unrecorded();
        record.clear();
        let info = count(|| batch.record(&resources, &scopes, &mut record));
        assert_eq!(info.count_total, 0);
        bytes += record.len();
    }
    let sealed = batch.seal(&resources, &scopes, &Budget::new(usize::MAX), None);
    assert_eq!(recorded, sealed.items);
    // Headers come again with each record, as they came with each request.
    assert!(bytes < sealed.bytes * 5 / 4, "{bytes} of {}", sealed.bytes);
}
