/*!
One pipeline on one shard: from a request's bytes to sealed batches.

Everything here is owned by one thread. A request is taken whole or refused
whole before anything of it is appended; from then on each item is either
appended or rejected for a fault of its own, and both are counted. Sealed
batches go to the [`Outlet`].
*/

use super::{
    BatchSettings, Decision, Followers, Processor, ResourceId, Resources, ScopeId, Scopes, Span,
    batch::{Batch, Trigger, header_bytes},
    outlet::Outlet,
};
use crate::{
    pdata::{self, Edits, Index, Keys, MalformedRequest, Signal, SpanFault, write_span},
    queue::{ShardBudget, log::Log},
    telemetry::{PipelineStats, ProcessorStats},
};
use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::{Duration, Instant},
};

/// Unknown fields of one request that are kept, in bytes.
const MAX_REST: usize = 16 << 10;

/// What became of a request's items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Items now in the pipeline.
    pub accepted: u64,
    /// Items dropped for a fault of their own.
    pub rejected: u64,
    /// The first such fault.
    pub fault: Option<SpanFault>,
    /// Whether these are the first items of a batch, so that its clock starts.
    pub opened: bool,
}

/// Why a pipeline did not take a request.
#[derive(Debug)]
pub enum NotTaken {
    /// It has no room; the reason, for the sender.
    Busy(&'static str),
    /// The request's framing is broken.
    Malformed(MalformedRequest),
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
    signal: Signal,
    keys: Keys,
    index: Index,
    resources: Resources,
    scopes: Scopes,
    stages: Vec<Stage>,
    edits: Edits,
    followers: Followers,
    batch: Batch,
    outlet: Outlet,
    /// Bytes of the open batch that the shard's budget counts.
    held: usize,
    budget: Rc<ShardBudget>,
    stats: PipelineStats,
}

impl Engine {
    /// A pipeline with nothing in it.
    pub fn new(
        signal: Signal,
        batch: &BatchSettings,
        (keys, stages): (Keys, Vec<Stage>),
        outlet: Outlet,
        budget: Rc<ShardBudget>,
        stats: PipelineStats,
    ) -> Self {
        Self {
            signal,
            keys,
            index: Index::default(),
            resources: Resources::default(),
            scopes: Scopes::default(),
            stages,
            edits: Edits::default(),
            followers: Followers::default(),
            batch: Batch::new(signal, batch),
            outlet,
            held: 0,
            budget,
            stats,
        }
    }

    /// Takes one request that `peer` sent.
    ///
    /// # Errors
    ///
    /// When nothing of it was taken: see [`NotTaken`].
    pub fn take(&mut self, request: &[u8], peer: IpAddr) -> Result<Appended, NotTaken> {
        if let Some(why) = self.outlet.busy() {
            return Err(NotTaken::Busy(why));
        }
        let admitted = pdata::admit(self.signal, request, &self.keys, &mut self.index)
            .map_err(NotTaken::Malformed)?;
        self.stats.batch.utf8_replaced.add(admitted.utf8_replaced);
        for stage in &mut self.stages {
            stage.processor.begin(Some(peer));
        }
        let mut index = std::mem::take(&mut self.index);
        let appended = self.append(&admitted.bytes, &index);
        index.clear();
        self.index = index;
        if self.batch.is_immediate() {
            self.seal(Trigger::Size);
        }
        self.hold();
        Ok(appended)
    }

