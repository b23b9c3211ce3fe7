/*!
Chance: for waits, samples and ids, not for secrets.

A generator is seeded from the keys that the standard library takes from the system for its hash tables. The one that
`rand` has for each thread opens `/dev/urandom` in a static binary, and panics in a container without `/dev`.
*/

use rand::{SeedableRng, rngs::StdRng};
use std::hash::{BuildHasher, RandomState};

/// A new generator. To make it takes longer than to draw from it.
pub(crate) fn rng() -> StdRng {
    let mut seed = [0; 32];
    for (at, part) in seed.as_chunks_mut().0.iter_mut().enumerate() {
        // Each state has keys of its own.
        *part = RandomState::new().hash_one(at).to_ne_bytes();
    }
    StdRng::from_seed(seed)
}

/// These bits as a UUID of a version.
pub(crate) fn uuid(version: u128, bits: u128) -> String {
    let bits = bits & !(0xf << 76 | 0x3 << 62) | version << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or(""));
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;
    use std::collections::HashSet;

    #[test]
    fn no_two_generators_begin_alike() {
        let first: HashSet<u64> = (0..1000).map(|_| rng().random()).collect();
        assert_eq!(first.len(), 1000);
    }

    #[test]
    fn uuids_tell_their_version_and_variant() {
        assert_eq!(uuid(4, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(7, u128::MAX), "ffffffff-ffff-7fff-bfff-ffffffffffff");
    }
}
