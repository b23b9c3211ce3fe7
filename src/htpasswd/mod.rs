/*!
`htpasswd` lines: users and how their passwords are kept.

The forms are those the Collector takes, but for SHA-crypt: bcrypt, `$apr1$`,
`{SHA}`, `{SSHA}`, and the password as it is.

A refusal takes at least as long as the slowest hash, whoever it names, so that
its time does not tell which users there are.
*/

mod apr1;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};
use std::{collections::HashMap, fmt};
use subtle::ConstantTimeEq;

/// 2^17 rounds take seconds: more could never be answered in time.
const MOST_COST: u32 = 17;

/// A line that cannot be honoured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct HtpasswdError {
    line: usize,
    why: String,
}

/// Users and their passwords' hashes.
#[derive(Default)]
pub struct Users {
    hashes: HashMap<String, Hash>,
    /// The hash that takes longest to compare with; None: there are no users.
    slowest: Option<Hash>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.hashes.len())
    }
}

/// How a password is kept.
#[derive(Clone, PartialEq, Eq)]
enum Hash {
    /// As it is.
    Plain(Vec<u8>),
    /// SHA-1, perhaps salted.
    Sha {
        /// The hash.
        sum: Vec<u8>,
        /// What follows the password.
        salt: Vec<u8>,
    },
    /// Apache's MD5 scheme.
    Apr1 {
        /// The hash.
        sum: Vec<u8>,
        /// Its salt.
        salt: Vec<u8>,
    },
    /// bcrypt, as it stands in the file.
    Bcrypt(String),
}

impl Users {
    /// Adds the users of `text`, over those of the same name.
    ///
    /// # Errors
    ///
    /// Names the line and what is wrong with it, never the password or its hash.
    pub fn add(&mut self, text: &str) -> Result<(), HtpasswdError> {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| HtpasswdError { line: at + 1, why };
            let (user, kept) = line
                .split_once(':')
                .filter(|(user, kept)| !user.is_empty() && !kept.is_empty())
                .ok_or_else(|| wrong("not USER:PASSWORD".to_owned()))?;
            let hash = Hash::parse(kept).map_err(|why| wrong(format!("user {user:?}: {why}")))?;
            self.hashes.insert(user.to_owned(), hash);
        }
        self.slowest = self.hashes.values().max_by_key(|hash| hash.cost()).cloned();
        Ok(())
    }

    /// Returns true if no user is listed.
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Judges a password where that is quick. None: [`Self::check`] must, where
    /// requests do not wait for it.
    pub fn judge(&self, user: &str, password: &[u8]) -> Option<bool> {
        let own = self.hashes.get(user);
        match own.filter(|own| !own.is_slow()) {
            Some(own) if own.matches(password) => Some(true),
            _ if self.slowest.as_ref().is_some_and(Hash::is_slow) => None,
            _ => Some(self.check(user, password)),
        }
    }

    /// Judges a password, however long that takes.
    pub(crate) fn check(&self, user: &str, password: &[u8]) -> bool {
        let own = self.hashes.get(user);
        if own.is_some_and(|own| own.matches(password)) {
            return true;
        }
        if let Some(slowest) = &self.slowest
            && own.is_none_or(|own| own.cost() < slowest.cost())
        {
            // For the time it takes; nobody is let in by another's password.
            std::hint::black_box(slowest.matches(password));
        }
        false
    }
}

impl Hash {
    fn parse(kept: &str) -> Result<Self, String> {
        const MAKE: &str = "make it anew with `htpasswd -B` (bcrypt)";
        let cut = || "the hash is cut off or damaged".to_owned();
        if let Some(rest) = kept.strip_prefix("$apr1$") {
            let (salt, sum) = rest.split_once('$').ok_or_else(cut)?;
            if sum.len() != 22 {
                return Err(cut());
            }
            return Ok(Self::Apr1 {
                sum: sum.into(),
                salt: salt.into(),
            });
        }
        for (prefix, salted) in [("{SHA}", false), ("{SSHA}", true)] {
            if let Some(encoded) = kept.strip_prefix(prefix) {
                let mut sum = STANDARD.decode(encoded).map_err(|_| cut())?;
                if sum.len() < SHA1_OUTPUT_LEN || (!salted && sum.len() > SHA1_OUTPUT_LEN) {
                    return Err(cut());
                }
                let salt = sum.split_off(SHA1_OUTPUT_LEN);
                return Ok(Self::Sha { sum, salt });
            }
        }
        if kept.starts_with("$2") {
            let parts: bcrypt::HashParts = kept.parse().map_err(|_| cut())?;
            return match parts.get_cost() {
                ..=MOST_COST => Ok(Self::Bcrypt(kept.to_owned())),
                cost => Err(format!(
                    "bcrypt of cost {cost} takes too long: at most {MOST_COST}"
                )),
            };
        }
        let unsupported = [
            ("$1$", "MD5-crypt ($1$)"),
            ("$5$", "SHA-crypt ($5$)"),
            ("$6$", "SHA-crypt ($6$)"),
            ("$7$", "scrypt ($7$)"),
            ("$y$", "yescrypt ($y$)"),
            ("$argon2", "Argon2"),
        ];
        if let Some((_, name)) = unsupported.iter().find(|(p, _)| kept.starts_with(p)) {
            return Err(format!("hashes by {name} are not supported: {MAKE}"));
        }
        Ok(Self::Plain(kept.into()))
    }

