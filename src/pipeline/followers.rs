/*!
Items that processors add after a span: scratch that a shard reuses.

A processor that makes an item of its own out of the one it saw does so when
that one is written, so that its item has what all processors decided. Nothing is
allocated for it in steady state.
*/

use super::ResourceId;
use std::ops::Range;

/// The items that go with one span.
#[derive(Debug, Default)]
pub struct Followers {
    bytes: Vec<u8>,
    items: Vec<Follower>,
}

#[derive(Debug)]
struct Follower {
    resource: ResourceId,
    scope: Range<usize>,
    item: Range<usize>,
}

impl Followers {
    /// Adds an item under `resource` and the scope whose payload is `scope`;
    /// `write` appends its field in the group, tag and length included.
    pub(crate) fn add(
        &mut self,
        resource: ResourceId,
        scope: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(scope);
        let middle = self.bytes.len();
        write(&mut self.bytes);
        self.items.push(Follower {
            resource,
            scope: start..middle,
            item: middle..self.bytes.len(),
        });
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Forgets all items and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    /// Each item's resource, scope payload, and field.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ResourceId, &[u8], &[u8])> {
        self.items.iter().map(|follower| {
            let of = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
            (follower.resource, of(&follower.scope), of(&follower.item))
        })
    }
}
