/*! What stands in place of a text that is taken away: stars, or a hash of it. */

use crate::{pdata::number::ShowHex, regexp::Pattern};
use md5::{Digest, Md5};
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    hmac::{self, Key},
};
use sha3::Sha3_256;
use std::fmt::Write;

/// How a text is replaced.
#[derive(Clone, Debug)]
pub(super) enum Mask {
    Stars,
    Sha1,
    Sha3,
    Md5,
    /// With a key, which nothing shows.
    Hmac(Key),
}

impl Mask {
    /// Appends `text` to `out` with all that matches replaced. It stops beyond `most` bytes: the
    /// request is refused then.
    pub(super) fn replace(&self, text: &str, pattern: &Pattern, most: usize, out: &mut String) {
        let mut end = 0;
        for found in pattern.regex().find_iter(text) {
            out.push_str(text.get(end..found.start()).unwrap_or_default());
            self.put(found.as_str(), out);
            end = found.end();
            if out.len() > most {
                return;
            }
        }
        out.push_str(text.get(end..).unwrap_or_default());
    }

    fn put(&self, text: &str, out: &mut String) {
        let text = text.as_bytes();
        match self {
            Self::Stars => out.push_str("****"),
            Self::Sha1 => put_hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref(), out),
            Self::Sha3 => put_hex(&Sha3_256::digest(text), out),
            Self::Md5 => put_hex(&Md5::digest(text), out),
            Self::Hmac(key) => put_hex(hmac::sign(key, text).as_ref(), out),
        }
    }
}

fn put_hex(bytes: &[u8], out: &mut String) {
    // Writing to a String does not fail.
    let _ = write!(out, "{}", ShowHex(bytes));
}
