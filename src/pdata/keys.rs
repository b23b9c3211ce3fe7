/*!
The attribute keys that rules read, so that the validating walk can note where
they are while it passes them anyway.
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
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<&'static str>,
}

impl Keys {
    /// Adds `key` if it is new and returns its slot.
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
            self.keys.len() - 1
        });
        Slot(at as u8)
    }

    /// The slot of `key`, if it is one of the set.
    pub fn lookup(&self, key: &[u8]) -> Option<Slot> {
        // pdata owner: replace by a lookup on (length, first bytes).
        self.keys
            .iter()
            .position(|k| k.as_bytes() == key)
            .map(|at| Slot(at as u8))
    }
}
