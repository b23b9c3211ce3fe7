/*!
One pipeline on one shard: from a request's bytes to sealed batches.

Everything here is owned by one thread. A request is admitted whole or refused
whole before anything of it is appended; from then on each span is either
appended, dropped by a processor's decision, or rejected for a fault of its
own, and each of the three is counted. Sealed batches go to the [`Outlet`].
*/

use super::{
    Decision, Markers, Processor, ResourceId, Resources, ScopeId, Scopes, Span,
    batch::{Batch, Trigger, header_bytes},
    markers,
    outlet::Outlet,
    recorder::Recorder,
};
use crate::{
    config,
    pdata::{self, Edits, Fault, Index, Keys, Malformed, Signal, write_span},
    queue::purse,
    telemetry::{PipelineStats, ProcessorStats},
};
use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
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

/// The state of one pipeline on one shard.
pub struct Engine {
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
    /// Bytes of the open batch that the thread's purse holds.
    held: usize,
    stats: PipelineStats,
}

impl Engine {
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
            held: 0,
            stats,
        }
    }

    /// Why a request cannot be taken now, if so.
    pub fn busy(&self) -> Option<&'static str> {
        self.outlet.busy()
    }

    /// Counts spans that were refused because of [`Engine::busy`].
    pub fn refused(&self, spans: u64) {
        self.stats.limiter.refused.add(spans);
    }

    /// Counts spans of a request that others take and this pipeline has no room
    /// for.
    pub fn pass_by(&self, spans: u64) {
        self.stats.limiter.refused.add(spans);
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
        let admitted = pdata::admit(Signal::Traces, request, &self.keys, &mut self.index)?;
        self.stats.batch.utf8_replaced.add(admitted.utf8_replaced);
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
            let range = entry.first_item as usize..entry.end_item as usize;
            let spans = index.items.get(range).unwrap_or_default();
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
        self.stats.batch.rejected.add(taken.rejected);
        self.stats.limiter.accepted.add(taken.accepted);
        for stage in &mut self.stages {
            stage.stats.publish();
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
            self.stats.batch.unknown_dropped.add(rest.len() as u64);
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
            stage.stats.saw(match decision.drop {
                true => 0,
                false => 1 + markers,
            });
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

    /// When [`Engine::turn`] must be called next, if anything waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.batch.deadline()
    }

    /// Whether sealed batches wait for room in a queue.
    pub fn has_backlog(&self) -> bool {
        self.outlet.has_backlog()
    }

    /// What waits for room is left to the log, where that has it, or lost.
    pub fn give_up(&mut self) {
        self.outlet.give_up();
    }

    /// Seals the batch if it is old enough and tries to empty the backlog.
    pub fn turn(&mut self, now: Instant) {
        self.outlet.move_on();
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
        self.outlet.move_on();
        self.seal(Trigger::Timeout);
    }

    /// Counts what the open batch has grown by as held by this thread.
    fn hold(&mut self) {
        let bytes = self.batch.bytes();
        purse::hold_accepted(bytes.saturating_sub(self.held));
        self.held = bytes.max(self.held);
    }

    /// Gives the log what came since the last time. Its thread writes; until
    /// [`Engine::awaits_log`] is false, senders wait for their answer.
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
    pub fn tell_late(&self, patience: Duration) {
        let Some(recorder) = &self.outlet.recorder else {
            return;
        };
        if !self.awaits_log() {
            return;
        }
        self.stats.log.late.add(1);
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
        self.outlet.send(sealed);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        purse::release(self.held);
    }
}
