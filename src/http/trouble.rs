/*!
What to tell the operator when no answer came: the place, the cause, the remedy.

The chain of a failed request's errors is five levels of wrapping around one
fact. This module finds the fact and turns it into one [`Outcome`]: passing
(refused, reset, timed out) or a setting to change (wrong port, TLS on one side
only, unknown CA).
*/

use super::{connect::Protocol, sniff::Speaks};
use crate::exporter::outcome::Outcome;
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use std::{error::Error, io};

/// Where a request was sent and what was expected there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `host:port`.
    pub authority: &'a str,
    /// What is spoken.
    pub protocol: Protocol,
    /// Whether through TLS.
    pub tls: bool,
}

/// Turns a failed request into an outcome.
pub fn outcome(error: &(dyn Error + 'static), seen: Speaks, place: Place<'_>) -> Outcome {
    let Place { authority, .. } = place;
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
    if let Some(outcome) = wrong_port(seen, place) {
        return outcome;
    }
    let (what, port) = match place.protocol {
        Protocol::Grpc => ("the backend", "OTLP/gRPC port (4317)"),
        Protocol::Http => ("the backend", "OTLP/HTTP port (4318)"),
        Protocol::Web => ("it", "HTTP port"),
    };
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Outcome::retry(format!(
            "connection refused by {authority}: is {what} running, and is this its {port}?"
        )),
        Some(io::ErrorKind::TimedOut) => Outcome::retry(format!(
            "no connection to {authority} in time: is the address right, and does no \
             NetworkPolicy or firewall stand in between?"
        )),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => Outcome::retry(
            format!("no route to {authority}: is the address right? ({said})"),
        ),
        // Often the wrong port, but a backend that restarts looks the same.
        _ if seen == Speaks::Unknown => Outcome::retry(format!(
            "connection to {authority} ended without an answer ({said}): if this goes on, is this \
             its {port}, and does it speak TLS?"
        )),
        _ => Outcome::retry(format!("connection to {authority} failed: {said}")),
    }
}

/// The backend is there but speaks something else.
fn wrong_port(seen: Speaks, place: Place<'_>) -> Option<Outcome> {
    let Place {
        authority,
        protocol,
        tls,
    } = place;
    let remedy = match (seen, protocol) {
        (Speaks::Tls, _) if !tls => {
            "the port speaks TLS and was spoken to in plaintext: use https:// and tls.ca_file, or \
             the plaintext port"
        }
        (Speaks::Http1, Protocol::Grpc) => {
            "the port speaks HTTP/1.1: use otlp_http, or the gRPC port (4317)"
        }
        (Speaks::Http2, Protocol::Http) if !tls => {
            "the port speaks HTTP/2, as gRPC does: use otlp_grpc, or the OTLP/HTTP port (4318)"
        }
        _ => return None,
    };
    Some(Outcome::misconfigured(format!("{authority}: {remedy}")))
}

fn from_tls(error: &rustls::Error, authority: &str) -> Outcome {
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
    Outcome::misconfigured(format!("TLS with {authority} failed: {remedy} ({error})"))
}

/// Errors from the outermost in. An `io::Error`'s `source` skips the error it
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

/// The innermost error of a type.
pub fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error)
        .filter_map(|error| error.downcast_ref::<T>())
        .last()
}

/// The chain as one line, without levels that repeat the one above.
pub fn text(error: &(dyn Error + 'static)) -> String {
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

    const GRPC: Place<'_> = Place {
        authority: "jaeger:4317",
        protocol: Protocol::Grpc,
        tls: false,
    };

    fn cause(outcome: Outcome) -> (String, bool) {
        match outcome {
            Outcome::Retry {
                cause,
                misconfigured,
                ..
            } => (cause, misconfigured),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refused_connection_names_the_port_to_check() {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        let (cause, misconfigured) = cause(outcome(&error, Speaks::Unknown, GRPC));
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
        let (cause, misconfigured) = cause(outcome(&error, Speaks::Unknown, GRPC));
        assert!(cause.contains("tls.ca_file"), "{cause}");
        assert!(misconfigured);
    }

    #[test]
    fn the_wrong_port_is_recognised() {
        let error = io::Error::other("frame size error");
        for (seen, protocol, words) in [
            (Speaks::Http1, Protocol::Grpc, "use otlp_http"),
            (Speaks::Tls, Protocol::Grpc, "speaks TLS"),
            (Speaks::Tls, Protocol::Http, "speaks TLS"),
            (Speaks::Http2, Protocol::Http, "use otlp_grpc"),
        ] {
            let (cause, misconfigured) = cause(outcome(&error, seen, Place { protocol, ..GRPC }));
            assert!(cause.contains(words) && misconfigured, "{cause}");
        }
        let (cause, _) = cause(outcome(&error, Speaks::Http2, GRPC));
        assert!(cause.contains("frame size error"), "{cause}");
    }
}
