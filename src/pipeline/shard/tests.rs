#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::{
    pdata::Signal,
    pipeline::{
        Account, Decision, Processor, ProcessorInstance, QueuedBatch, Resources, Route, Span,
        account::TakenItems,
        outlet::{ExporterRoute, Outlet},
    },
    queue::{Budget, QueueSize, ShardBudget, SizedQueue, Sizer},
    telemetry::{PipelineStats, ProcessorStats},
};
use futures_util::FutureExt;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{self as trace, ResourceSpans, ScopeSpans},
};
use prost::Message;
use std::{net::IpAddr, rc::Rc, sync::Arc};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Panics over spans of a certain name.
struct Bomb;

impl Processor for Bomb {
    fn process(&mut self, span: &Span<'_>, _: &mut Resources, _: &mut Decision) {
        assert_ne!(span.name(), b"bomb", "this panic belongs to the test");
    }

    fn forget(&mut self) {}
}

fn stages() -> (Keys, Stages) {
    let mut stages = Stages::default();
    let bomb = ProcessorInstance::Items(Box::new(Bomb));
    stages.push(bomb, ProcessorStats::default());
    (Keys::default(), stages)
}

/// A shard to one pipeline with one exporter.
fn shard() -> (Shard, Arc<SizedQueue<QueuedBatch>>, Arc<Route>) {
    shard_of(stages)
}

fn shard_of(
    stages: impl Fn() -> (Keys, Stages) + 'static,
) -> (Shard, Arc<SizedQueue<QueuedBatch>>, Arc<Route>) {
    let batch = crate::pipeline::BatchSettings {
        items: 1000,
        bytes: 1 << 20,
        timeout: Duration::from_secs(3600),
        ..crate::pipeline::BatchSettings::default()
    };
    let (queue, budget) = (
        Arc::new(SizedQueue::new(QueueSize {
            sizer: Sizer::Requests,
            limit: 10,
        })),
        Budget::new(1 << 30),
    );
    let none = || metrics::Histogram::noop();
    let stats = PipelineStats::new(none(), none());
    let account = Account::new(TakenItems(vec![stats.taken.count.clone()]));
    let route = Route::new(
        Signal::Traces,
        Arc::clone(&queue),
        account,
        budget.clone(),
        1,
        None,
    );
    let route = Arc::new(route);
    let exit = ExporterRoute {
        blocks: false,
        exporter: 0,
        is_inherited: false,
        route: Arc::clone(&route),
        send_size: none(),
        send_size_bytes: none(),
    };
    let held = Rc::new(ShardBudget::new(&budget));
    let outlet = Outlet::new(vec![exit], budget, None);
    let pipeline = Engine::new(
        Signal::Traces,
        &batch,
        stages(),
        (outlet, None),
        held,
        stats,
    );
    let gather = Gather::new(Duration::ZERO);
    let shard = Shard::new(vec![pipeline], None, gather, move |_| stages());
    (shard, queue, route)
}

fn request(names: &[&str]) -> Vec<u8> {
    let span = |name: &&str| trace::Span {
        name: (*name).to_owned(),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..trace::Span::default()
    };
    let spans = names.iter().map(span).collect();
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn names(queue: &SizedQueue<QueuedBatch>) -> Vec<String> {
    let queued = queue.pop().now_or_never().unwrap().unwrap();
    let request = ExportTraceServiceRequest::decode(&queued.batch.chunks.concat()[..]).unwrap();
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|r| r.scope_spans);
    let spans = scopes.flat_map(|s| s.spans);
    spans.map(|span| span.name).collect()
}

#[test]
fn a_panic_costs_its_request_and_nothing_that_was_answered() {
    let (shard, queue, route) = shard();
    let take = |names: &[&str]| {
        let taken = shard.with(0, |pipeline| pipeline.take(&request(names), PEER));
        taken.map(|taken| taken.unwrap().accepted)
    };
    assert_eq!(take(&["a", "b"]), Ok(2));
    // What stood before the one at fault was not answered for, and may go.
    assert_eq!(take(&["c", "bomb", "d"]), Err(Panicked));
    assert_eq!(names(&queue), ["a", "b", "c"]);
    // It goes on, with tables that know nothing of before.
    assert_eq!(take(&["e"]), Ok(1));
    assert_eq!(take(&["bomb"]), Err(Panicked));
    assert_eq!(names(&queue), ["e"]);
    assert_eq!(take(&["f"]), Ok(1));
    shard.with(0, Engine::flush).unwrap();
    assert_eq!(names(&queue), ["f"]);
    let balance = route.account.balance();
    assert_eq!((balance.difference(), balance.taken), (0, 5), "{balance:?}");
    assert_eq!(
        (balance.in_memory, balance.dropped()),
        (5, 0),
        "{balance:?}"
    );
}

#[test]
fn work_that_panics_outside_of_a_request_leaves_the_batch() {
    let (shard, queue, _) = shard();
    let taken = shard.with(0, |pipeline| pipeline.take(&request(&["a"]), PEER));
    assert!(taken.is_ok());
    assert_eq!(
        shard.with(0, |_| panic!("this panic belongs to the test")),
        Err::<(), _>(Panicked)
    );
    assert_eq!(names(&queue), ["a"]);
}

mod rewriting;
