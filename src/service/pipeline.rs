/*!
One pipeline on one shard: from a request's bytes to sealed batches.

Everything here is owned by one thread. A request is admitted whole or refused
whole before anything of it is appended; from then on each span is either
appended, dropped by a processor's decision, or rejected for a fault of its
own, and each of the three is counted. A sealed batch that finds a queue full
waits in `backlog`, and while anything waits there new requests are refused:
what was accepted is never dropped for want of room.
*/

use super::recorder::Recorder;
use crate::{
    config,
    pdata::{self, Edits, Fault, Index, Keys, Malformed, write_span},
    processor::{
        Decision, Markers, Processor, ResourceId, Resources, ScopeId, Scopes, Span,
        batch::{Batch, Trigger, header_bytes},
        markers,
    },
    queue::{Budget, Logged, Offer, Parcel, Reason, Route, SealedBatch, purse},
    telemetry::{PipelineStats, ProcessorStats},
};
use metrics::Histogram;
use std::{
    collections::VecDeque,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

/// Unknown fields of one request that are kept, in bytes.
const MAX_REST: usize = 16 << 10;

/// What became of a request's spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Spans now in the pipeline, or dropped because a processor said so.
    pub accepted: u64,
    /// Spans dropped for a fault of their own.
    pub rejected: u64,
    /// The first such fault.
    pub fault: Option<Fault>,
    /// Whether these are the first spans of a batch, so that its clock starts.
    pub opened: bool,
}

/// A processor with its counters.
pub struct Stage {
    /// The processor.
    pub processor: Box<dyn Processor>,
    /// What went in and came out.
    pub stats: ProcessorStats,
}

/// The way to one exporter.
#[derive(Clone)]
pub struct Exit {
    /// The queue, the part of the log, and the account.
    pub route: Arc<Route>,
    /// `otelcol_exporter_queue_batch_send_size`.
    pub send_size: Histogram,
    /// `otelcol_exporter_queue_batch_send_size_bytes`.
    pub send_size_bytes: Histogram,
}

/// Where sealed batches go.
pub struct Outlet {
    /// The pipeline's exporters.
    pub exits: Vec<Exit>,
    /// Bytes held by batches until delivered.
    pub budget: Budget,
    /// The pipeline's segment log, where one of its exporters has one.
    pub recorder: Option<Recorder>,
}

/// A batch that waits for room in a queue, or for the log's word.
struct Waiting {
    exit: usize,
    batch: Arc<SealedBatch>,
    /// There was no room, and the log does not have it.
    stuck: bool,
}

/// The state of one pipeline on one shard.
pub struct Pipeline {
    keys: Keys,
    index: Index,
    resources: Resources,
    scopes: Scopes,
    stages: Vec<Stage>,
    edits: Edits,
    markers: Markers,
    marker_scope: Vec<u8>,
    batch: Batch,
    outlet: Outlet,
    backlog: VecDeque<Waiting>,
    /// Bytes of the open batch that the thread's purse holds.
    held: usize,
    stats: PipelineStats,
}

impl Pipeline {
    /// A pipeline with nothing in it.
    pub fn new(
        batch: &config::Batch,
        keys: Keys,
        stages: Vec<Stage>,
        outlet: Outlet,
        stats: PipelineStats,
    ) -> Self {
        Self {
            keys,
            index: Index::default(),
            resources: Resources::default(),
            scopes: Scopes::default(),
            stages,
            edits: Edits::default(),
            markers: Markers::default(),
            marker_scope: markers::scope(),
            batch: Batch::new(batch),
            outlet,
            backlog: VecDeque::new(),
            held: 0,
            stats,
        }
    }

