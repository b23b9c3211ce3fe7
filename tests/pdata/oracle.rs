/*!
What prost makes of spans, compared with the index and the views. Shared with `tests/fuzz`.
*/

pub use super::signals::same;
use super::signals::{self, Group, Model, ScopeGroup, inside};
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest as Request, common::v1::any_value::Value,
    trace::v1::Span,
};
use wayspan::pdata::{
    AnyValue, Edits, Index, ItemEntry, KeySlot, KeyValue, Keys, Signal, SpanFault, edit_resource,
    schema::{self, DenseKind, SchemaMessage as Message},
    view,
    wire::WireFields,
    write_span,
};

/// The keys the tests index.
pub const INDEXED: [&str; 4] = ["node_id", "service.name", "upstream_cluster", "ключ"];

/// Keys that occur often, so that duplicates and indexed keys do.
pub const KEYS: [&str; 8] = [
    "node_id",
    "service.name",
    "upstream_cluster",
    "upstream_cluster.name",
    "k",
    "ключ",
    "",
    "zone",
];

/// [`INDEXED`], registered.
pub fn keys() -> (Keys, [KeySlot; 4]) {
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
            let ours: Vec<_> = inside(a, 1).map(AnyValue::new).collect();
            ours.len() == b.values.len()
                && ours
                    .into_iter()
                    .zip(&b.values)
                    .all(|(a, b)| same_value(a, Some(b)))
        }
        (AnyValue::KvList(a), Some(Value::KvlistValue(b))) => {
            same_attributes(inside(a, 1).map(KeyValue::new), &b.values)
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

fn fault(span: &Span) -> Option<SpanFault> {
    let zero = |id: &[u8]| id.iter().all(|b| *b == 0);
    match (
        span.trace_id.len(),
        span.span_id.len(),
        span.parent_span_id.len(),
    ) {
        (16, _, _) if zero(&span.trace_id) => Some(SpanFault::TraceIdZero),
        (16, 8, _) if zero(&span.span_id) => Some(SpanFault::SpanIdZero),
        (16, 8, 0 | 8) => None,
        (16, 8, _) => Some(SpanFault::ParentSpanIdLength),
        (16, _, _) => Some(SpanFault::SpanIdLength),
        _ => Some(SpanFault::TraceIdLength),
    }
}

impl Model for Request {
    const SIGNAL: Signal = Signal::Traces;
    type Item = Span;

    fn groups(&self) -> Vec<Group<'_, Span>> {
        let groups = self.resource_spans.iter().map(|group| Group {
            resource: group.resource.as_ref(),
            schema_url: &group.schema_url,
            scopes: group
                .scope_spans
                .iter()
                .map(|scope| ScopeGroup {
                    scope: scope.scope.as_ref(),
                    schema_url: &scope.schema_url,
                    items: &scope.spans,
                })
                .collect(),
        });
        groups.collect()
    }

    fn check_item(bytes: &[u8], index: &Index, ours: &ItemEntry, theirs: &Span) {
        let (_, slots) = keys();
        assert_eq!(ours.name.of(bytes), theirs.name.as_bytes());
        assert_eq!(ours.kind, u8::try_from(theirs.kind).unwrap_or(255));
        let code = theirs.status.as_ref().map_or(0, |s| s.code);
        assert_eq!(ours.status, u8::try_from(code).unwrap_or(255));
        assert_eq!(ours.fault, fault(theirs));
        assert_eq!(ours.count, 1);
        for (key, slot) in INDEXED.iter().zip(slots) {
            let value = theirs.attributes.iter().find(|kv| kv.key == *key);
            let text = match value.and_then(|kv| kv.value.as_ref()?.value.as_ref()) {
                Some(Value::StringValue(text)) => Some(text.as_bytes()),
                _ => None,
            };
            let at = index.attr(ours, slot);
            assert_eq!(at.is_some(), value.is_some());
            assert_eq!(at.and_then(|at| view::text_at(bytes, at)), text);
            if let Some(kv) = value {
                let ours = view::value_at(bytes, at.unwrap()).unwrap();
                assert!(same_value(ours, kv.value.as_ref()));
            }
        }
    }
}

/// Validates and decodes a request of traces, and compares; see
/// [`signals::agree`].
pub fn agree(bytes: &[u8]) {
    signals::agree::<Request>(bytes);
}

/// Nothing that takes bytes panics, whatever they are.
pub fn survive(bytes: &[u8]) {
    signals::survive::<Request>(bytes);
    let mut edits = Edits::default();
    edits.set_str("node_id", "x");
    edits.set_name("n");
    edits.set_status(2, "s");
    write_span(bytes, &edits, &mut Vec::new());
    edit_resource(bytes, &edits);
    edits.append_encoded(bytes);
    edits.delete("zone");
    edits.get("zone");
    write_span(bytes, &edits, &mut Vec::new());
    let span = view::SpanView::new(bytes);
    let _ = (span.trace_id(), span.span_id(), span.parent_span_id());
    view::resource_attributes(bytes).count();
}

/// Every unknown field below `message`, with the fields that lead to it.
pub fn unknown(message: Message, payload: &[u8]) -> Vec<(String, Vec<u8>)> {
    fn walk(message: Message, payload: &[u8], path: &str, found: &mut Vec<(String, Vec<u8>)>) {
        for field in WireFields::new(payload) {
            match (schema::field(message, field.number).kind, field.bytes()) {
                (DenseKind::Unknown, _) => found.push((path.to_owned(), field.raw.to_vec())),
                (DenseKind::Message(child), Some(payload)) => {
                    walk(child, payload, &format!("{path}/{}", field.number), found);
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(message, payload, message.name(), &mut found);
    found.sort();
    found
}
