/*!
The names and values of a log record, wherever its sender put them.
*/

use super::{json, plain};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
};
use std::collections::BTreeMap;

/// A value of ztunnel's: it writes texts, and counts of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Int(i64),
}

impl Value {
    /// What a bare word means.
    pub fn of(word: &str) -> Self {
        word.parse()
            .map_or_else(|_| Self::Text(word.to_owned()), Self::Int)
    }
}

/// Names and values. Of a name given twice in one place the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// How deep lists of values are looked into.
    pub(super) const MAX_NESTING: usize = 4;

    /// Everything a record says, its body before its attributes.
    pub fn of(record: &LogRecord) -> Self {
        let mut fields = match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => {
                let text = text.trim();
                let read = if text.starts_with('{') {
                    json(text)
                } else {
                    plain(text)
                };
                read.unwrap_or_else(|| {
                    // Where the fields are attributes, the body is the message.
                    Self([("message".to_owned(), Value::Text(text.to_owned()))].into())
                })
            }
            Some(any_value::Value::KvlistValue(list)) => {
                let mut fields = Self::default();
                fields.put_list("", &list.values, 0);
                fields
            }
            _ => Self::default(),
        };
        let mut beside = Self::default();
        beside.put_list("", &record.attributes, 0);
        // A parser may leave the whole line as body beside what it found in it.
        if beside.text("direction").is_some()
            && let Some(message) = beside.0.remove("message")
        {
            fields.0.insert("message".to_owned(), message);
        }
        for (name, value) in beside.0 {
            fields.0.entry(name).or_insert(value);
        }
        fields
    }

    pub(super) fn join(prefix: &str, name: &str) -> String {
        if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        }
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn put_list(&mut self, prefix: &str, list: &[KeyValue], depth: usize) {
        for KeyValue { key, value, .. } in list {
            let name = Self::join(prefix, key);
            match value.as_ref().and_then(|AnyValue { value }| value.as_ref()) {
                Some(any_value::Value::StringValue(text)) => {
                    self.put(&name, Value::Text(text.clone()));
                }
                Some(any_value::Value::IntValue(n)) => self.put(&name, Value::Int(*n)),
                // JSON parsers that know one kind of number.
                Some(any_value::Value::DoubleValue(n)) => {
                    self.put(&name, Value::of(&n.to_string()));
                }
                Some(any_value::Value::KvlistValue(inner)) if depth < Self::MAX_NESTING => {
                    self.put_list(&name, &inner.values, depth + 1);
                }
                _ => {}
            }
        }
    }

    /// A text that says something.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A value of either kind.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// What there is, by name.
    pub fn into_inner(self) -> BTreeMap<String, Value> {
        self.0
    }
}
