/*!
Running the rewriters of a pipeline over a request, or over a piece of one, before
anything of it is appended.

Each rewriter reads what the one before it wrote, from one of two buffers, and writes into the
other. What processors in front of it decided is written first. The buffers are a shard's
scratch: they hold one piece at a time, which is bounded ([`PIECE`] and what it may expand to).
*/

use super::{
    Appended, Declined, Engine, ITEM_COST, LastIds, Progress, Stage, add_followers, known,
};
use crate::{
    pdata::{self, Index, ItemEntry, groups, validate, write_span},
    pipeline::{
        IndexedRequest, ResourceId, RewriteError, Rewritten, ScopeId, Span, forecast,
        framing::{close_resource, close_scope, open_resource, open_scope, scope_bytes},
        stages::RewriterStage,
    },
};
use std::{mem, net::IpAddr, ops::Range};

/// Longer requests are rewritten in pieces of about this many bytes.
pub(super) const PIECE: usize = 256 << 10;

/// Memory that a buffer keeps from request to request.
const KEPT: usize = 1 << 20;

/// Bytes of a request, and where things are.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) index: Index,
}

/// The rewriters, and what they write into.
#[derive(Default)]
pub(super) struct Rewriting {
    pub(super) stages: Vec<RewriterStage>,
    /// Empty while they are in use.
    buffers: [Buffer; 2],
    items: Vec<u8>,
    followers: Vec<u8>,
}

impl Rewriting {
    pub(super) fn new(stages: Vec<RewriterStage>) -> Self {
        Self {
            stages,
            ..Self::default()
        }
    }
}

/// Whether what comes out is going to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    ForReal,
    /// It only shows how much would go out.
    Rehearsal,
}

/// A part of a request that was read: its items of these numbers.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub(super) request: &'a [u8],
    pub(super) index: &'a Index,
    pub(super) items: Range<usize>,
    pub(super) peer: IpAddr,
    pub(super) run: Run,
}

impl<'a> Piece<'a> {
    /// All of a request.
    pub(super) fn whole(request: &'a [u8], index: &'a Index, peer: IpAddr) -> Self {
        Self {
            request,
            index,
            items: 0..index.items.len(),
            peer,
            run: Run::ForReal,
        }
    }

    /// The items from `progress` on that cost `budget` at most, but one at least.
    pub(super) fn next(
        (request, index): (&'a [u8], &'a Index),
        peer: IpAddr,
        progress: &mut Progress,
        budget: usize,
        run: Run,
    ) -> Self {
        let begin = progress.0;
        let mut cost = 0;
        while let Some(item) = index.items.get(progress.0)
            && (cost == 0 || cost < budget)
        {
            cost += item.bytes.len() + ITEM_COST;
            progress.0 += 1;
        }
        Self {
            request,
            index,
            items: begin..progress.0,
            peer,
            run,
        }
    }

    pub(super) fn items(&self) -> &'a [ItemEntry] {
        let items = self.index.items.get(self.items.clone());
        items.unwrap_or_default()
    }

    fn is_whole(&self) -> bool {
        self.items == (0..self.index.items.len())
            && self.index.items.iter().all(|item| item.fault.is_none())
    }

    /// Writes it as a request of its own, without faulty items.
    fn cut(&self, out: &mut Vec<u8>) {
        let (request, index) = (self.request, self.index);
        for (resource, group) in groups::resource_groups_of(index, self.items()) {
            let payload = resource.resource.of(request);
            groups::put_resource_group(request, resource, payload, out, |out| {
                for (scope, items) in groups::scope_groups(index, group) {
                    groups::put_scope_group(request, scope, scope.scope.of(request), out, |out| {
                        for item in items.iter().filter(|item| item.fault.is_none()) {
                            groups::put_item(item.bytes.of(request), out);
                        }
                    });
                }
            });
        }
    }
}

