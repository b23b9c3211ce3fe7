//! What a backend got.

use crate::{
    Signal,
    load::ids::{self, Seen},
};
use bytes::Bytes;
use http::HeaderMap;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;
use std::time::Instant;

/// A request.
#[derive(Clone, Debug)]
pub struct Received {
    pub signal: Signal,
    /// The headers of HTTP, or the metadata of gRPC.
    pub headers: HeaderMap,
    /// Decompressed, without gRPC's prefix.
    pub message: Bytes,
    pub at: Instant,
    /// Whether it was answered with success.
    pub taken: bool,
}

impl Received {
    /// The ids of its spans, and of log records and metrics that name one.
    pub fn span_ids(&self) -> impl Iterator<Item = &[u8]> {
        Signal::items(&self.message).map(|item| self.signal.span_id(item))
    }

    /// Whether it has an item of this sender's whose number is a multiple.
    pub(super) fn hits(&self, every: u64) -> bool {
        self.span_ids().any(|id| hit(id, every))
    }
}

/// Whether the number of this id is a multiple of `every`.
pub(super) fn hit(id: &[u8], every: u64) -> bool {
    ids::number(id).is_some_and(|n| n % every == 0)
}

/// Items by their span ids, and whole requests where those are kept.
#[derive(Default)]
pub struct Records {
    pub taken: Seen,
    /// Items that were refused for good.
    pub refused: Seen,
    /// In the order in which they came.
    pub requests: Vec<Received>,
}

impl Records {
    fn messages(&self, signal: Signal) -> impl Iterator<Item = &Bytes> {
        let of_signal = move |request: &&Received| request.taken && request.signal == signal;
        self.requests
            .iter()
            .filter(of_signal)
            .map(|request| &request.message)
    }

    /// The payloads of the items taken, sorted.
    pub fn items(&self, signal: Signal) -> Vec<Bytes> {
        let items = self
            .messages(signal)
            .flat_map(|message| Signal::items(message).map(|item| message.slice_ref(item)));
        let mut items: Vec<_> = items.collect();
        items.sort_unstable();
        items
    }

    pub fn resource_spans(&self) -> Vec<ResourceSpans> {
        self.messages(Signal::Traces)
            .map(|message| ExportTraceServiceRequest::decode(message.clone()).unwrap())
            .flat_map(|request| request.resource_spans)
            .collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let scopes = self
            .resource_spans()
            .into_iter()
            .flat_map(|r| r.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}