    /// Returns true if a check costs enough to be done elsewhere than where
    /// requests are served.
    fn is_slow(&self) -> bool {
        matches!(self, Self::Apr1 { .. } | Self::Bcrypt(_))
    }

    /// Orders hashes by the time that a comparison takes.
    fn cost(&self) -> u32 {
        match self {
            Self::Plain(_) => 0,
            Self::Sha { .. } => 1,
            Self::Apr1 { .. } => 2,
            Self::Bcrypt(kept) => {
                let parts = kept.parse::<bcrypt::HashParts>();
                // `parse` has taken none that is not one.
                3 + parts.map_or(0, |parts| parts.get_cost())
            }
        }
    }

    /// Returns true if the hash is of `password`.
    fn matches(&self, password: &[u8]) -> bool {
        match self {
            Self::Plain(kept) => kept.ct_eq(password).into(),
            Self::Sha { sum, salt } => {
                let mut sha = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                sha.update(password);
                sha.update(salt);
                sha.finish().as_ref().ct_eq(sum).into()
            }
            Self::Apr1 { sum, salt } => apr1::hash(password, salt).ct_eq(sum).into(),
            Self::Bcrypt(kept) => bcrypt::verify(password, kept).unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Made by Apache's `htpasswd` and by OpenSSL.
    const KEPT: [(&str, &str, &str); 8] = [
        // OpenSSL: openssl passwd -apr1 -salt xxxxxxxx password
        ("apr1", "password", "$apr1$xxxxxxxx$dxHfLAsjHkDRmG83UXe8K0"),
        (
            "long",
            "a longer password of 33 chars 123",
            "$apr1$abc$SMcyvCHKBTUmGqZdNTtPn.",
        ),
        ("sha", "password", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="),
        ("plain", "pass:word", "pass:word"),
        // The vectors of crypt_blowfish.
        (
            "a",
            "U*U",
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ),
        (
            "b",
            "U*U*",
            "$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
        ),
        (
            "c",
            "U*U*U",
            "$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
        ),
        // sha1("secret" + "salt") and "salt".
        ("ssha", "secret", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0"),
    ];

    #[test]
    fn each_form_knows_its_password() {
        let text: String = KEPT
            .iter()
            .map(|(user, _, kept)| format!("{user}:{kept}\n"))
            .collect();
        let mut users = Users::default();
        users.add(&format!("# users\n\n{text}")).unwrap();
        for (user, password, _) in KEPT {
            assert!(users.check(user, password.as_bytes()), "{user}");
            for wrong in ["", "passwore", "U*", "password\0"] {
                assert!(!users.check(user, wrong.as_bytes()), "{user} {wrong}");
            }
        }
        for (_, password, _) in KEPT {
            assert!(!users.check("nobody", password.as_bytes()), "{password}");
        }
    }

    #[test]
    fn a_refusal_is_as_slow_for_who_is_unknown_as_for_anybody() {
        const SLOW: &str = "$2b$06$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a";
        let mut users = Users::default();
        let kept: String = KEPT
            .iter()
            .map(|(user, _, kept)| format!("{user}:{kept}\n"))
            .collect();
        users.add(&format!("slow:{SLOW}\n{kept}")).unwrap();
        // Whatever order a table has its entries in.
        let slowest = users.slowest.as_ref().unwrap();
        assert!(*slowest == Hash::Bcrypt(SLOW.to_owned()));
        for user in ["nobody", "plain", "sha", "apr1", "slow"] {
            assert_eq!(users.judge(user, b"wrong"), None, "{user}");
        }
        assert_eq!(users.judge("plain", b"pass:word"), Some(true));

        let mut quick = Users::default();
        quick.add("alice:secret\n").unwrap();
        assert_eq!(quick.judge("alice", b"secret"), Some(true));
        assert_eq!(quick.judge("alice", b"wrong"), Some(false));
        assert_eq!(quick.judge("nobody", b"secret"), Some(false));
        assert_eq!(Users::default().judge("nobody", b""), Some(false));
    }

    #[test]
    fn lengths_around_the_block_give_other_hashes() {
        for length in [0, 1, 15, 16, 17, 33] {
            let password = vec![b'x'; length];
            assert_eq!(apr1::hash(&password, b"salt").len(), 22);
            let other = vec![b'x'; length + 1];
            assert_ne!(apr1::hash(&password, b"salt"), apr1::hash(&other, b"salt"));
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_named_without_its_hash() {
        for (line, why) in [
            ("bob", "not USER:PASSWORD"),
            (":x", "not USER:PASSWORD"),
            ("bob:$6$abc$hunter2", "SHA-crypt ($6$) are not supported"),
            ("bob:$apr1$hunter2", "cut off"),
            ("bob:{SHA}hunter2", "cut off"),
            ("bob:$2y$05$hunter2", "cut off"),
            (
                "bob:$2y$31$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
                "cost 31",
            ),
        ] {
            let error = Users::default()
                .add(&format!("\n{line}\n"))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("line 2: ") && error.contains(why),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
