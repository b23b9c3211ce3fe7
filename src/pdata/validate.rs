/*!
One forward walk that decides whether a request is well formed, and indexes it.

The walk accepts exactly what prost's generated decoder accepts, nesting
counted the same way, except that invalid UTF-8 in a string is not an error
but a reason for repair. It allocates nothing but the growth of the reused
[`Index`], and its stack is bounded by [`wire::MAX_DEPTH`] small frames.

Nearly every byte of real traffic belongs to attributes with a short key and a
string value, encoded the one usual way. `plain` recognises that
shape with a handful of comparisons, and one ASCII scan covers a whole run of
such attributes; whatever looks different goes through the schema table, field
by field.
*/

use super::index::{Fault, Index, Range, ResourceEntry, ScopeEntry, SpanEntry};
use super::keys::{Keys, MAX_KEYS, Slot};
use super::plain::{
    PLAIN_ATTRIBUTE, PLAIN_DEPTH, is_ascii, is_utf8, plain_attribute, plain_key_value,
};
use super::schema::{self, Kind, Message};
use super::wire::{self, Fields, Reason, Value};

/// Why a request's framing was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason} at byte {offset}")]
pub struct Malformed {
    /// Offset in the request of the field that is wrong.
    pub offset: usize,
    /// The message or field, such as `ResourceSpans.scope_spans`.
    pub path: &'static str,
    /// What is wrong there.
    pub reason: Reason,
}

/// Walks `request` and fills `index`, which is emptied first.
///
/// # Errors
///
/// When prost would refuse the bytes for another reason than invalid UTF-8,
/// when they are 4 GiB or more, or when they hold more than
/// [`Index::MAX_ENTRIES`] spans, scopes or resources. The index is then of no use.
pub fn validate(request: &[u8], keys: &Keys, index: &mut Index) -> Result<(), Malformed> {
    index.clear();
    if u32::try_from(request.len()).is_err() {
        let path = Message::Request.name();
        return Err(Malformed {
            offset: 0,
            path,
            reason: Reason::TooLarge,
        });
    }
    Walk {
        request,
        keys,
        index,
    }
    .request()
}

/// A field the walk has just passed.
struct Found {
    number: u32,
    /// Payload of a length-delimited field, else the value's bytes.
    start: usize,
    /// Position after the field.
    end: usize,
    /// Value of a varint field.
    value: u64,
    /// The message type to descend into.
    child: Option<Message>,
    known: bool,
}

impl Found {
    fn range(&self) -> Range {
        range(self.start, self.end)
    }
}

/// Offsets fit: the request is smaller than 4 GiB.
fn range(start: usize, end: usize) -> Range {
    Range {
        start: start as u32,
        end: end as u32,
    }
}

struct Walk<'a> {
    request: &'a [u8],
    keys: &'a Keys,
    index: &'a mut Index,
}

