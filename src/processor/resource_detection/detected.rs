/*! What was detected, and what a resource becomes by it. */

use crate::pdata::{Edits, edit_resource, view::resource_attributes};

/// The conventions by which the system and Kubernetes are described.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.40.0";

/// What all detectors say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Detected {
    attributes: Vec<(String, String)>,
    /// The schema that the attributes keep to; empty: none.
    pub(super) schema_url: &'static str,
}

impl Detected {
    /// Adds what a detector says. What an earlier one has said stays.
    pub(super) fn add(
        &mut self,
        attributes: impl IntoIterator<Item = (String, String)>,
        schema_url: &'static str,
    ) {
        for (key, text) in attributes {
            if !self.attributes.iter().any(|(known, _)| *known == key) {
                self.attributes.push((key, text));
            }
        }
        if self.schema_url.is_empty() {
            self.schema_url = schema_url;
        }
    }

    /// Returns what was detected, for the log.
    pub(super) fn describe(&self) -> String {
        let all = self.attributes.iter();
        let all: Vec<_> = all.map(|(key, text)| format!("{key}={text}")).collect();
        match &all[..] {
            [] => "nothing".to_owned(),
            all => all.join(", "),
        }
    }

    /// Returns the payload of a resource with what was detected. What it has already
    /// is replaced if `overrides`. None: it stays as it is.
    pub(super) fn merge(
        &self,
        payload: &[u8],
        overrides: bool,
        scratch: &mut Edits,
    ) -> Option<Vec<u8>> {
        scratch.clear();
        for (key, text) in &self.attributes {
            let is_there = || resource_attributes(payload).any(|known| known.key == key);
            if overrides || !is_there() {
                scratch.set_str(key, text);
            }
        }
        (!scratch.is_empty()).then(|| edit_resource(payload, scratch))
    }
}
