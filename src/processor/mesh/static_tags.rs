/*!
The same tags for every span that lacks them: those of the file (`tags`, `query_scope`),
and those that a followed Kiali's `query_scope` asks for.

What a span or its resource has already stays. The rules know nothing of these tags;
in the memo's key stands which of them a span has.
*/

use super::facts::View;
use crate::pdata::{KeySlot, Keys, edit::encode_span_attr, view};
use std::collections::BTreeMap;

/// Attributes of a resource looked at.
const RESOURCE_ATTRIBUTES: usize = 512;

/// The tags, with where the index keeps those that spans have already.
#[derive(Debug, Default)]
pub(crate) struct StaticTags {
    /// Of the file, then of a followed Kiali.
    tags: Vec<Tag>,
    of_file: usize,
}

#[derive(Debug)]
struct Tag {
    /// None: it was learned after the keys of the index were fixed.
    slot: Option<KeySlot>,
    key: Box<str>,
    value: Box<str>,
}

impl StaticTags {
    /// Registers the keys.
    pub(crate) fn new(tags: &BTreeMap<String, String>, keys: &mut Keys) -> Self {
        let tag = |(key, value): (&String, &String)| Tag {
            slot: Some(keys.add(key)),
            key: key.as_str().into(),
            value: value.as_str().into(),
        };
        Self {
            of_file: tags.len(),
            tags: tags.iter().map(tag).collect(),
        }
    }

    /// Replaces what a followed Kiali asks for. Tags of the file go before.
    pub(crate) fn learn(&mut self, tags: &BTreeMap<String, String>) {
        self.tags.truncate(self.of_file);
        for (key, value) in tags {
            if !self.has(key.as_bytes()) {
                self.tags.push(Tag {
                    slot: None,
                    key: key.as_str().into(),
                    value: value.as_str().into(),
                });
            }
        }
    }

    /// Appends to `out` which of them the span has.
    pub(crate) fn put_key<const EDITED: bool>(&self, view: &View<'_, EDITED>, out: &mut Vec<u8>) {
        for tag in &self.tags {
            out.push(u8::from(tag.is_in(view)));
        }
    }

    /// Appends those to `out`, encoded, that neither the span nor its resource has.
    pub(crate) fn encode_missing<const EDITED: bool>(
        &self,
        view: &View<'_, EDITED>,
        resource: &[u8],
        out: &mut Vec<u8>,
    ) {
        for tag in &self.tags {
            let mut of_resource = view::resource_attributes(resource).take(RESOURCE_ATTRIBUTES);
            if !tag.is_in(view) && !of_resource.any(|kv| kv.key == &*tag.key) {
                encode_span_attr(&tag.key, &tag.value, out);
            }
        }
    }

    /// Returns true if `key` is one of theirs: a span's markers have them, too.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.tags.iter().any(|tag| tag.key.as_bytes() == key)
    }
}

impl Tag {
    fn is_in<const EDITED: bool>(&self, view: &View<'_, EDITED>) -> bool {
        match self.slot {
            Some(slot) => view.has_key(&self.key, slot),
            None => view.has_unindexed(&self.key),
        }
    }
}
