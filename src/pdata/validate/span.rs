/*! SpanItems: their ids checked, their facts and indexed attributes noted. */

use super::{
    fields::{MalformedRequest, RequestWalk},
    groups::SignalItems,
};
use crate::pdata::{
    index::{ByteRange, ItemEntry, NO_ATTRS, SpanFault},
    keys::KeySlot,
    plain::{PLAIN_ATTRIBUTE, is_ascii, is_utf8, plain_attribute},
    schema::{DenseKind, SchemaMessage},
    wire::{WireFields, WireReason, WireValue},
};

/// The items of `ExportTraceServiceRequest`.
pub(super) struct SpanItems;

impl SignalItems for SpanItems {
    const REQUEST: SchemaMessage = SchemaMessage::TracesRequest;
    const RESOURCE: SchemaMessage = SchemaMessage::ResourceSpans;
    const SCOPE: SchemaMessage = SchemaMessage::ScopeSpans;
    const ITEM: SchemaMessage = SchemaMessage::Span;

    #[inline]
    fn item(
        walk: &mut RequestWalk<'_>,
        entry: &mut ItemEntry,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        let (mut trace_id, mut span_id, mut parent) =
            <(ByteRange, ByteRange, ByteRange)>::default();
        let buf = walk.until(entry.bytes.end as usize);
        let (mut pos, mut seen) = (entry.bytes.start as usize, 0);
        while let Some(&first) = buf.get(pos) {
            if first == PLAIN_ATTRIBUTE {
                let run = pos;
                while let Some((key, _, end)) = plain_attribute(buf, pos) {
                    if let Some(slot) = walk.keys.lookup(key) {
                        walk.note(entry, slot, pos)?;
                    }
                    pos = end;
                }
                if pos > run {
                    walk.text_of_run(buf, run, pos);
                    continue;
                }
            }
            let field = walk.field::<true>(SchemaMessage::Span, buf, pos, depth, &mut seen)?;
            match field.number {
                1 => trace_id = field.range(),
                2 => span_id = field.range(),
                4 => parent = field.range(),
                5 => entry.name = field.range(),
                6 => entry.kind = small(field.value),
                9 => {
                    walk.canonical(SchemaMessage::KeyValue, field.start, field.end, depth - 1)?;
                    let key = key_of(buf.get(field.start..field.end).unwrap_or_default());
                    if let Some(slot) = walk.keys.lookup(key) {
                        walk.note(entry, slot, pos)?;
                    }
                }
                15 => {
                    walk.canonical(SchemaMessage::Status, field.start, field.end, depth - 1)?;
                    let status = buf.get(field.start..field.end).unwrap_or_default();
                    entry.status = status_code(status);
                }
                _ => {
                    if let DenseKind::Message(child) = field.kind {
                        walk.canonical(child, field.start, field.end, depth - 1)?;
                    }
                }
            }
            pos = field.end;
        }
        entry.fault = fault(trace_id.of(buf), span_id.of(buf), parent.of(buf));
        Ok(())
    }
}

impl RequestWalk<'_> {
    /// Notes that the attribute field at `at` has the key of `slot`, unless an
    /// earlier one has.
    #[inline(always)]
    fn note(
        &mut self,
        entry: &mut ItemEntry,
        slot: KeySlot,
        at: usize,
    ) -> Result<(), MalformedRequest> {
        if entry.attrs == NO_ATTRS {
            entry.attrs = self.new_slots(at)?;
        }
        let place = entry.attrs as usize + slot.index();
        if let Some(place) = self.index.attrs.get_mut(place)
            && *place == 0
        {
            *place = at as u32;
        }
        Ok(())
    }

    /// Makes empty slots for a span; returns where they begin.
    #[inline]
    fn new_slots(&mut self, offset: usize) -> Result<u32, MalformedRequest> {
        let (at, more) = (self.index.attrs.len(), self.keys.len());
        if at + more > self.index.limits.slots {
            return Err(MalformedRequest {
                offset,
                path: SchemaMessage::Span.name(),
                reason: WireReason::TooMany(at / more),
            });
        }
        self.index.attrs.resize(at + more, 0);
        Ok(at as u32)
    }

    /// Checks the strings of consecutive plain attributes of a span. Keys and
    /// short lengths among them are ASCII too, so one scan usually settles it;
    /// a length above 127 or other text calls for a look at each.
    #[inline]
    fn text_of_run(&mut self, buf: &[u8], mut pos: usize, end: usize) {
        if is_ascii(buf.get(pos..end).unwrap_or_default()) {
            return;
        }
        while pos < end {
            let Some((key, text, next)) = plain_attribute(buf, pos) else {
                break;
            };
            self.index.needs_repair |= !(is_utf8(key) && is_utf8(text));
            pos = next;
        }
    }
}

fn key_of(key_value: &[u8]) -> &[u8] {
    WireFields::new(key_value)
        .find(|f| f.number == 1)
        .and_then(|f| f.bytes())
        .unwrap_or_default()
}

fn status_code(status: &[u8]) -> u8 {
    WireFields::new(status)
        .find(|f| f.number == 3)
        .map_or(0, |f| match f.value {
            WireValue::Varint(code) => small(code),
            _ => 0,
        })
}

/// An enumeration's number, truncated to 32 bits as protobuf does; 255 where
/// it does not fit.
fn small(value: u64) -> u8 {
    u8::try_from(value as u32).unwrap_or(u8::MAX)
}

fn fault(trace_id: &[u8], span_id: &[u8], parent: &[u8]) -> Option<SpanFault> {
    let zero = |id: &[u8]| id.iter().all(|b| *b == 0);
    if trace_id.len() != 16 {
        Some(SpanFault::TraceIdLength)
    } else if zero(trace_id) {
        Some(SpanFault::TraceIdZero)
    } else if span_id.len() != 8 {
        Some(SpanFault::SpanIdLength)
    } else if zero(span_id) {
        Some(SpanFault::SpanIdZero)
    } else if !parent.is_empty() && parent.len() != 8 {
        Some(SpanFault::ParentSpanIdLength)
    } else {
        None
    }
}
