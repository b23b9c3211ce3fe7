//! What a receiver expects.

use super::check_queue::CheckQueue;
use crate::{
    auth::{BearerToken, ServerAuth},
    config::Secret,
    htpasswd::Users,
    reload::{File, Files, Reloaded},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use ring::{hmac, rand::SystemRandom};
use std::{net::IpAddr, sync::Arc};
use subtle::{Choice, ConstantTimeEq};

/// Credentials that are expected, shared by all shards.
#[derive(Debug)]
pub struct RequestAuthenticator {
    header: HeaderName,
    challenge: HeaderValue,
    expected: Reloaded<Expected>,
    /// Under which credentials that were checked are remembered: of this
    /// process, so that what is remembered is of no use elsewhere.
    key: hmac::Key,
    checks: Arc<CheckQueue>,
}

/// What is expected; a new one after each change of its file.
#[derive(Debug)]
pub(super) enum Expected {
    Tokens { scheme: String, tokens: Vec<Secret> },
    Users(Users),
}

/// What there is to say about a header at once.
pub(crate) enum Attempt {
    /// It is right, or wrong.
    Judged(bool),
    /// It must be looked up, and checked if it is not found: see [`RequestAuthenticator::check`].
    Slow,
}

/// Stands for what is expected at present: what was remembered under another
/// one is void.
#[derive(Clone)]
pub(crate) struct Generation(Arc<Expected>);

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl RequestAuthenticator {
    /// From checked settings; `what` is whose they are, for the log.
    ///
    /// # Errors
    ///
    /// Says which file cannot be read, and what in it is wrong.
    pub fn build(what: impl Into<String>, settings: &ServerAuth) -> Result<Self, String> {
        let (header, challenge, file) = match settings {
            ServerAuth::Bearer(bearer) => {
                let scheme = match bearer.scheme.as_str() {
                    "" => "Bearer",
                    scheme => scheme,
                };
                let file = bearer.file.clone().map(|path| File {
                    key: "filename",
                    path,
                });
                (bearer.header.clone(), scheme.to_owned(), file)
            }
            ServerAuth::Basic { file, .. } => {
                let file = file.clone().map(|path| File {
                    key: "htpasswd.file",
                    path,
                });
                let header = header::AUTHORIZATION.as_str().to_owned();
                (header, "Basic realm=\"wayspan\"".to_owned(), file)
            }
        };
        let expect = {
            let settings = settings.clone();
            move |files: &Files| expected(&settings, files)
        };
        Ok(Self {
            header: HeaderName::try_from(header).map_err(|error| format!("header: {error}"))?,
            challenge: HeaderValue::try_from(challenge)
                .map_err(|_| "scheme: not one that a header can have".to_owned())?,
            expected: Reloaded::load(what, file.into_iter().collect(), expect)?,
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
                .map_err(|_| "the system has no randomness to give".to_owned())?,
            checks: CheckQueue::new(),
        })
    }

    /// Where credentials stand.
    pub(crate) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// `WWW-Authenticate`.
    pub(crate) fn challenge(&self) -> &HeaderValue {
        &self.challenge
    }

    /// Looks whether the file has changed; true: it counts from now on.
    pub fn look(&self) -> bool {
        self.expected.look()
    }

    /// Returns true if there is a file to look at.
    pub(crate) fn has_files(&self) -> bool {
        self.expected.has_files()
    }

    /// What is expected at present.
    pub(crate) fn generation(&self) -> Generation {
        Generation(self.expected.current())
    }

    /// Judges a header, if that is quick.
    pub(crate) fn judge(&self, now: &Generation, header: &[u8]) -> Attempt {
        match &*now.0 {
            Expected::Tokens { scheme, tokens } => {
                Attempt::Judged(is_one_of(tokens, scheme, header))
            }
            Expected::Users(users) => match basic(header) {
                None => Attempt::Judged(false),
                Some((user, password)) => match users.judge(&user, &password) {
                    Some(good) => Attempt::Judged(good),
                    None => Attempt::Slow,
                },
            },
        }
    }

    /// Under what a header is remembered.
    pub(crate) fn memo(&self, header: &[u8]) -> [u8; 32] {
        let mut memo = [0; 32];
        memo.copy_from_slice(hmac::sign(&self.key, header).as_ref());
        memo
    }

    /// Checks a header of `peer` that [`Self::judge`] found slow, on another
    /// thread. None: too many are being checked.
    pub(crate) async fn check(
        &self,
        now: &Generation,
        header: &[u8],
        peer: IpAddr,
    ) -> Option<bool> {
        let permit = self.checks.acquire(peer).await?;
        let (expected, header) = (Arc::clone(&now.0), header.to_vec());
        let checked = tokio::task::spawn_blocking(move || {
            // Held until the work is done, though nobody may wait for it any more.
            let _permit = permit;
            let Expected::Users(users) = &*expected else {
                return false;
            };
            basic(&header).is_some_and(|(user, password)| users.check(&user, &password))
        });
        Some(checked.await.unwrap_or(false))
    }
}

fn expected(settings: &ServerAuth, files: &Files) -> Result<Expected, String> {
    let text = |key: &str| match files.get(key) {
        None => Ok(None),
        Some((place, bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some((place, text))),
            Err(_) => Err(format!("{place}: not text")),
        },
    };
    match settings {
        ServerAuth::Bearer(bearer) => Ok(Expected::Tokens {
            scheme: bearer.scheme.clone(),
            tokens: match text("filename")? {
                None => bearer.tokens.clone(),
                Some((place, text)) => match tokens(text) {
                    none if none.is_empty() => return Err(format!("{place}: no token in it")),
                    tokens => tokens,
                },
            },
        }),
        ServerAuth::Basic { inline, .. } => {
            let mut users = Users::default();
            let mut place = "htpasswd.inline".to_owned();
            if let Some((file, text)) = text("htpasswd.file")? {
                users
                    .add(text)
                    .map_err(|error| format!("{file}: {error}"))?;
                place = file;
            }
            if let Some(inline) = inline {
                users
                    .add(inline.reveal())
                    .map_err(|error| format!("htpasswd.inline: {error}"))?;
            }
            match users.is_empty() {
                true => Err(format!(
                    "{place}: nobody in it, so that every sender would be refused"
                )),
                false => Ok(Expected::Users(users)),
            }
        }
    }
}

/// A token on each line. An empty one would let in who has none.
pub(super) fn tokens(text: &str) -> Vec<Secret> {
    let tokens = text
        .lines()
        .map(str::trim)
        .filter(|token| !token.is_empty());
    tokens.map(Secret::new).collect()
}

/// The tokens of settings without a file.
pub(super) fn first(bearer: &BearerToken) -> Option<&Secret> {
    bearer.tokens.first()
}

/// Returns true if `header` is `scheme` and one of `tokens`. All are compared,
/// whichever fits.
fn is_one_of(tokens: &[Secret], scheme: &str, header: &[u8]) -> bool {
    let given = match scheme {
        "" => header,
        scheme => match after_scheme(scheme, header) {
            Some(given) => given,
            None => return false,
        },
    };
    let one = |found: Choice, token: &Secret| found | token.reveal().as_bytes().ct_eq(given);
    tokens.iter().fold(Choice::from(0), one).into()
}

/// Schemes are compared without regard to case (RFC 9110, 11.1).
fn after_scheme<'h>(scheme: &str, header: &'h [u8]) -> Option<&'h [u8]> {
    let (named, rest) = header.split_at_checked(scheme.len())?;
    let given = rest.strip_prefix(b" ")?;
    named
        .eq_ignore_ascii_case(scheme.as_bytes())
        .then(|| given.trim_ascii())
}