impl Engine {
    /// Runs the rewriters over a piece. Returns what they made of it, which
    /// [`Engine::reuse`] takes back; None: the piece goes on as it is.
    ///
    /// # Errors
    ///
    /// When one does not let it pass, or writes too much.
    pub(super) fn rewrite(&mut self, piece: &Piece<'_>) -> Result<Option<Buffer>, Declined> {
        let mut rewriting = mem::take(&mut self.rewriting);
        let [mut now, mut next] = mem::take(&mut rewriting.buffers);
        let done = self.run_rewriters(piece, &mut rewriting, &mut now, &mut next);
        rewriting.buffers[1] = next;
        let result = match done {
            Ok(true) => Ok(Some(now)),
            done => {
                rewriting.buffers[0] = now;
                done.map(|_| None)
            }
        };
        self.rewriting = rewriting;
        result
    }

    /// Rewrites a piece of a request that was foreseen, and appends it.
    pub(super) fn append_piece(&mut self, piece: &Piece<'_>, appended: &mut Appended) {
        match self.rewrite(piece) {
            Ok(rewritten) => self.append_rewritten(piece, rewritten, appended),
            // What is in front of it was appended, so that it cannot be refused any more.
            Err(declined) => {
                let items = piece.items().len() as u64;
                appended.rejected += items;
                tracing::error!(
                    "{items} {} of a large request were dropped: {declined:?}",
                    self.signal.items()
                );
            }
        }
    }

    /// Appends what rewriters made of a piece; None: they left it as it is.
    pub(super) fn append_rewritten(
        &mut self,
        piece: &Piece<'_>,
        rewritten: Option<Buffer>,
        appended: &mut Appended,
    ) {
        let mut progress = Progress::default();
        let whole = usize::MAX;
        let Some(buffer) = rewritten else {
            let (request, index) = (piece.request, piece.index);
            self.append_items(request, index, piece.peer, &mut progress, whole, appended);
            return;
        };
        // The sender is told of the items it sent, not of those that are left.
        piece.items().iter().for_each(|item| appended.count(item));
        let mut left = Appended::default();
        let (request, index) = (&buffer.bytes, &buffer.index);
        self.append_items(request, index, piece.peer, &mut progress, whole, &mut left);
        appended.opened |= left.opened;
        self.reuse(buffer);
    }

    /// Keeps a buffer for the next request.
    pub(super) fn reuse(&mut self, mut buffer: Buffer) {
        buffer.bytes.clear();
        buffer.bytes.shrink_to(KEPT);
        buffer.index.clear();
        self.rewriting.buffers[0] = buffer;
    }

    /// Returns whether `now` has what goes on.
    fn run_rewriters(
        &mut self,
        piece: &Piece<'_>,
        rewriting: &mut Rewriting,
        now: &mut Buffer,
        next: &mut Buffer,
    ) -> Result<bool, Declined> {
        let mut is_original = piece.is_whole();
        let bytes = match is_original {
            true => piece.request.len(),
            false => piece.items().iter().map(|item| item.bytes.len()).sum(),
        };
        let limit = forecast::limit(&self.settings, bytes);
        if !is_original {
            now.bytes.clear();
            piece.cut(&mut now.bytes);
            self.index_buffer(now)?;
        }
        for at in 0..rewriting.stages.len() {
            let before = mem::take(&mut rewriting.stages[at].before);
            if !before.is_empty() {
                let from = match is_original {
                    true => (piece.request, piece.index),
                    false => (&now.bytes[..], &now.index),
                };
                next.bytes.clear();
                let before = self.write_decided(from, piece, before, rewriting, &mut next.bytes);
                rewriting.stages[at].before = before;
                self.index_buffer(next)?;
                mem::swap(now, next);
                is_original = false;
            }
            let (request, index) = match is_original {
                true => (piece.request, piece.index),
                false => (&now.bytes[..], &now.index),
            };
            let request = IndexedRequest {
                request,
                index,
                most: limit,
            };
            next.bytes.clear();
            let stage = &mut rewriting.stages[at];
            stage.rewriter.begin(known(piece.peer));
            let rewritten = stage.rewriter.rewrite(&request, &mut next.bytes);
            let came = index.items.iter().map(|item| u64::from(item.count)).sum();
            let mut left = came;
            let is_too_long = next.bytes.len() > limit;
            if rewritten == Ok(Rewritten::Changed) && !is_too_long {
                self.index_buffer(next)?;
                left = next.index.items.iter().map(|i| u64::from(i.count)).sum();
                mem::swap(now, next);
                is_original = false;
            }
            match piece.run {
                Run::ForReal => {
                    stage.stats.passed(came, left);
                    stage.stats.publish();
                    stage.rewriter.end();
                }
                Run::Rehearsal => stage.rewriter.discard(),
            }
            match rewritten {
                Err(RewriteError::Refused(why)) => return Err(Declined::Failed(why)),
                Err(RewriteError::TooLong) => return Err(Declined::Expands { limit }),
                Ok(_) if is_too_long => return Err(Declined::Expands { limit }),
                Ok(_) => {}
            }
        }
        Ok(!is_original)
    }

