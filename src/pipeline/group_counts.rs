/*!
How many groups of one batch each resource has, and what one more of them costs.

A resource is written again for each of its scopes, as Kiali with Tempo wants it,
until that makes 64 KiB; then all its scopes go under one. So a sender cannot
multiply bytes by scopes.
*/

use super::{ResourceId, resources::Header};
use hashbrown::HashMap;

/// What the framing of one more group may cost: three tags and lengths.
const FRAMING: usize = 18;

/// How much one resource may take in one batch, written again and again.
const REPEATED: usize = 64 << 10;

/// How long the headers of a group are, framing aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderBytes {
    /// That of its resource.
    pub resource: usize,
    /// That of its scope.
    pub scope: usize,
}

impl HeaderBytes {
    /// The length of these headers.
    pub(crate) fn of(resource: &Header, scope: &Header) -> Self {
        Self {
            resource: resource.bytes(),
            scope: scope.bytes(),
        }
    }

    /// What a group with these headers adds to a batch at most.
    pub(super) fn most(self) -> usize {
        self.resource + self.scope + FRAMING
    }
}

/// The groups of one batch, by resource.
#[derive(Debug, Default)]
pub(super) struct GroupCounts(HashMap<ResourceId, usize, foldhash::fast::FixedState>);

impl GroupCounts {
    /// Counts a group and returns what its headers add to the batch.
    pub(super) fn add(&mut self, resource: ResourceId, headers: HeaderBytes) -> usize {
        let groups = self.0.entry(resource).or_default();
        *groups += 1;
        match is_nested(*groups, headers.resource) {
            true => headers.most() - headers.resource,
            false => headers.most(),
        }
    }

    /// Returns true if all scopes of a resource of so many bytes go under one.
    pub(super) fn is_nested(&self, resource: ResourceId, bytes: usize) -> bool {
        is_nested(self.0.get(&resource).copied().unwrap_or_default(), bytes)
    }

    /// Forgets all groups.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn is_nested(groups: usize, bytes: usize) -> bool {
    groups > 1 && groups.saturating_mul(bytes) > REPEATED
}
