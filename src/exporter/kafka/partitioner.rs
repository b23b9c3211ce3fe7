/*!
Which partition a trace belongs to: what other writers on the same topic compute from the key that a
Collector gives a trace, its id in lower-case hex.
*/

use crate::config::Word;

/// `record_partitioner.sticky_key.hasher`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hasher {
    /// FNV-1a as Sarama takes it, the Collector's default.
    #[default]
    SaramaCompat,
    /// Murmur2, as Kafka's own clients take it.
    Murmur2,
}

impl Word for Hasher {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sarama_compat", Self::SaramaCompat),
        ("murmur2", Self::Murmur2),
    ];
}

impl Hasher {
    /// The partition of a key, among `partitions`.
    pub(super) fn partition(self, key: &[u8], partitions: usize) -> usize {
        let Some(count) = i32::try_from(partitions).ok().filter(|count| *count > 0) else {
            return 0;
        };
        let number = match self {
            Self::SaramaCompat => (fnv1a(key).cast_signed() % count).abs(),
            Self::Murmur2 => (murmur2(key) & 0x7fff_ffff).cast_signed() % count,
        };
        usize::try_from(number).unwrap_or(0)
    }
}

/// Writes a trace's id as its key.
pub(super) fn key(trace: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut key = Vec::with_capacity(trace.len() * 2);
    for byte in trace {
        key.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    key
}

fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// Murmur2 of 32 bits with Kafka's seed.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_other_clients() {
        // From FNV's own test vectors, and from Kafka's UtilsTest.
        for (text, hash) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("foobar", 0xbf9c_f968),
        ] {
            assert_eq!(fnv1a(text.as_bytes()), hash, "{text}");
        }
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn a_partition_is_one_of_those_there_are() {
        for hasher in [Hasher::SaramaCompat, Hasher::Murmur2] {
            for partitions in [0, 1, 2, 7, 100_000] {
                for n in 0_u128..200 {
                    let found = hasher.partition(&key(&n.to_be_bytes()), partitions);
                    assert!(found < partitions.max(1), "{found} of {partitions}");
                }
            }
        }
    }

    #[test]
    fn a_hash_that_is_negative_is_mirrored_for_sarama_and_masked_for_kafka() {
        // "a": 0xe40c292c is -468965076 as Sarama takes it.
        assert_eq!(Hasher::SaramaCompat.partition(b"a", 1000), 76);
        assert_eq!(
            Hasher::Murmur2.partition(b"21", 1000),
            (0x7fff_ffff & (-973_932_308_i32)) as usize % 1000
        );
    }

    #[test]
    fn a_key_is_hex() {
        assert_eq!(key(&[0x0a, 0xff]), b"0aff");
    }
}
