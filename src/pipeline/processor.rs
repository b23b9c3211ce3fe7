/*!
Processors decide what happens to a span; the engine writes it once.

A processor reads a borrowed [`Span`] and adds to a [`Decision`]: edits to the
span, which resource it belongs to, and markers to go with it. It keeps no state but memos of its own
pure decisions, so every shard has its own instance and nothing is shared.
*/

use super::{Markers, ResourceId, Resources};
use crate::pdata::{AnyValue, Edits, Index, ItemEntry, Slot, view};
use std::net::IpAddr;

/// A span as processors see it: the base bytes and where to find things.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// The whole canonical request.
    pub request: &'a [u8],
    /// What the walk found in it.
    pub index: &'a Index,
    /// This span.
    pub entry: &'a ItemEntry,
}

impl<'a> Span<'a> {
    /// Offset in the request of the attribute field for an indexed key.
    pub fn attr(&self, slot: Slot) -> Option<usize> {
        self.index.attr(self.entry, slot)
    }

    /// Whether the span has the attribute of an indexed key.
    pub fn has(&self, slot: Slot) -> bool {
        self.attr(slot).is_some()
    }

    /// The value of an indexed attribute.
    pub fn value(&self, slot: Slot) -> Option<AnyValue<'a>> {
        view::value_at(self.request, self.attr(slot)?)
    }

    /// The string value of an indexed attribute, as bytes.
    pub fn text(&self, slot: Slot) -> Option<&'a [u8]> {
        view::text_at(self.request, self.attr(slot)?)
    }

    /// The span name, as bytes.
    pub fn name(&self) -> &'a [u8] {
        self.entry.name.of(self.request)
    }

    /// The spans of the same `ResourceSpans`, this one included.
    pub fn siblings(&self) -> impl Iterator<Item = Span<'a>> + use<'a> {
        let (request, index) = (self.request, self.index);
        let range = index
            .resources
            .get(self.entry.resource as usize)
            .map_or(0..0, |r| r.first_item as usize..r.end_item as usize);
        index
            .items
            .get(range)
            .unwrap_or_default()
            .iter()
            .map(move |entry| Span {
                request,
                index,
                entry,
            })
    }
}

/// What the processors so far want done with a span.
#[derive(Debug)]
pub struct Decision {
    /// The resource the span goes out under.
    pub resource: ResourceId,
    /// Changes to the span itself.
    pub edits: Edits,
    /// Whether to drop the span, and its markers. Counted by the engine.
    pub drop: bool,
    /// Markers to write after the span.
    pub markers: Markers,
}

/// One configured processor, one instance per shard.
pub trait Processor {
    /// Called before the spans of a request: the moment to pick up what was
    /// replaced by other threads. `peer` is who sent it, where that is known.
    fn begin(&mut self, peer: Option<IpAddr>) {
        let _ = peer;
    }

    /// Adds this processor's changes for `span` to `decision`.
    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision);

    /// Called after the spans of a request: the moment to publish counts.
    fn end(&mut self) {}

    /// Forgets every memo that holds a [`ResourceId`]: the table was emptied.
    fn forget(&mut self);
}
