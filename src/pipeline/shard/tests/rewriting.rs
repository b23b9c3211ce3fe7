//! Rewriters among other processors, over whole requests and in pieces.

use super::*;
use crate::{
    pdata::{self, Index, RequestLimits, groups},
    pipeline::{
        IndexedRequest, RewriteError, Rewriter, Rewritten,
        engine::{Declined, Progress},
    },
};

/// Sets an attribute, and says that a span `twin` is followed by one like it.
struct Tag(&'static str);

impl Processor for Tag {
    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let mut key = self.0.to_owned();
        // What a processor behind a rewriter reads is what that wrote.
        key.push_str(std::str::from_utf8(span.name()).unwrap());
        decision.edits.set_str(&key, "yes");
        if span.name() == b"moves" {
            decision.resource = resources.derive(decision.resource, b"\x10\x01");
        }
        decision.follow = span.name() == b"twin";
    }

    fn follow(&mut self, written: &[u8], followers: &mut crate::pipeline::Followers) {
        let resource = Resources::default().intern(b"", b"", b"");
        followers.add(resource, b"", |out| out.extend_from_slice(written));
    }

    fn forget(&mut self) {}
}

/// Drops spans called `drop`, puts `x` behind the names of the others, refuses a
/// request with `refuse`, writes one with `long` a thousand times as long, and leaves one with
/// `leave`.
struct Renames;

