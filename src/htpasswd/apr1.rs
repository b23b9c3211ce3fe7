/*!
Apache's MD5 scheme (`$apr1$`), what `htpasswd` makes unless told otherwise.

Weak by today's measure, but what existing files have: the Collector takes it.
*/

use md5::{Digest, Md5};

const MAGIC: &[u8] = b"$apr1$";
const ROUNDS: usize = 1000;
/// The scheme's own base 64.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The 22 characters that `password` gives with `salt`.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let salt = salt.get(..8).unwrap_or(salt);
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update(MAGIC)
        .chain_update(salt);
    for at in (0..password.len()).step_by(16) {
        let take = (password.len() - at).min(16);
        outer.update(inner.get(..take).unwrap_or(&inner));
    }
    let mut bits = password.len();
    while bits > 0 {
        match bits & 1 {
            1 => outer.update([0]),
            _ => outer.update(password.get(..1).unwrap_or_default()),
        }
        bits >>= 1;
    }
    let mut sum: [u8; 16] = outer.finalize().into();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        let (first, last): (&[u8], &[u8]) = match round % 2 {
            1 => (password, &sum),
            _ => (&sum, password),
        };
        next.update(first);
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(last);
        sum = next.finalize().into();
    }
    encode(&sum)
}

fn encode(sum: &[u8; 16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(22);
    let mut put = |mut value: u32, digits: usize| {
        for _ in 0..digits {
            out.push(DIGITS[(value & 0x3f) as usize]);
            value >>= 6;
        }
    };
    let three = |a: usize, b: usize, c: usize| {
        u32::from(sum[a]) << 16 | u32::from(sum[b]) << 8 | u32::from(sum[c])
    };
    for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        put(three(a, b, c), 4);
    }
    put(u32::from(sum[11]), 2);
    out
}
