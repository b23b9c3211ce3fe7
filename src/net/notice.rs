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

/// Kinds of trouble with a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Notice {
    /// gRPC requests arrive as HTTP/1.1.
    GrpcAsHttp1,
    /// OTLP/HTTP arrives on the gRPC port.
    HttpOnGrpcPort,
    /// gRPC arrives on the HTTP port.
    GrpcOnHttpPort,
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
    /// No credentials where they are demanded.
    NoCredentials,
    /// Credentials that are not right.
    WrongCredentials,
    /// Something else than OTLP traces was asked for.
    NotServed,
    /// A body over the limit.
    TooLarge,
    /// A body that is not what it says.
    Malformed,
    /// A coding we do not know.
    Coding,
    /// A body that never came.
    Stalled,
    /// No room.
    Busy,
}

static SEEN: AtomicU32 = AtomicU32::new(0);

impl Notice {
    fn is_first(self, seen: &AtomicU32) -> bool {
        let bit = 1 << self as u32;
        // The plain load keeps repeat offenders from contending for the line.
        seen.load(Ordering::Relaxed) & bit == 0 && seen.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Logs `text` about `peer`.
    pub fn log(self, peer: SocketAddr, text: impl fmt::Display) {
        if !self.is_first(&SEEN) {
            return tracing::debug!(%peer, kind = ?self, "{text}");
        }
        match self {
            Notice::GrpcAsHttp1
            | Notice::HttpOnGrpcPort
            | Notice::GrpcOnHttpPort
            | Notice::Tls
            | Notice::Plaintext
            | Notice::NoCertificate
            | Notice::ForeignCertificate
            | Notice::Distrusted
            | Notice::Handshake => {
                tracing::error!(%peer, "{text} (said once; more at debug level)");
            }
            _ => {
                tracing::warn!(%peer, "request refused: {text} (this kind is said once; more at debug level)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_first_once() {
        let seen = AtomicU32::new(0);
        assert!(Notice::Busy.is_first(&seen));
        assert!(!Notice::Busy.is_first(&seen));
        assert!(Notice::Coding.is_first(&seen));
    }
}
