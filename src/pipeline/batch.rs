/*!
The open batch of a pipeline on one shard, of any signal: resource groups, scope
groups and items have the fields 1, 2 and 2 in all three.

Items arrive already patched and encoded, and are appended to the group of
their resource and scope, so that the output has one `ResourceSpans` with one
`ScopeSpans` per distinct (resource, scope, schema URLs): Kiali with Tempo
reads only the first scope of a resource, and Envoy's resource is sent once a
batch instead of once per five spans. Where that would write a resource again and
again, 64 KiB of it in one batch, its scopes go under one: no proxy has so many,
and a sender must not multiply bytes.

Lengths are unknown until a batch is sealed, so a group keeps only its items;
[`Batch::seal`] writes the headers. Large groups leave as they are, as pieces
of the sealed request; small ones are copied together, since each piece costs
a write of its own on the way out.

What is allocated is what is charged: groups grow by a half and not by
doubling, so that there is at most half as much again as what was foreseen.

Where there is a segment log, [`Batch::record`] writes what came since the last
record as a request of its own, so that the log has an open batch in parts that
can be sent as they are.
*/

use super::{
    BatchSettings, LogPosition, ResourceId, Resources, ScopeId, Scopes, SealedBatch,
    framing::{Pieces, close_resource, close_scope, open_resource, open_scope, scope_bytes, slack},
    group_counts::{GroupCounts, HeaderBytes},
    resources::Header,
};
use crate::{pdata::Signal, queue::Budget};
use hashbrown::HashTable;
use std::{
    hash::BuildHasher,
    time::{Duration, Instant},
};

/// Why a batch was sealed; the Collector's `batch` counts both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Enough spans or bytes.
    Size,
    /// Old enough, or asked for (shutdown, table full).
    Timeout,
}

#[derive(Debug)]
struct Group {
    resource: ResourceId,
    scope: ScopeId,
    /// Its items' fields; empty until the batch has one of this group.
    fields: Vec<u8>,
    /// How many of those bytes are in a record.
    recorded: usize,
    /// Bytes the group had in the last batch: what this one will need, since
    /// growing by doubling would copy every span once more.
    expected: usize,
}

/// Spans waiting to be sealed.
#[derive(Debug)]
pub struct Batch {
    signal: Signal,
    max_items: u32,
    max_bytes: usize,
    timeout: Duration,
    groups: Vec<Group>,
    by_key: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    /// The groups with bytes in them.
    counts: GroupCounts,
    /// The group that took the last span: runs of spans share a group.
    last: usize,
    /// Unknown fields of requests, which belong to no span.
    rest: Vec<u8>,
    items: u32,
    bytes: usize,
    /// Bytes allocated for items and for `rest`, and what headers will take.
    allocated: usize,
    opened: Option<Instant>,
    /// Scratch: the groups that are written, with their resources.
    order: Vec<(u32, ResourceId)>,
    /// Groups with bytes in no record yet; each once.
    unrecorded: Vec<u32>,
    /// Spans, and bytes of `rest`, that are in a record.
    recorded: (u32, usize),
    /// Where the span begins that is being written to the group that took the
    /// last one: it is not whole yet.
    writing: Option<usize>,
}

/// Makes room for `more` bytes, and for half of all where there is too little.
/// Returns how many bytes that allocates.
fn make_room(buffer: &mut Vec<u8>, more: usize) -> usize {
    let (length, before) = (buffer.len(), buffer.capacity());
    if before - length < more {
        buffer.reserve_exact(slack(length + more) - length);
    }
    buffer.capacity() - before
}

impl Batch {
    /// An empty batch with the limits of `settings`.
    pub fn new(signal: Signal, settings: &BatchSettings) -> Self {
        // The Collector sends at once when size or timeout is zero.
        let immediate = settings.items == 0 || settings.timeout.is_zero();
        Self {
            signal,
            max_items: u32::try_from(settings.most_items()).unwrap_or(u32::MAX),
            max_bytes: settings.bytes,
            timeout: if immediate {
                Duration::ZERO
            } else {
                settings.timeout
            },
            groups: Vec::new(),
            by_key: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            counts: GroupCounts::default(),
            last: 0,
            rest: Vec::new(),
            items: 0,
            bytes: 0,
            allocated: 0,
            opened: None,
            order: Vec::new(),
            unrecorded: Vec::new(),
            recorded: (0, 0),
            writing: None,
        }
    }

    /// Returns true if adding `bytes` to the group of this resource and scope
    /// would exceed a limit, so that the batch must be sealed first. Never for an
    /// empty batch: a span larger than the limit travels alone.
    pub fn must_seal_before(
        &self,
        (resource, scope): (ResourceId, ScopeId),
        bytes: usize,
        headers: HeaderBytes,
    ) -> bool {
        if self.is_empty() {
            return false;
        }
        if self.items >= self.max_items {
            return true;
        }
        let fits = |group: usize| self.bytes + bytes + group <= self.max_bytes;
        if fits(headers.most()) {
            return false;
        }
        let known = self.find(resource, scope);
        let is_open = known.is_some_and(|at| !self.groups[at].fields.is_empty());
        !(is_open && fits(0))
    }

