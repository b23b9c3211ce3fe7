/*!
One item: what the processors decide about it, and how it comes into the batch with what they
add to it.

Ids are found by hashing whole resources and scopes, so those of the item before are kept: most
items share both.
*/

use super::{Engine, Trigger};
use crate::{
    pdata::write_span,
    pipeline::{
        Decision, Followers, ResourceId, ScopeId, Span, group_counts::HeaderBytes, stages::Stage,
    },
};

/// What stands before an item at most: a tag and a length.
const FIELD_FRAMING: usize = 11;

/// The ids of the span before: most spans share resource and scope with it, and
/// finding either means to hash all of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastIds {
    resource: Option<(u32, ResourceId)>,
    scope: Option<(u32, ScopeId)>,
}

impl Engine {
    /// The id of a span's resource; `last` is that of the span before, which nearly
    /// always has the same.
    pub(super) fn resource_id(&mut self, span: &Span<'_>, last: &mut LastIds) -> ResourceId {
        if let Some((number, id)) = last.resource
            && number == span.entry.resource
        {
            return id;
        }
        let request = span.request;
        let id = match span.index.resources.get(span.entry.resource as usize) {
            Some(entry) => self.resources.intern(
                entry.resource.of(request),
                entry.schema_url.of(request),
                entry.rest.of(request),
            ),
            None => self.resources.intern(&[], &[], &[]),
        };
        last.resource = Some((span.entry.resource, id));
        id
    }

    /// The id of a span's scope; `last` is that of the span before, which nearly
    /// always has the same.
    pub(super) fn scope_id(&mut self, span: &Span<'_>, last: &mut LastIds) -> ScopeId {
        if let Some((number, id)) = last.scope
            && number == span.entry.scope
        {
            return id;
        }
        let request = span.request;
        let id = match span.index.scopes.get(span.entry.scope as usize) {
            Some(scope) => self.scopes.intern(
                scope.scope.of(request),
                scope.schema_url.of(request),
                scope.rest.of(request),
            ),
            None => self.scopes.intern(&[], &[], &[]),
        };
        last.scope = Some((span.entry.scope, id));
        id
    }

    /// Lets `stages` decide about one span. Returns which of them add items, too: one
    /// bit each, the last for all beyond. The edits are the engine's scratch.
    pub(super) fn decide(
        &mut self,
        stages: &mut [Stage],
        span: &Span<'_>,
        last: &mut LastIds,
    ) -> (Decision, u64) {
        let resource = self.resource_id(span, last);
        let mut decision = Decision::new(resource, std::mem::take(&mut self.edits));
        decision.edits.clear();
        let mut follow = 0_u64;
        for (at, stage) in stages.iter_mut().enumerate() {
            let processor = &mut stage.processor;
            processor.process(span, &mut self.resources, &mut decision);
            stage.stats.saw(1);
            follow |= u64::from(std::mem::take(&mut decision.follow)) << at.min(63);
        }
        (decision, follow)
    }

    /// Runs the processors over one span and appends it, and what they add to
    /// it. Returns true if it is the first of a batch.
    pub(super) fn append_span(&mut self, span: &Span<'_>, last: &mut LastIds) -> bool {
        // Taken out for as long as a part of `self` is lent to the writing.
        let mut stages = std::mem::take(&mut self.stages);
        let (decision, follow) = self.decide(&mut stages, span, last);
        let bytes = span.entry.bytes.of(span.request);
        let scope = self.scope_id(span, last);
        let (edits, resource) = (&decision.edits, decision.resource);
        let expected = bytes.len() + edits.added_bytes();
        let mut followers = std::mem::take(&mut self.followers);
        followers.clear();
        let mut observers = std::mem::take(&mut self.observers);
        observers.enter((resource, scope), (&self.resources, &self.scopes));
        let is_watched = self.is_watched;
        let mut seen = Vec::new();
        let mut opened = self.put(resource, scope, expected, span.entry.count, |out| {
            let before = out.len();
            write_span(bytes, edits, out);
            let written = out.get(before..).unwrap_or_default();
            observers.observe(written);
            if is_watched {
                seen.extend_from_slice(written);
            }
            if follow != 0 {
                add_followers(&mut stages, follow, written, &mut followers);
            }
        });
        if is_watched {
            self.show(span, (resource, &seen), decision.why);
        }
        for (resource, scope, item) in followers.iter() {
            if is_watched {
                self.show(span, (resource, item), decision.why);
            }
            let scope = self.scopes.intern(scope, &[], &[]);
            let write = |out: &mut Vec<u8>| out.extend_from_slice(item);
            opened |= self.put(resource, scope, item.len(), 1, write);
        }
        self.stages = stages;
        self.followers = followers;
        self.observers = observers;
        self.edits = decision.edits;
        opened
    }

    /// Shows what was `written` for `span` under a resource to those who look.
    fn show(&self, span: &Span<'_>, written: (ResourceId, &[u8]), why: &'static str) {
        let Some(tap) = &self.tap else { return };
        let came_under = span.index.resources.get(span.entry.resource as usize);
        let came_under = came_under.map_or(&[][..], |entry| entry.resource.of(span.request));
        let (resource, written) = written;
        let resource = &self.resources.get(resource).payload;
        tap.pass(written, came_under, resource, why);
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
        let headers = HeaderBytes::of(self.resources.get(resource), self.scopes.get(scope));
        let group = (resource, scope);
        if self.batch.must_seal_before(group, expected, headers) {
            self.seal(Trigger::Size);
        }
        let out = self.batch.group(resource, scope, expected + FIELD_FRAMING);
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
}

/// Lets the processors in `follow`, a bit each, add the items that go with
/// `written`.
pub(super) fn add_followers(
    stages: &mut [Stage],
    follow: u64,
    written: &[u8],
    followers: &mut Followers,
) {
    for (at, stage) in stages.iter_mut().enumerate() {
        if follow & (1 << at.min(63)) != 0 {
            let before = followers.len();
            stage.processor.follow(written, followers);
            stage.stats.added(followers.len() - before);
        }
    }
}
