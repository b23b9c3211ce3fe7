/*!
What a status means for the request it answers, in gRPC and in HTTP.

The rules are those of the OTLP specification (`docs/specification.md`,
"Failures", "OTLP/gRPC Throttling", "OTLP/HTTP Response"), with two departures,
both because an item taken over from a sender that will not send it again should
not be lost to something that passes:

- `RESOURCE_EXHAUSTED` without `RetryInfo` is retried with backoff, unless its
  message says that the *message* was too large, which no retry can cure.
- Answers that mean the exporter or the backend is set up wrongly
  (`UNAUTHENTICATED`, `PERMISSION_DENIED`, `UNIMPLEMENTED`; 401, 403, 404, 405,
  407, 415, redirects) are retried as well and logged as errors with what to
  change: an operator will fix them, and the data waits meanwhile as they do
  for a backend that is down.
*/

use crate::{
    exporter::{Outcome, http::described},
    pdata::Signal,
};
use http::StatusCode;
use std::time::Duration;
use tonic::Code;

/// Decides what a gRPC status other than OK means for the request it answers.
pub(super) fn from_grpc(
    signal: Signal,
    code: Code,
    message: &str,
    after: Option<Duration>,
) -> Outcome {
    let cause = described(&format!("{code:?}"), message);
    match code {
        // Not by the specification a success, but there is nothing left to do.
        Code::Ok => Outcome::Delivered {
            rejected: 0,
            message: message.to_owned(),
        },
        _ if says_too_large(code, message) => Outcome::TooLarge { cause },
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::ResourceExhausted => Outcome::Retry {
            after,
            cause,
            misconfigured: false,
        },
        Code::InvalidArgument => Outcome::Invalid { cause },
        Code::Unauthenticated | Code::PermissionDenied => Outcome::misconfigured(format!(
            "{cause}: check the credentials in headers or the client certificate in tls"
        )),
        Code::Unimplemented => Outcome::misconfigured(format!(
            "{cause}: is this the OTLP/gRPC port (4317) of a backend that takes {signal}, and \
             does it take the configured compression?"
        )),
        Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Internal => Outcome::Permanent { cause },
    }
}

/// Decides what an HTTP status other than 200 in answer to a gRPC call means:
/// a proxy answered instead of the server. The codes are those of gRPC's
/// "HTTP to gRPC Status Code Mapping".
pub(super) fn from_http_to_grpc(
    signal: Signal,
    status: StatusCode,
    after: Option<Duration>,
) -> Outcome {
    let code = match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        400 => Code::Internal,
        _ => Code::Unknown,
    };
    from_grpc(
        signal,
        code,
        &format!("HTTP {} instead of a gRPC answer", status.as_u16()),
        after,
    )
}

/// Returns true if the status is a receiver's refusal of the message's size. The code
/// does not tell: it is also used for quotas. The words are those of grpc-go
/// and gRPC core ("received message larger than max"), grpc-java ("gRPC message
/// exceeds maximum size") and tonic ("decoded message length too large").
fn says_too_large(code: Code, message: &str) -> bool {
    if !matches!(code, Code::ResourceExhausted | Code::OutOfRange) {
        return false;
    }
    let message = message.to_ascii_lowercase();
    [
        "larger than max",
        "exceeds maximum size",
        "message length too large",
        "request body too large",
    ]
    .iter()
    .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_grpc_code_has_its_meaning() {
        let expected = [
            "delivered",     // OK
            "retry",         // CANCELLED
            "permanent",     // UNKNOWN
            "invalid",       // INVALID_ARGUMENT
            "retry",         // DEADLINE_EXCEEDED
            "permanent",     // NOT_FOUND
            "permanent",     // ALREADY_EXISTS
            "misconfigured", // PERMISSION_DENIED
            "retry",         // RESOURCE_EXHAUSTED
            "permanent",     // FAILED_PRECONDITION
            "retry",         // ABORTED
            "retry",         // OUT_OF_RANGE
            "misconfigured", // UNIMPLEMENTED
            "permanent",     // INTERNAL
            "retry",         // UNAVAILABLE
            "retry",         // DATA_LOSS
            "misconfigured", // UNAUTHENTICATED
        ];
        for (code, expected) in expected.iter().enumerate() {
            let outcome = from_grpc(Signal::Traces, Code::from_i32(code as i32), "m", None);
            assert_eq!(outcome.kind(), *expected, "code {code}");
        }
    }

    #[test]
    fn a_message_too_large_is_told_from_a_quota() {
        for (code, message, expected) in [
            (
                Code::ResourceExhausted,
                "grpc: received message larger than max (9 vs. 4)",
                "too large",
            ),
            (
                Code::ResourceExhausted,
                "grpc: received message after decompression larger than max 4194304",
                "too large",
            ),
            (
                Code::ResourceExhausted,
                "gRPC message exceeds maximum size 4194304: 5",
                "too large",
            ),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
                "too large",
            ),
            (
                Code::ResourceExhausted,
                "quota of 5 requests exceeded",
                "retry",
            ),
            (
                Code::InvalidArgument,
                "attribute larger than max",
                "invalid",
            ),
        ] {
            assert_eq!(
                from_grpc(Signal::Traces, code, message, None).kind(),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn retry_info_is_passed_on() {
        let after = Some(Duration::from_secs(7));
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            match from_grpc(Signal::Traces, code, "", after) {
                Outcome::Retry { after: got, .. } => assert_eq!(got, after),
                other => panic!("{other:?}"),
            }
        }
    }
}
