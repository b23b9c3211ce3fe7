/*!
The fields of `ExportTraceServiceRequest` and everything below it
(opentelemetry-proto 1.x as generated in the `opentelemetry-proto` crate).

A field that is not in this table is unknown: it is skipped, and kept.
*/

use super::wire::Wire;

/// A message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// `ExportTraceServiceRequest`
    Request,
    /// `ResourceSpans`
    ResourceSpans,
    /// `Resource`
    Resource,
    /// `EntityRef`
    EntityRef,
    /// `ScopeSpans`
    ScopeSpans,
    /// `InstrumentationScope`
    Scope,
    /// `Span`
    Span,
    /// `Span.Event`
    Event,
    /// `Span.Link`
    Link,
    /// `Status`
    Status,
    /// `KeyValue`
    KeyValue,
    /// `AnyValue`: all its fields are variants of one oneof.
    AnyValue,
    /// `ArrayValue`
    ArrayValue,
    /// `KeyValueList`
    KeyValueList,
}

impl Message {
    /// Its name in the .proto files.
    pub const fn name(self) -> &'static str {
        match self {
            Message::Request => "ExportTraceServiceRequest",
            Message::ResourceSpans => "ResourceSpans",
            Message::Resource => "Resource",
            Message::EntityRef => "EntityRef",
            Message::ScopeSpans => "ScopeSpans",
            Message::Scope => "InstrumentationScope",
            Message::Span => "Span",
            Message::Event => "Span.Event",
            Message::Link => "Span.Link",
            Message::Status => "Status",
            Message::KeyValue => "KeyValue",
            Message::AnyValue => "AnyValue",
            Message::ArrayValue => "ArrayValue",
            Message::KeyValueList => "KeyValueList",
        }
    }
}

/// What kind of value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any integer, bool or enumeration.
    Varint,
    /// `fixed64` or `double`.
    Fixed64,
    /// `fixed32`.
    Fixed32,
    /// `bytes`.
    Bytes,
    /// `string`, UTF-8.
    Text,
    /// A message.
    Message(Message),
}

impl Kind {
    /// Its wire type.
    pub const fn wire(self) -> Wire {
        match self {
            Kind::Varint => Wire::Varint,
            Kind::Fixed64 => Wire::Fixed64,
            Kind::Fixed32 => Wire::Fixed32,
            Kind::Bytes | Kind::Text | Kind::Message(_) => Wire::Len,
        }
    }
}

/// A known field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// `Message.field`, for error messages.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may occur any number of times.
    pub repeated: bool,
}

const fn one(path: &'static str, kind: Kind) -> Option<Field> {
    Some(Field {
        path,
        kind,
        repeated: false,
    })
}

const fn many(path: &'static str, kind: Kind) -> Option<Field> {
    Some(Field {
        path,
        kind,
        repeated: true,
    })
}

