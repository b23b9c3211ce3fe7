/*!
What the rules said about spans seen before: bounded, per shard.

When it is full it is emptied. A mesh's hops fit many times over; only a flood
of spans that are all different fills it, and then no order of eviction would
help.
*/

use crate::processor::ResourceId;
use hashbrown::HashMap;

/// What is to be done with a span.
#[derive(Debug)]
pub struct Answer {
    /// The resource it goes out under.
    pub resource: ResourceId,
    /// Encoded attributes to append; often none.
    pub tags: Box<[u8]>,
}

/// What may be needed besides what is always in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The span's name.
    Name,
    /// Who sent the request.
    Peer,
}

/// What is known under a key.
#[derive(Debug)]
pub enum Outcome {
    /// The answer.
    Known(Answer),
    /// The key does not tell: append this and look again.
    By(Need),
}

/// The memo.
#[derive(Debug, Default)]
pub struct Memo {
    map: HashMap<Box<[u8]>, Outcome, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Memo {
    /// Entries beyond which it is emptied.
    pub const MAX_ENTRIES: usize = 8192;
    /// Bytes of keys and tags beyond which it is emptied.
    pub const MAX_BYTES: usize = 4 << 20;
    /// Longer keys are not remembered: no honest span has one.
    pub const MAX_KEY: usize = 4096;

    /// What is known under `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Outcome> {
        self.map.get(key)
    }

    /// Remembers `outcome`.
    pub fn put(&mut self, key: &[u8], outcome: Outcome) {
        if key.len() > Self::MAX_KEY {
            return;
        }
        let size = key.len()
            + if let Outcome::Known(a) = &outcome {
                a.tags.len()
            } else {
                0
            };
        if self.map.len() >= Self::MAX_ENTRIES || self.bytes + size > Self::MAX_BYTES {
            self.clear();
        }
        self.bytes += size;
        self.map.insert(key.into(), outcome);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.map.clear();
        self.bytes = 0;
    }

    /// How much is remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.map.len()
    }
}
