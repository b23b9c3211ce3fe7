/*!
The resources a shard has seen, each once.

Envoy repeats the same Resource in every request, so identity is worked out
once: a [`ResourceId`] stands for the exact bytes of everything a
`ResourceSpans` says besides its scopes. A processor that changes a resource
derives another id from it. The table is bounded: when it is full the engine
seals the open batch and empties it.
*/

use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Stands for the bytes of one [`Resource`] until [`Resources::clear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(u32);

impl ResourceId {
    /// The id as an index, dense from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Everything a `ResourceSpans` says besides its scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Payload of the `Resource` message.
    pub payload: Vec<u8>,
    /// The `schema_url`.
    pub schema_url: Vec<u8>,
    /// Unknown fields of the `ResourceSpans`, tags included.
    pub rest: Vec<u8>,
}

/// Interning table of [`Resource`]s.
#[derive(Debug, Default)]
pub struct Resources {
    entries: Vec<Resource>,
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    bytes: usize,
}

impl Resources {
    /// Beyond this many entries the table asks to be cleared.
    pub const MAX_ENTRIES: usize = 4096;
    /// Beyond this many bytes the table asks to be cleared.
    pub const MAX_BYTES: usize = 8 << 20;

    /// The id of these bytes, new or known.
    pub fn intern(&mut self, payload: &[u8], schema_url: &[u8], rest: &[u8]) -> ResourceId {
        let hash = self.hasher.hash_one((payload, schema_url, rest));
        let entries = &self.entries;
        if let Some(at) = self.table.find(hash, |at| {
            let r = &entries[*at as usize];
            r.payload == payload && r.schema_url == schema_url && r.rest == rest
        }) {
            return ResourceId(*at);
        }
        let at = self.entries.len() as u32;
        self.bytes += payload.len() + schema_url.len() + rest.len();
        self.entries.push(Resource {
            payload: payload.to_vec(),
            schema_url: schema_url.to_vec(),
            rest: rest.to_vec(),
        });
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.table.insert_unique(hash, at, |at| {
            let r = &entries[*at as usize];
            hasher.hash_one((&r.payload[..], &r.schema_url[..], &r.rest[..]))
        });
        ResourceId(at)
    }

    /// The resource behind an id of this table.
    pub fn get(&self, id: ResourceId) -> &Resource {
        &self.entries[id.index()]
    }

    /// The id of `id` with another payload (same schema URL and unknown fields).
    pub fn derive(&mut self, id: ResourceId, payload: &[u8]) -> ResourceId {
        let base = self.get(id).clone();
        self.intern(payload, &base.schema_url, &base.rest)
    }

    /// Whether the table has reached its bounds and should be cleared.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= Self::MAX_ENTRIES || self.bytes >= Self::MAX_BYTES
    }

    /// Forgets everything; ids handed out before are void.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.table.clear();
        self.bytes = 0;
    }
}
