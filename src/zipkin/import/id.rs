/*! Ids in hexadecimal digits, as Zipkin's two versions write them. */

/// Returns the number that hexadecimal digits stand for, of any length. None: other
/// characters, none at all, or more than 64 bits.
pub(super) fn hex_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        (value >> 60 == 0).then(|| value << 4 | u64::from(digit))
    })
}

/// Returns a trace id of up to 128 bits, padded.
pub(super) fn trace_id(digits: &[u8]) -> Option<[u8; 16]> {
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    let high = if high.is_empty() { 0 } else { hex_u64(high)? };
    let id = u128::from(high) << 64 | u128::from(hex_u64(low)?);
    Some(id.to_be_bytes())
}

/// Returns exactly `N` octets of twice as many digits.
pub(super) fn exact<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = u8::try_from(hex_u64(pair)?).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_padded_and_bounded() {
        assert_eq!(hex_u64(b"ffFFffffffffffff"), Some(u64::MAX));
        assert_eq!(hex_u64(b"000000001ffffffffffffffff"), None);
        assert_eq!(hex_u64(b"0000000000000000000000000a"), Some(10));
        assert_eq!(hex_u64(b""), None);
        assert_eq!(hex_u64(b"+1"), None);
        assert_eq!(trace_id(b"a").map(u128::from_be_bytes), Some(10));
        let long = b"463ac35c9f6413ad48485a3953bb6124";
        let number = 0x463a_c35c_9f64_13ad_4848_5a39_53bb_6124;
        assert_eq!(trace_id(long).map(u128::from_be_bytes), Some(number));
        assert_eq!(trace_id(b""), None);
        assert_eq!(trace_id(b"x463ac35c9f6413ad48485a3953bb6124"), None);
        assert_eq!(exact(b"0aFF"), Some([10, 255]));
        assert_eq!(exact::<2>(b"0aF"), None);
        assert_eq!(exact::<1>(b"0g"), None);
    }
}
