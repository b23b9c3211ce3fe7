/*!
Replies over HTTP, and what of a refusal stands in their heads.

Only what may be sent again is 429 or 503 and has Retry-After. A body over the
limit is 413.
*/

use crate::{
    pipeline::{Refusal, RefusalKind},
    receiver::{inflate, status},
};
use ::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// A response body: one piece, or nothing.
#[derive(Debug, Default)]
pub struct HttpReply(pub(crate) Bytes);

impl Body for HttpReply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// Returns the HTTP status of a kind of refusal.
fn http_status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::Malformed
        | RefusalKind::Misframed
        | RefusalKind::MessageCount
        | RefusalKind::Cancelled => StatusCode::BAD_REQUEST,
        RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalKind::UnsupportedCoding
        | RefusalKind::UnsupportedContent
        | RefusalKind::NotGrpc
        | RefusalKind::HttpOnGrpcPort
        | RefusalKind::GrpcOnHttpPort => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RefusalKind::MissingCredentials | RefusalKind::WrongCredentials => StatusCode::UNAUTHORIZED,
        RefusalKind::NotServed | RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        RefusalKind::GrpcOverHttp1 => StatusCode::UPGRADE_REQUIRED,
        RefusalKind::Stalled => StatusCode::REQUEST_TIMEOUT,
        RefusalKind::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Makes the reply to a refused request around its body; `challenge` says which
/// credentials are wanted.
pub(crate) fn refused(
    refusal: &Refusal,
    content_type: HeaderValue,
    body: Bytes,
    challenge: Option<&HeaderValue>,
) -> Response<HttpReply> {
    let mut response = Response::new(HttpReply(body));
    *response.status_mut() = http_status(refusal.kind);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    if let Some(seconds) = status::retry_after_seconds(refusal.kind) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match refusal.kind {
        RefusalKind::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        RefusalKind::MissingCredentials | RefusalKind::WrongCredentials => {
            if let Some(challenge) = challenge {
                headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
            }
        }
        // RFC 9110 12.5.3: on a 415 this says what would have worked.
        RefusalKind::UnsupportedCoding => {
            headers.insert(header::ACCEPT_ENCODING, inflate::ACCEPTED);
        }
        // RFC 9110 15.5.22: 426 must say to what.
        RefusalKind::GrpcOverHttp1 => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("h2c"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
        _ => {}
    }
    response
}

/// Makes the reply in plain text, for senders whose format nobody knows.
pub(crate) fn refused_in_words(refusal: &Refusal) -> Response<HttpReply> {
    let words = HeaderValue::from_static("text/plain; charset=utf-8");
    refused(
        refusal,
        words,
        format!("{}\n", refusal.message).into(),
        None,
    )
}
