/*!
One pipeline on one shard: from a request's bytes to sealed batches.

Everything here is owned by one thread. A request is taken whole or refused
whole before anything of it is appended; from then on each item is either
appended or rejected for a fault of its own, and both are counted. Sealed
batches go to the [`Outlet`].

A request that costs more than it is long is not taken in one turn: see
[`large`](super::large). It comes back validated, its way out is foreseen
([`Engine::foresee`]), and it is appended piece by piece ([`Engine::append`]).
*/

use super::{
    AwaitedResult, BatchSettings, Followers, Resources, Scopes, Span, Waiter,
    batch::{Batch, Trigger},
    forecast,
    observers::Observers,
    outlet::{Busy, Outlet},
    stages::{Stage, Stages},
    tap::PipelineTap,
};
use crate::{
    pdata::{
        self, Edits, Index, ItemEntry, Keys, MalformedRequest, RequestLimits, Signal, SpanFault,
    },
    queue::{ShardBudget, log::Log},
    telemetry::PipelineStats,
};
use std::{
    net::IpAddr,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

mod foresee;
mod items;
mod rewriting;

use items::{LastIds, add_followers};
use rewriting::{PIECE, Piece, Rewriting, Run};

/// Unknown fields of one request that are kept, in bytes.
const MAX_REST: usize = 16 << 10;

/// The sender as processors are told of it: on a unix socket, where its address is
/// unspecified, it is not known.
fn known(peer: IpAddr) -> Option<IpAddr> {
    (!peer.is_unspecified()).then_some(peer)
}

/// What became of a request's items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Items now in the pipeline.
    pub(crate) accepted: u64,
    /// Items dropped for a fault of their own.
    pub(crate) rejected: u64,
    /// The first such fault.
    pub(crate) fault: Option<SpanFault>,
    /// Whether these are the first items of a batch, so that its clock starts.
    pub(crate) opened: bool,
    /// Whether there was an item at all; a metric may count for none.
    any: bool,
}

impl Appended {
    /// Counts an item that was gone through.
    fn count(&mut self, item: &ItemEntry) {
        match item.fault {
            Some(fault) => {
                self.rejected += 1;
                self.fault.get_or_insert(fault);
            }
            None => {
                self.any = true;
                self.accepted += u64::from(item.count);
            }
        }
    }
}

/// Why a pipeline did not take a request.
#[derive(Debug)]
pub(crate) enum Declined {
    /// It has no room.
    Busy(Busy),
    /// The request's framing is broken.
    Malformed(MalformedRequest),
    /// It is too long for one turn.
    Large,
    /// More would go out than is allowed for a request of this length.
    Expands {
        /// How many bytes may.
        limit: usize,
    },
    /// A processor does not let it pass; the reason, for the sender.
    Failed(String),
}

/// What an item costs besides its bytes, in bytes: for how much is done in one
/// turn.
const ITEM_COST: usize = 64;

/// How far a request has been gone through: the number of its next item.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress(usize);

/// Returns what the index of a request may hold that is read on a shard: an item
/// for each 32 bytes and some more, which is less than any real one has.
fn turn_limits(request: usize) -> RequestLimits {
    RequestLimits {
        entries: 256 + request / 32,
        repaired: 3 * request + 1024,
        ..RequestLimits::MOST
    }
}

/// The state of one pipeline on one shard.
pub struct Engine {
    signal: Signal,
    keys: Arc<Keys>,
    settings: BatchSettings,
    index: Index,
    resources: Resources,
    scopes: Scopes,
    /// How often the tables were emptied: ids of another generation are void.
    generation: u64,
    rewriting: Rewriting,
    /// The processors behind the last rewriter.
    stages: Vec<Stage>,
    edits: Edits,
    followers: Followers,
    observers: Observers,
    batch: Batch,
    outlet: Outlet,
    /// Where spans are shown that pass; other signals are not.
    tap: Option<PipelineTap>,
    /// Is true where somebody looks at the items of the request at hand.
    is_watched: bool,
    /// Bytes of the open batch that the shard's budget counts.
    held: usize,
    budget: Rc<ShardBudget>,
    stats: PipelineStats,
}

