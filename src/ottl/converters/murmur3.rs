/*! MurmurHash3 with seed 0: the variants x86 of 32 bits and x64 of 128. */

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

pub(super) fn hash32(bytes: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut h = 0_u32;
    for block in blocks {
        h ^= mix(u32::from_le_bytes(*block));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    h ^= mix(rest
        .iter()
        .rev()
        .fold(0, |k, byte| k << 8 | u32::from(*byte)));
    h ^= bytes.len() as u32;
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

const D1: u64 = 0x87c3_7b91_1142_53d5;
const D2: u64 = 0x4cf5_ad43_2745_937f;

/// The first half of the hash in the lower bits.
pub(super) fn hash128(bytes: &[u8]) -> u128 {
    let mix1 = |k: u64| k.wrapping_mul(D1).rotate_left(31).wrapping_mul(D2);
    let mix2 = |k: u64| k.wrapping_mul(D2).rotate_left(33).wrapping_mul(D1);
    let (blocks, rest) = bytes.as_chunks::<16>();
    let halves = |block: u128| (block as u64, (block >> 64) as u64);
    let (mut h1, mut h2) = (0_u64, 0_u64);
    for block in blocks {
        let (k1, k2) = halves(u128::from_le_bytes(*block));
        h1 = (h1 ^ mix1(k1)).rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ mix2(k2)).rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let rest = rest
        .iter()
        .rev()
        .fold(0_u128, |k, byte| k << 8 | u128::from(*byte));
    let (k1, k2) = halves(rest);
    h1 ^= mix1(k1) ^ bytes.len() as u64;
    h2 ^= mix2(k2) ^ bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1, h2) = (finish(h1), finish(h2));
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    u128::from(h2) << 64 | u128::from(h1)
}

fn finish(h: u64) -> u64 {
    let h = (h ^ h >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let h = (h ^ h >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ h >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_reference() {
        assert_eq!(hash32(b""), 0);
        assert_eq!(hash32(b"hello"), 0x248b_fa47);
        assert_eq!(hash32(b"hello, world"), 0x149b_bb7f);
        assert_eq!(
            hash32(b"The quick brown fox jumps over the lazy dog"),
            0x2e4f_f723
        );
        assert_eq!(hash128(b""), 0);
        assert_eq!(hash128(b"hello"), 0x5b1e_906a_48ae_1d19_cbd8_a7b3_41bd_9b02);
        assert_eq!(
            hash128(b"The quick brown fox jumps over the lazy dog"),
            0x7a43_3ca9_c49a_9347_e34b_bc7b_bc07_1b6c
        );
    }
}
