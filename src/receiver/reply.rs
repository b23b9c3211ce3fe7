/*!
Response bodies. The answers of the hot path are constants.
*/

use super::frame;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// An empty `ExportTraceServiceResponse`, framed.
const FRAMED_EMPTY: &[u8] = &[0; frame::PREFIX];

/// A response body.
#[derive(Default)]
pub enum Reply {
    /// Nothing: headers end the response.
    #[default]
    Empty,
    /// One piece.
    Whole(Bytes),
    /// A framed gRPC message, then `grpc-status: 0` as trailers.
    GrpcOk(Bytes),
    /// The trailers of `GrpcOk`.
    GrpcTrailers,
    /// Written by tonic (the health service).
    Tonic(tonic::body::Body),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        if let Reply::Tonic(body) = &mut *self {
            return Pin::new(body).poll_frame(cx);
        }
        Poll::Ready(match std::mem::take(&mut *self) {
            Reply::Whole(bytes) => Some(Ok(Frame::data(bytes))),
            Reply::GrpcOk(message) => {
                *self = Reply::GrpcTrailers;
                Some(Ok(Frame::data(message)))
            }
            Reply::GrpcTrailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Reply::Empty | Reply::Tonic(_) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Reply::Empty => true,
            Reply::Whole(bytes) => bytes.is_empty(),
            Reply::Tonic(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Reply::Empty => SizeHint::with_exact(0),
            Reply::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Reply::Tonic(body) => body.size_hint(),
            Reply::GrpcOk(_) | Reply::GrpcTrailers => SizeHint::default(),
        }
    }
}

/// gRPC: all spans taken.
pub fn grpc_accepted() -> Response<Reply> {
    grpc_ok(Bytes::from_static(FRAMED_EMPTY))
}

/// gRPC: some spans were dropped.
pub fn grpc_partial(rejected: u64, message: String) -> Response<Reply> {
    grpc_ok(frame::encode(&partial(rejected, message)))
}

fn grpc_ok(message: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::GrpcOk(message));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// The response message that reports dropped spans. `ExportLogsServiceResponse`,
/// which reports dropped log records, is the same on the wire.
pub fn partial(rejected: u64, message: String) -> ExportTraceServiceResponse {
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: message,
        }),
    }
}
