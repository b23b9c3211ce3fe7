/*!
Decoded spans, small enough to reason and to print: for [`super::pages`], for
`wayspan demo` and for tests. Never used on the way of a span.
*/

use super::{Class, Destination, Facts, Kin, ResourceFacts, key};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};
use std::net::IpAddr;

/// String attributes in order; other values are kept as `""`.
pub(crate) type Attributes = Vec<(String, String)>;

/// A span, with the resource it came under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Trace id, 16 bytes.
    pub trace_id: Vec<u8>,
    /// Span id, 8 bytes.
    pub span_id: Vec<u8>,
    /// Parent's span id, or empty.
    pub parent_span_id: Vec<u8>,
    /// Span name.
    pub name: String,
    /// `SpanKind` as on the wire.
    pub kind: u8,
    /// `Status.code`; 0 where there is none.
    pub status: i32,
    /// Is true when its attribute `error` is true, or the text.
    pub error: bool,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// The resource's attributes.
    pub resource: Attributes,
    /// The span's attributes.
    pub attributes: Attributes,
    /// The address it came from, where that is known.
    pub peer: Option<IpAddr>,
    /// What another span of its `ResourceSpans` says of the proxy: the parent, else the
    /// first that does.
    pub kin: Option<Relative>,
}

/// What a span's kin says of the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relative {
    /// Its `node_id`.
    pub node_id: String,
    /// Its `istio.canonical_service`.
    pub canonical_service: Option<String>,
    /// Is true when it is the parent.
    pub is_parent: bool,
}

/// One line of an account of hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop<'a> {
    /// The kind of hop.
    pub(crate) class: Class,
    /// The service name it has.
    pub(crate) service_name: &'a str,
    /// Where it went, if its span says so.
    pub(crate) destination: Option<Destination<'a>>,
}

/// Returns the spans of a request, in order.
pub(crate) fn spans(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let mut out = Vec::new();
    for group in &request.resource_spans {
        let first = out.len();
        let resource = group.resource.as_ref().map_or(&[][..], |r| &r.attributes);
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            out.push(Span {
                trace_id: span.trace_id.clone(),
                span_id: span.span_id.clone(),
                parent_span_id: span.parent_span_id.clone(),
                name: span.name.clone(),
                kind: u8::try_from(span.kind).unwrap_or(u8::MAX),
                status: span.status.as_ref().map_or(0, |status| status.code),
                error: span.attributes.iter().any(is_error),
                start: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
                resource: attributes(resource),
                attributes: attributes(&span.attributes),
                peer: None,
                kin: None,
            });
        }
        let group = out.get_mut(first..).unwrap_or_default();
        let kin: Vec<_> = group.iter().map(|span| kin(span, group)).collect();
        for (span, kin) in group.iter_mut().zip(kin) {
            span.kin = kin;
        }
    }
    out
}

/// Returns the kin of a span in its group.
fn kin(span: &Span, group: &[Span]) -> Option<Relative> {
    let parent = group.iter().find(|other| {
        !span.parent_span_id.is_empty()
            && other.span_id == span.parent_span_id
            && other.trace_id == span.trace_id
            && other.tag(key::NODE_ID).is_some()
    });
    let kin = parent.or_else(|| group.iter().find(|other| other.tag(key::NODE_ID).is_some()))?;
    Some(Relative {
        node_id: kin.tag(key::NODE_ID)?.to_owned(),
        canonical_service: kin.tag(key::CANONICAL_SERVICE).map(str::to_owned),
        is_parent: parent.is_some(),
    })
}

fn is_error(attribute: &KeyValue) -> bool {
    let value = attribute.value.as_ref().and_then(|any| any.value.as_ref());
    attribute.key == key::ERROR
        && match value {
            Some(Value::BoolValue(value)) => *value,
            Some(Value::StringValue(text)) => text == "true",
            _ => false,
        }
}

fn attributes(list: &[KeyValue]) -> Attributes {
    list.iter()
        .map(|kv| {
            let text = match kv.value.as_ref().and_then(|any| any.value.as_ref()) {
                Some(Value::StringValue(text)) => text.clone(),
                _ => String::new(),
            };
            (kv.key.clone(), text)
        })
        .collect()
}

impl Span {
    /// Returns the value of a span attribute.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        find(&self.attributes, key)
    }

    /// Returns the value of a resource attribute.
    pub(crate) fn resource_tag(&self, key: &str) -> Option<&str> {
        find(&self.resource, key)
    }

    /// Returns the service name Jaeger stores the span under.
    pub(crate) fn service_name(&self) -> &str {
        self.resource_tag(key::SERVICE_NAME).unwrap_or_default()
    }

    /// Returns what the rules see of this span.
    pub(crate) fn facts(&self) -> Facts<'_> {
        let resource = self.resource.iter();
        let facts = Facts {
            resource: ResourceFacts::from_attributes(
                resource.map(|(key, text)| (key.as_str(), text.as_str())),
            ),
            span_name: &self.name,
            kind: self.kind,
            unset_error: self.error && self.status == 0,
            peer: self.peer,
            kin: self.kin.as_ref().map_or(Kin::default(), |kin| Kin {
                node_id: Some(&kin.node_id),
                canonical_service: kin.canonical_service.as_deref(),
                is_parent: kin.is_parent,
            }),
            ..Facts::default()
        };
        facts.with_attributes(|key| self.tag(key))
    }

    /// Returns the span as a line in an account of hops.
    pub(crate) fn hop(&self) -> Hop<'_> {
        let facts = self.facts();
        let class = facts.class();
        let destination = match class {
            Class::Waypoint => Destination::of_waypoint(&facts),
            Class::Gateway | Class::Sidecar => Destination::of_cluster(&facts),
            _ => None,
        };
        Hop {
            class,
            service_name: self.service_name(),
            destination,
        }
    }
}

fn find<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, text)| text.as_str())
}
