/*!
What a processor is: it decides what happens to a span, and the engine writes it
once.

A processor reads a borrowed [`Span`] and adds to a [`Decision`]: edits to the
span, and the resource that it goes out under. It keeps no state but memos of
its own pure decisions, so every shard has its own instance and nothing is
shared. What all instances of one configured processor share is its
[`ProcessorFactory`].
*/

use super::{Followers, ResourceId, Resources, Rewriter, SpanReader};
use crate::{
    pdata::{AnyValue, Edits, Index, ItemEntry, KeySlot, Keys, Signal, view},
    telemetry::Registry,
};
use std::{fmt::Debug, net::IpAddr, sync::Arc};

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
    pub(crate) fn attr(&self, slot: KeySlot) -> Option<usize> {
        self.index.attr(self.entry, slot)
    }

    /// Whether the span has the attribute of an indexed key.
    pub(crate) fn has(&self, slot: KeySlot) -> bool {
        self.attr(slot).is_some()
    }

    /// The value of an indexed attribute.
    pub(crate) fn value(&self, slot: KeySlot) -> Option<AnyValue<'a>> {
        view::value_at(self.request, self.attr(slot)?)
    }

    /// The string value of an indexed attribute, as bytes.
    pub(crate) fn text(&self, slot: KeySlot) -> Option<&'a [u8]> {
        view::text_at(self.request, self.attr(slot)?)
    }

    /// The span name, as bytes.
    pub(crate) fn name(&self) -> &'a [u8] {
        self.entry.name.of(self.request)
    }

    /// The spans of the same `ResourceSpans`, this one included.
    pub(crate) fn siblings(&self) -> impl Iterator<Item = Span<'a>> + use<'a> {
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
    /// Whether the processor at hand adds items once the span is written: see
    /// [`Processor::follow`]. The engine clears it between processors.
    pub follow: bool,
    /// What decided the resource's name, for those who look; empty where nothing did.
    pub why: &'static str,
}

impl Decision {
    /// Returns one that changes nothing, for an item under `resource`.
    pub fn new(resource: ResourceId, edits: Edits) -> Self {
        Self {
            resource,
            edits,
            follow: false,
            why: "",
        }
    }
}

/// One configured processor, one instance per shard and pipeline.
pub trait Processor {
    /// Prepares for the spans of one request: the moment to pick up what was
    /// replaced by other threads. `peer` is who sent it, where that is known.
    fn begin(&mut self, peer: Option<IpAddr>) {
        let _ = peer;
    }

    /// Adds this processor's changes for `span` to `decision`.
    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision);

    /// Adds the items that go with the span last processed, for which
    /// [`Decision::follow`] was set. `written` is the span as it goes out, with
    /// the edits of all processors: its field in its group.
    fn follow(&mut self, written: &[u8], followers: &mut Followers) {
        let _ = (written, followers);
    }

    /// Tells `each` of the items that would follow the span last processed: the
    /// resource of each, and the bytes that it has besides those of its span.
    fn foresee(&self, each: &mut dyn FnMut(ResourceId, usize)) {
        let _ = each;
    }

    /// Ends a request: the moment to publish counts.
    fn end(&mut self) {}

    /// Ends a rehearsal: what was counted since [`Processor::begin`] did not
    /// happen.
    fn discard(&mut self) {}

    /// Forgets every memo that holds a [`ResourceId`]: the table was emptied.
    fn forget(&mut self);
}

/// What a pipeline runs for a configured processor.
pub enum ProcessorInstance {
    /// It decides about each item, and the engine writes.
    Items(Box<dyn Processor>),
    /// It writes whole requests anew.
    Requests(Box<dyn Rewriter>),
}

/// What the instances of one configured processor in one pipeline share.
pub trait ProcessorFactory: Debug + Send + Sync {
    /// Makes the instance of shard number `shard`, which knows nothing yet, and
    /// registers the attributes it reads in `keys`. Called again for a shard
    /// whose pipeline panicked.
    fn instance(&self, shard: usize, keys: &mut Keys) -> ProcessorInstance;

    /// Registers what its instances count besides the items that go in and out;
    /// `id` is the processor's.
    fn register(&self, registry: &Registry, id: &str) {
        let _ = (registry, id);
    }

    /// What makes requests of the pipeline's signal out of those of another,
    /// if this processor does.
    fn converter(&self) -> Option<Arc<dyn Converter>> {
        None
    }

    /// What says what spans mean, to those who look at them as they pass.
    fn reader(&self) -> Option<Arc<dyn SpanReader>> {
        None
    }
}

/// Makes requests of one signal out of those of another, so that a pipeline can
/// take both.
pub trait Converter: Send + Sync {
    /// The signal that it reads.
    fn reads(&self) -> Signal;

    /// Converts a whole request into one of at most so many bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with the request's framing, and where; or that it would make
    /// more.
    fn convert(&self, request: &[u8], most: usize) -> Result<Converted, String>;
}

/// What a [`Converter`] made of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// An export request of the pipeline's signal; empty where nothing of the
    /// other was of use.
    pub(crate) request: Vec<u8>,
    /// Items in it.
    pub(crate) made: u64,
    /// Items of the request read that were of no use.
    pub(crate) ignored: u64,
    /// Why the first of those was of no use, and what to do, for the logs of
    /// both sides; else empty.
    pub(crate) why: String,
}
