//! A span, its scope and its resource as paths with values, in which two spans
//! are compared and their difference is shown.
//!
//! Invariants: what OTLP calls equal is equal: a message that is left out and
//! an empty one, and attributes in any order, but for two of one key.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span},
};
use std::{collections::BTreeMap, fmt::Display};

/// The fields that are not empty, by path.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fields(pub BTreeMap<String, String>);

/// Every span with its scope and its resource.
pub fn spans(resources: &[ResourceSpans]) -> Vec<Fields> {
    let mut all = Vec::new();
    for part in resources {
        let mut of_resource = Fields::default();
        of_resource.put("resource.schema_url", &part.schema_url, "");
        let resource = part.resource.clone().unwrap_or_default();
        of_resource.attributes("resource", &resource.attributes);
        of_resource.put("resource.dropped", resource.dropped_attributes_count, 0);
        for part in &part.scope_spans {
            let mut of_scope = of_resource.clone();
            of_scope.put("scope.schema_url", &part.schema_url, "");
            let scope = part.scope.clone().unwrap_or_default();
            of_scope.put("scope.name", &scope.name, "");
            of_scope.put("scope.version", &scope.version, "");
            of_scope.attributes("scope", &scope.attributes);
            of_scope.put("scope.dropped", scope.dropped_attributes_count, 0);
            all.extend(part.spans.iter().map(|span| {
                let mut fields = of_scope.clone();
                fields.span(span);
                fields
            }));
        }
    }
    all
}

impl Fields {
    /// The ids of its span.
    pub fn id(&self) -> [Option<&String>; 2] {
        [["trace_id", ".traceId"], ["span_id", ".id"]]
            .map(|names| names.iter().find_map(|name| self.0.get(*name)))
    }

    /// The scalars of any JSON.
    pub fn of_json(value: &serde_json::Value) -> Self {
        let mut fields = Self::default();
        fields.json("", value);
        fields
    }

    fn json(&mut self, path: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    self.json(&format!("{path}.{key}"), value);
                }
            }
            serde_json::Value::Array(list) => {
                for (at, value) in list.iter().enumerate() {
                    self.json(&format!("{path}[{at}]"), value);
                }
            }
            scalar => drop(self.0.insert(path.to_owned(), scalar.to_string())),
        }
    }

    fn put<T: PartialEq<U> + Display, U>(&mut self, path: &str, value: T, unset: U) {
        if value != unset {
            self.0.insert(path.to_owned(), value.to_string());
        }
    }

    fn span(&mut self, span: &Span) {
        self.put("trace_id", hex(&span.trace_id), "");
        self.put("span_id", hex(&span.span_id), "");
        self.put("parent_span_id", hex(&span.parent_span_id), "");
        self.put("trace_state", &span.trace_state, "");
        self.put("flags", span.flags, 0);
        self.put("name", &span.name, "");
        self.put("kind", span.kind, 0);
        self.put("start", span.start_time_unix_nano, 0);
        self.put("end", span.end_time_unix_nano, 0);
        self.attributes("span", &span.attributes);
        self.put("dropped.attributes", span.dropped_attributes_count, 0);
        self.put("dropped.events", span.dropped_events_count, 0);
        self.put("dropped.links", span.dropped_links_count, 0);
        let status = span.status.clone().unwrap_or_default();
        self.put("status.code", status.code, 0);
        self.put("status.message", &status.message, "");
        for (at, event) in span.events.iter().enumerate() {
            let path = format!("events[{at}]");
            self.put(&path, &event.name, "\0");
            self.put(&format!("{path}.time"), event.time_unix_nano, 0);
            self.put(
                &format!("{path}.dropped"),
                event.dropped_attributes_count,
                0,
            );
            self.attributes(&path, &event.attributes);
        }
        for (at, link) in span.links.iter().enumerate() {
            let path = format!("links[{at}]");
            let ids = format!("{} {}", hex(&link.trace_id), hex(&link.span_id));
            self.put(&path, ids, "");
            self.put(&format!("{path}.trace_state"), &link.trace_state, "");
            self.put(&format!("{path}.flags"), link.flags, 0);
            self.put(&format!("{path}.dropped"), link.dropped_attributes_count, 0);
            self.attributes(&path, &link.attributes);
        }
    }

    fn attributes(&mut self, of: &str, attributes: &[KeyValue]) {
        for attribute in attributes {
            let path = format!("{of}.attributes.{}", attribute.key);
            // A second one of the same key.
            let path = match self.0.contains_key(&path) {
                true => format!("{path} #{}", self.0.len()),
                false => path,
            };
            self.value(path, attribute.value.as_ref());
        }
    }

    fn value(&mut self, path: String, value: Option<&AnyValue>) {
        let text = match value.and_then(|value| value.value.as_ref()) {
            None => "none".to_owned(),
            Some(Value::StringValue(text)) => format!("{text:?}"),
            Some(Value::BoolValue(value)) => value.to_string(),
            Some(Value::IntValue(value)) => format!("int {value}"),
            Some(Value::DoubleValue(value)) => format!("double {value:?}"),
            Some(Value::BytesValue(bytes)) => format!("bytes {}", hex(bytes)),
            Some(Value::StringValueStrindex(value)) => format!("index {value}"),
            Some(Value::ArrayValue(list)) => {
                for (at, value) in list.values.iter().enumerate() {
                    self.value(format!("{path}[{at}]"), Some(value));
                }
                format!("list of {}", list.values.len())
            }
            Some(Value::KvlistValue(map)) => {
                self.attributes(&path, &map.values);
                format!("map of {}", map.values.len())
            }
        };
        self.0.insert(path, text);
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