    /// Indexes what was written. An error is a bug of what wrote it.
    fn index_buffer(&self, buffer: &mut Buffer) -> Result<(), Declined> {
        buffer.index.limits = pdata::RequestLimits::MOST;
        validate(self.signal, &buffer.bytes, &self.keys, &mut buffer.index)
            .map_err(Declined::Malformed)
    }

    /// Runs processors over `from` and writes what comes out as a request.
    fn write_decided(
        &mut self,
        (request, index): (&[u8], &Index),
        piece: &Piece<'_>,
        mut stages: Vec<Stage>,
        rewriting: &mut Rewriting,
        out: &mut Vec<u8>,
    ) -> Vec<Stage> {
        for stage in &mut stages {
            stage.processor.begin(known(piece.peer));
        }
        let mut items = mem::take(&mut rewriting.items);
        let mut made = mem::take(&mut rewriting.followers);
        let mut group = None;
        let mut last = LastIds::default();
        for entry in &index.items {
            if self.resources.is_full() || self.scopes.is_full() {
                self.end_group(group.take(), &mut items, out);
                self.forget();
                for stage in &mut rewriting.stages {
                    stage.before.iter_mut().for_each(|s| s.processor.forget());
                }
                stages.iter_mut().for_each(|s| s.processor.forget());
                last = LastIds::default();
            }
            let span = Span {
                request,
                index,
                entry,
            };
            let (decision, follow) = self.decide(&mut stages, &span, &mut last);
            let scope = self.scope_id(&span, &mut last);
            let ids = (decision.resource, scope);
            if group.is_some_and(|group| group != ids) {
                self.end_group(group, &mut items, out);
            }
            group = Some(ids);
            let at = items.len();
            write_span(entry.bytes.of(request), &decision.edits, &mut items);
            if follow != 0 {
                let written = items.get(at..).unwrap_or_default();
                let mut followers = mem::take(&mut self.followers);
                followers.clear();
                add_followers(&mut stages, follow, written, &mut followers);
                for (resource, scope, item) in followers.iter() {
                    let scope = self.scopes.intern(scope, &[], &[]);
                    self.put_group(resource, scope, item, &mut made);
                }
                self.followers = followers;
            }
            self.edits = decision.edits;
        }
        self.end_group(group, &mut items, out);
        out.append(&mut made);
        for stage in &mut stages {
            match piece.run {
                Run::ForReal => {
                    stage.stats.publish();
                    stage.processor.end();
                }
                Run::Rehearsal => stage.processor.discard(),
            }
        }
        items.shrink_to(KEPT);
        made.shrink_to(KEPT);
        (rewriting.items, rewriting.followers) = (items, made);
        stages
    }

    /// Writes the group of the items gathered, and empties them.
    fn end_group(
        &self,
        group: Option<(ResourceId, ScopeId)>,
        items: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        if let Some((resource, scope)) = group {
            self.put_group(resource, scope, items, out);
        }
        items.clear();
    }

    /// Writes a resource group with one scope and encoded `items`.
    fn put_group(&self, resource: ResourceId, scope: ScopeId, items: &[u8], out: &mut Vec<u8>) {
        let (resource, scope) = (self.resources.get(resource), self.scopes.get(scope));
        open_resource(resource, scope_bytes(scope, items.len()), out);
        open_scope(scope, items.len(), out);
        out.extend_from_slice(items);
        close_scope(scope, out);
        close_resource(resource, out);
    }
}
