/*!
What operators are told about senders, once per kind and process, and about
what fails again and again, once a minute.

A sender with a wrong setting repeats its mistake with every request. The first
occurrence of each kind is logged at the level it deserves and names the peer;
the rest go to debug level, and the counters keep counting.
*/

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// How often the same failure is logged.
const REPEAT: Duration = Duration::from_secs(60);

/// A failure that may come many times a second.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    said: Option<Instant>,
    unsaid: u64,
}

impl Repeats {
    /// Notes an occurrence; returns how many there were since the last that was
    /// logged, this one included, if this one is to be logged.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        self.unsaid += 1;
        let is_soon = |said| now.saturating_duration_since(said) < REPEAT;
        if self.said.is_some_and(is_soon) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// The kinds, of up to 32, that have occurred.
#[derive(Debug, Default)]
pub(crate) struct SeenKinds(AtomicU32);

impl SeenKinds {
    /// None has occurred.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Returns true for the first occurrence of kind number `kind`.
    pub(crate) fn is_first(&self, kind: u32) -> bool {
        let bit = 1 << kind;
        // The plain load keeps repeat offenders from contending for the line.
        self.0.load(Ordering::Relaxed) & bit == 0
            && self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

/// Kinds of connections that fail before their first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum ConnectionNotice {
    /// TLS on a plaintext port.
    Tls,
    /// Plaintext on a TLS port.
    Plaintext,
    /// No client certificate where one is demanded.
    NoCertificate,
    /// A client certificate that is not trusted.
    ForeignCertificate,
    /// The sender does not trust our certificate.
    Distrusted,
    /// Another failure of TLS.
    Handshake,
    /// As many connections as there may be.
    TooMany,
    /// As many of one address as there may be.
    TooManyOfPeer,
}

static SEEN: SeenKinds = SeenKinds::new();

impl ConnectionNotice {
    /// Logs `text` about `peer`.
    pub(crate) fn log(self, peer: impl fmt::Display, text: impl fmt::Display) {
        match SEEN.is_first(self as u32) {
            true => tracing::error!(%peer, "{text} (said once; more at debug level)"),
            false => tracing::debug!(%peer, kind = ?self, "{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_is_said_once_a_minute_with_a_count() {
        let mut repeats = Repeats::default();
        let begin = Instant::now();
        let mut said = Vec::new();
        for ms in (0..150_000).step_by(200) {
            let now = begin + Duration::from_millis(ms);
            said.extend(repeats.note(now).map(|times| (ms, times)));
        }
        assert_eq!(said, [(0, 1), (60_000, 300), (120_000, 300)]);
    }

    #[test]
    fn each_kind_is_first_once() {
        let seen = SeenKinds::new();
        assert!(seen.is_first(0));
        assert!(!seen.is_first(0));
        assert!(seen.is_first(31));
    }
}
