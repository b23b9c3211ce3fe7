/*!
The open batch of a pipeline on one shard, of any signal: resource groups, scope
groups and items have the fields 1, 2 and 2 in all three.

Items arrive already patched and encoded, and are appended to the group of
their resource and scope, so that the output has one `ResourceSpans` with one
`ScopeSpans` per distinct (resource, scope, schema URLs): Kiali with Tempo
reads only the first scope of a resource, and Envoy's resource is sent once a
batch instead of once per five spans.

Lengths are unknown until a batch is sealed, so a group keeps only its items;
[`Batch::seal`] writes the headers. Large groups leave as they are, as pieces
of the sealed request; small ones are copied together, since each piece costs
a write of its own on the way out.

Where there is a segment log, [`Batch::record`] writes what came since the last
record as a request of its own, so that the log has an open batch in parts that
can be sent as they are.
*/

use super::{
    BatchSettings, LogPosition, ResourceId, Resources, ScopeId, Scopes, SealedBatch,
    resources::Header,
};
use crate::{
    pdata::Signal,
    pdata::wire::{put_bytes, put_varint, varint_len},
    queue::Budget,
};
use bytes::Bytes;
use hashbrown::HashTable;
use std::{
    hash::BuildHasher,
    time::{Duration, Instant},
};

/// Groups smaller than this are copied together when sealed.
const PIECE: usize = 16 << 10;

/// What the framing of one more group may cost: three tags and lengths.
const GROUP_FRAMING: usize = 18;

/// Why a batch was sealed; the Collector's `batch` counts both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
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
    /// The group that took the last span: runs of spans share a group.
    last: usize,
    /// Unknown fields of requests, which belong to no span.
    rest: Vec<u8>,
    items: u32,
    bytes: usize,
    opened: Option<Instant>,
    /// Groups with bytes in no record yet; each once.
    unrecorded: Vec<u32>,
    /// Spans, and bytes of `rest`, that are in a record.
    recorded: (u32, usize),
    /// Where the span begins that is being written to the group that took the
    /// last one: it is not whole yet.
    writing: Option<usize>,
}

impl Batch {
    /// An empty batch with the limits of `settings`.
    pub fn new(signal: Signal, settings: &BatchSettings) -> Self {
        let sizes = [settings.items, settings.max_items];
        let max_items = sizes.into_iter().filter(|n| *n > 0).min();
        // The Collector sends at once when size or timeout is zero.
        let immediate = settings.items == 0 || settings.timeout.is_zero();
        Self {
            signal,
            max_items: max_items
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(u32::MAX),
            max_bytes: settings.bytes,
            timeout: if immediate {
                Duration::ZERO
            } else {
                settings.timeout
            },
            groups: Vec::new(),
            by_key: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            last: 0,
            rest: Vec::new(),
            items: 0,
            bytes: 0,
            opened: None,
            unrecorded: Vec::new(),
            recorded: (0, 0),
            writing: None,
        }
    }

    /// Whether adding `span_bytes` for this resource and scope would exceed a
    /// limit, so that the batch must be sealed first. Never for an empty
    /// batch: a span larger than the limit travels alone.
    pub fn must_seal_before(&self, bytes: usize, headers: usize) -> bool {
        !self.is_empty()
            && (self.items >= self.max_items
                || self.bytes + bytes + headers + GROUP_FRAMING > self.max_bytes)
    }

    /// Whether a limit has been reached.
    pub fn is_full(&self) -> bool {
        self.items >= self.max_items || self.bytes >= self.max_bytes
    }

    /// The buffer for spans of this resource and scope. Call
    /// [`Batch::appended`] after writing to it.
    pub fn group(&mut self, resource: ResourceId, scope: ScopeId) -> &mut Vec<u8> {
        let is = |group: &Group| group.resource == resource && group.scope == scope;
        if !self.groups.get(self.last).is_some_and(is) {
            self.last = self.find_or_open(resource, scope);
        }
        let group = &mut self.groups[self.last];
        if group.fields.len() == group.recorded {
            self.unrecorded.push(self.last as u32);
        }
        if group.fields.capacity() == 0 {
            group.fields.reserve(group.expected + group.expected / 8);
        }
        self.writing = Some(group.fields.len());
        &mut group.fields
    }

