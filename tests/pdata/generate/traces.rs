/*! Requests of traces. */

use super::{attributes, count, enumeration, id, resource, scope, text};
use crate::Request;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::{collection::vec, option, prelude::*};

fn event() -> impl Strategy<Value = span::Event> {
    (any::<u64>(), text(), attributes(2), count()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| span::Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = span::Link> {
    (id(16), id(8), text(), attributes(2), count(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| {
            span::Link {
                trace_id,
                span_id,
                trace_state,
                attributes,
                dropped_attributes_count,
                flags,
            }
        },
    )
}

pub fn span() -> impl Strategy<Value = Span> {
    let ids = (id(16), id(8), id(8), text(), text());
    let numbers = (
        enumeration(),
        any::<u64>(),
        any::<u64>(),
        any::<u32>(),
        [count(), count(), count()],
    );
    let status = (enumeration(), text()).prop_map(|(code, message)| Status { message, code });
    let parts = (
        attributes(8),
        vec(event(), 0..2),
        vec(link(), 0..2),
        option::of(status),
    );
    (ids, numbers, parts).prop_map(
        |(
            (trace_id, span_id, parent_span_id, trace_state, name),
            (kind, start, end, flags, [dropped_attributes, dropped_events, dropped_links]),
            (attributes, events, links, status),
        )| Span {
            trace_id,
            span_id,
            trace_state,
            parent_span_id,
            flags,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            dropped_attributes_count: dropped_attributes,
            events,
            dropped_events_count: dropped_events,
            links,
            dropped_links_count: dropped_links,
            status,
        },
    )
}

fn scope_spans() -> impl Strategy<Value = ScopeSpans> {
    (option::of(scope()), vec(span(), 0..4), text()).prop_map(|(scope, spans, schema_url)| {
        ScopeSpans {
            scope,
            spans,
            schema_url,
        }
    })
}

fn resource_spans() -> impl Strategy<Value = ResourceSpans> {
    (option::of(resource()), vec(scope_spans(), 0..3), text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    )
}

pub fn request() -> impl Strategy<Value = Request> {
    vec(resource_spans(), 0..3).prop_map(|resource_spans| Request { resource_spans })
}
