/*!
What one walk over a request found: byte ranges, no copies.

An [`Index`] is scratch owned by a shard and reused, so that indexing a
request allocates nothing once its vectors have grown.
*/

use super::keys::KeySlot;

/// A byte range of the request, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
}

impl ByteRange {
    /// The bytes of this range in `request`; empty if it does not lie inside.
    pub fn of(self, request: &[u8]) -> &[u8] {
        request
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Whether the range covers no byte.
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

/// One `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceEntry {
    /// Payload of the `Resource` message; empty when absent.
    pub resource: ByteRange,
    /// The `schema_url` string.
    pub schema_url: ByteRange,
    /// Unknown fields of the group, tags included, contiguous.
    pub rest: ByteRange,
    /// Index of its first item in [`Index::items`].
    pub first_item: u32,
    /// One past its last item.
    pub end_item: u32,
}

/// One `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeEntry {
    /// Payload of the `InstrumentationScope` message; empty when absent.
    pub scope: ByteRange,
    /// Whether a scope message was present (an empty one differs from none).
    pub has_scope: bool,
    /// The `schema_url` string.
    pub schema_url: ByteRange,
    /// Unknown fields of the group, tags included, contiguous.
    pub rest: ByteRange,
}

/// Why a well-framed span cannot be stored by a backend. Such spans are
/// dropped and reported as `partial_success`; their neighbours live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanFault {
    /// `trace_id` is not 16 bytes.
    TraceIdLength,
    /// `trace_id` is all zero.
    TraceIdZero,
    /// `span_id` is not 8 bytes.
    SpanIdLength,
    /// `span_id` is all zero.
    SpanIdZero,
    /// `parent_span_id` is neither empty nor 8 bytes.
    ParentSpanIdLength,
}

impl std::fmt::Display for SpanFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SpanFault::TraceIdLength => "trace_id must be 16 bytes",
            SpanFault::TraceIdZero => "trace_id must not be all zero",
            SpanFault::SpanIdLength => "span_id must be 8 bytes",
            SpanFault::SpanIdZero => "span_id must not be all zero",
            SpanFault::ParentSpanIdLength => "parent_span_id must be empty or 8 bytes",
        })
    }
}

/// One item of the request: a span, a metric or a log record.
#[derive(Clone, Copy, Debug)]
pub struct ItemEntry {
    /// Payload of its message.
    pub bytes: ByteRange,
    /// Index into [`Index::resources`].
    pub resource: u32,
    /// Index into [`Index::scopes`].
    pub scope: u32,
    /// What it counts for: 1, or the data points of a metric, which may have none.
    pub count: u32,
    /// Where its attributes are in [`Index::attrs`]; [`NO_ATTRS`] if it has none
    /// of the keys.
    pub(super) attrs: u32,
    /// The name of a span; empty for other items.
    pub name: ByteRange,
    /// `SpanKind` of a span as on the wire (values above 255 read as 255).
    pub kind: u8,
    /// `Status.code` of a span as on the wire (values above 255 read as 255).
    pub status: u8,
    /// The first fault found in a span, if any.
    pub fault: Option<SpanFault>,
}

/// No slots in [`Index::attrs`].
pub(super) const NO_ATTRS: u32 = u32::MAX;

impl ItemEntry {
    /// An item about which nothing is known but where it stands.
    pub(super) fn new(bytes: ByteRange, resource: u32, scope: u32) -> Self {
        Self {
            bytes,
            resource,
            scope,
            count: 1,
            attrs: NO_ATTRS,
            name: ByteRange::default(),
            kind: 0,
            status: 0,
            fault: None,
        }
    }
}

/// What reading one request may make in memory. Without limits two bytes on the
/// wire make an item of dozens of bytes in the index, and 64 MiB gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Items, scopes or resources in one request, each.
    pub entries: usize,
    /// Slots for attributes, in all spans.
    pub(crate) slots: usize,
    /// Bytes of a request that was made canonical.
    pub repaired: usize,
}

impl RequestLimits {
    /// The most that is ever read: with a few dozen keys there are no fewer slots
    /// than so many spans need.
    pub const MOST: Self = Self {
        entries: 1 << 20,
        slots: 32 << 20,
        repaired: u32::MAX as usize,
    };

    /// Returns the limits of reading in about `bytes` of memory: half for the
    /// index, half for a request that is made canonical.
    pub(crate) fn of_memory(bytes: usize) -> Self {
        let half = bytes / 2;
        let entry = size_of::<ItemEntry>().max(size_of::<ScopeEntry>());
        Self {
            entries: (half / 6 / entry).min(Self::MOST.entries),
            slots: (half / 2 / size_of::<u32>()).min(Self::MOST.slots),
            repaired: half.min(Self::MOST.repaired),
        }
    }

    /// Returns how many bytes may be copied to join the pieces of a request of
    /// this length: an honest one has none.
    pub(super) fn joined(&self, request: usize) -> usize {
        (request / 2 + (64 << 10)).min(self.repaired)
    }
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self::MOST
    }
}

/// What one walk found.
#[derive(Debug, Default)]
pub struct Index {
    /// Every `ResourceSpans`, in order.
    pub resources: Vec<ResourceEntry>,
    /// Every `ScopeSpans`, in order.
    pub scopes: Vec<ScopeEntry>,
    /// Every span, metric or log record, in order.
    pub items: Vec<ItemEntry>,
    /// For each span that has any of the keys, a slot for each key of
    /// [`super::Keys`]: offset in the request of the first `attributes` field
    /// (its tag byte) that has the key; 0 when absent.
    pub(super) attrs: Vec<u32>,
    /// Unknown fields of the request itself, contiguous.
    pub rest: ByteRange,
    /// The bytes are valid but not canonical; see [`super::canon`].
    pub needs_repair: bool,
    /// How much it may hold. [`Index::clear`] leaves it.
    pub(crate) limits: RequestLimits,
}

/// Entries for which the index keeps its memory between requests.
const KEPT: usize = 64 << 10;

impl Index {
    /// Makes an index for one request of so many bytes, with room for all it may
    /// hold: it does not move while it grows.
    pub(crate) fn within(limits: RequestLimits, request: usize) -> Self {
        let entries = limits.entries.min(request / 2);
        Self {
            items: Vec::with_capacity(entries),
            scopes: Vec::with_capacity(entries),
            resources: Vec::with_capacity(entries),
            attrs: Vec::with_capacity(limits.slots.min(request / 2)),
            limits,
            ..Self::default()
        }
    }

    /// Returns how many bytes of memory its entries take.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.items[..])
            + size_of_val(&self.scopes[..])
            + size_of_val(&self.resources[..])
            + size_of_val(&self.attrs[..])
    }

    /// Empties the index and keeps its memory, unless a huge request made it
    /// grow beyond use.
    pub(crate) fn clear(&mut self) {
        fn empty<T>(entries: &mut Vec<T>) {
            entries.clear();
            entries.shrink_to(KEPT);
        }
        empty(&mut self.resources);
        empty(&mut self.scopes);
        empty(&mut self.items);
        empty(&mut self.attrs);
        self.rest = ByteRange::default();
        self.needs_repair = false;
    }

    /// Offset of the attribute field of `item` for `slot`, if it has the key.
    #[inline]
    pub fn attr(&self, item: &ItemEntry, slot: KeySlot) -> Option<usize> {
        // Past the end where the item has none of the keys.
        match self.attrs.get(item.attrs as usize + slot.index()) {
            None | Some(0) => None,
            Some(at) => Some(*at as usize),
        }
    }
}