    /// Runs the processors over every span of a request and appends what comes
    /// out.
    fn append(&mut self, request: &[u8], index: &Index) -> Appended {
        let mut appended = Appended::default();
        let mut any = false;
        for entry in &index.resources {
            let range = entry.first_item as usize..entry.end_item as usize;
            let items = index.items.get(range).unwrap_or_default();
            let mut base = None;
            for item in items {
                if let Some(fault) = item.fault {
                    appended.rejected += 1;
                    appended.fault.get_or_insert(fault);
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
                any = true;
                appended.accepted += u64::from(item.count);
                let span = Span {
                    request,
                    index,
                    entry: item,
                };
                appended.opened |= self.append_span(&span, resource);
            }
        }
        if any {
            self.keep_rest(index.rest.of(request));
        }
        self.stats.taken.publish();
        self.stats.batch.rejected.add(appended.rejected);
        self.stats.limiter.accepted.add(appended.accepted);
        for stage in &mut self.stages {
            stage.stats.publish();
            stage.processor.end();
        }
        appended
    }

    /// Keeps the request's own unknown fields, which belong to no item, with
    /// the batch that has its items. OTLP has none today, so they are kept
    /// only while they are small beside the items: they must not push others'
    /// items over a size limit, nor be a way around it.
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

    /// Runs the processors over one span and appends it, and what they add to
    /// it. Returns true if it is the first of a batch.
    fn append_span(&mut self, span: &Span<'_>, resource: ResourceId) -> bool {
        let mut decision = Decision {
            resource,
            edits: std::mem::take(&mut self.edits),
            follow: false,
        };
        decision.edits.clear();
        // Which processors add items: one bit each, the last for all beyond.
        let mut follow = 0_u64;
        for (at, stage) in self.stages.iter_mut().enumerate() {
            let processor = &mut stage.processor;
            processor.process(span, &mut self.resources, &mut decision);
            stage.stats.saw(1);
            follow |= u64::from(std::mem::take(&mut decision.follow)) << at.min(63);
        }
        let bytes = span.entry.bytes.of(span.request);
        let scope = self.scope_id(span);
        let (edits, resource) = (&decision.edits, decision.resource);
        let expected = bytes.len() + edits.added_bytes();
        // Taken out for as long as a part of `self` is lent to the writing.
        let mut stages = std::mem::take(&mut self.stages);
        let mut followers = std::mem::take(&mut self.followers);
        followers.clear();
        let mut opened = self.put(resource, scope, expected, span.entry.count, |out| {
            let before = out.len();
            write_span(bytes, edits, out);
            if follow != 0 {
                let written = out.get(before..).unwrap_or_default();
                add_followers(&mut stages, follow, written, &mut followers);
            }
        });
        for (resource, scope, item) in followers.iter() {
            let scope = self.scopes.intern(scope, &[], &[]);
            let write = |out: &mut Vec<u8>| out.extend_from_slice(item);
            opened |= self.put(resource, scope, item.len(), 1, write);
        }
        self.stages = stages;
        self.followers = followers;
        self.edits = decision.edits;
        opened
    }

    /// Appends one field, of about `expected` bytes and so many `items`, to the
    /// batch. Returns true if it is the first.
    fn put(
        &mut self,
        resource: ResourceId,
        scope: ScopeId,
        expected: usize,
        items: u32,
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
        self.stats.taken.add(u64::from(items));
        let opened = self.batch.appended(written, headers, items);
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

    /// Counts what the open batch has grown by as held by the shard.
    fn hold(&mut self) {
        let bytes = self.batch.bytes();
        self.budget.hold_accepted(bytes.saturating_sub(self.held));
        self.held = bytes.max(self.held);
    }

    fn record(&mut self) {
        self.outlet
            .record(&mut self.batch, &self.resources, &self.scopes);
    }

    fn seal(&mut self, trigger: Trigger) {
        self.record();
        if self.batch.is_empty() {
            return;
        }
        let position = self.outlet.end_batch();
        let (resources, scopes) = (&self.resources, &self.scopes);
        let sealed = self
            .batch
            .seal(resources, scopes, self.outlet.budget(), position);
        self.budget.release(std::mem::take(&mut self.held));
        self.stats.taken.publish();
        self.stats
            .batch_sealed(trigger == Trigger::Size, sealed.items, sealed.bytes);
        self.outlet.send(sealed);
    }

    /// Begins again after a panic: with processors that know nothing, and with
    /// everything that was answered for.
    pub fn restart(&mut self, (keys, stages): (Keys, Vec<Stage>)) {
        self.batch.mend();
        // Sealing may meet the same bug; the batch is lost then.
        let salvaged = catch_unwind(AssertUnwindSafe(|| self.seal(Trigger::Timeout)));
        if salvaged.is_err() {
            let items = u64::from(self.batch.discard());
            self.stats.taken.publish();
            self.outlet.crashed(items);
            self.budget.release(std::mem::take(&mut self.held));
            let what = self.signal.items();
            tracing::error!("{items} {what} were lost with the batch that was open");
        }
        self.batch.forget();
        self.index = Index::default();
        self.resources = Resources::default();
        self.scopes = Scopes::default();
        self.edits = Edits::default();
        self.followers = Followers::default();
        self.keys = keys;
        self.stages = stages;
    }

    /// Counts the items of a request that was refused as busy.
    pub fn refused(&self, items: u64) {
        self.stats.limiter.refused.add(items);
    }

    /// Counts the items of a request that others take and this pipeline has no
    /// room for.
    pub fn pass_by(&self, items: u64) {
        self.stats.limiter.refused.add(items);
        self.stats.taken.count.add(items);
        self.outlet.passed_by(items);
    }

    /// When [`Engine::turn`] must be called next, if anything waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.batch.deadline()
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

    /// Whether sealed batches wait for room in a queue.
    pub fn has_backlog(&self) -> bool {
        self.outlet.has_backlog()
    }

    /// Leaves what waits for room to the log, where that has it, or drops it.
    pub fn give_up(&mut self) {
        self.outlet.give_up();
    }

    /// The pipeline's segment log, if it has one.
    pub fn log(&self) -> Option<&Log> {
        self.outlet.log()
    }

    /// Gives the log what came since the last time. Its thread writes; until
    /// [`Engine::awaits_log`] is false, senders wait for their answer.
    pub fn commit(&mut self) {
        self.record();
        self.outlet.hand_over();
    }

    /// Whether the log's thread has not decided about all it was given.
    pub fn awaits_log(&self) -> bool {
        self.outlet.awaits_log()
    }

    /// Warns that the log has not written what it was given within `patience`.
    pub fn warn_late(&self, patience: Duration) {
        let Some(log) = self.outlet.log().filter(|_| self.awaits_log()) else {
            return;
        };
        self.stats.log.late.add(1);
        tracing::warn!(
            "the segment log in {} has not written within {patience:?}: senders are answered from \
             memory until it keeps up, and a crash would lose what is not written. Is the disk \
             too slow, or busy with something else?",
            log.directory().display()
        );
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.budget.release(self.held);
    }
}

/// Lets the processors in `follow`, a bit each, add the items that go with
/// `written`.
fn add_followers(stages: &mut [Stage], follow: u64, written: &[u8], followers: &mut Followers) {
    for (at, stage) in stages.iter_mut().enumerate() {
        if follow & (1 << at.min(63)) != 0 {
            let before = followers.len();
            stage.processor.follow(written, followers);
            stage.stats.added(followers.len() - before);
        }
    }
}
