/*!
What an HTTP status means for the request it answers, by the rules of the OTLP
specification ("OTLP/HTTP Response"), with one departure: answers that mean the exporter
or the backend is set up wrongly are retried as well and logged as errors with what to
change, since an operator will fix them.
*/

use super::WrongPort;
use crate::exporter::Outcome;
use http::StatusCode;
use std::time::Duration;

/// Decides what an HTTP status other than 2xx means. `message` is the
/// `google.rpc.Status` message or the beginning of a text body.
pub(super) fn outcome(
    status: StatusCode,
    message: &str,
    after: Option<Duration>,
    expected: &WrongPort,
) -> Outcome {
    let cause = described(&format!("HTTP {}", status.as_u16()), message);
    match status.as_u16() {
        429 | 502 | 503 | 504 => Outcome::Retry {
            after,
            cause,
            misconfigured: false,
        },
        413 => Outcome::TooLarge { cause },
        400 if plain_http_to_https(message) => {
            Outcome::misconfigured(format!("{cause}: the port speaks TLS: use https://"))
        }
        400 => Outcome::Invalid { cause },
        401 | 403 | 407 => Outcome::misconfigured(format!(
            "{cause}: check the credentials in headers or the client certificate in tls"
        )),
        404 | 405 => Outcome::misconfigured(format!(
            "{cause}: is the URL's path {}, and the port {}?",
            expected.path, expected.port
        )),
        415 => Outcome::misconfigured(format!(
            "{cause}: the backend does not take this encoding or compression"
        )),
        300..=399 => Outcome::misconfigured(format!(
            "{cause}: the endpoint redirects; put the final URL into the configuration"
        )),
        _ => Outcome::Permanent { cause },
    }
}

/// Returns true if a TLS server complains that it was spoken to in plaintext (Go's
/// net/http and nginx).
fn plain_http_to_https(message: &str) -> bool {
    message.contains("HTTP request to an HTTPS server")
        || message.contains("plain HTTP request was sent to HTTPS port")
}

/// Returns what happened in one line of bounded length, for the log.
pub(crate) fn described(code: &str, message: &str) -> String {
    let message: String = message
        .chars()
        .take(400)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match message.trim() {
        "" => code.to_owned(),
        message => format!("{code}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn otlp() -> WrongPort {
        WrongPort {
            path: "/v1/traces".to_owned(),
            port: "4318",
        }
    }

    #[test]
    fn every_http_status_has_its_meaning() {
        for (status, expected) in [
            (429, "retry"),
            (502, "retry"),
            (503, "retry"),
            (504, "retry"),
            (500, "permanent"),
            (501, "permanent"),
            (400, "invalid"),
            (401, "misconfigured"),
            (403, "misconfigured"),
            (404, "misconfigured"),
            (308, "misconfigured"),
            (415, "misconfigured"),
            (413, "too large"),
            (418, "permanent"),
        ] {
            let found = outcome(StatusCode::from_u16(status).unwrap(), "", None, &otlp());
            assert_eq!(found.kind(), expected, "{status}");
        }
        let tls = "Client sent an HTTP request to an HTTPS server.\n";
        assert_eq!(
            outcome(StatusCode::BAD_REQUEST, tls, None, &otlp()).kind(),
            "misconfigured"
        );
    }

    #[test]
    fn a_backends_message_becomes_one_short_line() {
        let message = format!("no\nsuch{}", "x".repeat(10_000));
        match outcome(StatusCode::BAD_REQUEST, &message, None, &otlp()) {
            Outcome::Invalid { cause } => {
                assert!(cause.starts_with("HTTP 400: no such"), "{cause}");
                assert!(cause.len() < 500);
            }
            other => panic!("{other:?}"),
        }
    }
}
