/*!
`redaction`: takes away what must not leave: attributes that are not allowed, and values that match.

It is a promise, so it does exactly what the Collector's does with the same file, to the attributes of resources, scopes, spans
with their events, data points and log records with their bodies; what it would do otherwise is an error of the file. Attributes of links are left alone, as
there.
*/

mod body;
pub(crate) mod config;
mod mask;
mod names;
mod rules;

use super::items;
use crate::{
    pdata::{
        AttributeList, AttributeScratch, Keys, Signal, groups,
        view::messages,
        wire::{WireFields, put_bytes, put_message},
    },
    pipeline::{
        IndexedRequest, ProcessorFactory, ProcessorInstance, RewriteError, Rewriter, Rewritten,
    },
};
use rules::{Redactor, Rules};

/// The fields that hold attributes.
const OF_RESOURCE: u32 = 1;
const OF_SCOPE: u32 = 3;
const OF_EVENT: u32 = 3;
/// The field of a log record that holds its body.
const BODY: u32 = 5;
/// The field of a span that holds an event.
const EVENT: u32 = 11;
/// The field of a scope group that holds an item.
const ITEM: u32 = 2;

/// Makes instances for one pipeline.
#[derive(Debug)]
struct RedactionFactory {
    rules: Rules,
    signal: Signal,
}

impl ProcessorFactory for RedactionFactory {
    fn instance(&self, _: usize, _: &mut Keys) -> ProcessorInstance {
        ProcessorInstance::Requests(Box::new(Redaction {
            redactor: Redactor::new(self.rules.clone()),
            signal: self.signal,
            scratch: AttributeScratch::default(),
            payload: Vec::new(),
            body: Vec::new(),
        }))
    }
}

struct Redaction {
    redactor: Redactor,
    signal: Signal,
    scratch: AttributeScratch,
    /// A resource, a scope or a span that was changed.
    payload: Vec<u8>,
    /// A body of a log record that was changed.
    body: Vec<u8>,
}

impl Redaction {
    /// Changes the attributes of a resource or a scope, and calls `put` with it. Returns true if any
    /// were changed.
    fn with_head(
        &mut self,
        head: &[u8],
        number: u32,
        put: impl FnOnce(&mut Self, &[u8]) -> bool,
    ) -> bool {
        let mut list = AttributeList::read(head, number, &mut self.scratch);
        self.redactor.redact(&mut list);
        if !list.is_changed() {
            return put(self, head);
        }
        let mut changed = std::mem::take(&mut self.payload);
        changed.clear();
        list.write(&mut changed);
        // Its memory stays with the last that needed it.
        put(self, &changed);
        self.payload = changed;
        true
    }

    /// Appends a log record. Returns true if it was changed.
    fn put_record(&mut self, record: &[u8], out: &mut Vec<u8>) -> bool {
        let mut list = AttributeList::read(record, items::OF_RECORD, &mut self.scratch);
        self.redactor.redact(&mut list);
        self.body.clear();
        let body = messages(record, BODY).last().unwrap_or_default();
        let is_changed = self.redactor.redact_body(body, &mut list, &mut self.body);
        if !is_changed {
            match list.is_changed() {
                true => put_message(ITEM, out, |out| list.write(out)),
                false => groups::put_item(record, out),
            }
            return list.is_changed();
        }
        self.payload.clear();
        list.write(&mut self.payload);
        put_message(ITEM, out, |out| {
            for field in WireFields::new(&self.payload).filter(|field| field.number != BODY) {
                out.extend_from_slice(field.raw);
            }
            put_bytes(BODY, &self.body, out);
        });
        true
    }

    /// Appends an item. Returns true if it was changed.
    fn put_item(&mut self, item: &[u8], out: &mut Vec<u8>) -> bool {
        if self.signal == Signal::Logs {
            return self.put_record(item, out);
        }
        let (redactor, scratch) = (&mut self.redactor, &mut self.scratch);
        let has_events = self.signal == Signal::Traces
            && WireFields::new(item).any(|field| field.number == EVENT);
        if !has_events {
            return items::put_item(self.signal, item, scratch, out, |list| {
                redactor.redact(list)
            });
        }
        let mut list = AttributeList::read(item, items::OF_SPAN, scratch);
        redactor.redact(&mut list);
        let mut is_changed = list.is_changed();
        let mut span = std::mem::take(&mut self.payload);
        span.clear();
        list.write(&mut span);
        put_message(ITEM, out, |out| {
            for field in WireFields::new(&span) {
                let Some(event) = field.bytes().filter(|_| field.number == EVENT) else {
                    out.extend_from_slice(field.raw);
                    continue;
                };
                let mut list = AttributeList::read(event, OF_EVENT, scratch);
                redactor.redact(&mut list);
                is_changed |= list.is_changed();
                match list.is_changed() {
                    true => put_message(EVENT, out, |out| list.write(out)),
                    false => out.extend_from_slice(field.raw),
                }
            }
        });
        self.payload = span;
        is_changed
    }
}

impl Rewriter for Redaction {
    fn rewrite(
        &mut self,
        request: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError> {
        let (bytes, index) = (request.request, request.index);
        let (mut is_changed, mut is_too_long) = (false, false);
        self.redactor.most = request.most;
        for (resource, items) in groups::resource_groups(index) {
            let head = resource.resource.of(bytes);
            is_changed |= self.with_head(head, OF_RESOURCE, |this, head| {
                let mut is_changed = false;
                groups::put_resource_group(bytes, resource, head, out, |out| {
                    for (scope, items) in groups::scope_groups(index, items) {
                        let head = scope.scope.of(bytes);
                        is_changed |= this.with_head(head, OF_SCOPE, |this, head| {
                            let mut is_changed = false;
                            groups::put_scope_group(bytes, scope, head, out, |out| {
                                for entry in items {
                                    if out.len() > request.most {
                                        is_too_long = true;
                                        break;
                                    }
                                    is_changed |= this.put_item(entry.bytes.of(bytes), out);
                                }
                            });
                            is_changed
                        });
                    }
                });
                is_changed
            });
        }
        match (is_too_long, is_changed) {
            (true, _) => Err(RewriteError::TooLong),
            (false, true) => Ok(Rewritten::Changed),
            (false, false) => Ok(Rewritten::Unchanged),
        }
    }
}
