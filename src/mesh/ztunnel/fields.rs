/*!
The names and values of a log record, wherever its sender put them.
*/

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use std::collections::BTreeMap;

/// A value of ztunnel's: it writes texts, and counts of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldValue {
    /// A text.
    Text(String),
    /// A number.
    Int(i64),
}

impl FieldValue {
    /// Returns what a bare word means.
    pub(crate) fn of(word: &str) -> Self {
        word.parse()
            .map_or_else(|_| Self::Text(word.to_owned()), Self::Int)
    }
}

/// Names and values. Of a name given twice in one place the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(super) BTreeMap<String, FieldValue>);

impl Fields {
    /// How deep lists of values are looked into.
    pub(super) const MAX_NESTING: usize = 4;

    pub(super) fn join(prefix: &str, name: &str) -> String {
        if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        }
    }

    pub(super) fn put(&mut self, name: &str, value: FieldValue) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn put_list(&mut self, prefix: &str, list: &[KeyValue], depth: usize) {
        for KeyValue { key, value, .. } in list {
            let name = Self::join(prefix, key);
            match value.as_ref().and_then(|AnyValue { value }| value.as_ref()) {
                Some(any_value::Value::StringValue(text)) => {
                    self.put(&name, FieldValue::Text(text.clone()));
                }
                Some(any_value::Value::IntValue(n)) => self.put(&name, FieldValue::Int(*n)),
                // JSON parsers that know one kind of number.
                Some(any_value::Value::DoubleValue(n)) => {
                    self.put(&name, FieldValue::of(&n.to_string()));
                }
                Some(any_value::Value::KvlistValue(inner)) if depth < Self::MAX_NESTING => {
                    self.put_list(&name, &inner.values, depth + 1);
                }
                _ => {}
            }
        }
    }

    /// Returns the text of a field, unless it says nothing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(FieldValue::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Returns the value of a field, of either kind.
    pub(crate) fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.get(name)
    }

    /// Returns all fields by name.
    pub(crate) fn into_inner(self) -> BTreeMap<String, FieldValue> {
        self.0
    }
}