    fn find_or_open(&mut self, resource: ResourceId, scope: ScopeId) -> usize {
        let hash = self.hasher.hash_one((resource, scope));
        let groups = &self.groups;
        let known = |at: &u32| {
            let group = &groups[*at as usize];
            group.resource == resource && group.scope == scope
        };
        if let Some(at) = self.by_key.find(hash, known) {
            return *at as usize;
        }
        let at = self.groups.len();
        self.groups.push(Group {
            resource,
            scope,
            fields: Vec::new(),
            recorded: 0,
            expected: 0,
        });
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
    /// holds so many `items`. `headers` is the size of its resource and scope,
    /// counted when the group is new. Returns true for the first field of a
    /// batch.
    pub fn appended(&mut self, bytes: usize, headers: usize, items: u32) -> bool {
        let is_new_group = self
            .groups
            .get(self.last)
            .is_some_and(|group| group.fields.len() == bytes);
        self.bytes += bytes
            + if is_new_group {
                headers + GROUP_FRAMING
            } else {
                0
            };
        self.items = self.items.saturating_add(items);
        self.writing = None;
        if self.opened.is_some() {
            return false;
        }
        self.opened = Some(Instant::now());
        true
    }

    /// Keeps a request's own unknown fields.
    pub fn append_rest(&mut self, rest: &[u8]) {
        self.rest.extend_from_slice(rest);
        self.bytes += rest.len();
    }

    /// When the batch must be sealed, if it holds anything.
    pub fn deadline(&self) -> Option<Instant> {
        self.opened.map(|opened| opened + self.timeout)
    }

    /// Whether batches leave at the end of each request.
    pub fn is_immediate(&self) -> bool {
        self.timeout.is_zero()
    }

    /// Items that are in no record yet.
    pub fn unrecorded(&self) -> u32 {
        self.items - self.recorded.0
    }

    /// Whether all of the batch is in records.
    pub fn is_recorded(&self) -> bool {
        self.unrecorded.is_empty() && self.recorded.1 == self.rest.len()
    }

    /// Bytes of the batch so far, framing included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends what is in no record yet to `out`, as an
    /// `ExportTraceServiceRequest`. Requests joined are one request, so records
    /// can be sent together as they are.
    pub fn record(&mut self, resources: &Resources, scopes: &Scopes, out: &mut Vec<u8>) {
        for at in self.unrecorded.drain(..) {
            let group = &mut self.groups[at as usize];
            let new = &group.fields[group.recorded..];
            if new.is_empty() {
                continue;
            }
            let (resource, scope) = (resources.get(group.resource), scopes.get(group.scope));
            open_group(resource, scope, new.len(), out);
            out.extend_from_slice(new);
            close_group(resource, scope, out);
            group.recorded = group.fields.len();
        }
        out.extend_from_slice(&self.rest[self.recorded.1..]);
        self.recorded = (self.items, self.rest.len());
    }

    /// What is in no record yet will be in none.
    pub fn skip_record(&mut self) {
        for at in self.unrecorded.drain(..) {
            let group = &mut self.groups[at as usize];
            group.recorded = group.fields.len();
        }
        self.recorded = (self.items, self.rest.len());
    }

    /// Whether nothing is in it. A metric may have no data points: a batch
    /// without items need not be empty.
    pub fn is_empty(&self) -> bool {
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
        let mut pieces = Pieces::default();
        for group in &mut self.groups {
            let fields = std::mem::take(&mut group.fields);
            group.recorded = 0;
            group.expected = fields.len();
            if !fields.is_empty() {
                pieces.group(
                    resources.get(group.resource),
                    scopes.get(group.scope),
                    fields,
                );
            }
        }
        self.unrecorded.clear();
        self.recorded = (0, 0);
        self.forget_idle_groups();
        pieces.open.append(&mut self.rest);
        pieces.close();
        let sealed = SealedBatch {
            signal: self.signal,
            bytes: pieces.bytes,
            chunks: pieces.done,
            items: self.items,
            lease: budget.lease(pieces.bytes),
            position,
        };
        self.items = 0;
        self.bytes = 0;
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
    pub fn mend(&mut self) {
        if let (Some(whole), Some(group)) = (self.writing.take(), self.groups.get_mut(self.last)) {
            group.fields.truncate(whole);
        }
    }

    /// Throws away what is open; its spans.
    pub fn discard(&mut self) -> u32 {
        self.rest.clear();
        self.unrecorded.clear();
        self.recorded = (0, 0);
        self.bytes = 0;
        self.opened = None;
        std::mem::take(&mut self.items)
    }

    /// Forgets all ids: the tables are about to be emptied. The batch must be
    /// sealed before.
    pub fn forget(&mut self) {
        self.groups.clear();
        self.by_key.clear();
        self.last = 0;
    }
}

/// Builds the chunks of a sealed request.
#[derive(Debug, Default)]
struct Pieces {
    done: Vec<Bytes>,
    open: Vec<u8>,
    bytes: usize,
}

impl Pieces {
    /// Writes one resource group with one scope group around `fields`.
    fn group(&mut self, resource: &Header, scope: &Header, fields: Vec<u8>) {
        open_group(resource, scope, fields.len(), &mut self.open);
        if fields.len() < PIECE {
            self.open.extend_from_slice(&fields);
        } else {
            self.close();
            self.bytes += fields.len();
            self.done.push(Bytes::from(fields));
        }
        close_group(resource, scope, &mut self.open);
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.bytes += self.open.len();
            self.done.push(Bytes::from(std::mem::take(&mut self.open)));
        }
    }
}

/// Writes what stands before `fields` bytes of items in a resource group with
/// one `ScopeSpans`.
fn open_group(resource: &Header, scope: &Header, fields: usize, out: &mut Vec<u8>) {
    let scope_len =
        field_len(&scope.payload) + fields + field_len(&scope.schema_url) + scope.rest.len();
    let resource_len = field_len(&resource.payload)
        + 1
        + varint_len(scope_len as u64)
        + scope_len
        + field_len(&resource.schema_url)
        + resource.rest.len();
    out.push(0x0A); // resource_spans, resource_metrics, resource_logs
    put_varint(resource_len as u64, out);
    put_field(1, &resource.payload, out);
    out.push(0x12); // scope_spans, scope_metrics, scope_logs
    put_varint(scope_len as u64, out);
    put_field(1, &scope.payload, out);
}

/// Writes what stands behind the spans.
fn close_group(resource: &Header, scope: &Header, out: &mut Vec<u8>) {
    put_field(3, &scope.schema_url, out);
    out.extend_from_slice(&scope.rest);
    put_field(3, &resource.schema_url, out);
    out.extend_from_slice(&resource.rest);
}

/// Encoded size of a length-delimited field that is left out when empty.
fn field_len(payload: &[u8]) -> usize {
    match payload.len() {
        0 => 0,
        len => 1 + varint_len(len as u64) + len,
    }
}

fn put_field(number: u32, payload: &[u8], out: &mut Vec<u8>) {
    if !payload.is_empty() {
        put_bytes(number, payload, out);
    }
}

/// What a header adds to a batch, framing aside.
pub fn header_bytes(resource: &Header, scope: &Header) -> usize {
    [resource, scope]
        .iter()
        .map(|h| h.payload.len() + h.schema_url.len() + h.rest.len())
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, Span},
    };
    use prost::Message;

    fn settings(spans: usize, bytes: usize) -> BatchSettings {
        BatchSettings {
            items: spans,
            bytes,
            timeout: Duration::from_secs(1),
            ..BatchSettings::default()
        }
    }

    struct Bench {
        resources: Resources,
        scopes: Scopes,
        batch: Batch,
    }

    impl Bench {
        fn new(spans: usize, bytes: usize) -> Self {
            Self {
                resources: Resources::default(),
                scopes: Scopes::default(),
                batch: Batch::new(Signal::Traces, &settings(spans, bytes)),
            }
        }

        /// Appends a span named `name` under a resource whose unknown field 99
        /// holds `resource`.
        fn append(&mut self, resource: &str, name: &str) {
            let mut payload = Vec::new();
            payload.extend_from_slice(&[0x9A, 0x06, resource.len() as u8]);
            payload.extend_from_slice(resource.as_bytes());
            let resource = self.resources.intern(&payload, b"schema", b"");
            let scope = self.scopes.intern(b"", b"", b"");
            let span = Span {
                name: name.to_owned(),
                ..Default::default()
            }
            .encode_to_vec();
            let headers = header_bytes(self.resources.get(resource), self.scopes.get(scope));
            let out = self.batch.group(resource, scope);
            let before = out.len();
            put_bytes(2, &span, out);
            let written = out.len() - before;
            self.batch.appended(written, headers, 1);
        }

        fn seal(&mut self) -> (SealedBatch, ExportTraceServiceRequest) {
            assert!(!self.batch.is_empty());
            let budget = Budget::new(usize::MAX);
            let sealed = (self.batch).seal(&self.resources, &self.scopes, &budget, None);
            assert_eq!(budget.held(), sealed.bytes);
            let whole = sealed.chunks.concat();
            assert_eq!(whole.len(), sealed.bytes);
            let request = ExportTraceServiceRequest::decode(&whole[..]).unwrap();
            (sealed, request)
        }
    }

    fn names(request: &ExportTraceServiceRequest) -> Vec<Vec<&str>> {
        let of_group = |r: &ResourceSpans| {
            assert_eq!((r.scope_spans.len(), r.schema_url.as_str()), (1, "schema"));
        };
        request.resource_spans.iter().for_each(of_group);
        let groups = request
            .resource_spans
            .iter()
            .map(|r| &r.scope_spans[0].spans);
        groups
            .map(|spans| spans.iter().map(|span| span.name.as_str()).collect())
            .collect()
    }

    #[test]
    fn spans_are_grouped_by_resource_in_the_order_they_came() {
        let mut bench = Bench::new(100, 1 << 20);
        for (resource, name) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("c", "5")] {
            bench.append(resource, name);
        }
        let (sealed, request) = bench.seal();
        assert_eq!(sealed.items, 5);
        assert_eq!(names(&request), [vec!["1", "3"], vec!["2", "4"], vec!["5"]]);
        assert!(bench.batch.is_empty());
        bench.append("a", "6");
        assert_eq!(names(&bench.seal().1), [vec!["6"]]);
    }

    #[test]
    fn a_group_gets_room_for_what_it_had_and_is_forgotten_when_idle() {
        let mut bench = Bench::new(1 << 20, 1 << 30);
        for _ in 0..100 {
            bench.append("busy", "name");
        }
        bench.append("idle", "name");
        bench.seal();
        assert_eq!(bench.batch.groups.len(), 2);
        bench.append("busy", "name");
        let capacity = bench.batch.groups[0].fields.capacity();
        assert!(capacity > 600, "room at once: {capacity}");
        assert_eq!(names(&bench.seal().1), [["name"]]);
        assert_eq!(bench.batch.groups.len(), 1);
        bench.append("idle", "back");
        bench.append("busy", "name");
        assert_eq!(names(&bench.seal().1), [["name"], ["back"]]);
    }

    #[test]
    fn records_have_each_span_once_and_are_requests() {
        let mut bench = Bench::new(100, 1 << 20);
        let mut joined = Vec::new();
        let mut record = |bench: &mut Bench, spans: u32| {
            assert_eq!(bench.batch.unrecorded(), spans);
            let mut out = Vec::new();
            bench
                .batch
                .record(&bench.resources, &bench.scopes, &mut out);
            joined.extend_from_slice(&out);
            ExportTraceServiceRequest::decode(&out[..]).unwrap()
        };
        bench.append("a", "1");
        bench.append("b", "2");
        bench.append("a", "3");
        assert_eq!(names(&record(&mut bench, 3)), [vec!["1", "3"], vec!["2"]]);
        assert_eq!(names(&record(&mut bench, 0)), [] as [Vec<&str>; 0]);
        bench.append("b", "4");
        bench.append("c", "5");
        assert_eq!(names(&record(&mut bench, 2)), [["4"], ["5"]]);
        let whole = ExportTraceServiceRequest::decode(&joined[..]).unwrap();
        assert_eq!(names(&whole).concat(), ["1", "3", "2", "4", "5"]);

        // A batch's records end with it.
        bench.append("a", "6");
        let (_, sealed) = bench.seal();
        assert_eq!(
            names(&sealed),
            [vec!["1", "3", "6"], vec!["2", "4"], vec!["5"]]
        );
        assert_eq!(bench.batch.unrecorded(), 0);
        bench.append("a", "7");
        let mut out = Vec::new();
        bench
            .batch
            .record(&bench.resources, &bench.scopes, &mut out);
        let last = ExportTraceServiceRequest::decode(&out[..]).unwrap();
        assert_eq!(names(&last), [["7"]]);
    }

    #[test]
    fn large_groups_leave_as_pieces_of_their_own() {
        let mut bench = Bench::new(1 << 20, 1 << 30);
        let long = "x".repeat(1000);
        for _ in 0..40 {
            bench.append("large", &long);
        }
        bench.append("small", "s");
        bench.append("tiny", "t");
        let (sealed, request) = bench.seal();
        assert_eq!(sealed.chunks.len(), 3, "header, large group, all the rest");
        assert_eq!(
            names(&request).iter().map(Vec::len).collect::<Vec<_>>(),
            [40, 1, 1]
        );
    }

    #[test]
    fn the_sealed_size_stays_within_the_limit() {
        let mut bench = Bench::new(1 << 20, 10_000);
        let mut sealed = 0;
        for n in 0..1000 {
            if bench.batch.must_seal_before(120, 30) {
                sealed += 1;
                assert!(bench.seal().0.bytes <= 10_000);
            }
            bench.append(&format!("resource {}", n % 17), &"x".repeat(n % 100));
        }
        assert!(sealed > 2);
    }

    #[test]
    fn a_span_larger_than_the_limit_travels_alone() {
        let mut bench = Bench::new(100, 50);
        assert!(!bench.batch.must_seal_before(1 << 20, 0));
        bench.append("r", &"x".repeat(100));
        assert!(bench.batch.is_full() && bench.batch.must_seal_before(1, 0));
    }

    #[test]
    fn zero_means_at_once_and_the_smaller_of_two_sizes_holds() {
        assert!(Batch::new(Signal::Traces, &settings(0, 100)).is_immediate());
        assert!(!Batch::new(Signal::Traces, &settings(1, 100)).is_immediate());
        let mut both = settings(100, 1 << 20);
        both.max_items = 2;
        assert_eq!(Batch::new(Signal::Traces, &both).max_items, 2);
    }
}
