/*!
A refusal as `google.rpc.Status`, which gRPC trailers and the bodies of HTTP
errors carry.

The OTLP specification wants BadRequest details on bad data and RetryInfo (or
Retry-After) on exactly what may be sent again. The codes are those of the gRPC
specification: "Request cardinality violation" is UNIMPLEMENTED, a message over
the limit RESOURCE_EXHAUSTED without RetryInfo.
*/

use crate::pipeline::{Refusal, RefusalKind};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Messages are cut here: they travel in a header, which peers bound.
const MAX_MESSAGE: usize = 1024;

/// Returns the code of a kind in gRPC.
pub(crate) fn grpc_code(kind: RefusalKind) -> Code {
    match kind {
        RefusalKind::Malformed => Code::InvalidArgument,
        RefusalKind::Misframed | RefusalKind::Failed => Code::Internal,
        RefusalKind::TooLarge | RefusalKind::Busy { .. } => Code::ResourceExhausted,
        RefusalKind::MissingCredentials | RefusalKind::WrongCredentials => Code::Unauthenticated,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::Stalled => Code::DeadlineExceeded,
        RefusalKind::Cancelled => Code::Cancelled,
        RefusalKind::Unavailable { .. } => Code::Unavailable,
        RefusalKind::MessageCount
        | RefusalKind::UnsupportedCoding
        | RefusalKind::UnsupportedContent
        | RefusalKind::NotServed
        | RefusalKind::MethodNotAllowed
        | RefusalKind::GrpcOverHttp1
        | RefusalKind::NotGrpc
        | RefusalKind::HttpOnGrpcPort
        | RefusalKind::GrpcOnHttpPort => Code::Unimplemented,
    }
}

/// Returns the code of a kind in the body of an HTTP error, beside the HTTP
/// status.
fn http_code(kind: RefusalKind) -> Code {
    match kind {
        RefusalKind::UnsupportedCoding | RefusalKind::UnsupportedContent => Code::InvalidArgument,
        RefusalKind::NotServed => Code::NotFound,
        kind => grpc_code(kind),
    }
}

/// Returns a refusal's message as it travels.
fn message(refusal: &Refusal) -> String {
    let mut message = refusal.message.clone();
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
    message
}

/// Returns the status with the details that go with it.
pub(crate) fn with_details(refusal: &Refusal, code: Code) -> Status {
    let message = message(refusal);
    let details = match (refusal.kind, refusal.kind.retry_after()) {
        (_, Some(after)) => ErrorDetails::with_retry_info(Some(after)),
        (RefusalKind::Malformed, _) => {
            ErrorDetails::with_bad_request_violation("", message.as_str())
        }
        _ => return Status::new(code, message),
    };
    Status::with_error_details(code, message, details)
}

/// Encodes the status of an HTTP error as protobuf.
pub(crate) fn protobuf(refusal: &Refusal) -> Vec<u8> {
    let code = http_code(refusal.kind);
    let status = with_details(refusal, code);
    if !status.details().is_empty() {
        return status.details().to_vec();
    }
    tonic_types::Status {
        code: code as i32,
        message: message(refusal),
        details: Vec::new(),
    }
    .encode_to_vec()
}

/// Encodes the status of an HTTP error in protobuf's JSON form.
pub(crate) fn json(refusal: &Refusal) -> Vec<u8> {
    let (code, message) = (http_code(refusal.kind), message(refusal));
    let mut status = serde_json::json!({ "code": code as i32, "message": message });
    if let Some(after) = refusal.kind.retry_after() {
        status["details"] = serde_json::json!([{
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}.{:03}s", after.as_secs(), after.subsec_millis()),
        }]);
    } else if refusal.kind == RefusalKind::Malformed {
        status["details"] = serde_json::json!([{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "description": message }],
        }]);
    }
    status.to_string().into_bytes()
}

/// Returns the seconds for `Retry-After`: at least one, never earlier than asked.
pub(crate) fn retry_after_seconds(kind: RefusalKind) -> Option<u64> {
    let after = kind.retry_after()?;
    let seconds = after.as_secs();
    let seconds = seconds.saturating_add(u64::from(after.subsec_nanos() > 0));
    Some(seconds.max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use std::time::Duration;

    #[test]
    fn protobuf_and_json_say_the_same() {
        let refusal = Refusal::malformed("Span.trace_id: wrong wire type at byte 7");
        let status = tonic_types::Status::decode(&protobuf(&refusal)[..]).unwrap();
        assert_eq!(
            (status.code, status.message.as_str()),
            (3, refusal.message.as_str())
        );
        assert_eq!(
            status.details[0].type_url,
            "type.googleapis.com/google.rpc.BadRequest"
        );
        let json: serde_json::Value = serde_json::from_slice(&json(&refusal)).unwrap();
        assert_eq!(json["code"], 3);
        assert_eq!(json["message"], refusal.message);
        assert_eq!(
            json["details"][0]["fieldViolations"][0]["description"],
            refusal.message
        );

        let plain = Refusal::new(RefusalKind::NotFound, "no");
        let status = tonic_types::Status::decode(&protobuf(&plain)[..]).unwrap();
        assert_eq!((status.code, status.message.as_str()), (5, "no"));
    }

    #[test]
    fn retry_after_is_at_least_a_second() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            let busy = Refusal::busy(Duration::from_millis(millis), "");
            assert_eq!(retry_after_seconds(busy.kind), Some(seconds));
        }
        assert_eq!(retry_after_seconds(RefusalKind::TooLarge), None);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let message = message(&Refusal::malformed("ü".repeat(4000)));
        assert!(message.len() <= MAX_MESSAGE + '…'.len_utf8());
        assert!(message.ends_with("ü…"));
    }

    #[test]
    fn bodies_that_do_not_come_have_their_codes() {
        assert_eq!(grpc_code(RefusalKind::Stalled), Code::DeadlineExceeded);
        assert_eq!(grpc_code(RefusalKind::Cancelled), Code::Cancelled);
        let crowded = Refusal::crowded("");
        assert_eq!(grpc_code(crowded.kind), Code::ResourceExhausted);
        assert_eq!(retry_after_seconds(crowded.kind), Some(1));
    }
}
