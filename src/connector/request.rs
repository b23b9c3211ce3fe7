/*!
Metrics requests, as connectors write them: OTLP bytes, short enough for one turn of a shard.
*/

use crate::pdata::{
    Signal,
    wire::{put_bytes, put_message},
};

/// A request is given once it is so long.
pub(super) const LONG: usize = 128 << 10;

/// Gathers resource groups into requests.
pub(super) struct RequestWriter<'e> {
    each: &'e mut dyn FnMut(Signal, Vec<u8>),
    request: Vec<u8>,
}

impl<'e> RequestWriter<'e> {
    /// A writer that gives its requests to `each`.
    pub(super) fn new(each: &'e mut dyn FnMut(Signal, Vec<u8>)) -> Self {
        Self {
            each,
            request: Vec::new(),
        }
    }

    /// Adds the encoded `metrics` of one resource and scope, both messages' payloads.
    pub(super) fn add(&mut self, resource: &[u8], scope: &[u8], metrics: &[u8]) {
        put_message(1, &mut self.request, |group| {
            put_bytes(1, resource, group);
            put_message(2, group, |in_scope| {
                put_bytes(1, scope, in_scope);
                in_scope.extend_from_slice(metrics);
            });
        });
        if self.request.len() >= LONG {
            (self.each)(Signal::Metrics, std::mem::take(&mut self.request));
        }
    }

    /// Gives what is left.
    pub(super) fn end(self) {
        if !self.request.is_empty() {
            (self.each)(Signal::Metrics, self.request);
        }
    }
}
