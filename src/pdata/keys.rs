/*!
The attribute keys that rules read, so that the validating walk can note where
they are while it passes them anyway.

Every attribute of every span is looked up, and most are not in the set, so a
miss must be cheap: two table reads (by length, by last byte) leave a mask of
candidates, which is nearly always empty or one key.
*/

/// How many distinct keys all processors together may read. A slot costs four
/// bytes per indexed span.
pub const MAX_KEYS: usize = 24;

/// A key's place in [`Keys`] and in [`super::SpanEntry::attrs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    /// The slot as an array index, below [`MAX_KEYS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A small fixed set of attribute keys.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: Vec<&'static str>,
    /// Bit n is set where key n has that length (63: or longer).
    by_length: [u32; 64],
    /// Bit n is set where key n ends in a byte with those low six bits.
    by_last: [u32; 64],
}

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
    ///
    /// # Panics
    ///
    /// When more than [`MAX_KEYS`] distinct keys are registered: the set is
    /// fixed by the program's own processors, never by input.
    pub fn add(&mut self, key: &'static str) -> Slot {
        let at = self.keys.iter().position(|k| *k == key).unwrap_or_else(|| {
            assert!(
                self.keys.len() < MAX_KEYS,
                "too many indexed attribute keys"
            );
            self.keys.push(key);
            let at = self.keys.len() - 1;
            if let Some(last) = key.as_bytes().last() {
                self.by_length[key.len().min(63)] |= 1 << at;
                self.by_last[usize::from(last & 63)] |= 1 << at;
            }
            at
        });
        Slot(at as u8)
    }

    /// The slot of `key`, if it is one of the set.
    #[inline]
    pub fn lookup(&self, key: &[u8]) -> Option<Slot> {
        let last = key.last()?;
        let mut candidates =
            self.by_length[key.len().min(63)] & self.by_last[usize::from(last & 63)];
        while candidates != 0 {
            let at = candidates.trailing_zeros();
            if self
                .keys
                .get(at as usize)
                .is_some_and(|k| k.as_bytes() == key)
            {
                return Some(Slot(at as u8));
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
}
