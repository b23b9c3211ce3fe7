/*! Where a log record has its fields: in its body, its attributes, or both. */

use super::{FieldValue, Fields, json, plain};
use opentelemetry_proto::tonic::{common::v1::any_value, logs::v1::LogRecord};

impl Fields {
    /// Everything a record says, its body before its attributes.
    pub(crate) fn of(record: &LogRecord) -> Self {
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
                    Self([("message".to_owned(), FieldValue::Text(text.to_owned()))].into())
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
}
