/*!
The attribute keys that rules read, so that the validating walk can note where
they are while it passes them anyway.

Every attribute of every span is looked up, and most are not in the set, so a
miss must be cheap: two table reads (by length, by last byte) leave a mask of
candidates, which is nearly always empty or one key.
*/

/// A key's place in [`Keys`], and among the slots that [`super::Index`] keeps
/// for a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySlot(u32);

impl KeySlot {
    /// The slot as an array index, below [`Keys::len`].
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of attribute keys, fixed once the processors are built.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: Vec<Box<str>>,
    /// Bit n is set where key n, or one that is a multiple of 64 after it, has
    /// that length (63: or longer).
    by_length: [u64; 64],
    /// The same where it ends in a byte with those low six bits.
    by_last: [u64; 64],
}

/// Keys that share a bit stand this far apart.
const STRIDE: usize = 64;

impl Default for Keys {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            by_length: [0; 64],
            by_last: [0; 64],
        }
    }
}

impl Keys {
    /// Adds `key` if it is new and returns its slot. The empty key is never
    /// found by [`Keys::lookup`].
    pub fn add(&mut self, key: &str) -> KeySlot {
        let at = self.keys.iter().position(|k| **k == *key);
        KeySlot(at.unwrap_or_else(|| self.push(key)) as u32)
    }

    fn push(&mut self, key: &str) -> usize {
        let at = self.keys.len();
        self.keys.push(key.into());
        if let Some(last) = key.as_bytes().last() {
            let bit = 1 << (at % STRIDE);
            self.by_length[key.len().min(63)] |= bit;
            self.by_last[usize::from(last & 63)] |= bit;
        }
        at
    }

    /// How many keys there are. Each costs four bytes per span that has one.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The slot of `key`, if it is one of the set.
    #[inline]
    pub(crate) fn lookup(&self, key: &[u8]) -> Option<KeySlot> {
        let last = key.last()?;
        let mut candidates =
            self.by_length[key.len().min(63)] & self.by_last[usize::from(last & 63)];
        while candidates != 0 {
            let mut at = candidates.trailing_zeros() as usize;
            while let Some(candidate) = self.keys.get(at) {
                if candidate.as_bytes() == key {
                    return Some(KeySlot(at as u32));
                }
                at += STRIDE;
            }
            candidates &= candidates - 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_exactly_what_was_added() {
        let names = [
            "node_id",
            "node_ie",
            "mode_id",
            "zone",
            "component",
            "upstream_cluster",
            "upstream_cluster.name",
            "a.key.that.is.longer.than.sixty-three.bytes.to.share.the.last.bucket.a",
            "b.key.that.is.longer.than.sixty-three.bytes.to.share.the.last.bucket.a",
        ];
        let mut keys = Keys::default();
        let slots = names.map(|n| keys.add(n));
        for (name, slot) in names.iter().zip(slots) {
            assert_eq!(keys.add(name), slot);
            assert_eq!(keys.lookup(name.as_bytes()), Some(slot));
            assert_eq!(keys.lookup(&name.as_bytes()[1..]), None);
        }
        assert_eq!(keys.lookup(b""), None);
        assert_eq!(keys.lookup(b"node_if"), None);
    }

    #[test]
    fn any_number_of_keys_is_found() {
        let names: Vec<_> = (0..1000).map(|n| format!("key.{n}")).collect();
        let mut keys = Keys::default();
        let slots: Vec<_> = names.iter().map(|name| keys.add(name)).collect();
        assert_eq!(keys.len(), names.len());
        for (name, slot) in names.iter().zip(slots) {
            assert_eq!(keys.add(name), slot);
            assert_eq!(keys.lookup(name.as_bytes()), Some(slot));
        }
        assert_eq!(keys.lookup(b"key.1000"), None);
    }
}