    /// Returns true if so many bytes that belong to no group do not fit.
    pub(crate) fn must_seal_before_rest(&self, bytes: usize) -> bool {
        !self.is_empty() && self.bytes + bytes > self.max_bytes
    }

    /// Whether a limit has been reached.
    pub(crate) fn is_full(&self) -> bool {
        self.items >= self.max_items || self.bytes >= self.max_bytes
    }

    /// The buffer for spans of this resource and scope, with room for `more`
    /// bytes. Call [`Batch::appended`] after writing to it.
    pub fn group(&mut self, resource: ResourceId, scope: ScopeId, more: usize) -> &mut Vec<u8> {
        let is = |group: &Group| group.resource == resource && group.scope == scope;
        if !self.groups.get(self.last).is_some_and(is) {
            self.last = self.find_or_open(resource, scope);
        }
        let group = &mut self.groups[self.last];
        if group.fields.len() == group.recorded {
            self.unrecorded.push(self.last as u32);
        }
        if group.fields.capacity() == 0 {
            group
                .fields
                .reserve_exact(group.expected + group.expected / 8);
            self.allocated += group.fields.capacity();
        }
        self.allocated += make_room(&mut group.fields, more);
        self.writing = Some(group.fields.len());
        &mut group.fields
    }

    fn find(&self, resource: ResourceId, scope: ScopeId) -> Option<usize> {
        let is = |group: &Group| group.resource == resource && group.scope == scope;
        if self.groups.get(self.last).is_some_and(is) {
            return Some(self.last);
        }
        let hash = self.hasher.hash_one((resource, scope));
        let known = |at: &u32| is(&self.groups[*at as usize]);
        self.by_key.find(hash, known).map(|at| *at as usize)
    }

    fn find_or_open(&mut self, resource: ResourceId, scope: ScopeId) -> usize {
        if let Some(at) = self.find(resource, scope) {
            return at;
        }
        let at = self.groups.len();
        self.groups.push(Group {
            resource,
            scope,
            fields: Vec::new(),
            recorded: 0,
            expected: 0,
        });
        // So that writing them allocates nothing.
        self.order.reserve(self.groups.len());
        self.index_group(at);
        at
    }

    fn index_group(&mut self, at: usize) {
        let (groups, hasher) = (&self.groups, &self.hasher);
        let hash = |at: &u32| {
            let group = &groups[*at as usize];
            hasher.hash_one((group.resource, group.scope))
        };
        self.by_key
            .insert_unique(hash(&(at as u32)), at as u32, hash);
    }

    /// Counts what was just written to [`Batch::group`]: a field of `bytes` that
    /// holds so many `items`. `headers` are counted when the group is new.
    /// Returns true for the first field of a batch.
    pub fn appended(&mut self, bytes: usize, headers: HeaderBytes, items: u32) -> bool {
        self.bytes += bytes;
        if let Some(group) = self.groups.get(self.last)
            && group.fields.len() == bytes
        {
            let headers = self.counts.add(group.resource, headers);
            self.bytes += headers;
            self.allocated += headers;
        }
        self.items = self.items.saturating_add(items);
        self.writing = None;
        if self.opened.is_some() {
            return false;
        }
        self.opened = Some(Instant::now());
        true
    }

    /// Keeps a request's own unknown fields.
    pub(crate) fn append_rest(&mut self, rest: &[u8]) {
        self.allocated += make_room(&mut self.rest, rest.len());
        self.rest.extend_from_slice(rest);
        self.bytes += rest.len();
    }