impl Rewriter for Renames {
    fn rewrite(
        &mut self,
        piece: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError> {
        let (request, index) = (piece.request, piece.index);
        for (resource, items) in groups::resource_groups(index) {
            let payload = resource.resource.of(request);
            let mut error = None;
            groups::put_resource_group(request, resource, payload, out, |out| {
                for (scope, items) in groups::scope_groups(index, items) {
                    groups::put_scope_group(request, scope, b"", out, |out| {
                        for item in items {
                            let name = item.name.of(request);
                            if name == b"refuse" {
                                error = Some(RewriteError::Refused("it is refused".into()));
                            }
                            if name == b"drop" {
                                continue;
                            }
                            let mut name = String::from_utf8(name.to_vec()).unwrap();
                            name.push_str(&"x".repeat(if name == "long" { 1 << 20 } else { 1 }));
                            let mut edits = pdata::Edits::default();
                            edits.set_name(&name);
                            pdata::write_span(item.bytes.of(request), &edits, out);
                        }
                    });
                }
            });
            if let Some(error) = error {
                return Err(error);
            }
        }
        let leaves = |item: &pdata::ItemEntry| item.name.of(request) == b"leave";
        match index.items.iter().any(leaves) {
            true => Ok(Rewritten::Unchanged),
            false => Ok(Rewritten::Changed),
        }
    }
}

fn shard_with_rewriter() -> (Shard, Arc<SizedQueue<QueuedBatch>>, Arc<Route>) {
    shard_of(|| {
        let mut stages = Stages::default();
        let instances = [
            ProcessorInstance::Items(Box::new(Tag("a."))),
            ProcessorInstance::Requests(Box::new(Renames)),
            ProcessorInstance::Items(Box::new(Tag("b."))),
            ProcessorInstance::Requests(Box::new(Renames)),
        ];
        for instance in instances {
            stages.push(instance, ProcessorStats::default());
        }
        (Keys::default(), stages)
    })
}

fn flushed(shard: &Shard, queue: &SizedQueue<QueuedBatch>) -> ExportTraceServiceRequest {
    shard.with(0, Engine::flush).unwrap();
    let queued = queue.pop().now_or_never().unwrap().unwrap();
    ExportTraceServiceRequest::decode(&queued.batch.chunks.concat()[..]).unwrap()
}

/// Name and attribute keys of each span, in order of names.
fn spans(request: &ExportTraceServiceRequest) -> Vec<String> {
    let groups = request.resource_spans.iter();
    let spans = groups.flat_map(|r| r.scope_spans.iter().flat_map(|s| &s.spans));
    let shown = spans.map(|span| {
        let keys: Vec<_> = span.attributes.iter().map(|kv| &kv.key[..]).collect();
        format!("{} {}", span.name, keys.join(","))
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    shown
}

#[test]
fn each_processor_sees_what_those_before_it_wrote() {
    let (shard, queue, route) = shard_with_rewriter();
    let names = ["one", "drop", "moves", "twin"];
    let taken = shard.with(0, |engine| engine.take(&request(&names), PEER));
    // The sender's items count, not those that are left.
    assert_eq!(taken.unwrap().unwrap().accepted, 4);
    let sent = flushed(&shard, &queue);
    assert_eq!(
        spans(&sent),
        [
            "movesxx a.moves,b.movesx",
            "onexx a.one,b.onex",
            "twinxx a.twin,b.twinx",
            "twinxx a.twin,b.twinx",
        ]
    );
    let moved = |r: &&ResourceSpans| {
        (r.resource.as_ref()).is_some_and(|resource| resource.dropped_attributes_count == 1)
    };
    assert_eq!(sent.resource_spans.iter().filter(moved).count(), 1);
    let balance = route.account.balance();
    assert_eq!((balance.difference(), balance.taken), (0, 4), "{balance:?}");
}

#[test]
fn what_a_rewriter_leaves_goes_on_as_it_is() {
    let (shard, queue, _) = shard_with_rewriter();
    let taken = shard.with(0, |engine| engine.take(&request(&["leave"]), PEER));
    assert!(taken.unwrap().is_ok());
    assert_eq!(spans(&flushed(&shard, &queue)), ["leave a.leave,b.leave"]);
}

#[test]
fn a_request_that_is_refused_leaves_nothing() {
    let (shard, queue, _) = shard_with_rewriter();
    for (names, expected) in [
        (["a", "refuse"], "it is refused"),
        (["a", "long"], "Expands"),
    ] {
        let declined = shard.with(0, |engine| engine.take(&request(&names), PEER));
        let declined = format!("{:?}", declined.unwrap().unwrap_err());
        assert!(declined.contains(expected), "{declined}");
    }
    let taken = shard.with(0, |engine| engine.take(&request(&["b"]), PEER));
    assert!(taken.unwrap().is_ok());
    assert_eq!(spans(&flushed(&shard, &queue)), ["bxx a.b,b.bx"]);
}

#[test]
fn faulty_items_are_not_given_to_a_rewriter() {
    let (shard, queue, _) = shard_with_rewriter();
    let mut faulty = ExportTraceServiceRequest::decode(&request(&["good", "refuse"])[..]).unwrap();
    faulty.resource_spans[0].scope_spans[0].spans[1].trace_id = vec![0; 16];
    let taken = shard.with(0, |engine| engine.take(&faulty.encode_to_vec(), PEER));
    let appended = taken.unwrap().unwrap();
    assert_eq!((appended.accepted, appended.rejected), (1, 1));
    assert_eq!(spans(&flushed(&shard, &queue)), ["goodxx a.good,b.goodx"]);
}

#[test]
fn a_long_request_is_rewritten_piece_by_piece() {
    let (shard, queue, _) = shard_with_rewriter();
    let names: Vec<String> = (0..20_000).map(|n| format!("span {n:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request = request(&names);
    let taken = shard.with(0, |engine| engine.take(&request, PEER)).unwrap();
    assert!(matches!(taken, Err(Declined::Large)), "{taken:?}");

    let mut index = Index::default();
    index.limits = RequestLimits::MOST;
    pdata::validate(Signal::Traces, &request, &Keys::default(), &mut index).unwrap();
    let mut foreseen = (Progress::default(), None);
    let mut turns = 0;
    while !shard
        .with(0, |engine| {
            engine.foresee(&request, &index, PEER, &mut foreseen, 64 << 10)
        })
        .unwrap()
        .unwrap()
    {
        turns += 1;
    }
    assert!(turns > 10, "{turns}");
    let mut progress = Progress::default();
    let mut appended = crate::pipeline::engine::Appended::default();
    let mut sent = Vec::new();
    let mut receive = || {
        while let Some(queued) = queue.pop().now_or_never().flatten() {
            let chunks = queued.batch.chunks.concat();
            let part = ExportTraceServiceRequest::decode(&chunks[..]).unwrap();
            sent.extend(spans(&part));
            queued.settle();
        }
    };
    let mut is_done = false;
    while !is_done {
        let append = |engine: &mut Engine| {
            let (progress, appended) = (&mut progress, &mut appended);
            engine.append(&request, &index, PEER, progress, 64 << 10, appended)
        };
        is_done = shard.with(0, append).unwrap();
        receive();
    }
    assert_eq!(appended.accepted, 20_000);
    shard.with(0, Engine::flush).unwrap();
    receive();
    sent.sort();
    let expected = (0..20_000).map(|n| format!("span {n:05}xx a.span {n:05},b.span {n:05}x"));
    assert!(sent.into_iter().eq(expected));
}
