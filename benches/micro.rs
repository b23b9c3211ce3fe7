//! What each step of a span's way costs by itself. Elements are spans.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;
use std::{hint::black_box, sync::Arc};
use support::{Decider, Engine, captured};
use wayspan::{
    mesh::{Aliases, MeshSettings},
    pdata::{Edits, Index, Signal, admit, split, validate, write_span},
    pipeline::{HeaderBytes, Resources, Scopes, SealedBatch, batch::Batch},
    queue::{Budget, Queue},
};

const FOLDERS: [&str; 3] = ["ambient-istio-1.24", "ambient-istio-1.30", "sidecar"];

fn spans(requests: &[Vec<u8>]) -> u64 {
    let count = |request: &Vec<u8>| split::count(Signal::Traces, request) as u64;
    requests.iter().map(count).sum()
}

/// Validation over captured requests as they came, and over all in one.
fn bench_validate(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate");
    let (_, keys) = Engine::new().processor();
    let mut index = Index::default();
    for folder in FOLDERS {
        let requests = captured(folder);
        group.throughput(Throughput::Elements(spans(&requests)));
        group.bench_function(folder, |b| {
            b.iter(|| {
                for request in &requests {
                    validate(Signal::Traces, black_box(request), &keys, &mut index).unwrap();
                }
            });
        });
        let joined = requests.concat();
        group.bench_function(format!("{folder}, all in one request"), |b| {
            b.iter(|| validate(Signal::Traces, black_box(&joined), &keys, &mut index).unwrap());
        });
    }
    group.finish();
}

/// Writing a span: as it is, with attributes added, with one replaced.
fn bench_edit(c: &mut Criterion) {
    let (_, keys) = Engine::new().processor();
    let request = &captured("ambient-istio-1.30")[0];
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, request, &keys, &mut index).unwrap();
    let span = index.items[0].bytes.of(&admitted.bytes);
    let unchanged = Edits::default();
    let mut added = Edits::default();
    let mut fields = Vec::new();
    for key in ["istio.destination_namespace", "istio.destination_name"] {
        wayspan::pdata::edit::encode_span_attr(key, "bookinfo", &mut fields);
    }
    added.append_encoded(&fields);
    let mut replaced = Edits::default();
    replaced.set_str("http.url", "http://ratings/");

    let mut group = c.benchmark_group("edit");
    group.throughput(Throughput::Elements(1));
    let mut out = Vec::with_capacity(1 << 16);
    for (name, edits) in [
        ("unchanged", &unchanged),
        ("two attributes added", &added),
        ("one attribute replaced", &replaced),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                write_span(black_box(span), edits, &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

/// The mesh processor on spans whose like it has seen, and on a request when it
/// has seen nothing; with one name a span and with markers.
fn bench_mesh(c: &mut Criterion) {
    let mut group = c.benchmark_group("mesh");
    for folder in FOLDERS {
        let requests = captured(folder);
        for (aliases, with) in [(Aliases::Off, ""), (Aliases::On, ", with markers")] {
            let settings = MeshSettings {
                aliases,
                ..MeshSettings::default()
            };
            let mut decider = Decider::of(&Engine::with(&settings));
            let mut index = Index::default();
            for (request, seen) in [(requests.concat(), true), (requests[0].clone(), false)] {
                let admitted = admit(Signal::Traces, &request, &decider.keys, &mut index).unwrap();
                group.throughput(Throughput::Elements(index.items.len() as u64));
                let what = if seen { "" } else { ", unseen" };
                group.bench_function(format!("{folder}{with}{what}"), |b| {
                    b.iter(|| {
                        if !seen {
                            decider.forget();
                        }
                        decider.decide(&admitted.bytes, &index);
                    });
                });
            }
        }
    }
    group.finish();
}

/// Appending, and sealing when full; then all of the way through an engine.
fn bench_batch(c: &mut Criterion) {
    let requests = captured("ambient-istio-1.30");
    let mut group = c.benchmark_group("batch");
    group.throughput(Throughput::Elements(spans(&requests)));
    let (mut resources, mut scopes) = (Resources::default(), Scopes::default());
    let scope = scopes.intern(b"", b"", b"");
    let resource = resources.intern(b"", b"", b"");
    let mut batch = Batch::new(Signal::Traces, &support::batch());
    let budget = Budget::new(usize::MAX);
    let span = vec![7; 1500];
    let headers = HeaderBytes::default();
    group.bench_function("append 100 spans of 1.5 kB, seal when full", |b| {
        b.iter(|| {
            for _ in 0..100 {
                if batch.must_seal_before((resource, scope), span.len(), headers) {
                    black_box(batch.seal(&resources, &scopes, &budget, None));
                }
                let out = batch.group(resource, scope, span.len());
                out.extend_from_slice(black_box(&span));
                batch.appended(span.len(), headers, 1);
            }
        });
    });
    let joined = [requests.concat()];
    for (name, engine, requests) in [
        (
            "a shard's whole way, 5 spans a request",
            Engine::new(),
            &requests[..],
        ),
        (
            "the same, Kubernetes watched",
            Engine::watching(),
            &requests,
        ),
        (
            "a shard's whole way, 100 spans a request",
            Engine::new(),
            &joined,
        ),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                for request in requests {
                    engine.take(black_box(request));
                    black_box(engine.sealed());
                }
            });
        });
    }
    group.finish();
}

/// The hand-off of a batch, without another thread.
fn bench_queue(c: &mut Criterion) {
    let (queue, budget) = (Queue::new(64), Budget::new(1 << 30));
    let batch = || {
        Arc::new(SealedBatch {
            chunks: Vec::new(),
            bytes: 1 << 20,
            signal: wayspan::pdata::Signal::Traces,
            items: 8192,
            lease: budget.lease(1 << 20),
            result: None,
            position: None,
        })
    };
    c.benchmark_group("queue")
        .bench_function("push and pop a batch", |b| {
            b.iter_batched(
                batch,
                |batch| {
                    queue.push(batch).unwrap();
                    queue.pop().now_or_never().unwrap()
                },
                BatchSize::SmallInput,
            );
        });
}

criterion_group!(
    benches,
    bench_validate,
    bench_edit,
    bench_mesh,
    bench_batch,
    bench_queue
);
criterion_main!(benches);
