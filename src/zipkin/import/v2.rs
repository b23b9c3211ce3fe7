/*! A span of version 2, written as an OTLP span into the group of its resource and scope. */

use super::{
    ImportOptions,
    attribute::{Value, put_attribute, typed},
    embedded::{LinkText, put_event, put_link},
    groups::{Groups, TooMuch},
    model::{Address, Endpoint, Kind, SpanV2},
    tags::{SpecialTags, TagOrder},
};
use crate::{
    pdata::wire::{put_bytes, put_message, put_nonempty, put_nonzero64, put_number},
    zipkin::names,
};
use std::io::Write;

/// Writes spans, with what it needs for one used again for the next.
#[derive(Default)]
pub(super) struct V2Writer {
    order: TagOrder,
    /// Positions of tags that links have taken.
    linked: Vec<u32>,
    text: Vec<u8>,
}

impl V2Writer {
    /// Adds a span to its group.
    pub(super) fn add(
        &mut self,
        span: &SpanV2<'_>,
        options: ImportOptions,
        groups: &mut Groups,
    ) -> Result<(), TooMuch> {
        let special = self.order.look_at(&span.tags);
        let writing = Writing {
            span,
            order: &self.order,
            special,
            options,
        };
        groups.add(
            |out| writing.put_resource(out),
            |out| writing.put_scope(out),
            |out| writing.put_span(&mut self.linked, &mut self.text, out),
        )
    }
}

/// One span, while it is written.
struct Writing<'w, 'a> {
    span: &'w SpanV2<'a>,
    order: &'w TagOrder,
    special: SpecialTags,
    options: ImportOptions,
}

impl Writing<'_, '_> {
    fn value(&self, at: Option<u32>) -> Option<&[u8]> {
        let (_, value) = self.span.tags.get(at? as usize)?;
        Some(value)
    }

    /// Appends the payload of the resource: nothing without a service.
    fn put_resource(&self, out: &mut Vec<u8>) {
        let service = &self.span.local.service;
        if service.is_empty() || **service == *names::NO_SERVICE_NAME.as_bytes() {
            return;
        }
        let source = self.value(self.special.source);
        let source = source.filter(|name| !name.is_empty());
        let source = source.unwrap_or(names::SERVICE_NAME.as_bytes());
        let tags = self.order.tags(&self.span.tags);
        let mut tags = tags.filter(|(_, name, _)| names::is_of_resource(name));
        // A tag of that name goes before the endpoint.
        if !tags.any(|(_, name, _)| **name == *source) {
            put_attribute(1, source, Value::Text(service), out);
        }
        for (_, name, value) in self.order.tags(&self.span.tags) {
            if names::is_of_resource(name) {
                put_attribute(1, name, Value::Text(value), out);
            }
        }
    }

    /// Appends the payload of the scope. False: there is none.
    fn put_scope(&self, out: &mut Vec<u8>) -> bool {
        let special = &self.special;
        let either = |new, old| self.value(new).or(self.value(old)).unwrap_or_default();
        let name = either(special.scope_name, special.library_name);
        if name.is_empty() {
            return false;
        }
        put_bytes(1, name, out);
        let version = either(special.scope_version, special.library_version);
        put_nonempty(2, version, out);
        true
    }

    /// Appends the payload of the span.
    fn put_span(&self, linked: &mut Vec<u32>, text: &mut Vec<u8>, out: &mut Vec<u8>) {
        let span = self.span;
        put_bytes(1, &span.trace_id, out);
        put_bytes(2, &span.id, out);
        let state = self.value(self.special.trace_state);
        put_nonempty(3, state.unwrap_or_default(), out);
        if span.parent != [0; 8] && span.parent != span.id {
            put_bytes(4, &span.parent, out);
        }
        put_nonempty(5, &span.name, out);
        let kind = match (span.kind, self.value(self.special.span_kind)) {
            (Kind::Undetermined, Some(b"internal")) => 1,
            (kind, _) => kind.number(),
        };
        if kind != 0 {
            put_number(6, kind, out);
        }
        let start = span.timestamp.unwrap_or(0).wrapping_mul(1000);
        let end = start.wrapping_add(span.duration.wrapping_mul(1000));
        put_nonzero64(7, start, out);
        put_nonzero64(8, end, out);
        self.put_links(linked, out);
        self.put_attributes(linked, out);
        self.put_endpoints(text, out);
        for annotation in &span.annotations {
            put_message(11, out, |out| {
                put_nonzero64(1, annotation.timestamp.wrapping_mul(1000), out);
                put_event(&annotation.value, out);
            });
        }
        self.put_status(out);
    }

