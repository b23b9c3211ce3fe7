/*!
Metrics requests, as connectors write them: OTLP bytes, short enough for one turn of a shard.
*/

use crate::pdata::{
    Signal,
    wire::{
        WireType, put_bytes, put_fixed64, put_message, put_nonempty, put_number, put_tag,
        put_varint,
    },
};

/// A request is given once it is so long.
pub(super) const LONG: usize = 128 << 10;

/// Whether points tell of all since their start, or of what came since the points before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temporality {
    Delta = 1,
    Cumulative = 2,
}

/// Fields of a data point of a sum.
pub(super) const NUMBER_ATTRIBUTES: u32 = 7;
const START: u32 = 2;
const TIME: u32 = 3;
const AS_INT: u32 = 6;

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

/// Appends a monotonic sum with encoded `points` to the metrics of a scope.
pub(super) fn put_sum(
    (name, description): (&str, &str),
    temporality: Temporality,
    points: &[u8],
    out: &mut Vec<u8>,
) {
    put_message(2, out, |metric| {
        put_nonempty(1, name.as_bytes(), metric);
        put_nonempty(2, description.as_bytes(), metric);
        put_message(7, metric, |sum| {
            sum.extend_from_slice(points);
            put_temporality(temporality, sum);
            put_number(3, 1, sum);
        });
    });
}

/// Appends the temporality of a sum or a histogram.
pub(super) fn put_temporality(temporality: Temporality, out: &mut Vec<u8>) {
    put_number(2, temporality as u64, out);
}

/// Appends start and time of a data point, of which all kinds have the same fields.
pub(super) fn put_times((start, time): (u64, u64), out: &mut Vec<u8>) {
    put_fixed64(START, start, out);
    put_fixed64(TIME, time, out);
}

/// Appends the value of a data point of a sum.
pub(super) fn put_int(value: u64, out: &mut Vec<u8>) {
    put_fixed64(AS_INT, value, out);
}

/// Appends a double.
pub(super) fn put_double(number: u32, value: f64, out: &mut Vec<u8>) {
    put_fixed64(number, value.to_bits(), out);
}

/// Appends a packed list of eight bytes each.
pub(super) fn put_packed(
    number: u32,
    values: impl ExactSizeIterator<Item = u64>,
    out: &mut Vec<u8>,
) {
    put_tag(number, WireType::Len, out);
    put_varint(8 * values.len() as u64, out);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}
