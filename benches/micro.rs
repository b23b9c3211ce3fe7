//! What each step of a span's way costs by itself. Elements are spans.
#![allow(missing_docs, clippy::unwrap_used)]

mod shard;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;
use shard::{Shard, captured};
use std::{hint::black_box, sync::Arc};
use wayspan::{
    pdata::{AnyValue, Edits, Index, Signal, admit, validate, write_span},
    pipeline::SealedBatch,
    queue::{Budget, Queue},
};

const FOLDERS: [&str; 3] = ["ambient-istio-1.24", "ambient-istio-1.30", "sidecar"];

fn spans(requests: &[Vec<u8>]) -> u64 {
    let mut shard = Shard::new();
    let mut count = 0;
    for request in requests {
        validate(Signal::Traces, request, &shard.keys, &mut shard.index).unwrap();
        count += shard.index.items.len() as u64;
    }
    count
}

/// Validation over captured requests as they came, and over all in one.
fn bench_validate(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate");
    for folder in FOLDERS {
        let requests = captured(folder);
        let mut shard = Shard::new();
        group.throughput(Throughput::Elements(spans(&requests)));
        group.bench_function(folder, |b| {
            b.iter(|| {
                for request in &requests {
                    validate(
                        Signal::Traces,
                        black_box(request),
                        &shard.keys,
                        &mut shard.index,
                    )
                    .unwrap();
                }
            });
        });
        let joined = requests.concat();
        group.bench_function(format!("{folder}, all in one request"), |b| {
            b.iter(|| {
                validate(
                    Signal::Traces,
                    black_box(&joined),
                    &shard.keys,
                    &mut shard.index,
                )
                .unwrap()
            });
        });
    }
    group.finish();
}

/// Writing a span: as it is, with attributes added, with one replaced.
fn bench_edit(c: &mut Criterion) {
    let shard = Shard::new();
    let request = &captured("ambient-istio-1.30")[0];
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, request, &shard.keys, &mut index).unwrap();
    let span = index.items[0].bytes.of(&admitted.bytes);
    let unchanged = Edits::default();
    let mut added = Edits::default();
    let mut fields = Vec::new();
    for key in ["istio.destination_namespace", "istio.destination_name"] {
        wayspan::pdata::edit::encode_span_attr(key, "bookinfo", &mut fields);
    }
    added.append_encoded(&fields);
    let mut replaced = Edits::default();
    replaced.set("http.url", AnyValue::String("http://ratings/"));

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

/// The mesh processor on spans whose like it has seen.
fn bench_mesh(c: &mut Criterion) {
    let mut group = c.benchmark_group("mesh");
    for folder in FOLDERS {
        let request = captured(folder).concat();
        let mut shard = Shard::new();
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, &request, &shard.keys, &mut index).unwrap();
        group.throughput(Throughput::Elements(index.items.len() as u64));
        group.bench_function(folder, |b| {
            b.iter(|| {
                shard.each(&admitted.bytes, &index, |shard, span, resource, _| {
                    let decision = shard.decide(&span, resource);
                    black_box(&decision);
                    shard.done(decision);
                });
            });
        });
    }
    group.finish();
}

/// Appending, and sealing when full; then all of the way through a shard.
fn bench_batch(c: &mut Criterion) {
    let requests = captured("ambient-istio-1.30");
    let mut group = c.benchmark_group("batch");
    group.throughput(Throughput::Elements(spans(&requests)));
    let mut shard = Shard::new();
    let scope = shard.scopes.intern(b"", b"", b"");
    let resource = shard.resources.intern(b"", b"", b"");
    let span = vec![7; 1500];
    group.bench_function("append 100 spans of 1.5 kB, seal when full", |b| {
        b.iter(|| {
            for _ in 0..100 {
                if shard.batch.must_seal_before(span.len(), 0) {
                    black_box(shard.seal());
                }
                let out = shard.batch.group(resource, scope);
                out.extend_from_slice(black_box(&span));
                shard.batch.appended(span.len(), 0);
            }
        });
    });
    let mut shard = Shard::new();
    group.bench_function("a shard's whole way, 5 spans a request", |b| {
        b.iter(|| {
            for request in &requests {
                shard.take(black_box(request), drop);
            }
        });
    });
    let mut shard = Shard::watching();
    group.bench_function("the same, Kubernetes watched", |b| {
        b.iter(|| {
            for request in &requests {
                shard.take(black_box(request), drop);
            }
        });
    });
    let mut shard = Shard::new();
    let joined = requests.concat();
    group.bench_function("a shard's whole way, 100 spans a request", |b| {
        b.iter(|| shard.take(black_box(&joined), drop));
    });
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
