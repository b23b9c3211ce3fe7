/*!
Edits and what they mean to decoded messages: `decode(edit(b)) ==
edit_model(decode(b))`. Shared with `tests/fuzz`.
*/

use super::oracle::{KEYS, keys, same, same_value, unknown};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ScopeSpans, Span, Status},
};
use prost::Message as _;
use wayspan::pdata::{
    self, Edited, Edits, Index, Signal, admit, edit, edit_resource,
    schema::SchemaMessage as Message, write_span,
};

/// What a processor may do.
#[derive(Clone, Debug)]
pub enum Change {
    SetStr(String, String),
    /// Keys that are present are left out, as the contract demands.
    Append(Vec<(String, String)>),
    Delete(String),
    Name(String),
    Status(i32, String),
    StatusCode(i32),
}

pub fn text(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    }
}

fn set(attributes: &mut Vec<KeyValue>, key: &str, value: AnyValue) {
    attributes.retain(|kv| kv.key != key);
    attributes.push(KeyValue {
        key: key.to_owned(),
        value: Some(value),
        key_strindex: 0,
    });
}

/// Applies the changes to the model and to `edits` alike.
fn apply(changes: &[Change], span: &mut Span, edits: &mut Edits) {
    let base = span.attributes.clone();
    for change in changes {
        match change {
            Change::SetStr(key, value) => {
                set(&mut span.attributes, key, text(value));
                edits.set_str(key, value);
            }
            Change::Append(fields) => {
                let mut encoded = Vec::new();
                for (key, value) in fields {
                    if span.attributes.iter().all(|kv| kv.key != *key) {
                        set(&mut span.attributes, key, text(value));
                        edit::encode_span_attr(key, value, &mut encoded);
                    }
                }
                edits.append_encoded(&encoded);
            }
            Change::Delete(key) => {
                span.attributes.retain(|kv| kv.key != *key);
                edits.delete(key);
            }
            Change::Name(name) => {
                span.name.clone_from(name);
                edits.set_name(name);
                assert_eq!(edits.name(), Some(&**name));
            }
            Change::Status(code, message) => {
                span.status = Some(Status {
                    message: message.clone(),
                    code: *code,
                });
                edits.set_status(*code, message);
                assert_eq!(edits.status(), Some((*code, Some(&**message))));
            }
            Change::StatusCode(code) => {
                span.status.get_or_insert_default().code = *code;
                let message = edits.status().and_then(|(_, m)| m).map(str::to_owned);
                edits.set_status_code(*code);
                assert_eq!(edits.status(), Some((*code, message.as_deref())));
            }
        }
        for key in KEYS {
            let now: Vec<_> = span.attributes.iter().filter(|kv| kv.key == key).collect();
            match edits.get(key) {
                Edited::Unchanged => {
                    let before: Vec<_> = base.iter().filter(|kv| kv.key == key).collect();
                    assert_eq!(now.len(), before.len());
                    now.iter()
                        .zip(&before)
                        .for_each(|(now, before)| same(*now, *before));
                }
                Edited::Deleted => assert!(now.is_empty()),
                Edited::Set(value) => {
                    assert_eq!(now.len(), 1);
                    assert!(same_value(value, now[0].value.as_ref()));
                }
            }
        }
    }
}

/// Unknown fields that no change may touch.
fn kept(message: Message, payload: &[u8], attribute: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = unknown(message, payload);
    all.retain(|(path, _)| !path.starts_with(&format!("{}/{attribute}", message.name())));
    all
}

/// Applies the changes to every span of a request that may enter, and compares.
pub fn check(bytes: &[u8], changes: &[Change]) {
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, bytes, &keys().0, &mut index).unwrap();
    let mut edits = Edits::default();
    let mut out = Vec::new();
    let mut expected = Vec::new();
    for entry in &index.items {
        let payload = entry.bytes.of(&admitted.bytes);
        let mut model = Span::decode(payload).unwrap();
        edits.clear();
        assert!(edits.is_empty());
        apply(changes, &mut model, &mut edits);
        let from = out.len();
        write_span(payload, &edits, &mut out);
        let field = &out[from..];
        let written = pdata::wire::WireFields::new(field).next().unwrap();
        assert_eq!((written.number, written.raw.len()), (2, field.len()));
        assert_eq!(
            kept(Message::Span, written.bytes().unwrap(), "9"),
            kept(Message::Span, payload, "9")
        );
        if edits.is_empty() {
            assert_eq!(written.bytes().unwrap(), payload);
        }
        expected.push(model);
    }
    // Canonical in, canonical out.
    let mut request = out.clone();
    for number in [2, 1] {
        let mut outer = Vec::new();
        pdata::wire::put_bytes(number, &request, &mut outer);
        request = outer;
        if number == 2 {
            let written = ScopeSpans::decode(&*out).unwrap();
            let spans = std::mem::take(&mut expected);
            let expected = ScopeSpans {
                spans,
                ..ScopeSpans::default()
            };
            same(&written, &expected);
        }
    }
    pdata::validate(Signal::Traces, &request, &keys().0, &mut index).unwrap();
    assert!(!index.needs_repair);
}

/// The same for the payload of a Resource.
pub fn check_resource(payload: &[u8], changes: &[Change]) {
    let mut model = Resource::decode(payload).unwrap();
    let mut as_span = Span {
        attributes: model.attributes,
        ..Span::default()
    };
    let mut edits = Edits::default();
    apply(changes, &mut as_span, &mut edits);
    model.attributes = as_span.attributes;
    let edited = edit_resource(payload, &edits);
    same(&Resource::decode(&*edited).unwrap(), &model);
    assert_eq!(
        kept(Message::Resource, &edited, "1"),
        kept(Message::Resource, payload, "1")
    );
}
