//! What a scripted backend says, over gRPC and over HTTP.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use std::{convert::Infallible, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub type Answer = Response<BoxBody<Bytes, Infallible>>;

/// How a backend is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    Http,
}

/// What it says to a request.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// Taken, but for so many spans.
    Taken { rejected: u64 },
    /// Not now, or only after a while that is named.
    Busy { after: Option<Duration> },
    /// Not now, for a reason that is not its own.
    Unavailable,
    /// Something in it cannot be taken.
    Invalid,
    /// Larger than it takes.
    TooLarge,
}

impl Protocol {
    pub fn answer(self, reply: Reply) -> Answer {
        match self {
            Self::Grpc => grpc(reply),
            Self::Http => http(reply),
        }
    }
}

fn grpc(reply: Reply) -> Answer {
    let status = match reply {
        Reply::Taken { rejected } => return grpc_taken(&response(rejected)),
        Reply::Busy { after } => {
            let details = ErrorDetails::with_retry_info(after);
            let details = if after.is_some() {
                details
            } else {
                ErrorDetails::new()
            };
            Status::with_error_details(Code::ResourceExhausted, "too busy", details)
        }
        Reply::Unavailable => Status::unavailable("being rolled out"),
        Reply::Invalid => Status::invalid_argument("one of the spans is not to my taste"),
        Reply::TooLarge => Status::resource_exhausted("grpc: received message larger than max"),
    };
    status.into_http()
}

fn grpc_taken(message: &[u8]) -> Answer {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed));
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
    answer(StatusCode::OK, "application/grpc", body.boxed())
}

fn http(reply: Reply) -> Answer {
    let (status, after) = match reply {
        Reply::Taken { rejected } => {
            let body = Full::new(Bytes::from(response(rejected))).boxed();
            return answer(StatusCode::OK, "application/x-protobuf", body);
        }
        Reply::Busy { after } => (StatusCode::TOO_MANY_REQUESTS, after),
        Reply::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        Reply::Invalid => (StatusCode::BAD_REQUEST, None),
        Reply::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
    };
    let mut answer = answer(status, "text/plain", Full::new(Bytes::from("no")).boxed());
    if let Some(after) = after {
        let seconds = HeaderValue::from(after.as_secs().max(1));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

fn answer(status: StatusCode, kind: &'static str, body: BoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// An `ExportTraceServiceResponse`.
fn response(rejected_spans: u64) -> Vec<u8> {
    let partial_success = (rejected_spans > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: rejected_spans.try_into().unwrap(),
        error_message: "not to my taste".to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}