impl Engine {
    /// A pipeline with nothing in it.
    pub(crate) fn new(
        signal: Signal,
        batch: &BatchSettings,
        (keys, stages): (Keys, Stages),
        (outlet, tap): (Outlet, Option<PipelineTap>),
        budget: Rc<ShardBudget>,
        stats: PipelineStats,
    ) -> Self {
        Self {
            signal,
            keys: Arc::new(keys),
            settings: batch.clone(),
            index: Index::default(),
            resources: Resources::default(),
            scopes: Scopes::default(),
            generation: 0,
            rewriting: Rewriting::new(stages.rewriters),
            stages: stages.last,
            edits: Edits::default(),
            followers: Followers::default(),
            observers: stages.observers,
            batch: Batch::new(signal, batch),
            outlet,
            tap,
            is_watched: false,
            held: 0,
            budget,
            stats,
        }
    }

    /// The keys that its processors read.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys)
    }

    /// A request begins, or a piece of one, that `waiter` may wait for.
    pub(crate) fn begin_request(&mut self, waiter: Waiter) {
        self.outlet.begin_request(waiter);
    }

    /// Why a request of so many `bytes` that a source has fetched is to stay where it is for now,
    /// if so.
    pub(crate) fn holds_sources(&self, bytes: usize) -> Option<Busy> {
        self.outlet.busy(bytes, Waiter::Source)
    }

    /// The results that are waited for, of what was appended since the request
    /// began; nearly always none.
    pub(crate) fn results(&mut self) -> Vec<AwaitedResult> {
        self.outlet.results(!self.batch.is_empty())
    }

    /// Returns true if requests wait for room in a queue.
    pub(crate) fn holds_senders(&self) -> bool {
        self.outlet.holds_senders()
    }

    /// Takes one request that `peer` sent, if it is not too long for one turn.
    ///
    /// # Errors
    ///
    /// When nothing of it was taken: see [`Declined`].
    pub(crate) fn take(&mut self, request: &[u8], peer: IpAddr) -> Result<Appended, Declined> {
        if let Some(busy) = self.outlet.busy(request.len(), Waiter::Sender) {
            return Err(Declined::Busy(busy));
        }
        if !self.rewriting.stages.is_empty() && request.len() > PIECE {
            return Err(Declined::Large);
        }
        self.index.limits = turn_limits(request.len());
        let admitted = pdata::admit(self.signal, request, &self.keys, &mut self.index);
        let admitted = admitted.map_err(|malformed| match malformed.reason.is_limit() {
            true => Declined::Large,
            false => Declined::Malformed(malformed),
        })?;
        let most = forecast::limit(&self.settings, request.len());
        if forecast::at_most(admitted.bytes.len(), &self.index) > most {
            return Err(Declined::Large);
        }
        let mut index = std::mem::take(&mut self.index);
        let taken = self.take_admitted(&admitted.bytes, &index, peer, most);
        index.clear();
        self.index = index;
        let appended = taken?;
        self.stats.batch.utf8_replaced.add(admitted.utf8_replaced);
        Ok(appended)
    }

    /// Rewrites a whole request, where something does, and appends it.
    fn take_admitted(
        &mut self,
        request: &[u8],
        index: &Index,
        peer: IpAddr,
        most: usize,
    ) -> Result<Appended, Declined> {
        let mut appended = Appended::default();
        let mut progress = Progress::default();
        let whole = usize::MAX;
        if self.rewriting.stages.is_empty() {
            self.append(request, index, peer, &mut progress, whole, &mut appended);
            return Ok(appended);
        }
        let piece = Piece::whole(request, index, peer);
        let rewritten = match self.rewrite(&piece)? {
            Some(long) if forecast::at_most(long.bytes.len(), &long.index) > most => {
                self.reuse(long);
                return Err(Declined::Large);
            }
            rewritten => rewritten,
        };
        self.append_rewritten(&piece, rewritten, &mut appended);
        let rest = index.rest.of(request);
        self.end_append(true, rest, &mut appended, Appended::default());
        Ok(appended)
    }

    /// Gives `each` the items from `progress` on that cost `budget` at most. Returns
    /// true at the request's end.
    fn go_through(
        &mut self,
        request: &[u8],
        index: &Index,
        progress: &mut Progress,
        mut budget: usize,
        mut each: impl FnMut(&mut Self, &Span<'_>, &mut LastIds) -> ControlFlow<()>,
    ) -> bool {
        let mut last = LastIds::default();
        while let Some(entry) = index.items.get(progress.0) {
            if budget == 0 {
                return false;
            }
            progress.0 += 1;
            if entry.fault.is_none() && (self.resources.is_full() || self.scopes.is_full()) {
                self.forget();
                last = LastIds::default();
            }
            let span = Span {
                request,
                index,
                entry,
            };
            let interned = self.resources.interned();
            if each(self, &span, &mut last).is_break() {
                return false;
            }
            let interned = self.resources.interned().wrapping_sub(interned);
            budget = budget.saturating_sub(entry.bytes.len() + ITEM_COST + interned);
        }
        true
    }

    /// Ends a request that was read elsewhere. What it put into the tables beyond
    /// their bounds does not stay.
    pub(super) fn end_large(&mut self, utf8_replaced: u64) {
        self.stats.batch.utf8_replaced.add(utf8_replaced);
        if self.resources.is_full() || self.scopes.is_full() {
            self.forget();
            self.hold();
        }
    }

    /// Runs the processors over items that cost `budget` at most, from `progress`
    /// on, and appends what comes out. Returns true at the request's end. Adds to
    /// `appended`.
    pub(super) fn append(
        &mut self,
        request: &[u8],
        index: &Index,
        peer: IpAddr,
        progress: &mut Progress,
        budget: usize,
        appended: &mut Appended,
    ) -> bool {
        let before = *appended;
        let is_done = match self.rewriting.stages.is_empty() {
            true => self.append_items(request, index, peer, progress, budget, appended),
            false => {
                let whole = (request, index);
                let piece = Piece::next(whole, peer, progress, budget, Run::ForReal);
                self.append_piece(&piece, appended);
                progress.0 >= index.items.len()
            }
        };
        self.end_append(is_done, index.rest.of(request), appended, before);
        is_done
    }

    /// Runs the processors behind the last rewriter over items, and appends what
    /// comes out.
    fn append_items(
        &mut self,
        request: &[u8],
        index: &Index,
        peer: IpAddr,
        progress: &mut Progress,
        budget: usize,
        appended: &mut Appended,
    ) -> bool {
        for stage in &mut self.stages {
            stage.processor.begin(known(peer));
        }
        self.is_watched = self.tap.as_ref().is_some_and(|tap| tap.tap.is_open());
        let is_done = self.go_through(request, index, progress, budget, |this, span, last| {
            appended.count(span.entry);
            if span.entry.fault.is_none() {
                appended.opened |= this.append_span(span, last);
            }
            ControlFlow::Continue(())
        });
        for stage in &mut self.stages {
            stage.stats.publish();
            stage.processor.end();
        }
        is_done
    }

    /// Counts what was appended since `before`. Where that is the last of a request, keeps
    /// its own unknown fields, `rest`, and seals a batch that is not to wait.
    fn end_append(
        &mut self,
        is_done: bool,
        rest: &[u8],
        appended: &mut Appended,
        before: Appended,
    ) {
        if is_done && appended.any {
            self.keep_rest(rest);
        }
        self.stats.taken.publish();
        let rejected = appended.rejected - before.rejected;
        self.stats.batch.rejected.add(rejected);
        let accepted = appended.accepted - before.accepted;
        self.stats.limiter.accepted.add(accepted);
        if appended.any {
            appended.opened |= self.observers.note();
        }
        if is_done && self.batch.is_immediate() {
            self.seal(Trigger::Size);
        }
        self.hold();
    }

    /// Keeps the request's own unknown fields, which belong to no item, with
    /// the batch that has its items. OTLP has none today, so they are kept
    /// only while they are small beside the items: they must not push others'
    /// items over a size limit, nor be a way around it.
    fn keep_rest(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        if rest.len() > MAX_REST || self.batch.must_seal_before_rest(rest.len()) {
            self.stats.batch.unknown_dropped.add(rest.len() as u64);
            return;
        }
        self.batch.append_rest(rest);
    }

    /// Empties the tables, which voids every id: the open batch goes first.
    fn forget(&mut self) {
        self.seal(Trigger::Timeout);
        self.batch.forget();
        self.resources.clear();
        self.scopes.clear();
        self.generation += 1;
        let before = self.rewriting.stages.iter_mut().flat_map(|s| &mut s.before);
        for stage in before.chain(&mut self.stages) {
            stage.processor.forget();
        }
        self.observers.forget();
    }

    /// Counts what the open batch has grown by as held by the shard.
    fn hold(&mut self) {
        let bytes = self.batch.allocated();
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
    pub(crate) fn restart(&mut self, (keys, stages): (Keys, Stages)) {
        self.batch.mend();
        // Sealing may meet the same bug; the batch is lost then.
        let salvaged = catch_unwind(AssertUnwindSafe(|| {
            self.observers.publish();
            self.seal(Trigger::Timeout);
        }));
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
        self.generation += 1;
        self.edits = Edits::default();
        self.followers = Followers::default();
        self.keys = Arc::new(keys);
        self.rewriting = Rewriting::new(stages.rewriters);
        self.stages = stages.last;
        self.observers = stages.observers;
    }

    /// Counts the items of a request that was refused as busy.
    pub(crate) fn refused(&self, items: u64) {
        self.stats.limiter.refused.add(items);
    }

    /// Counts the items of a request that others take and this pipeline has no
    /// room for.
    pub(crate) fn pass_by(&self, items: u64) {
        self.stats.limiter.refused.add(items);
        self.stats.taken.count.add(items);
        self.outlet.passed_by(items);
    }

    /// When [`Engine::turn`] must be called next, if anything waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.batch.deadline(), self.observers.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Seals the batch if it is old enough, tries to empty the backlog, and lets observers
    /// publish.
    pub(crate) fn turn(&mut self, now: Instant) {
        self.outlet.move_on();
        self.observers.turn(now);
        if self
            .batch
            .deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.seal(Trigger::Timeout);
        }
    }

    /// Lets what observes the items publish what it has.
    pub(crate) fn publish(&mut self) {
        self.observers.publish();
    }

    /// Seals whatever is open.
    pub fn flush(&mut self) {
        self.publish();
        self.outlet.move_on();
        self.seal(Trigger::Timeout);
    }

    /// Whether sealed batches wait for room in a queue.
    pub(crate) fn has_backlog(&self) -> bool {
        self.outlet.has_backlog()
    }

    /// Leaves what waits for room to the log, where that has it, or drops it.
    pub(crate) fn give_up(&mut self) {
        self.outlet.give_up();
    }

    /// The pipeline's segment log, if it has one.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.outlet.log()
    }

    /// Gives the log what came since the last time. Its thread writes; until
    /// [`Engine::awaits_log`] is false, senders wait for their answer.
    pub(crate) fn commit(&mut self) {
        self.record();
        self.outlet.hand_over();
    }

    /// Whether the log's thread has not decided about all it was given.
    pub(crate) fn awaits_log(&self) -> bool {
        self.outlet.awaits_log()
    }

    /// Warns that the log has not written what it was given within `patience`.
    pub(crate) fn warn_late(&self, patience: Duration) {
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
