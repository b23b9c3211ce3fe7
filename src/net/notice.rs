/*!
What operators are told about senders, once per kind and process.

A sender with a wrong setting repeats its mistake with every request. The first
occurrence of each kind is logged at the level it deserves and names the peer;
the rest go to debug level, and the counters keep counting.
*/

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

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
}

static SEEN: SeenKinds = SeenKinds::new();

impl ConnectionNotice {
    /// Logs `text` about `peer`.
    pub(crate) fn log(self, peer: SocketAddr, text: impl fmt::Display) {
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
    fn each_kind_is_first_once() {
        let seen = SeenKinds::new();
        assert!(seen.is_first(0));
        assert!(!seen.is_first(0));
        assert!(seen.is_first(31));
    }
}