/// The field `number` of `message`, if it is known. Known numbers are below 32.
#[inline]
pub const fn field(message: Message, number: u32) -> Option<Field> {
    use Kind::{Bytes, Fixed32, Fixed64, Text, Varint};
    use Message as M;
    const fn m(message: Message) -> Kind {
        Kind::Message(message)
    }
    match (message, number) {
        (M::Request, 1) => many(
            "ExportTraceServiceRequest.resource_spans",
            m(M::ResourceSpans),
        ),

        (M::ResourceSpans, 1) => one("ResourceSpans.resource", m(M::Resource)),
        (M::ResourceSpans, 2) => many("ResourceSpans.scope_spans", m(M::ScopeSpans)),
        (M::ResourceSpans, 3) => one("ResourceSpans.schema_url", Text),

        (M::Resource, 1) => many("Resource.attributes", m(M::KeyValue)),
        (M::Resource, 2) => one("Resource.dropped_attributes_count", Varint),
        (M::Resource, 3) => many("Resource.entity_refs", m(M::EntityRef)),

        (M::EntityRef, 1) => one("EntityRef.schema_url", Text),
        (M::EntityRef, 2) => one("EntityRef.type", Text),
        (M::EntityRef, 3) => many("EntityRef.id_keys", Text),
        (M::EntityRef, 4) => many("EntityRef.description_keys", Text),

        (M::ScopeSpans, 1) => one("ScopeSpans.scope", m(M::Scope)),
        (M::ScopeSpans, 2) => many("ScopeSpans.spans", m(M::Span)),
        (M::ScopeSpans, 3) => one("ScopeSpans.schema_url", Text),

        (M::Scope, 1) => one("InstrumentationScope.name", Text),
        (M::Scope, 2) => one("InstrumentationScope.version", Text),
        (M::Scope, 3) => many("InstrumentationScope.attributes", m(M::KeyValue)),
        (M::Scope, 4) => one("InstrumentationScope.dropped_attributes_count", Varint),

        (M::Span, 1) => one("Span.trace_id", Bytes),
        (M::Span, 2) => one("Span.span_id", Bytes),
        (M::Span, 3) => one("Span.trace_state", Text),
        (M::Span, 4) => one("Span.parent_span_id", Bytes),
        (M::Span, 5) => one("Span.name", Text),
        (M::Span, 6) => one("Span.kind", Varint),
        (M::Span, 7) => one("Span.start_time_unix_nano", Fixed64),
        (M::Span, 8) => one("Span.end_time_unix_nano", Fixed64),
        (M::Span, 9) => many("Span.attributes", m(M::KeyValue)),
        (M::Span, 10) => one("Span.dropped_attributes_count", Varint),
        (M::Span, 11) => many("Span.events", m(M::Event)),
        (M::Span, 12) => one("Span.dropped_events_count", Varint),
        (M::Span, 13) => many("Span.links", m(M::Link)),
        (M::Span, 14) => one("Span.dropped_links_count", Varint),
        (M::Span, 15) => one("Span.status", m(M::Status)),
        (M::Span, 16) => one("Span.flags", Fixed32),

        (M::Event, 1) => one("Span.Event.time_unix_nano", Fixed64),
        (M::Event, 2) => one("Span.Event.name", Text),
        (M::Event, 3) => many("Span.Event.attributes", m(M::KeyValue)),
        (M::Event, 4) => one("Span.Event.dropped_attributes_count", Varint),

        (M::Link, 1) => one("Span.Link.trace_id", Bytes),
        (M::Link, 2) => one("Span.Link.span_id", Bytes),
        (M::Link, 3) => one("Span.Link.trace_state", Text),
        (M::Link, 4) => many("Span.Link.attributes", m(M::KeyValue)),
        (M::Link, 5) => one("Span.Link.dropped_attributes_count", Varint),
        (M::Link, 6) => one("Span.Link.flags", Fixed32),

        (M::Status, 2) => one("Status.message", Text),
        (M::Status, 3) => one("Status.code", Varint),

        (M::KeyValue, 1) => one("KeyValue.key", Text),
        (M::KeyValue, 2) => one("KeyValue.value", m(M::AnyValue)),
        (M::KeyValue, 3) => one("KeyValue.key_strindex", Varint),

        (M::AnyValue, 1) => one("AnyValue.string_value", Text),
        (M::AnyValue, 2) => one("AnyValue.bool_value", Varint),
        (M::AnyValue, 3) => one("AnyValue.int_value", Varint),
        (M::AnyValue, 4) => one("AnyValue.double_value", Fixed64),
        (M::AnyValue, 5) => one("AnyValue.array_value", m(M::ArrayValue)),
        (M::AnyValue, 6) => one("AnyValue.kvlist_value", m(M::KeyValueList)),
        (M::AnyValue, 7) => one("AnyValue.bytes_value", Bytes),
        (M::AnyValue, 8) => one("AnyValue.string_value_strindex", Varint),

        (M::ArrayValue, 1) => many("ArrayValue.values", m(M::AnyValue)),
        (M::KeyValueList, 1) => many("KeyValueList.values", m(M::KeyValue)),

        _ => None,
    }
}
