//! A trace as a query of Jaeger gives it, whichever way it was asked.

use serde_json::Value;
use std::collections::BTreeMap;

pub type Tags = BTreeMap<String, Value>;

#[derive(Debug, Clone)]
pub struct Span {
    pub operation: String,
    /// Name and tags of the process, which is what Jaeger calls the resource.
    pub service: String,
    pub process_tags: Tags,
    pub tags: Tags,
    /// Events without their times, and how many spans it refers to, its parent
    /// among them. Only read from HTTP answers.
    pub events: Vec<Tags>,
    pub links: usize,
}

impl Span {
    /// The value of a tag where it is text, the only kind Kiali compares.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.tags.get(key).and_then(Value::as_str)
    }
}

#[derive(Debug, Clone)]
pub struct Trace {
    /// Lower-case hexadecimal.
    pub id: String,
    pub spans: Vec<Span>,
}