/// User and password of a `Basic` header.
fn basic(header: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut decoded = STANDARD.decode(after_scheme("Basic", header)?).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1);
    decoded.pop();
    Some((String::from_utf8(decoded).ok()?, password))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn headers_are_taken_apart() {
        let tokens = tokens("one\n\n  two \r\n");
        for (scheme, header, good) in [
            ("Bearer", "Bearer one", true),
            ("Bearer", "bearer two", true),
            ("Bearer", "Bearer ", false),
            ("Bearer", "Bearer", false),
            ("Bearer", "Bearerone", false),
            ("Bearer", "Bearer three", false),
            ("Bearer", "Bearer on", false),
            ("Bearer", "Bearer onetwo", false),
            ("Bearer", "one", false),
            ("Bearer", "", false),
            ("", "one", true),
            ("", "Bearer one", false),
            ("", "", false),
        ] {
            assert_eq!(
                is_one_of(&tokens, scheme, header.as_bytes()),
                good,
                "{header:?}"
            );
        }
        let of = |text: &str| basic(format!("basic {}", STANDARD.encode(text)).as_bytes());
        assert_eq!(of("u:p:q"), Some(("u".to_owned(), b"p:q".to_vec())));
        assert_eq!(of("u:"), Some(("u".to_owned(), Vec::new())));
        assert_eq!(of("u"), None);
        assert_eq!(basic(b"Basic ???"), None);
    }
}