impl<'a> Walk<'a> {
    /// The request up to `end`, so that nothing inside a message can be read
    /// from beyond it while positions stay absolute.
    fn until(&self, end: usize) -> &'a [u8] {
        self.request.get(..end).unwrap_or_default()
    }

    fn request(&mut self) -> Result<(), Malformed> {
        let (buf, depth) = (self.request, wire::MAX_DEPTH);
        let (mut pos, mut seen) = (0, 0);
        let mut rest = Range::default();
        while pos < buf.len() {
            let field = self.field(Message::Request, buf, pos, depth, &mut seen)?;
            if field.known {
                self.resource_spans(field.start, field.end, depth - 1)?;
            } else {
                self.unknown(&mut rest, pos, field.end);
            }
            pos = field.end;
        }
        self.index.rest = rest;
        Ok(())
    }

    /// Refuses entry number `len`, of `message`, where the index is full.
    #[inline]
    fn room(&self, len: usize, message: Message, offset: usize) -> Result<(), Malformed> {
        if len < Index::MAX_ENTRIES {
            return Ok(());
        }
        let (path, reason) = (message.name(), Reason::TooMany);
        Err(Malformed {
            offset,
            path,
            reason,
        })
    }

    fn resource_spans(&mut self, start: usize, end: usize, depth: u32) -> Result<(), Malformed> {
        let at = self.index.resources.len();
        self.room(at, Message::ResourceSpans, start)?;
        let first_span = self.index.spans.len() as u32;
        self.index.resources.push(ResourceEntry::default());
        let mut entry = ResourceEntry {
            first_span,
            ..ResourceEntry::default()
        };
        let buf = self.until(end);
        let (mut pos, mut seen) = (start, 0);
        while pos < buf.len() {
            let field = self.field(Message::ResourceSpans, buf, pos, depth, &mut seen)?;
            match field.number {
                1 => {
                    self.message(Message::Resource, field.start, field.end, depth - 1)?;
                    entry.resource = field.range();
                }
                2 => self.scope_spans(at as u32, field.start, field.end, depth - 1)?,
                3 => entry.schema_url = field.range(),
                _ => self.unknown(&mut entry.rest, pos, field.end),
            }
            pos = field.end;
        }
        entry.end_span = self.index.spans.len() as u32;
        if let Some(place) = self.index.resources.get_mut(at) {
            *place = entry;
        }
        Ok(())
    }

    fn scope_spans(
        &mut self,
        resource: u32,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), Malformed> {
        let at = self.index.scopes.len();
        self.room(at, Message::ScopeSpans, start)?;
        self.index.scopes.push(ScopeEntry::default());
        let mut entry = ScopeEntry::default();
        let buf = self.until(end);
        let (mut pos, mut seen) = (start, 0);
        while pos < buf.len() {
            let field = self.field(Message::ScopeSpans, buf, pos, depth, &mut seen)?;
            match field.number {
                1 => {
                    self.message(Message::Scope, field.start, field.end, depth - 1)?;
                    entry.scope = field.range();
                    entry.has_scope = true;
                }
                2 => self.span(resource, at as u32, field.range(), depth - 1)?,
                3 => entry.schema_url = field.range(),
                _ => self.unknown(&mut entry.rest, pos, field.end),
            }
            pos = field.end;
        }
        if let Some(place) = self.index.scopes.get_mut(at) {
            *place = entry;
        }
        Ok(())
    }

    fn span(
        &mut self,
        resource: u32,
        scope: u32,
        bytes: Range,
        depth: u32,
    ) -> Result<(), Malformed> {
        let mut entry = SpanEntry {
            bytes,
            name: Range::default(),
            resource,
            scope,
            kind: 0,
            status: 0,
            fault: None,
            attrs: [0; MAX_KEYS],
        };
        self.room(self.index.spans.len(), Message::Span, bytes.start as usize)?;
        let (mut trace_id, mut span_id, mut parent) = <(Range, Range, Range)>::default();
        let buf = self.until(bytes.end as usize);
        let (mut pos, mut seen) = (bytes.start as usize, 0);
        while let Some(&first) = buf.get(pos) {
            if first == PLAIN_ATTRIBUTE {
                let run = pos;
                while let Some((key, _, end)) = plain_attribute(buf, pos) {
                    note(&mut entry, self.keys.lookup(key), pos);
                    pos = end;
                }
                if pos > run {
                    self.text_of_run(buf, run, pos);
                    continue;
                }
            }
            let field = self.field(Message::Span, buf, pos, depth, &mut seen)?;
            match field.number {
                1 => trace_id = field.range(),
                2 => span_id = field.range(),
                4 => parent = field.range(),
                5 => entry.name = field.range(),
                6 => entry.kind = small(field.value),
                9 => {
                    self.message(Message::KeyValue, field.start, field.end, depth - 1)?;
                    let key = key_of(buf.get(field.start..field.end).unwrap_or_default());
                    note(&mut entry, self.keys.lookup(key), pos);
                }
                15 => {
                    self.message(Message::Status, field.start, field.end, depth - 1)?;
                    let status = buf.get(field.start..field.end).unwrap_or_default();
                    entry.status = status_code(status);
                }
                _ => {
                    if let Some(child) = field.child {
                        self.message(child, field.start, field.end, depth - 1)?;
                    }
                }
            }
            pos = field.end;
        }
        entry.fault = fault(trace_id.of(buf), span_id.of(buf), parent.of(buf));
        self.index.spans.push(entry);
        Ok(())
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

    /// Walks any message whose content is only checked, not indexed.
    fn message(
        &mut self,
        message: Message,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), Malformed> {
        let buf = self.until(end);
        let (mut pos, mut seen) = (start, 0);
        while pos < buf.len() {
            let field = self.field(message, buf, pos, depth, &mut seen)?;
            if let Some(child) = field.child {
                let plain = child == Message::KeyValue
                    && depth >= PLAIN_DEPTH
                    && buf
                        .get(field.start..field.end)
                        .and_then(plain_key_value)
                        .is_some_and(|(key, text)| is_utf8(key) && is_utf8(text));
                if !plain {
                    self.message(child, field.start, field.end, depth - 1)?;
                }
            }
            pos = field.end;
        }
        Ok(())
    }

    /// Checks the field at `at`, short of descending into a message. `seen`
    /// has a bit for each singular field of this message that has occurred.
    #[inline(always)]
    fn field(
        &mut self,
        message: Message,
        buf: &[u8],
        at: usize,
        depth: u32,
        seen: &mut u32,
    ) -> Result<Found, Malformed> {
        let bad = |path, reason| Malformed {
            offset: at,
            path,
            reason,
        };
        let (tag, pos) = wire::tag(buf, at).map_err(|r| bad(message.name(), r))?;
        let number = tag.number;
        let Some(field) = schema::field(message, number) else {
            let end = wire::skip(buf, pos, tag, depth).map_err(|r| bad(message.name(), r))?;
            return Ok(Found {
                number,
                start: pos,
                end,
                value: 0,
                child: None,
                known: false,
            });
        };
        let expected = field.kind.wire();
        if tag.wire != expected {
            let reason = Reason::WrongWireType {
                found: tag.wire,
                expected,
            };
            return Err(bad(field.path, reason));
        }
        if !field.repeated {
            // The variants of a oneof exclude each other, so they share a bit.
            let bit = if message == Message::AnyValue {
                1
            } else {
                1 << (number & 31)
            };
            self.index.needs_repair |= *seen & bit != 0;
            *seen |= bit;
        }
        let mut found = Found {
            number,
            start: pos,
            end: pos,
            value: 0,
            child: None,
            known: true,
        };
        let bad = |reason| bad(field.path, reason);
        match field.kind {
            Kind::Varint => (found.value, found.end) = wire::varint(buf, pos).map_err(bad)?,
            Kind::Fixed64 => found.end = wire::fixed(buf, pos, 8).map_err(bad)?,
            Kind::Fixed32 => found.end = wire::fixed(buf, pos, 4).map_err(bad)?,
            Kind::Bytes => (found.start, found.end) = wire::len_delimited(buf, pos).map_err(bad)?,
            Kind::Text => {
                (found.start, found.end) = wire::len_delimited(buf, pos).map_err(bad)?;
                let text = buf.get(found.start..found.end).unwrap_or_default();
                self.index.needs_repair |= !is_utf8(text);
            }
            Kind::Message(child) => {
                if depth == 0 {
                    return Err(bad(Reason::TooDeep));
                }
                (found.start, found.end) = wire::len_delimited(buf, pos).map_err(bad)?;
                found.child = Some(child);
            }
        }
        Ok(found)
    }

    /// Extends the run of unknown fields `rest` by `start..end`; a second run
    /// cannot be told as one range, so it calls for repair.
    fn unknown(&mut self, rest: &mut Range, start: usize, end: usize) {
        if rest.is_empty() {
            *rest = range(start, end);
        } else if rest.end as usize == start {
            rest.end = end as u32;
        } else {
            self.index.needs_repair = true;
        }
    }
}

