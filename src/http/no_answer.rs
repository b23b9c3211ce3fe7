/*!
Why a request got no answer, in words for the operator: where, why, and what to
do.

The chain of a failed request's errors is five levels of wrapping around one
fact. [`diagnose`] finds the fact and turns it into one [`NoAnswer`]: it may pass
by itself (refused, reset, timed out), or a setting has to be changed (wrong port,
TLS on one side only, unknown CA).
*/

use super::{protocol::ClientProtocol, sniff::PeerProtocol};
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use std::{error::Error, io};

/// Why a request got no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// What happened, and what to do about it where that is known.
    pub(crate) cause: String,
    /// Is true when the request can only succeed after somebody changes a
    /// setting.
    pub(crate) misconfigured: bool,
}

impl NoAnswer {
    /// A failure that may pass by itself.
    pub(super) fn passing(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            misconfigured: false,
        }
    }

    /// A setting is wrong, here or at the peer.
    pub(super) fn misconfigured(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            misconfigured: true,
        }
    }
}

/// Where a request was sent, and what was expected there.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpectedPeer<'a> {
    /// `host:port`.
    pub(super) authority: &'a str,
    pub(super) protocol: ClientProtocol,
    pub(super) tls: bool,
}

/// Finds out why a request failed, where `seen` is what the peer speaks.
pub(super) fn diagnose(
    error: &(dyn Error + 'static),
    seen: PeerProtocol,
    expected: ExpectedPeer<'_>,
) -> NoAnswer {
    let ExpectedPeer { authority, .. } = expected;
    // What rustls met after the handshake comes through HTTP/2 as text only.
    let said = text(error);
    if let Some(tls) = find::<rustls::Error>(error) {
        return from_tls(tls, authority);
    }
    if said.contains("CertificateRequired") {
        return from_tls(
            &rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
            authority,
        );
    }
    if let Some(no_answer) = wrong_port(seen, expected) {
        return no_answer;
    }
    let (what, port) = (expected.protocol.server(), expected.protocol.port());
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => NoAnswer::passing(format!(
            "connection refused by {authority}: is {what} running, and is this its {port}?"
        )),
        Some(io::ErrorKind::TimedOut) => NoAnswer::passing(format!(
            "no connection to {authority} in time: is the address right, and does no \
             NetworkPolicy or firewall stand in between?"
        )),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            NoAnswer::passing(format!(
                "no route to {authority}: is the address right? ({said})"
            ))
        }
        // Often the wrong port, but a backend that restarts looks the same.
        _ if seen == PeerProtocol::Unknown => NoAnswer::passing(format!(
            "connection to {authority} ended without an answer ({said}): if this goes on, is this \
             its {port}, and does it speak TLS?"
        )),
        _ => NoAnswer::passing(format!("connection to {authority} failed: {said}")),
    }
}

/// Recognises a peer that is there and speaks something else.
fn wrong_port(seen: PeerProtocol, expected: ExpectedPeer<'_>) -> Option<NoAnswer> {
    let ExpectedPeer {
        authority,
        protocol,
        tls,
    } = expected;
    let remedy = match (seen, protocol) {
        (PeerProtocol::Tls, _) if !tls => {
            "the port speaks TLS and was spoken to in plaintext: use https:// and tls.ca_file, or \
             the plaintext port"
        }
        (PeerProtocol::Http1, ClientProtocol::OtlpGrpc) => {
            "the port speaks HTTP/1.1: use otlp_http, or the gRPC port (4317)"
        }
        (PeerProtocol::Http1, ClientProtocol::Grpc) => "the port speaks HTTP/1.1, not gRPC",
        (PeerProtocol::Http2, ClientProtocol::Web) if !tls => {
            "the port speaks HTTP/2 alone, as gRPC does"
        }
        (PeerProtocol::Http2, ClientProtocol::OtlpHttp | ClientProtocol::Zipkin) if !tls => {
            "the port speaks HTTP/2, as gRPC does: use otlp_grpc, or the OTLP/HTTP port (4318)"
        }
        _ => return None,
    };
    Some(NoAnswer::misconfigured(format!("{authority}: {remedy}")))
}

