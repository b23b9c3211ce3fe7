/*!
The resources and scopes a shard has seen, each once.

Envoy repeats the same Resource in every request, so identity is worked out
once: a [`ResourceId`] stands for the exact bytes of everything a
`ResourceSpans` says besides its scopes, a [`ScopeId`] for everything a
`ScopeSpans` says besides its spans. A processor that changes a resource
derives another id from it.

The tables are bounded. When one is full the pipeline seals its open batch,
empties the table and tells the processors to forget their memos, so an id is
never used across a [`InternTable::clear`].
*/

use hashbrown::HashTable;
use std::{hash::BuildHasher, marker::PhantomData};

/// Stands for one resource until [`InternTable::clear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(u32);

/// Stands for one scope until [`InternTable::clear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId(u32);

/// An id that counts up from 0.
pub trait DenseId: Copy {
    /// The id at this position.
    fn at(position: u32) -> Self;
    /// Its position.
    fn index(self) -> usize;
}

macro_rules! dense {
    ($id:ty) => {
        impl DenseId for $id {
            fn at(position: u32) -> Self {
                Self(position)
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}
dense!(ResourceId);
dense!(ScopeId);

/// What surrounds the repeated part of a `ResourceSpans` or `ScopeSpans`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// Payload of the `Resource` or `InstrumentationScope` message; empty when
    /// absent.
    pub(crate) payload: Vec<u8>,
    /// The `schema_url`.
    pub(crate) schema_url: Vec<u8>,
    /// Unknown fields, tags included.
    pub(crate) rest: Vec<u8>,
}

impl Header {
    /// Its length, framing aside.
    pub(crate) fn bytes(&self) -> usize {
        self.payload.len() + self.schema_url.len() + self.rest.len()
    }

    fn is(&self, payload: &[u8], schema_url: &[u8], rest: &[u8]) -> bool {
        self.payload == payload && self.schema_url == schema_url && self.rest == rest
    }
}

/// Resources of a shard.
pub type Resources = InternTable<ResourceId>;

/// Scopes of a shard.
pub type Scopes = InternTable<ScopeId>;

/// Interning table of [`Header`]s.
#[derive(Debug)]
pub struct InternTable<I> {
    entries: Vec<Header>,
    by_hash: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    bytes: usize,
    /// Bytes that were ever interned anew.
    interned: usize,
    id: PhantomData<I>,
}

impl<I> Default for InternTable<I> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_hash: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            bytes: 0,
            interned: 0,
            id: PhantomData,
        }
    }
}

impl<I: DenseId> InternTable<I> {
    /// With this many entries the table is full.
    pub(crate) const MAX_ENTRIES: usize = 4096;
    /// With this many bytes the table is full.
    pub(crate) const MAX_BYTES: usize = 4 << 20;

    /// The id of these bytes, new or known.
    pub fn intern(&mut self, payload: &[u8], schema_url: &[u8], rest: &[u8]) -> I {
        let hash = self.hasher.hash_one((payload, schema_url, rest));
        let entries = &self.entries;
        let known = |at: &u32| entries[*at as usize].is(payload, schema_url, rest);
        if let Some(at) = self.by_hash.find(hash, known) {
            return I::at(*at);
        }
        let at = self.entries.len() as u32;
        let bytes = payload.len() + schema_url.len() + rest.len();
        self.bytes += bytes;
        self.interned = self.interned.wrapping_add(bytes);
        self.entries.push(Header {
            payload: payload.to_vec(),
            schema_url: schema_url.to_vec(),
            rest: rest.to_vec(),
        });
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.by_hash.insert_unique(hash, at, |at| {
            let header = &entries[*at as usize];
            hasher.hash_one((
                &header.payload[..],
                &header.schema_url[..],
                &header.rest[..],
            ))
        });
        I::at(at)
    }

    /// The header behind an id of this table.
    pub(crate) fn get(&self, id: I) -> &Header {
        &self.entries[id.index()]
    }

    /// The id of `id`'s header with another payload.
    pub(crate) fn derive(&mut self, id: I, payload: &[u8]) -> I {
        let header = self.get(id);
        let (schema_url, rest) = (header.schema_url.clone(), header.rest.clone());
        self.intern(payload, &schema_url, &rest)
    }

    /// Returns how many bytes were ever interned anew, which is work: the difference
    /// of two looks is what counts.
    pub fn interned(&self) -> usize {
        self.interned
    }

    /// Whether the table has reached its bounds and must be cleared.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= Self::MAX_ENTRIES || self.bytes >= Self::MAX_BYTES
    }

    /// Forgets everything; ids handed out before are void.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_hash.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_get_the_same_id_and_any_difference_another() {
        let mut table = Resources::default();
        let a = table.intern(b"payload", b"url", b"");
        assert_eq!(table.intern(b"payload", b"url", b""), a);
        assert_ne!(table.intern(b"payloadurl", b"", b""), a);
        assert_ne!(table.intern(b"payload", b"", b"url"), a);
        assert_eq!(table.get(a).payload, b"payload");
    }

    #[test]
    fn a_derived_id_keeps_schema_url_and_unknown_fields() {
        let mut table = Resources::default();
        let a = table.intern(b"one", b"url", b"rest");
        let b = table.derive(a, b"two");
        assert_eq!(
            *table.get(b),
            Header {
                payload: b"two".into(),
                schema_url: b"url".into(),
                rest: b"rest".into()
            }
        );
        assert_eq!(table.derive(b, b"one"), a);
    }

    #[test]
    fn it_says_when_it_is_full_and_starts_anew() {
        let mut table = Scopes::default();
        for n in 0..Scopes::MAX_ENTRIES as u32 {
            assert!(!table.is_full());
            table.intern(&n.to_le_bytes(), b"", b"");
        }
        assert!(table.is_full());
        table.clear();
        assert!(!table.is_full());
        assert_eq!(table.intern(b"x", b"", b"").index(), 0);
    }
}