#[inline(always)]
fn note(entry: &mut SpanEntry, slot: Option<Slot>, at: usize) {
    if let Some(place) = slot.and_then(|slot| entry.attrs.get_mut(slot.index()))
        && *place == 0
    {
        *place = at as u32;
    }
}

fn key_of(key_value: &[u8]) -> &[u8] {
    Fields::new(key_value)
        .find(|f| f.number == 1)
        .and_then(|f| f.bytes())
        .unwrap_or_default()
}

fn status_code(status: &[u8]) -> u8 {
    Fields::new(status)
        .find(|f| f.number == 3)
        .map_or(0, |f| match f.value {
            Value::Varint(code) => small(code),
            _ => 0,
        })
}

/// An enumeration's number, truncated to 32 bits as protobuf does; 255 where
/// it does not fit.
fn small(value: u64) -> u8 {
    u8::try_from(value as u32).unwrap_or(u8::MAX)
}

fn fault(trace_id: &[u8], span_id: &[u8], parent: &[u8]) -> Option<Fault> {
    let zero = |id: &[u8]| id.iter().all(|b| *b == 0);
    if trace_id.len() != 16 {
        Some(Fault::TraceIdLength)
    } else if zero(trace_id) {
        Some(Fault::TraceIdZero)
    } else if span_id.len() != 8 {
        Some(Fault::SpanIdLength)
    } else if zero(span_id) {
        Some(Fault::SpanIdZero)
    } else if !parent.is_empty() && parent.len() != 8 {
        Some(Fault::ParentSpanIdLength)
    } else {
        None
    }
}
