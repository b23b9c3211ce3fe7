//! What a backend answers, over gRPC and over HTTP.

use crate::{Protocol, frames, wire};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use std::{convert::Infallible, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub(super) type Body = BoxBody<Bytes, Infallible>;

/// An answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Taken, but for so many items.
    Taken { rejected: u64, message: String },
    /// Not now, or only after a while that is named.
    Busy { after: Option<Duration> },
    /// Not now, for a reason that is not the backend's own.
    Unavailable,
    /// Something in the request cannot be taken.
    Invalid,
    /// Larger than what is taken.
    TooLarge,
    /// A gRPC status; over HTTP, what is in `Raw`.
    Status(Status),
    /// As it is sent, whatever the protocol.
    Raw {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
        trailers: Vec<(&'static str, String)>,
    },
    /// The request is read and never answered.
    Hang,
}

impl Reply {
    pub const TAKEN: Self = Self::Taken {
        rejected: 0,
        message: String::new(),
    };

    pub fn rejecting(rejected: u64, message: &str) -> Self {
        Self::Taken {
            rejected,
            message: message.to_owned(),
        }
    }

    /// As HTTP has it, without trailers.
    pub fn http(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Self {
        Self::Raw {
            status,
            headers: headers.iter().map(|(k, v)| (*k, (*v).to_owned())).collect(),
            body: body.into(),
            trailers: Vec::new(),
        }
    }

    /// Whether the sender is told that the request was taken.
    pub(super) fn is_success(&self) -> bool {
        match self {
            Self::Taken { .. } => true,
            Self::Raw {
                status, trailers, ..
            } => {
                *status == 200
                    && trailers
                        .iter()
                        .all(|(name, v)| *name != "grpc-status" || v == "0")
            }
            _ => false,
        }
    }

    pub(super) fn response(self, protocol: Protocol) -> Response<Body> {
        match (self, protocol) {
            (
                Self::Raw {
                    status,
                    headers,
                    body,
                    trailers,
                },
                _,
            ) => raw(status, headers, body, trailers),
            (reply, Protocol::Grpc) => grpc(reply),
            (reply, Protocol::Http) => http(reply),
        }
    }
}

fn grpc(reply: Reply) -> Response<Body> {
    let status = match reply {
        Reply::Taken { rejected, message } => return grpc_taken(&taken(rejected, &message)),
        Reply::Busy { after: Some(after) } => Status::with_error_details(
            Code::ResourceExhausted,
            "too busy",
            ErrorDetails::with_retry_info(Some(after)),
        ),
        Reply::Busy { after: None } => Status::resource_exhausted("too busy"),
        Reply::Unavailable => Status::unavailable("being rolled out"),
        Reply::Invalid => Status::invalid_argument("one of the items cannot be taken"),
        Reply::TooLarge => Status::resource_exhausted("grpc: received message larger than max"),
        Reply::Status(status) => status,
        Reply::Raw { .. } | Reply::Hang => unreachable!("not of gRPC"),
    };
    status.into_http()
}

fn grpc_taken(message: &[u8]) -> Response<Body> {
    let trailers = vec![("grpc-status", "0".to_owned())];
    let kind = vec![("content-type", "application/grpc".to_owned())];
    raw(200, kind, frames::grpc(0, message), trailers)
}

fn http(reply: Reply) -> Response<Body> {
    let (status, after) = match reply {
        Reply::Taken { rejected, message } => {
            let kind = vec![("content-type", "application/x-protobuf".to_owned())];
            return raw(200, kind, taken(rejected, &message), vec![]);
        }
        Reply::Busy { after } => (StatusCode::TOO_MANY_REQUESTS, after),
        Reply::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        Reply::Invalid => (StatusCode::BAD_REQUEST, None),
        Reply::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
        Reply::Status(_) | Reply::Raw { .. } | Reply::Hang => unreachable!("not of HTTP"),
    };
    let mut headers = vec![("content-type", "text/plain".to_owned())];
    if let Some(after) = after {
        headers.push((
            header::RETRY_AFTER.as_str(),
            after.as_secs().max(1).to_string(),
        ));
    }
    raw(status.as_u16(), headers, b"no".to_vec(), vec![])
}

fn raw(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    trailers: Vec<(&'static str, String)>,
) -> Response<Body> {
    let fields = |fields: Vec<(&'static str, String)>| -> HeaderMap {
        let pair = |(name, value): (_, String)| {
            let value = HeaderValue::try_from(value).unwrap();
            (HeaderName::from_static(name), value)
        };
        fields.into_iter().map(pair).collect()
    };
    let body = Full::new(Bytes::from(body));
    let body = match trailers.is_empty() {
        true => body.boxed(),
        false => body
            .with_trailers(std::future::ready(Some(Ok(fields(trailers)))))
            .boxed(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    *response.headers_mut() = fields(headers);
    response
}

/// The response to a request of which `rejected` items were not taken; it is
/// the same for all signals.
fn taken(rejected: u64, message: &str) -> Vec<u8> {
    let mut response = Vec::new();
    if rejected > 0 || !message.is_empty() {
        wire::put_message(1, &mut response, |partial| {
            wire::put_number(1, rejected, partial);
            wire::put_bytes(2, message.as_bytes(), partial);
        });
    }
    response
}