    /// When the batch must be sealed, if it holds anything.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.opened.map(|opened| opened + self.timeout)
    }

    /// Whether batches leave at the end of each request.
    pub(crate) fn is_immediate(&self) -> bool {
        self.timeout.is_zero()
    }

    /// Items that are in no record yet.
    pub fn unrecorded(&self) -> u32 {
        self.items - self.recorded.0
    }

    /// Whether all of the batch is in records.
    pub(crate) fn is_recorded(&self) -> bool {
        self.unrecorded.is_empty() && self.recorded.1 == self.rest.len()
    }

    /// Bytes of the batch so far, framing included.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that the open batch takes in memory, and those of headers that it will
    /// take when it is sealed.
    pub(crate) fn allocated(&self) -> usize {
        self.allocated
    }

    /// Appends what is in no record yet to `out`, as an
    /// `ExportTraceServiceRequest`. Requests joined are one request, so records
    /// can be sent together as they are.
    pub fn record(&mut self, resources: &Resources, scopes: &Scopes, out: &mut Vec<u8>) {
        let mut order = std::mem::take(&mut self.order);
        for at in self.unrecorded.drain(..) {
            let group = &self.groups[at as usize];
            if group.fields.len() > group.recorded {
                order.push((at, group.resource));
            }
        }
        let groups = &mut self.groups;
        each_resource(&order, resources, &self.counts, |resource, together| {
            let new = |at: usize| groups[at].fields.len() - groups[at].recorded;
            let inside = together.iter().map(|(at, _)| {
                let at = *at as usize;
                scope_bytes(scopes.get(groups[at].scope), new(at))
            });
            open_resource(resource, inside.sum(), out);
            for (at, _) in together {
                let group = &mut groups[*at as usize];
                let (scope, new) = (scopes.get(group.scope), &group.fields[group.recorded..]);
                open_scope(scope, new.len(), out);
                out.extend_from_slice(new);
                close_scope(scope, out);
                group.recorded = group.fields.len();
            }
            close_resource(resource, out);
        });
        order.clear();
        self.order = order;
        out.extend_from_slice(&self.rest[self.recorded.1..]);
        self.recorded = (self.items, self.rest.len());
    }

    /// What is in no record yet will be in none.
    pub(crate) fn skip_record(&mut self) {
        for at in self.unrecorded.drain(..) {
            let group = &mut self.groups[at as usize];
            group.recorded = group.fields.len();
        }
        self.recorded = (self.items, self.rest.len());
    }

    /// Whether nothing is in it. A metric may have no data points: a batch
    /// without items need not be empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.opened.is_none()
    }

    /// Ends the batch, whose bytes count against `budget` from here on, and
    /// starts an empty one.
    pub fn seal(
        &mut self,
        resources: &Resources,
        scopes: &Scopes,
        budget: &Budget,
        position: Option<LogPosition>,
    ) -> SealedBatch {
        let mut order = std::mem::take(&mut self.order);
        let mut copied = self.bytes;
        for (at, group) in self.groups.iter_mut().enumerate() {
            group.recorded = 0;
            group.expected = group.fields.len();
            copied = copied.saturating_sub(Pieces::moved(&group.fields));
            if !group.fields.is_empty() {
                order.push((at as u32, group.resource));
            }
        }
        let mut pieces = Pieces::with_capacity(copied);
        let groups = &mut self.groups;
        each_resource(&order, resources, &self.counts, |resource, together| {
            let inside = together.iter().map(|(at, _)| {
                let group = &groups[*at as usize];
                scope_bytes(scopes.get(group.scope), group.fields.len())
            });
            open_resource(resource, inside.sum(), &mut pieces.open);
            for (at, _) in together {
                let group = &mut groups[*at as usize];
                let scope = scopes.get(group.scope);
                open_scope(scope, group.fields.len(), &mut pieces.open);
                pieces.fields(std::mem::take(&mut group.fields));
                close_scope(scope, &mut pieces.open);
            }
            close_resource(resource, &mut pieces.open);
        });
        order.clear();
        self.order = order;
        self.counts.clear();
        self.unrecorded.clear();
        self.recorded = (0, 0);
        self.forget_idle_groups();
        pieces.open.append(&mut self.rest);
        let sealed = pieces.finish();
        let sealed = SealedBatch {
            signal: self.signal,
            bytes: sealed.bytes,
            chunks: sealed.chunks,
            items: self.items,
            lease: budget.lease(sealed.allocated),
            result: None,
            position,
        };
        self.items = 0;
        self.bytes = 0;
        self.allocated = 0;
        self.opened = None;
        sealed
    }

    /// Drops the groups that the last batch had no span of.
    fn forget_idle_groups(&mut self) {
        if self.groups.iter().all(|group| group.expected > 0) {
            return;
        }
        self.groups.retain(|group| group.expected > 0);
        self.by_key.clear();
        self.last = 0;
        (0..self.groups.len()).for_each(|at| self.index_group(at));
    }

    /// Cuts off a span whose writing panicked.
    pub(crate) fn mend(&mut self) {
        if let (Some(whole), Some(group)) = (self.writing.take(), self.groups.get_mut(self.last)) {
            group.fields.truncate(whole);
        }
    }

    /// Throws away what is open; its spans.
    pub(crate) fn discard(&mut self) -> u32 {
        self.rest.clear();
        self.counts.clear();
        self.unrecorded.clear();
        self.recorded = (0, 0);
        self.bytes = 0;
        self.allocated = 0;
        self.opened = None;
        std::mem::take(&mut self.items)
    }

    /// Forgets all ids: the tables are about to be emptied. The batch must be
    /// sealed before.
    pub(crate) fn forget(&mut self) {
        self.groups.clear();
        self.by_key.clear();
        self.counts.clear();
        self.last = 0;
    }
}

/// Calls `write` with each resource, and those of `groups` that go under it together.
fn each_resource(
    groups: &[(u32, ResourceId)],
    resources: &Resources,
    counts: &GroupCounts,
    mut write: impl FnMut(&Header, &[(u32, ResourceId)]),
) {
    for (position, (_, id)) in groups.iter().enumerate() {
        let resource = resources.get(*id);
        let (before, from) = groups.split_at(position);
        if !counts.is_nested(*id, resource.bytes()) {
            write(resource, &from[..1]);
        } else if !before.iter().any(|(_, other)| other == id) {
            let same = from.iter().copied().filter(|(_, other)| other == id);
            write(resource, &same.collect::<Vec<_>>());
        }
    }
}

#[cfg(test)]
mod tests;
