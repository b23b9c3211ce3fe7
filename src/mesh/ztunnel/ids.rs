/*!
Ids that follow from what is said: the same connection reported again has the
same, any other has others.

FNV-1a over 128 bits, whose last step is mixed once more: samplers look at the
low bits of a trace id, which FNV alone leaves uneven.
*/

/// A hash of several texts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u128);

impl Default for Hash {
    fn default() -> Self {
        Self(0x6c62272e07bb014262b821756295c58d)
    }
}

impl Hash {
    /// Adds a text; its length goes along, so that texts do not run together.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let len = (bytes.len() as u64).to_le_bytes();
        for byte in len.iter().chain(bytes) {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000000001000000000000000000013b);
        }
    }

    /// Returns a trace id, never zero.
    pub(crate) fn trace_id(self) -> [u8; 16] {
        let (high, low) = self.halves();
        let mut id = [0; 16];
        let (first, second) = id.split_at_mut(8);
        first.copy_from_slice(&mix(high ^ low.rotate_left(32)).to_be_bytes());
        second.copy_from_slice(&(mix(low ^ high) | 1).to_be_bytes());
        id
    }

    /// Returns a span id of that trace, never zero.
    pub(crate) fn span_id(self) -> [u8; 8] {
        let (high, low) = self.halves();
        (mix(high.wrapping_add(mix(low))) | 1).to_be_bytes()
    }

    fn halves(self) -> (u64, u64) {
        ((self.0 >> 64) as u64, self.0 as u64)
    }
}

/// Applies the finalizer of MurmurHash3.
fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ceb9fe1a85ec53);
    x ^ (x >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn hash(texts: &[&str]) -> Hash {
        let mut hash = Hash::default();
        texts.iter().for_each(|text| hash.add(text.as_bytes()));
        hash
    }

    #[test]
    fn ids_follow_from_the_texts() {
        assert_eq!(hash(&["a", "b"]).trace_id(), hash(&["a", "b"]).trace_id());
        assert_ne!(hash(&["a", "b"]).trace_id(), hash(&["ab", ""]).trace_id());
        let ids: HashSet<_> = (0..10_000)
            .map(|n| hash(&[&n.to_string()]))
            .flat_map(|hash| [hash.trace_id()[..8].to_vec(), hash.span_id().to_vec()])
            .collect();
        assert_eq!(ids.len(), 20_000);
    }
}
