//! Fields to header blocks: literals that nobody is to remember.

/// `:status`.
pub(crate) fn status(out: &mut Vec<u8>, status: u16) {
    match status {
        200 => out.push(0x80 | 8),
        other => {
            // The name by its place in the static table.
            out.push(8);
            string(out, other.to_string().as_bytes());
        }
    }
}

/// Any other field. The name is in lower case.
pub(crate) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(0);
    string(out, name);
    string(out, value);
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(short) if short < 0x7f => out.push(short),
        _ => {
            out.push(0x7f);
            let mut rest = text.len() - 0x7f;
            while rest >= 0x80 {
                out.push(0x80 | (rest & 0x7f) as u8);
                rest >>= 7;
            }
            out.push(rest as u8);
        }
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::{super::HpackDecoder, *};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_comes_out(
            code in 200..600_u16,
            fields: Vec<(Vec<u8>, Vec<u8>)>,
            long in 0..70_000_usize,
        ) {
            let mut want = vec![(b":status".to_vec(), code.to_string().into_bytes())];
            want.extend(fields);
            want.push((b"long".to_vec(), vec![b'x'; long]));
            let mut block = Vec::new();
            status(&mut block, code);
            want[1..].iter().for_each(|(name, value)| field(&mut block, name, value));
            let mut got = Vec::new();
            HpackDecoder::default()
                .decode(&block, |entry| {
                    got.push((entry.name.to_vec(), entry.value.to_vec()));
                    true
                })
                .unwrap();
            prop_assert_eq!(got, want);
        }
    }
}