/// Turns an error of TLS into its remedy.
fn from_tls(error: &rustls::Error, authority: &str) -> NoAnswer {
    use rustls::Error as E;
    let remedy = match error {
        E::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "the port does not speak TLS: use http:// or tls.insecure: true, or the TLS port",
        E::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by a CA that is not trusted: set tls.ca_file to that CA"
        }
        E::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name: set tls.server_name_override",
        E::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired: renew it, or set this machine's clock",
        // webpki's error, which rustls passes on without a variant of its own.
        E::InvalidCertificate(CertificateError::Other(other))
            if format!("{other:?}").contains("CaUsedAsEndEntity") =>
        {
            "it presents a CA's certificate as its own, as a self-signed one often is: give the \
             backend a certificate signed by that CA, and set tls.ca_file to the CA's certificate"
        }
        E::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a client certificate: set tls.cert_file and tls.key_file"
        }
        E::AlertReceived(AlertDescription::UnknownCA | AlertDescription::BadCertificate) => {
            "it does not accept the client certificate: check tls.cert_file"
        }
        E::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "it does not offer HTTP/2 on this port: is it the OTLP/gRPC port?"
        }
        _ => "check the tls settings on both sides",
    };
    NoAnswer::misconfigured(format!("TLS with {authority} failed: {remedy} ({error})"))
}

/// Iterates over the errors from the outermost inwards. An `io::Error`'s `source` skips the error it
/// wraps, so that one is asked for explicitly.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
        Some(error)
    })
}

/// Returns the innermost error of a type.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error)
        .filter_map(|error| error.downcast_ref::<T>())
        .last()
}

/// Writes the chain as one line, without levels that repeat the one above.
fn text(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    for level in chain(error).map(|error| error.to_string()) {
        if said.is_empty() {
            said = level;
        } else if !said.ends_with(&level) {
            said = format!("{said}: {level}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const GRPC: ExpectedPeer<'_> = ExpectedPeer {
        authority: "jaeger:4317",
        protocol: ClientProtocol::OtlpGrpc,
        tls: false,
    };

    fn cause(no_answer: NoAnswer) -> (String, bool) {
        (no_answer.cause, no_answer.misconfigured)
    }

    #[test]
    fn a_refused_connection_names_the_port_to_check() {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        let (cause, misconfigured) = cause(diagnose(&error, PeerProtocol::Unknown, GRPC));
        assert!(
            cause.contains("refused by jaeger:4317") && cause.contains("OTLP/gRPC port (4317)")
        );
        assert!(
            !misconfigured,
            "a backend that is down is no mistake of the operator's"
        );
    }

    #[test]
    fn a_tls_error_is_found_under_any_wrapping() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = io::Error::other(io::Error::other(tls));
        let (cause, misconfigured) = cause(diagnose(&error, PeerProtocol::Unknown, GRPC));
        assert!(cause.contains("tls.ca_file"), "{cause}");
        assert!(misconfigured);
    }

    #[test]
    fn the_wrong_port_is_recognised() {
        let error = io::Error::other("frame size error");
        for (seen, protocol, words) in [
            (
                PeerProtocol::Http1,
                ClientProtocol::OtlpGrpc,
                "use otlp_http",
            ),
            (PeerProtocol::Tls, ClientProtocol::OtlpGrpc, "speaks TLS"),
            (PeerProtocol::Tls, ClientProtocol::OtlpHttp, "speaks TLS"),
            (
                PeerProtocol::Http2,
                ClientProtocol::OtlpHttp,
                "use otlp_grpc",
            ),
        ] {
            let (cause, misconfigured) =
                cause(diagnose(&error, seen, ExpectedPeer { protocol, ..GRPC }));
            assert!(cause.contains(words) && misconfigured, "{cause}");
        }
        let (cause, _) = cause(diagnose(&error, PeerProtocol::Http2, GRPC));
        assert!(cause.contains("frame size error"), "{cause}");
    }
}
