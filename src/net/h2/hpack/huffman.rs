/*!
HPACK's Huffman code (RFC 7541, 5.2 and Appendix B).

The code is canonical: codes of one length are consecutive numbers in the order
of their symbols. So the lengths say everything, and the tables are computed
from them at compile time: eight bits at once for the symbols that headers
consist of, length by length for the rest.
*/

/// Bits of each symbol's code; the last is that of EOS.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const EOS: u16 = 256;
const LONGEST: usize = 30;

struct Code {
    /// By the next eight bits: symbol and length; length 0: the code is longer.
    short: [(u8, u8); 256],
    /// By length: the first code, and how many there are.
    first: [u32; LONGEST + 1],
    count: [u32; LONGEST + 1],
    /// By length: where its symbols begin in `symbols`.
    begin: [u16; LONGEST + 1],
    /// In the order of their codes.
    symbols: [u16; 257],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut code = Code {
        short: [(0, 0); 256],
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        begin: [0; LONGEST + 1],
        symbols: [0; 257],
    };
    let (mut next, mut placed, mut length) = (0_u32, 0_usize, 1_usize);
    while length <= LONGEST {
        next <<= 1;
        code.first[length] = next;
        code.begin[length] = placed as u16;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                code.symbols[placed] = symbol as u16;
                if length <= 8 {
                    let mut at = (next as usize) << (8 - length);
                    let end = (next as usize + 1) << (8 - length);
                    while at < end {
                        code.short[at] = (symbol as u8, length as u8);
                        at += 1;
                    }
                }
                placed += 1;
                next += 1;
                code.count[length] += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    code
}

/// The symbol that begins `bits` (from the highest bit on), of more than eight
/// bits, and its length.
fn long(bits: u64) -> (u16, u32) {
    for length in 9..=LONGEST {
        let nth = ((bits >> (64 - length)) as u32).wrapping_sub(CODE.first[length]);
        if nth < CODE.count[length] {
            let at = usize::from(CODE.begin[length]) + nth as usize;
            return (CODE.symbols[at], length as u32);
        }
    }
    // The code is complete: whatever the bits are, some code begins them.
    (EOS, LONGEST as u32)
}

/// Appends what `input` stands for. False: it is not the code, or its padding
/// is not what it must be.
#[must_use]
pub(crate) fn decode(mut input: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut have) = (0_u64, 0_u32);
    // Codes have five bits at least.
    out.reserve(input.len() * 8 / 5);
    loop {
        if let (true, Some((four, rest))) = (have <= 32, input.split_first_chunk()) {
            bits |= u64::from(u32::from_be_bytes(*four)) << (32 - have);
            have += 32;
            input = rest;
        }
        while let (true, Some((byte, rest))) = (have < 32, input.split_first()) {
            bits |= u64::from(*byte) << (56 - have);
            have += 8;
            input = rest;
        }
        let (symbol, length) = match CODE.short[(bits >> 56) as usize] {
            (_, 0) => long(bits),
            (symbol, length) => (u16::from(symbol), u32::from(length)),
        };
        if length > have {
            // Padding: fewer than eight bits, all of them ones.
            return have < 8 && (!bits).leading_zeros() >= have;
        }
        let Ok(byte) = u8::try_from(symbol) else {
            return false;
        };
        out.push(byte);
        bits <<= length;
        have -= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The other direction, by the definition.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut bits = Vec::new();
        for byte in text {
            let length = usize::from(LENGTHS[usize::from(*byte)]);
            let order = (0..256_u16).filter(|s| LENGTHS[usize::from(*s)] as usize == length);
            let nth = order.take_while(|s| *s != u16::from(*byte)).count() as u32;
            let code = CODE.first[length] + nth;
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        bits.resize(bits.len().next_multiple_of(8), true);
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        bits.chunks(8).map(byte).collect()
    }

    fn decoded(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(input, &mut out).then_some(out)
    }

    #[test]
    fn codes_are_those_of_the_appendix() {
        // RFC 7541, Appendix B: symbol, code, length.
        for (symbol, code, length) in [
            (b'0', 0x0, 5),
            (b'z', 0x7b, 7),
            (b'&', 0xf8, 8),
            (b'!', 0x3f8, 10),
            (b'\\', 0x7fff0, 19),
            (0, 0x1ff8, 13),
            (255, 0x3ffffee, 26),
            (22, 0x3ffffffe, 30),
        ] {
            let bits = u64::from(code as u32) << (64 - length);
            let (found, long) = match CODE.short[(bits >> 56) as usize] {
                (_, 0) => long(bits),
                (symbol, length) => (u16::from(symbol), u32::from(length)),
            };
            assert_eq!((found, long), (u16::from(symbol), length), "{symbol}");
        }
        assert_eq!(long(u64::MAX), (EOS, 30));
    }

    #[test]
    fn padding_is_looked_at() {
        assert_eq!(decoded(&[]), Some(vec![]));
        // 'a' (00011) and three ones; three zeros; a byte of ones more.
        assert_eq!(decoded(&[0x1f]), Some(b"a".to_vec()));
        assert_eq!(decoded(&[0x18]), None);
        assert_eq!(decoded(&[0x1f, 0xff]), None);
        // EOS itself.
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), None);
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_out(text: Vec<u8>) {
            prop_assert_eq!(decoded(&encode(&text)), Some(text));
        }

        #[test]
        fn noise_does_no_harm(noise: Vec<u8>) {
            if let Some(text) = decoded(&noise) {
                prop_assert_eq!(encode(&text), noise);
            }
        }
    }
}
