/*!
What the rules said about spans seen before: bounded, per shard.

When it is full it is emptied. A mesh's hops fit many times over; only a flood
of spans that are all different fills it, and then no order of eviction would
help.
*/

use crate::{
    mesh::{Repairs, alias::Salt},
    pipeline::ResourceId,
};
use hashbrown::HashMap;

/// What is to be done with a span.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The resource it goes out under.
    pub(crate) resource: ResourceId,
    /// Encoded attributes to append; often none.
    pub(crate) tags: Box<[u8]>,
    /// The new span name, and the old one to keep.
    pub(crate) span_name: Option<(Box<str>, Box<str>)>,
    /// Is true when that is the one name for all that clients choose.
    pub(crate) is_bounded: bool,
    /// What of this is a repair; the status is one by itself.
    pub(crate) repairs: Repairs,
    /// What decided the resource's name.
    pub(crate) why: &'static str,
    /// The markers that go with it; mostly none.
    pub(crate) markers: Box<[Marker]>,
}

/// A marker, short of its span.
#[derive(Debug)]
pub(crate) struct Marker {
    /// The resource it goes out under.
    pub(crate) resource: ResourceId,
    /// What makes its id.
    pub(crate) salt: Salt,
    /// Its own fields.
    pub(crate) template: Box<[u8]>,
}

impl Answer {
    /// Bytes it holds besides itself.
    fn bytes(&self) -> usize {
        let names = self.span_name.as_ref();
        let markers = self.markers.iter();
        self.tags.len()
            + names.map_or(0, |(new, old)| new.len() + old.len())
            + markers
                .map(|marker| size_of::<Marker>() + marker.template.len())
                .sum::<usize>()
    }
}

/// What may be needed besides what is always in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The span's name.
    Name,
    /// Who sent the request.
    Peer,
}

/// What is known under a key.
#[derive(Debug)]
pub(crate) enum Remembered {
    /// The answer.
    Known(Answer),
    /// The key does not tell: append this and look again.
    By(Need),
}

/// The memo.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    map: HashMap<Box<[u8]>, Remembered, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Memo {
    /// Entries beyond which it is emptied.
    pub(crate) const MAX_ENTRIES: usize = 8192;
    /// Bytes of keys and answers beyond which it is emptied.
    pub(crate) const MAX_BYTES: usize = 4 << 20;
    /// Longer keys are not remembered: no honest span has one.
    pub(crate) const MAX_KEY: usize = 4096;

    /// What is known under `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Remembered> {
        self.map.get(key)
    }

    /// Remembers `outcome`.
    pub(crate) fn put(&mut self, key: &[u8], outcome: Remembered) {
        if key.len() > Self::MAX_KEY {
            return;
        }
        let size = key.len()
            + if let Remembered::Known(answer) = &outcome {
                answer.bytes()
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
    pub(crate) fn clear(&mut self) {
        self.map.clear();
        self.bytes = 0;
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}
