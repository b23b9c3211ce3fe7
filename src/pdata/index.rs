/*!
What one walk over a request found: byte ranges, no copies.

An [`Index`] is scratch owned by a shard and reused, so that indexing a
request allocates nothing once its vectors have grown.
*/

use super::keys::{MAX_KEYS, Slot};

/// A byte range of the request, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Range {
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

/// One `ResourceSpans`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceEntry {
    /// Payload of the `Resource` message; empty when absent.
    pub resource: Range,
    /// The `schema_url` string.
    pub schema_url: Range,
    /// Unknown fields of the `ResourceSpans`, tags included, contiguous.
    pub rest: Range,
    /// Index of its first span in [`Index::spans`].
    pub first_span: u32,
    /// One past its last span.
    pub end_span: u32,
}

/// One `ScopeSpans`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeEntry {
    /// Payload of the `InstrumentationScope` message; empty when absent.
    pub scope: Range,
    /// Whether a scope message was present (an empty one differs from none).
    pub has_scope: bool,
    /// The `schema_url` string.
    pub schema_url: Range,
    /// Unknown fields of the `ScopeSpans`, tags included, contiguous.
    pub rest: Range,
}

/// Why a well-framed span cannot be stored by a backend. Such spans are
/// dropped and reported as `partial_success`; their neighbours live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
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

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fault::TraceIdLength => "trace_id must be 16 bytes",
            Fault::TraceIdZero => "trace_id must not be all zero",
            Fault::SpanIdLength => "span_id must be 8 bytes",
            Fault::SpanIdZero => "span_id must not be all zero",
            Fault::ParentSpanIdLength => "parent_span_id must be empty or 8 bytes",
        })
    }
}

/// One span.
#[derive(Clone, Copy, Debug)]
pub struct SpanEntry {
    /// Payload of the `Span` message.
    pub bytes: Range,
    /// The span name.
    pub name: Range,
    /// Index into [`Index::resources`].
    pub resource: u32,
    /// Index into [`Index::scopes`].
    pub scope: u32,
    /// `SpanKind` as on the wire (values above 255 read as 255).
    pub kind: u8,
    /// `Status.code` as on the wire (values above 255 read as 255).
    pub status: u8,
    /// The first fault found, if any.
    pub fault: Option<Fault>,
    /// Per key of [`super::Keys`]: offset in the request of the first
    /// `attributes` field (its tag byte) that has the key; 0 when absent.
    pub attrs: [u32; MAX_KEYS],
}

impl SpanEntry {
    /// Offset of the attribute field for `slot`, if the span has it.
    pub fn attr(&self, slot: Slot) -> Option<usize> {
        match self.attrs[slot.index()] {
            0 => None,
            at => Some(at as usize),
        }
    }
}

/// What one walk found.
#[derive(Debug, Default)]
pub struct Index {
    /// Every `ResourceSpans`, in order.
    pub resources: Vec<ResourceEntry>,
    /// Every `ScopeSpans`, in order.
    pub scopes: Vec<ScopeEntry>,
    /// Every span, in order.
    pub spans: Vec<SpanEntry>,
    /// Unknown fields of the request itself, contiguous.
    pub rest: Range,
    /// The bytes are valid but not canonical; see [`super::canon`].
    pub needs_repair: bool,
}

/// Entries for which the index keeps its memory between requests.
const KEPT: usize = 64 << 10;

impl Index {
    /// At most this many spans, scopes or resources in one request. Two bytes
    /// on the wire make an empty span and a hundred times as many an entry
    /// here, so without a limit one hostile request of 64 MiB would take
    /// gigabytes.
    pub const MAX_ENTRIES: usize = 1 << 20;

    /// Empties the index and keeps its memory, unless a huge request made it
    /// grow beyond use.
    pub fn clear(&mut self) {
        fn empty<T>(entries: &mut Vec<T>) {
            entries.clear();
            entries.shrink_to(KEPT);
        }
        empty(&mut self.resources);
        empty(&mut self.scopes);
        empty(&mut self.spans);
        self.rest = Range::default();
        self.needs_repair = false;
    }
}
