/*!
The same tags for every span that lacks them (`tags`), such as those that a Kiali's
`query_scope` asks for.

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
pub(crate) struct StaticTags(Vec<Tag>);

#[derive(Debug)]
struct Tag {
    slot: KeySlot,
    key: Box<str>,
    value: Box<str>,
}

impl StaticTags {
    /// Registers the keys.
    pub(crate) fn new(tags: &BTreeMap<String, String>, keys: &mut Keys) -> Self {
        let tag = |(key, value): (&String, &String)| Tag {
            slot: keys.add(key),
            key: key.as_str().into(),
            value: value.as_str().into(),
        };
        Self(tags.iter().map(tag).collect())
    }

    /// Appends to `out` which of them the span has.
    pub(crate) fn put_key<const EDITED: bool>(&self, view: &View<'_, EDITED>, out: &mut Vec<u8>) {
        for tag in &self.0 {
            out.push(u8::from(view.has_key(&tag.key, tag.slot)));
        }
    }

    /// Appends those to `out`, encoded, that neither the span nor its resource has.
    pub(crate) fn encode_missing<const EDITED: bool>(
        &self,
        view: &View<'_, EDITED>,
        resource: &[u8],
        out: &mut Vec<u8>,
    ) {
        for tag in &self.0 {
            let mut of_resource = view::resource_attributes(resource).take(RESOURCE_ATTRIBUTES);
            if !view.has_key(&tag.key, tag.slot) && !of_resource.any(|kv| kv.key == &*tag.key) {
                encode_span_attr(&tag.key, &tag.value, out);
            }
        }
    }

    /// Returns true if `key` is one of theirs: a span's markers have them, too.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.0.iter().any(|tag| tag.key.as_bytes() == key)
    }
}
