/*! A span of version 1, written as an OTLP span into the group of its endpoint. */

use super::{
    ImportOptions,
    attribute::{Value, put_attribute, typed},
    groups::{Groups, TooMuch},
    model::Text,
    tags::TagOrder,
    v1_status::V1Status,
};
use crate::{
    pdata::wire::{put_bytes, put_message, put_nonempty, put_nonzero64, put_number},
    zipkin::names,
};

/// Service name where no annotation has one.
const UNKNOWN_SERVICE: &[u8] = b"unknown-service";

/// Annotation with the component that made the span.
const LOCAL_COMPONENT: &[u8] = b"lc";

/// A span of version 1.
#[derive(Debug, Default)]
pub(super) struct SpanV1<'a> {
    pub(super) trace_id: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: [u8; 8],
    pub(super) name: Text<'a>,
    /// Microseconds since 1970; 0: there is none.
    pub(super) timestamp: i64,
    pub(super) duration: i64,
    pub(super) annotations: Vec<AnnotationV1<'a>>,
    /// Binary annotations, which are text nevertheless.
    pub(super) tags: Vec<(Text<'a>, Text<'a>)>,
    /// The service name of the last binary annotation that has one.
    pub(super) tagged_by: Text<'a>,
}

/// A moment in a span's life.
#[derive(Debug, Default)]
pub(super) struct AnnotationV1<'a> {
    pub(super) timestamp: i64,
    pub(super) value: Text<'a>,
    pub(super) endpoint: EndpointV1<'a>,
}

/// Where an annotation was made.
#[derive(Debug, Default)]
pub(super) struct EndpointV1<'a> {
    pub(super) service: Text<'a>,
    pub(super) ipv4: Text<'a>,
    pub(super) ipv6: Text<'a>,
    pub(super) port: i32,
}

impl SpanV1<'_> {
    /// Empties it for the next span.
    pub(super) fn clear(&mut self) {
        let mut annotations = std::mem::take(&mut self.annotations);
        let mut tags = std::mem::take(&mut self.tags);
        annotations.clear();
        tags.clear();
        *self = Self {
            annotations,
            tags,
            ..Self::default()
        };
    }

    /// Returns the endpoint whose span this is, if an annotation of a kind names it.
    fn endpoint(&self) -> Option<&EndpointV1<'_>> {
        let names_service = |annotation: &&AnnotationV1<'_>| {
            let service = &*annotation.endpoint.service;
            kind_of(&annotation.value) != 0 && !service.is_empty() && service != UNKNOWN_SERVICE
        };
        let found = self.annotations.iter().find(names_service);
        found.map(|annotation| &annotation.endpoint)
    }

    /// Returns the service that binary annotations name, if the others name none.
    fn fallback_service(&self) -> &[u8] {
        let component = || {
            let mut tags = self.tags.iter().rev();
            let found = tags.find(|(name, _)| **name == *LOCAL_COMPONENT);
            found.map(|(_, value)| &**value)
        };
        let known = Some(&*self.tagged_by).filter(|service| !service.is_empty());
        let known = known.or_else(component).filter(|name| !name.is_empty());
        known.unwrap_or(UNKNOWN_SERVICE)
    }

    /// Returns when it began and ended: by its own word, or by its annotations.
    fn times(&self) -> (u64, u64) {
        if self.timestamp != 0 {
            let end = self.timestamp.wrapping_add(self.duration);
            return (nanoseconds(self.timestamp), nanoseconds(end));
        }
        let times = self.annotations.iter();
        let times = times.map(|annotation| annotation.timestamp);
        let first = times.clone().filter(|time| *time < i64::MAX).min();
        let last = times.filter(|time| *time > i64::MIN).max();
        (
            nanoseconds(first.unwrap_or(0)),
            nanoseconds(last.unwrap_or(0)),
        )
    }
}

/// Returns the number that OTLP has for the kind which an annotation tells; else 0.
fn kind_of(annotation: &[u8]) -> u64 {
    match annotation {
        b"ss" | b"sr" => 2,
        b"cs" | b"cr" => 3,
        b"ms" => 4,
        b"mr" => 5,
        _ => 0,
    }
}

fn nanoseconds(microseconds: i64) -> u64 {
    let microseconds = u64::try_from(microseconds).unwrap_or(0);
    microseconds.wrapping_mul(1000)
}

/// Writes spans, with what it needs for one used again for the next.
#[derive(Default)]
pub(super) struct V1Writer {
    order: TagOrder,
}

impl V1Writer {
    /// Adds a span to its group.
    pub(super) fn add(
        &mut self,
        span: &SpanV1<'_>,
        options: ImportOptions,
        groups: &mut Groups,
    ) -> Result<(), TooMuch> {
        let _ = self.order.look_at(&span.tags);
        groups.add(
            |out| put_resource(span, out),
            |_| false,
            |out| put_span(span, &self.order, options, out),
        )
    }
}

fn put_resource(span: &SpanV1<'_>, out: &mut Vec<u8>) {
    let endpoint = span.endpoint();
    let service = endpoint.map_or_else(|| span.fallback_service(), |endpoint| &endpoint.service);
    let mut put = |name: &str, value: &[u8]| {
        put_attribute(1, name.as_bytes(), Value::Text(value), out);
    };
    put(names::SERVICE_NAME, service);
    let Some(endpoint) = endpoint else { return };
    if !endpoint.ipv4.is_empty() {
        put("ipv4", &endpoint.ipv4);
    }
    if !endpoint.ipv6.is_empty() {
        put("ipv6", &endpoint.ipv6);
    }
    if endpoint.port != 0 {
        put("port", endpoint.port.to_string().as_bytes());
    }
}

fn put_span(span: &SpanV1<'_>, order: &TagOrder, options: ImportOptions, out: &mut Vec<u8>) {
    put_bytes(1, &span.trace_id, out);
    put_bytes(2, &span.id, out);
    if span.parent != [0; 8] {
        put_bytes(4, &span.parent, out);
    }
    put_nonempty(5, &span.name, out);
    let kinds = span.annotations.iter();
    let mut kinds = kinds.map(|annotation| kind_of(&annotation.value));
    if let Some(kind) = kinds.find(|kind| *kind != 0) {
        put_number(6, kind, out);
    }
    let (start, end) = span.times();
    let is_absent = start == 0;
    let (start, end) = if is_absent {
        (options.now, options.now)
    } else {
        (start, end)
    };
    put_nonzero64(7, start, out);
    put_nonzero64(8, end, out);
    let value = |text| match options.parse_string_tags {
        true => typed(text),
        false => Value::Text(text),
    };
    let mut status = V1Status::default();
    for (name, text) in &span.tags {
        status.note(name, value(text), text);
    }
    for (_, name, text) in order.tags(&span.tags) {
        let name = match &**name {
            LOCAL_COMPONENT => b"component",
            name => name,
        };
        let is_absence = is_absent && name == names::NO_START_TIME.as_bytes();
        if !V1Status::takes(name) && !is_absence {
            put_attribute(9, name, value(text), out);
        }
    }
    if is_absent {
        let absent = names::NO_START_TIME.as_bytes();
        put_attribute(9, absent, Value::Bool(true), out);
    }
    for annotation in &span.annotations {
        // What tells the kind is no event.
        if kind_of(&annotation.value) == 0 {
            put_message(11, out, |out| {
                put_nonzero64(1, nanoseconds(annotation.timestamp), out);
                put_nonempty(2, &annotation.value, out);
            });
        }
    }
    status.put(out);
}
