/*! What prost makes of the same bytes, compared with the index and the views. */

use crate::Request;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::{
    common::v1::{InstrumentationScope, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message as _;
use wayspan::pdata::{
    AnyValue, Fault, Index, KeyValue, Keys, Slot,
    schema::{self, Kind, Message},
    view::{self, indexed_str, indexed_value},
    wire::Fields,
};

/// The keys the tests index.
pub const INDEXED: [&str; 4] = ["node_id", "service.name", "upstream_cluster", "ключ"];

/// [`INDEXED`], registered.
pub fn keys() -> (Keys, [Slot; 4]) {
    let mut keys = Keys::default();
    let slots = INDEXED.map(|key| keys.add(key));
    (keys, slots)
}

/// Whether a view of a value equals the decoded one.
pub fn same_value(ours: AnyValue<'_>, theirs: Option<&common::AnyValue>) -> bool {
    match (ours, theirs.and_then(|v| v.value.as_ref())) {
        (AnyValue::Empty, None) => true,
        (AnyValue::String(a), Some(Value::StringValue(b))) => a == b,
        (AnyValue::Bool(a), Some(Value::BoolValue(b))) => a == *b,
        (AnyValue::Int(a), Some(Value::IntValue(b))) => a == *b,
        (AnyValue::Double(a), Some(Value::DoubleValue(b))) => a.to_bits() == b.to_bits(),
        (AnyValue::Bytes(a), Some(Value::BytesValue(b))) => a == b,
        (AnyValue::StringIndex(a), Some(Value::StringValueStrindex(b))) => a == *b,
        (AnyValue::Array(a), Some(Value::ArrayValue(b))) => {
            view::array_values(a).count() == b.values.len()
                && view::array_values(a)
                    .zip(&b.values)
                    .all(|(a, b)| same_value(a, Some(b)))
        }
        (AnyValue::KvList(a), Some(Value::KvlistValue(b))) => {
            same_attributes(view::kvlist_values(a), &b.values)
        }
        _ => false,
    }
}

/// Whether viewed attributes equal the decoded ones.
pub fn same_attributes<'a>(
    ours: impl Iterator<Item = KeyValue<'a>>,
    theirs: &[common::KeyValue],
) -> bool {
    let ours: Vec<_> = ours.collect();
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| a.key == b.key && same_value(a.value, b.value.as_ref()))
}

fn fault(span: &Span) -> Option<Fault> {
    let zero = |id: &[u8]| id.iter().all(|b| *b == 0);
    match (
        span.trace_id.len(),
        span.span_id.len(),
        span.parent_span_id.len(),
    ) {
        (16, _, _) if zero(&span.trace_id) => Some(Fault::TraceIdZero),
        (16, 8, _) if zero(&span.span_id) => Some(Fault::SpanIdZero),
        (16, 8, 0 | 8) => None,
        (16, 8, _) => Some(Fault::ParentSpanIdLength),
        (16, _, _) => Some(Fault::SpanIdLength),
        _ => Some(Fault::TraceIdLength),
    }
}

/// Checks that `index` describes `bytes` as prost decodes them.
pub fn check_index(bytes: &[u8], index: &Index, slots: &[Slot; 4], model: &Request) {
    assert_eq!(index.resources.len(), model.resource_spans.len());
    let scopes: usize = model
        .resource_spans
        .iter()
        .map(|r| r.scope_spans.len())
        .sum();
    assert_eq!(index.scopes.len(), scopes);
    let (mut scope_at, mut span_at) = (0usize, 0usize);
    for (at, (ours, theirs)) in index
        .resources
        .iter()
        .zip(&model.resource_spans)
        .enumerate()
    {
        let resource = Resource::decode(ours.resource.of(bytes)).unwrap();
        assert_eq!(resource, theirs.resource.clone().unwrap_or_default());
        assert_eq!(ours.schema_url.of(bytes), theirs.schema_url.as_bytes());
        assert_eq!(ours.first_span as usize, span_at);
        for theirs in &theirs.scope_spans {
            let ours = &index.scopes[scope_at];
            assert_eq!(ours.has_scope, theirs.scope.is_some());
            let scope = InstrumentationScope::decode(ours.scope.of(bytes)).unwrap();
            assert_eq!(scope, theirs.scope.clone().unwrap_or_default());
            assert_eq!(ours.schema_url.of(bytes), theirs.schema_url.as_bytes());
            for theirs in &theirs.spans {
                let ours = &index.spans[span_at];
                assert_eq!(
                    (ours.resource as usize, ours.scope as usize),
                    (at, scope_at)
                );
                assert_eq!(&Span::decode(ours.bytes.of(bytes)).unwrap(), theirs);
                assert_eq!(ours.name.of(bytes), theirs.name.as_bytes());
                assert_eq!(ours.kind, u8::try_from(theirs.kind).unwrap_or(255));
                let code = theirs.status.as_ref().map_or(0, |s| s.code);
                assert_eq!(ours.status, u8::try_from(code).unwrap_or(255));
                assert_eq!(ours.fault, fault(theirs));
                for (key, slot) in INDEXED.iter().zip(slots) {
                    let value = theirs.attributes.iter().find(|kv| kv.key == *key);
                    let text = match value.and_then(|kv| kv.value.as_ref()?.value.as_ref()) {
                        Some(Value::StringValue(text)) => Some(text.as_bytes()),
                        _ => None,
                    };
                    assert_eq!(ours.attr(*slot).is_some(), value.is_some());
                    assert_eq!(indexed_str(bytes, ours, *slot), text);
                    if let Some(kv) = value {
                        let ours = indexed_value(bytes, ours, *slot).unwrap();
                        assert!(same_value(ours, kv.value.as_ref()));
                    }
                }
                span_at += 1;
            }
            scope_at += 1;
        }
        assert_eq!(ours.end_span as usize, span_at);
    }
    assert_eq!(index.spans.len(), span_at);
}

/// Every unknown field below `message`, with the fields that lead to it.
pub fn unknown(message: Message, payload: &[u8]) -> Vec<(String, Vec<u8>)> {
    fn walk(message: Message, payload: &[u8], path: &str, found: &mut Vec<(String, Vec<u8>)>) {
        for field in Fields::new(payload) {
            match schema::field(message, field.number) {
                None => found.push((path.to_owned(), field.raw.to_vec())),
                Some(known) => {
                    if let (Kind::Message(child), Some(payload)) = (known.kind, field.bytes()) {
                        walk(child, payload, &format!("{path}/{}", field.number), found);
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(message, payload, message.name(), &mut found);
    found.sort();
    found
}
