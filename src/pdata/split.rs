/*!
Cutting a request by its spans: halves of a batch that was refused as too
large, and single spans to find the one that a backend calls invalid.

Resource, scope, their schema URLs and unknown fields are repeated around each
part; the request's own unknown fields belong to no span and go with the first
one, so that parts do not add up to much more than the whole.
A group without spans goes with the span after it, or where the enclosing group
has none, with the last span of that.
*/

use super::view::messages;
use super::wire::{self, Fields};
use std::ops::Range;

/// Splits a valid request in two with half of its spans each (order kept, the
/// first has the odd one less); `None` when it has fewer than two spans.
pub fn halve(request: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let total = count_spans(request);
    let middle = total / 2;
    (middle > 0).then(|| (select(request, 0..middle), select(request, middle..total)))
}

/// Number of spans in a valid request.
pub fn count_spans(request: &[u8]) -> usize {
    messages(request, 1).map(resource_span_count).sum()
}

/// Payload of the span that is number `at` in order, from 0.
pub fn span_at(request: &[u8], at: usize) -> Option<&[u8]> {
    let scopes = messages(request, 1).flat_map(|resource_spans| messages(resource_spans, 2));
    scopes
        .flat_map(|scope_spans| messages(scope_spans, 2))
        .nth(at)
}

/// A valid request with only the spans whose number in order is in `wanted`.
/// An empty selection keeps no group. The request's own unknown fields are kept
/// if `wanted` begins at 0.
pub fn select(request: &[u8], wanted: Range<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(request.len());
    let last = count_spans(request).saturating_sub(1);
    let first = wanted.start == 0;
    let mut part = Part { wanted, next: 0 };
    for field in Fields::new(request) {
        match (field.number, field.bytes()) {
            (1, Some(group)) => {
                let count = resource_span_count(group);
                if part.has(count, last) {
                    let last = if count == 0 {
                        last
                    } else {
                        part.next + count - 1
                    };
                    wire::put_message(1, &mut out, |out| {
                        part.put_resource_spans(group, last, out);
                    });
                } else {
                    part.next += count;
                }
            }
            _ if first => out.extend_from_slice(field.raw),
            _ => {}
        }
    }
    out
}

fn resource_span_count(resource_spans: &[u8]) -> usize {
    messages(resource_spans, 2).map(scope_span_count).sum()
}

fn scope_span_count(scope_spans: &[u8]) -> usize {
    messages(scope_spans, 2).count()
}

struct Part {
    wanted: Range<usize>,
    /// Number of the next span to pass.
    next: usize,
}

impl Part {
    /// Whether a group of `count` spans that begins here has a place, `last`
    /// being the number of the last span in the enclosing group.
    fn has(&self, count: usize, last: usize) -> bool {
        if count == 0 {
            return self.wanted.contains(&self.next.min(last));
        }
        self.next < self.wanted.end && self.wanted.start < self.next + count
    }

    fn put_resource_spans(&mut self, message: &[u8], last: usize, out: &mut Vec<u8>) {
        for field in Fields::new(message) {
            match (field.number, field.bytes()) {
                (2, Some(group)) => {
                    let count = scope_span_count(group);
                    if self.has(count, last) {
                        wire::put_message(2, out, |out| self.put_scope_spans(group, out));
                    } else {
                        self.next += count;
                    }
                }
                _ => out.extend_from_slice(field.raw),
            }
        }
    }

    fn put_scope_spans(&mut self, message: &[u8], out: &mut Vec<u8>) {
        for field in Fields::new(message) {
            if field.number == 2 && field.bytes().is_some() {
                let wanted = self.wanted.contains(&self.next);
                self.next += 1;
                if !wanted {
                    continue;
                }
            }
            out.extend_from_slice(field.raw);
        }
    }
}
