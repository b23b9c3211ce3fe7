/*!
What prost makes of the same bytes, compared with the verdict, the index and
the views. Shared with `tests/fuzz`.
*/

use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest as Request,
    common::v1::{InstrumentationScope, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message as _;
use wayspan::pdata::{
    AnyValue, Edits, Fault, Index, KeyValue, Keys, Signal, Slot, admit, canon, edit_resource,
    schema::{self, DenseKind, SchemaMessage as Message},
    split, validate, view,
    wire::Fields,
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

/// Fails where the messages differ. NaN equals NaN, by its bits.
#[track_caller]
pub fn same<M: prost::Message + PartialEq + std::fmt::Debug>(ours: &M, theirs: &M) {
    let same = ours == theirs || ours.encode_to_vec() == theirs.encode_to_vec();
    assert!(same, "{ours:#?}\nis not\n{theirs:#?}");
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
        same(&resource, &theirs.resource.clone().unwrap_or_default());
        assert_eq!(ours.schema_url.of(bytes), theirs.schema_url.as_bytes());
        assert_eq!(ours.first_item as usize, span_at);
        for theirs in &theirs.scope_spans {
            let ours = &index.scopes[scope_at];
            assert_eq!(ours.has_scope, theirs.scope.is_some());
            let scope = InstrumentationScope::decode(ours.scope.of(bytes)).unwrap();
            same(&scope, &theirs.scope.clone().unwrap_or_default());
            assert_eq!(ours.schema_url.of(bytes), theirs.schema_url.as_bytes());
            for theirs in &theirs.spans {
                let ours = &index.items[span_at];
                assert_eq!(
                    (ours.resource as usize, ours.scope as usize),
                    (at, scope_at)
                );
                same(&Span::decode(ours.bytes.of(bytes)).unwrap(), theirs);
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
                    let at = index.attr(ours, *slot);
                    assert_eq!(at.is_some(), value.is_some());
                    assert_eq!(at.and_then(|at| view::text_at(bytes, at)), text);
                    if let Some(kv) = value {
                        let ours = view::value_at(bytes, at.unwrap()).unwrap();
                        assert!(same_value(ours, kv.value.as_ref()));
                    }
                }
                span_at += 1;
            }
            scope_at += 1;
        }
        assert_eq!(ours.end_item as usize, span_at);
    }
    assert_eq!(index.items.len(), span_at);
}

/// Validates and decodes `bytes` and compares the verdicts, and then all that
/// follows from them.
pub fn agree(bytes: &[u8]) {
    let (keys, slots) = keys();
    let mut index = Index::default();
    let theirs = Request::decode(bytes);
    match (validate(Signal::Traces, bytes, &keys, &mut index), theirs) {
        (Ok(()), Ok(model)) => {
            if !index.needs_repair {
                check_index(bytes, &index, &slots, &model);
            }
            let admitted = admit(Signal::Traces, bytes, &keys, &mut index).unwrap();
            assert_eq!(admitted.utf8_replaced, 0);
            assert!(!index.needs_repair);
            check_index(&admitted.bytes, &index, &slots, &model);
            assert_eq!(
                split::count(Signal::Traces, &admitted.bytes),
                index.items.len()
            );
        }
        (Ok(()), Err(error)) => {
            assert!(
                error.to_string().contains("UTF-8"),
                "we accept, prost says: {error}"
            );
            assert!(index.needs_repair);
            let admitted = admit(Signal::Traces, bytes, &keys, &mut index).unwrap();
            assert!(!index.needs_repair);
            let model = Request::decode(&*admitted.bytes).unwrap();
            check_index(&admitted.bytes, &index, &slots, &model);
        }
        (Err(malformed), Ok(_)) => panic!("prost accepts, we say: {malformed}"),
        (Err(malformed), Err(_)) => assert!(malformed.offset <= bytes.len()),
    }
}

/// Nothing that takes bytes panics, whatever they are.
pub fn survive(bytes: &[u8]) {
    canon::repair(Signal::Traces, bytes);
    split::halve(Signal::Traces, bytes);
    split::select(Signal::Traces, bytes, 1..3);
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
    let _ = (span.name(), span.kind(), span.status(), span.flags());
    for kv in span.attributes().chain(view::resource_attributes(bytes)) {
        if let view::AnyValue::Array(a) | view::AnyValue::KvList(a) = kv.value {
            view::array_values(a).count();
            view::kvlist_values(a).count();
        }
    }
}

/// Every unknown field below `message`, with the fields that lead to it.
pub fn unknown(message: Message, payload: &[u8]) -> Vec<(String, Vec<u8>)> {
    fn walk(message: Message, payload: &[u8], path: &str, found: &mut Vec<(String, Vec<u8>)>) {
        for field in Fields::new(payload) {
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