    /// Why a request cannot be taken now, if so.
    pub fn busy(&self) -> Option<&'static str> {
        let recorder = self.outlet.recorder.as_ref();
        let logging = recorder.is_some_and(Recorder::works);
        if !logging && self.outlet.budget.is_over() {
            return Some(
                "the memory limit for undelivered spans is reached; the backend is slow or away",
            );
        }
        let stuck = |exit: usize| self.backlog.iter().any(|w| w.stuck && w.exit == exit);
        let blocked = |(at, exit): (usize, &Exit)| {
            let absorbs = logging && exit.route.shelf().is_some();
            stuck(at) || (!absorbs && !exit.route.has_room())
        };
        // One that has room is not held up by those that have none.
        let exits = &self.outlet.exits;
        if exits.is_empty() || !exits.iter().enumerate().all(blocked) {
            return None;
        }
        Some(match recorder {
            Some(_) if !logging => {
                "the segment log does not take spans, and there is no more room in memory; the log \
                 of this process tells why"
            }
            _ => "an exporter's sending_queue is full; the backend is slow or away",
        })
    }

    /// Counts spans that were refused because of [`Pipeline::busy`].
    pub fn refused(&self, spans: u64) {
        self.stats.limiter_refused.add(spans);
    }

    /// Counts spans of a request that others take and this pipeline has no room
    /// for.
    pub fn pass_by(&self, spans: u64) {
        self.stats.limiter_refused.add(spans);
        self.stats.taken.count.add(spans);
        for exit in &self.outlet.exits {
            exit.route.account.passed_by(spans);
        }
    }

    /// Begins anew after a panic: with processors that know nothing, and with
    /// everything that was answered for.
    pub fn restart(&mut self, keys: Keys, stages: Vec<Stage>) {
        self.batch.mend();
        // Sealing may meet the same bug; the batch is lost then.
        let salvaged = catch_unwind(AssertUnwindSafe(|| self.seal(Trigger::Timeout)));
        if salvaged.is_err() {
            let spans = u64::from(self.batch.discard());
            self.stats.taken.publish();
            for exit in &self.outlet.exits {
                exit.route.account.crashed(spans);
            }
            purse::release(std::mem::take(&mut self.held));
            tracing::error!("{spans} spans were lost with the batch that was open");
        }
        self.batch.forget();
        self.index = Index::default();
        self.resources = Resources::default();
        self.scopes = Scopes::default();
        self.edits = Edits::default();
        self.markers = Markers::default();
        self.keys = keys;
        self.stages = stages;
    }

    /// Takes one request that `peer` sent.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when its framing is broken; nothing of it was taken then.
    pub fn take(&mut self, request: &[u8], peer: IpAddr) -> Result<Taken, Malformed> {
        let admitted = pdata::admit(request, &self.keys, &mut self.index)?;
        self.stats.utf8_replaced.add(admitted.utf8_replaced);
        for stage in &mut self.stages {
            stage.processor.begin(Some(peer));
        }
        let mut index = std::mem::take(&mut self.index);
        let taken = self.append(&admitted.bytes, &index);
        index.clear();
        self.index = index;
        if self.batch.is_immediate() {
            self.seal(Trigger::Size);
        }
        self.hold();
        Ok(taken)
    }

    fn append(&mut self, request: &[u8], index: &Index) -> Taken {
        let mut taken = Taken::default();
        for entry in &index.resources {
            let range = entry.first_span as usize..entry.end_span as usize;
            let spans = index.spans.get(range).unwrap_or_default();
            let mut base = None;
            for span in spans {
                if let Some(fault) = span.fault {
                    taken.rejected += 1;
                    taken.fault.get_or_insert(fault);
                    continue;
                }
                if self.resources.is_full() || self.scopes.is_full() {
                    self.forget();
                    base = None;
                }
                let resource = *base.get_or_insert_with(|| {
                    self.resources.intern(
                        entry.resource.of(request),
                        entry.schema_url.of(request),
                        entry.rest.of(request),
                    )
                });
                taken.accepted += 1;
                taken.opened |= self.append_span(
                    Span {
                        request,
                        index,
                        entry: span,
                    },
                    resource,
                );
            }
        }
        if taken.accepted > 0 {
            self.keep_rest(index.rest.of(request));
        }
        self.stats.taken.publish();
        self.stats.rejected_spans.add(taken.rejected);
        self.stats.limiter_accepted.add(taken.accepted);
        for stage in &mut self.stages {
            stage.stats.flush();
            stage.processor.end();
        }
        taken
    }

    /// Keeps the request's own unknown fields, which belong to no span, with
    /// the batch that has its spans. OTLP has none today, so they are kept
    /// only while they are small beside the spans: they must not push others'
    /// spans over a size limit, nor be a way around it.
    fn keep_rest(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        if rest.len() > MAX_REST || self.batch.must_seal_before(rest.len(), 0) {
            self.stats.unknown_dropped.add(rest.len() as u64);
            return;
        }
        self.batch.append_rest(rest);
    }

    /// Runs the processors over one span and appends it. True if it is the
    /// first of a batch.
    fn append_span(&mut self, span: Span<'_>, resource: ResourceId) -> bool {
        let mut decision = Decision {
            resource,
            edits: std::mem::take(&mut self.edits),
            drop: false,
            markers: std::mem::take(&mut self.markers),
        };
        decision.edits.clear();
        decision.markers.clear();
        for stage in &mut self.stages {
            let markers = decision.markers.len();
            stage
                .processor
                .process(&span, &mut self.resources, &mut decision);
            let markers = decision.markers.len() - markers;
            stage.stats.saw(!decision.drop, markers);
            if decision.drop {
                break;
            }
        }
        let opened = !decision.drop && self.write(&span, &mut decision);
        self.edits = decision.edits;
        self.markers = decision.markers;
        opened
    }

    fn write(&mut self, span: &Span<'_>, decision: &mut Decision) -> bool {
        let bytes = span.entry.bytes.of(span.request);
        let scope = self.scope_id(span);
        let expected = bytes.len() + decision.edits.added_bytes();
        let (edits, markers) = (&decision.edits, &mut decision.markers);
        let mut opened = self.put(decision.resource, scope, expected, |out| {
            let before = out.len();
            write_span(bytes, edits, out);
            if !markers.is_empty() {
                markers.write(out.get(before..).unwrap_or_default());
            }
        });
        if !markers.is_empty() {
            let scope = self.scopes.intern(&self.marker_scope, &[], &[]);
            for (resource, marker) in markers.written() {
                opened |= self.put(resource, scope, marker.len(), |out| {
                    out.extend_from_slice(marker);
                });
            }
        }
        opened
    }

    /// Appends one span, of about `expected` bytes, to the batch. True if it is
    /// the first.
    fn put(
        &mut self,
        resource: ResourceId,
        scope: ScopeId,
        expected: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let headers = header_bytes(self.resources.get(resource), self.scopes.get(scope));
        if self.batch.must_seal_before(expected, headers) {
            self.seal(Trigger::Size);
        }
        let out = self.batch.group(resource, scope);
        let before = out.len();
        write(out);
        let written = out.len() - before;
        self.stats.taken.one();
        let opened = self.batch.appended(written, headers);
        if self.batch.is_full() {
            self.seal(Trigger::Size);
        }
        opened
    }

    fn scope_id(&mut self, span: &Span<'_>) -> ScopeId {
        let request = span.request;
        match span.index.scopes.get(span.entry.scope as usize) {
            Some(scope) => self.scopes.intern(
                scope.scope.of(request),
                scope.schema_url.of(request),
                scope.rest.of(request),
            ),
            None => self.scopes.intern(&[], &[], &[]),
        }
    }

    /// Empties the tables, which voids every id: the open batch goes first.
    fn forget(&mut self) {
        self.seal(Trigger::Timeout);
        self.batch.forget();
        self.resources.clear();
        self.scopes.clear();
        for stage in &mut self.stages {
            stage.processor.forget();
        }
    }

    /// When [`Pipeline::turn`] must be called next, if anything waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.batch.deadline()
    }

    /// Whether sealed batches wait for room in a queue.
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// What waits here is left to the log, where that has it, or lost.
    pub fn give_up(&mut self) {
        for waiting in std::mem::take(&mut self.backlog) {
            let parcel = Parcel {
                route: Arc::clone(&self.outlet.exits[waiting.exit].route),
                batch: waiting.batch,
            };
            let spans = u64::from(parcel.batch.spans);
            if parcel.is_logged() {
                parcel.keep(spans);
            } else {
                parcel.route.account.dropped(spans, Reason::Shutdown);
                parcel.settle();
            }
        }
    }

    /// Seals the batch if it is old enough and tries to empty the backlog.
    pub fn turn(&mut self, now: Instant) {
        self.push_backlog();
        if self
            .batch
            .deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.seal(Trigger::Timeout);
        }
    }

    /// Seals whatever is open.
    pub fn flush(&mut self) {
        self.push_backlog();
        self.seal(Trigger::Timeout);
    }

    /// Counts what the open batch has grown by as held by this thread.
    fn hold(&mut self) {
        let bytes = self.batch.bytes();
        purse::hold_accepted(bytes.saturating_sub(self.held));
        self.held = bytes.max(self.held);
    }

    /// Gives the log what came since the last time. Its thread writes; until
    /// [`Pipeline::awaits_log`] is false, senders wait for their answer.
    pub fn commit(&mut self) {
        self.record();
        if let Some(recorder) = &mut self.outlet.recorder {
            recorder.hand_over();
        }
    }

    /// Whether the log's thread has not decided about all it was given.
    pub fn awaits_log(&self) -> bool {
        let recorder = self.outlet.recorder.as_ref();
        recorder.is_some_and(|recorder| !recorder.is_handed_over_decided())
    }

    /// The pipeline's way into its log.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.outlet.recorder.as_ref()
    }

    /// Says that the log has not written what it was given within `patience`.
    pub fn is_late(&self, patience: Duration) {
        let Some(recorder) = &self.outlet.recorder else {
            return;
        };
        if !self.awaits_log() {
            return;
        }
        self.stats.late.add(1);
        tracing::warn!(
            "the segment log in {} has not written within {patience:?}: senders are answered from \
             memory until it keeps up, and a crash would lose what is not written. Is the disk \
             too slow, or busy with something else?",
            recorder.log().directory().display()
        );
    }

    fn record(&mut self) {
        if let Some(recorder) = &mut self.outlet.recorder {
            recorder.record(&mut self.batch, &self.resources, &self.scopes);
        }
    }

    fn seal(&mut self, trigger: Trigger) {
        self.record();
        let Some(sealed) = self.batch.seal(&self.resources, &self.scopes) else {
            return;
        };
        purse::release(std::mem::take(&mut self.held));
        self.stats.taken.publish();
        self.stats
            .batch_sealed(trigger == Trigger::Size, sealed.spans, sealed.bytes);
        let place = self.outlet.recorder.as_mut().map(Recorder::seal);
        let batch = Arc::new(SealedBatch {
            lease: self.outlet.budget.lease(sealed.bytes),
            chunks: sealed.chunks,
            bytes: sealed.bytes,
            spans: sealed.spans,
            place,
        });
        for (exit, to) in self.outlet.exits.iter().enumerate() {
            to.route.account.sealed(batch.spans, batch.bytes);
            self.backlog.push_back(Waiting {
                exit,
                batch: Arc::clone(&batch),
                stuck: false,
            });
        }
        self.push_backlog();
    }

    /// Moves waiting batches to their queues or to the log, in order for each
    /// exporter.
    fn push_backlog(&mut self) {
        let mut waits = vec![false; self.outlet.exits.len()];
        for _ in 0..self.backlog.len() {
            let Some(mut waiting) = self.backlog.pop_front() else {
                break;
            };
            if !waits[waiting.exit] {
                let logged = match &self.outlet.recorder {
                    Some(recorder) => recorder.logged(&waiting.batch),
                    None => Logged::No,
                };
                let exit = &self.outlet.exits[waiting.exit];
                if exit.route.offer(&waiting.batch, logged) == Offer::Taken {
                    exit.send_size.record(f64::from(waiting.batch.spans));
                    exit.send_size_bytes.record(waiting.batch.bytes as f64);
                    continue;
                }
                waits[waiting.exit] = true;
                waiting.stuck = logged != Logged::Undecided;
            }
            self.backlog.push_back(waiting);
        }
        self.drop_stuck();
    }

    /// Where some exporters have room, what is stuck for others is dropped for
    /// those alone: refusing senders would lose it for all.
    fn drop_stuck(&mut self) {
        let stuck = |exit: usize| self.backlog.iter().any(|w| w.stuck && w.exit == exit);
        if (0..self.outlet.exits.len()).all(stuck) {
            return;
        }
        let exits = &self.outlet.exits;
        self.backlog.retain(|waiting| {
            if waiting.stuck {
                exits[waiting.exit].route.drop_batch(&waiting.batch);
            }
            !waiting.stuck
        });
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        purse::release(self.held);
    }
}