    /// Appends the links that tags have.
    fn put_links(&self, linked: &mut Vec<u32>, out: &mut Vec<u8>) {
        linked.clear();
        for at in self.order.links() {
            let before = out.len();
            let mut found = LinkText::Other;
            let text = self.value(Some(*at)).unwrap_or_default();
            put_message(13, out, |out| found = put_link(text, out));
            if found != LinkText::Link {
                out.truncate(before);
            }
            if found != LinkText::Other {
                linked.push(*at);
            }
        }
    }

    /// Appends the attributes that are left of the tags.
    fn put_attributes(&self, linked: &[u32], out: &mut Vec<u8>) {
        let special = &self.special;
        let is_failure = self.value(special.error) == Some(b"true");
        let has_kind = self.span.kind != Kind::Undetermined;
        let status = special.status_code.and(special.status_description);
        let taken = [
            special.trace_state,
            special.span_kind.filter(|_| !has_kind),
            special.error.filter(|_| is_failure),
            special.status_code,
            status,
        ];
        let made = self.made_otherwise();
        for (at, name, value) in self.order.tags(&self.span.tags) {
            let is_made = |(made, is_made): &(&str, bool)| *is_made && made.as_bytes() == &**name;
            if taken.contains(&Some(at))
                || linked.contains(&at)
                || names::is_never_of_span(name)
                || made.iter().any(is_made)
            {
                continue;
            }
            let value = match self.options.parse_string_tags {
                true => typed(value),
                false => Value::Text(value),
            };
            put_attribute(9, name, value, out);
        }
    }

    /// Names of attributes that are made of something else than tags, and whether each
    /// is there: it then goes before a tag of its name.
    fn made_otherwise(&self) -> [(&'static str, bool); 6] {
        let SpanV2 { local, remote, .. } = self.span;
        [
            (names::LOCAL_ADDRESS, local.address() != Address::None),
            (names::LOCAL_PORT, local.port > 0),
            (names::PEER_SERVICE, !remote.service.is_empty()),
            (names::PEER_ADDRESS, remote.address() != Address::None),
            (names::PEER_PORT, remote.port > 0),
            (names::NO_START_TIME, self.span.timestamp.is_none()),
        ]
    }

    /// Appends the attributes that are made of something else than tags.
    fn put_endpoints(&self, text: &mut Vec<u8>, out: &mut Vec<u8>) {
        let SpanV2 { local, remote, .. } = self.span;
        put_endpoint(local, names::LOCAL_ADDRESS, names::LOCAL_PORT, text, out);
        if !remote.service.is_empty() {
            let service = Value::Text(&remote.service);
            put_attribute(9, names::PEER_SERVICE.as_bytes(), service, out);
        }
        put_endpoint(remote, names::PEER_ADDRESS, names::PEER_PORT, text, out);
        if self.span.timestamp.is_none() {
            let absent = names::NO_START_TIME.as_bytes();
            put_attribute(9, absent, Value::Bool(true), out);
        }
    }

    /// Appends the status: that of its tags, and an error where there is an `error`.
    fn put_status(&self, out: &mut Vec<u8>) {
        let code = self.value(self.special.status_code);
        let number = match (self.special.error, code) {
            (Some(_), _) => 2,
            (None, Some(b"STATUS_CODE_OK" | b"Ok")) => 1,
            (None, Some(b"STATUS_CODE_ERROR" | b"Error")) => 2,
            _ => 0,
        };
        let description = code.and_then(|_| self.value(self.special.status_description));
        let description = description.unwrap_or_default();
        if number != 0 || !description.is_empty() {
            put_message(15, out, |out| {
                put_nonempty(2, description, out);
                if number != 0 {
                    put_number(3, number, out);
                }
            });
        }
    }
}

fn put_endpoint(
    endpoint: &Endpoint<'_>,
    address: &str,
    port: &str,
    text: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    text.clear();
    // Writing to a vector does not fail.
    let _ = write!(text, "{}", endpoint.address());
    if !text.is_empty() {
        put_attribute(9, address.as_bytes(), Value::Text(text), out);
    }
    if endpoint.port > 0 {
        put_attribute(9, port.as_bytes(), Value::Int(endpoint.port.into()), out);
    }
}
