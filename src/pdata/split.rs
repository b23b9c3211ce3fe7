/*!
Cutting a request between its items: halves of a batch that was refused as too
large, and single items to find the one that a backend calls invalid.

The unit is what an item counts for: a span, a log record, a data point. So a
metric can be cut, too. What stands around them (resource, scope, the name and
kind of a metric, unknown fields) is repeated around each part; the request's own
unknown fields belong to no item and go with the first one, so that parts do not
add up to much more than the whole.
A group without units goes with the unit after it, or where the enclosing group
has none, with the last unit of that.
*/

use super::{
    signal::Signal,
    wire::{self, WireField, WireFields},
};
use std::ops::Range;

/// The fields that lead from a request to its units: at each level, those that
/// hold the next.
fn levels(signal: Signal) -> &'static [&'static [u32]] {
    match signal {
        Signal::Traces | Signal::Logs => &[&[1], &[2], &[2]],
        // The kinds of `Metric.data`, then `data_points`.
        Signal::Metrics => &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]],
    }
}

/// Splits a valid request in two with half of its units each (order kept, the
/// first has the odd one less); `None` when it has fewer than two.
pub fn halve(signal: Signal, request: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let total = count(signal, request);
    let middle = total / 2;
    (middle > 0).then(|| {
        (
            select(signal, request, 0..middle),
            select(signal, request, middle..total),
        )
    })
}

/// Spans, data points or log records in a valid request.
pub fn count(signal: Signal, request: &[u8]) -> usize {
    units(levels(signal), request)
}

/// A valid request with only the units whose number in order is in `wanted`.
/// An empty selection keeps no group. The request's own unknown fields are kept
/// if `wanted` begins at 0.
pub fn select(signal: Signal, request: &[u8], wanted: Range<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(request.len());
    let levels = levels(signal);
    let last = units(levels, request).saturating_sub(1);
    let keeps_own = wanted.start == 0;
    let mut part = SplitPart { wanted, next: 0 };
    part.put(levels, request, last, keeps_own, &mut out);
    out
}

/// Payload of the group or unit in `field`, if `numbers` lead to it.
fn inside<'a>(numbers: &[u32], field: &WireField<'a>) -> Option<&'a [u8]> {
    field.bytes().filter(|_| numbers.contains(&field.number))
}

/// Units below a message.
fn units(levels: &[&[u32]], message: &[u8]) -> usize {
    let Some((numbers, deeper)) = levels.split_first() else {
        return 1;
    };
    WireFields::new(message)
        .filter_map(|field| inside(numbers, &field))
        .map(|payload| units(deeper, payload))
        .sum()
}

struct SplitPart {
    wanted: Range<usize>,
    /// Number of the next unit to pass.
    next: usize,
}

impl SplitPart {
    /// Copies what of a message belongs to the part: the groups below it as far as
    /// they do, and its other fields where `keeps_own`. `last` is the number of
    /// the last unit in the message.
    fn put(
        &mut self,
        levels: &[&[u32]],
        message: &[u8],
        last: usize,
        keeps_own: bool,
        out: &mut Vec<u8>,
    ) {
        let Some((numbers, deeper)) = levels.split_first() else {
            return;
        };
        for field in WireFields::new(message) {
            let Some(payload) = inside(numbers, &field) else {
                if keeps_own {
                    out.extend_from_slice(field.raw);
                }
                continue;
            };
            let count = units(deeper, payload);
            if !self.has(count, last) {
                self.next += count;
            } else if deeper.is_empty() {
                self.next += 1;
                out.extend_from_slice(field.raw);
            } else {
                let last = match count {
                    0 => last,
                    _ => self.next + count - 1,
                };
                wire::put_message(field.number, out, |out| {
                    self.put(deeper, payload, last, true, out);
                });
            }
        }
    }

    /// Whether a group of `count` units that begins here has a place, `last`
    /// being the number of the last unit in the enclosing group.
    fn has(&self, count: usize, last: usize) -> bool {
        if count == 0 {
            return self.wanted.contains(&self.next.min(last));
        }
        self.next < self.wanted.end && self.wanted.start < self.next + count
    }
}
