/*!
Refusals: one `google.rpc.Status` for gRPC trailers, HTTP protobuf and HTTP JSON.

The OTLP specification wants BadRequest details on bad data and RetryInfo (or
Retry-After) on exactly what may be sent again.
*/

use super::{CROWDED_RETRY_AFTER, SHUTDOWN_RETRY_AFTER, reply::Reply};
use crate::net::{admission::Denied, notice::Notice};
use crate::pipeline::{self, RefusalKind};
use http::Response;
use prost::Message;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Messages are cut here: they travel in a header, which peers bound.
const MAX_MESSAGE: usize = 1024;

/// What a refusal adds to its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing; not to be sent again.
    None,
    /// `google.rpc.BadRequest`: the data are at fault.
    BadRequest,
    /// `google.rpc.RetryInfo`: send again after this long.
    Retry(Duration),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// gRPC status code.
    pub code: Code,
    /// For the sender's log.
    pub message: String,
    /// What goes with it.
    pub detail: Detail,
}

impl Refusal {
    /// A refusal without details; the request must not be sent again.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::with(code, message, Detail::None)
    }

    /// The data are at fault.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::with(Code::InvalidArgument, message, Detail::BadRequest)
    }

    /// No room now.
    pub fn busy(retry_after: Duration, message: impl Into<String>) -> Self {
        Self::with(Code::ResourceExhausted, message, Detail::Retry(retry_after))
    }

    fn with(code: Code, message: impl Into<String>, detail: Detail) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        Self {
            code,
            message,
            detail,
        }
    }

    /// A refusal for want of credentials, and how it is logged.
    pub fn denied(denied: Denied) -> (Notice, Self) {
        match denied {
            Denied::Missing => (
                Notice::NoCredentials,
                Self::new(
                    Code::Unauthenticated,
                    "the request has no credentials, which auth of this receiver demands",
                ),
            ),
            Denied::Wrong => (
                Notice::WrongCredentials,
                Self::new(
                    Code::Unauthenticated,
                    "the request's credentials are not those that auth of this receiver expects",
                ),
            ),
            Denied::Crowded => (
                Notice::Busy,
                Self::busy(CROWDED_RETRY_AFTER, "too many passwords to check at once"),
            ),
        }
    }

    /// A refusal by the pipelines, and how it is logged.
    pub fn noticed(refusal: pipeline::Refusal) -> (Notice, Self) {
        let notice = match refusal.kind {
            RefusalKind::Malformed => Notice::Malformed,
            _ => Notice::Busy,
        };
        (notice, Self::of(refusal))
    }

    /// A refusal by the pipelines.
    pub fn of(refusal: pipeline::Refusal) -> Self {
        let detail = match refusal.kind {
            RefusalKind::Malformed => return Self::bad_request(refusal.message),
            RefusalKind::Busy { retry_after } => return Self::busy(retry_after, refusal.message),
            RefusalKind::Failed => return Self::new(Code::Internal, refusal.message),
            RefusalKind::Unavailable => Detail::Retry(SHUTDOWN_RETRY_AFTER),
        };
        Self::with(Code::Unavailable, refusal.message, detail)
    }

    fn status(&self) -> Status {
        let details = match self.detail {
            Detail::None => return Status::new(self.code, self.message.as_str()),
            Detail::BadRequest => {
                ErrorDetails::with_bad_request_violation("", self.message.as_str())
            }
            Detail::Retry(after) => ErrorDetails::with_retry_info(Some(after)),
        };
        Status::with_error_details(self.code, self.message.as_str(), details)
    }

    /// A trailers-only gRPC response.
    pub fn grpc(&self) -> Response<Reply> {
        // Not `into_http`: that keeps a second copy in the extensions.
        let mut response = Response::new(Reply::default());
        let headers = response.headers_mut();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/grpc"),
        );
        if self.status().add_header(headers).is_err() {
            // Percent-encoding leaves nothing a header cannot carry.
            headers.insert("grpc-status", http::HeaderValue::from(self.code as i32));
        }
        response
    }

    /// The Status as protobuf.
    pub fn protobuf(&self) -> Vec<u8> {
        let status = self.status();
        if !status.details().is_empty() {
            return status.details().to_vec();
        }
        tonic_types::Status {
            code: self.code as i32,
            message: self.message.clone(),
            details: Vec::new(),
        }
        .encode_to_vec()
    }

    /// The Status in protobuf's JSON form.
    pub fn json(&self) -> Vec<u8> {
        let mut status = serde_json::json!({ "code": self.code as i32, "message": self.message });
        match self.detail {
            Detail::None => {}
            Detail::BadRequest => {
                status["details"] = serde_json::json!([{
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{ "description": self.message }],
                }]);
            }
            Detail::Retry(after) => {
                status["details"] = serde_json::json!([{
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": format!("{}.{:03}s", after.as_secs(), after.subsec_millis()),
                }]);
            }
        }
        status.to_string().into_bytes()
    }

    /// Seconds for `Retry-After`: at least one, never earlier than asked.
    pub fn retry_after(&self) -> Option<u64> {
        match self.detail {
            Detail::Retry(after) => Some(
                after
                    .as_secs()
                    .saturating_add(u64::from(after.subsec_nanos() > 0))
                    .max(1),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn grpc_carries_retry_info() {
        let refusal = Refusal::busy(Duration::from_millis(1500), "full: 100 % ü\n");
        let response = refusal.grpc();
        assert_eq!(
            response.headers()["grpc-message"],
            "full:%20100%20%25%20%C3%BC%0A"
        );
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "full: 100 % ü\n");
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(Duration::from_millis(1500)));
        assert_eq!(refusal.retry_after(), Some(2));
    }

    #[test]
    fn what_must_not_be_sent_again_says_so() {
        let response = Refusal::new(Code::ResourceExhausted, "too large").grpc();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert!(status.details().is_empty());
        assert_eq!(
            Refusal::new(Code::ResourceExhausted, "too large").retry_after(),
            None
        );
    }

    #[test]
    fn protobuf_and_json_say_the_same() {
        let refusal = Refusal::bad_request("Span.trace_id: wrong wire type at byte 7");
        let status = tonic_types::Status::decode(&refusal.protobuf()[..]).unwrap();
        assert_eq!(
            (status.code, status.message.as_str()),
            (3, refusal.message.as_str())
        );
        assert_eq!(
            status.details[0].type_url,
            "type.googleapis.com/google.rpc.BadRequest"
        );
        let json: serde_json::Value = serde_json::from_slice(&refusal.json()).unwrap();
        assert_eq!(json["code"], 3);
        assert_eq!(json["message"], refusal.message);
        assert_eq!(
            json["details"][0]["fieldViolations"][0]["description"],
            refusal.message
        );

        let plain = Refusal::new(Code::NotFound, "no");
        let status = tonic_types::Status::decode(&plain.protobuf()[..]).unwrap();
        assert_eq!((status.code, status.message.as_str()), (5, "no"));
    }

    #[test]
    fn retry_after_is_at_least_a_second() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            let busy = Refusal::busy(Duration::from_millis(millis), "");
            assert_eq!(busy.retry_after(), Some(seconds));
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let refusal = Refusal::bad_request("ü".repeat(4000));
        assert!(refusal.message.len() <= MAX_MESSAGE + '…'.len_utf8());
        assert!(refusal.message.ends_with("ü…"));
    }
}
