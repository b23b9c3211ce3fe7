/*!
OTLP/gRPC: `TraceService/Export`, `LogsService/Export`, the health service, and clear answers to
everything else that finds its way to this port.

Status codes follow the gRPC specification (status codes, compression) and the
OTLP specification: a message over the limit is RESOURCE_EXHAUSTED without
RetryInfo, which OTLP senders must not send again.
*/

use super::{
    BODY_IDLE_TIMEOUT, BODY_TOTAL_TIMEOUT, LOGS_REMEDY, Signal,
    body::{BodyError, Collected, Patience, collect},
    connection::Context,
    content::{Content, named},
    frame::{self, FrameError},
    health, http as otlp_http,
    inflate::{self, Coding, InflateError, inflated},
    notice::Notice,
    reply::{self, Reply},
    status::Refusal,
    stored,
};
use crate::config::GrpcServer;
use ::http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use hyper::body::Incoming;
use std::time::Duration;
use tonic::Code;

/// The one method of the trace service.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The one method of the logs service.
const EXPORT_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Other OTLP services, which a sender with a shared endpoint will try.
const OTHER_SIGNALS: [(&str, &str); 3] = [
    ("/opentelemetry.proto.collector.logs.v1.", "logs"),
    ("/opentelemetry.proto.collector.metrics.v1.", "metrics"),
    ("/opentelemetry.proto.collector.profiles.", "profiles"),
];

const CROWDED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Answers one request on the gRPC port.
pub async fn answer(
    context: &Context,
    settings: &GrpcServer,
    request: Request<Incoming>,
) -> Response<Reply> {
    let content = Content::of(request.headers());
    if request.version() != Version::HTTP_2 || !content.is_grpc() {
        context.endpoint.stats.refused_requests.add(1);
        return not_grpc(context, content, &request);
    }
    let health = request.uri().path().starts_with(health::PREFIX);
    if let (Some(admission), false) = (&context.endpoint.admission, health)
        && let Err(denied) = admission.admit(request.headers()).await
    {
        let stats = &context.endpoint.stats;
        let (notice, refusal) = denied.refusal();
        stats.refused_requests.add(1);
        if refusal.code == Code::Unauthenticated {
            stats.unauthenticated_requests.add(1);
        }
        notice.log(context.peer, &refusal.message);
        return refusal.grpc();
    }
    if request.method() != Method::POST {
        context.endpoint.stats.refused_requests.add(1);
        let mut response = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "gRPC calls are POST requests",
        );
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let signal = match request.uri().path() {
        EXPORT => Signal::Traces,
        EXPORT_LOGS if context.endpoint.ingest.takes_logs() => Signal::Logs,
        _ if health => {
            return Box::pin(health::answer(context, request)).await;
        }
        path => {
            context.endpoint.stats.refused_requests.add(1);
            return unimplemented(context, path);
        }
    };
    if content == Content::GrpcOther {
        context.endpoint.stats.refused_requests.add(1);
        let refusal = Refusal::new(
            Code::Unimplemented,
            format!(
                "{} is not supported: send application/grpc (protobuf messages)",
                named(request.headers())
            ),
        );
        Notice::Coding.log(context.peer, &refusal.message);
        return refusal.grpc();
    }
    match export(context, settings, signal, request).await {
        Ok(None) => {
            context.endpoint.stats.requests.add(1);
            reply::grpc_accepted()
        }
        Ok(Some((rejected, message))) => {
            context.endpoint.stats.requests.add(1);
            reply::grpc_partial(rejected, message)
        }
        Err((notice, refusal)) => {
            context.endpoint.stats.refused_requests.add(1);
            notice.log(context.peer, &refusal.message);
            let mut response = refusal.grpc();
            if refusal.code == Code::Unimplemented {
                response
                    .headers_mut()
                    .insert("grpc-accept-encoding", inflate::ACCEPTED);
            }
            response
        }
    }
}

type Refused = (Notice, Refusal);

async fn export(
    context: &Context,
    settings: &GrpcServer,
    signal: Signal,
    request: Request<Incoming>,
) -> Result<Option<(u64, String)>, Refused> {
    let limit = settings.max_message_bytes;
    let (head, body) = request.into_parts();
    let patience = Patience {
        idle: BODY_IDLE_TIMEOUT,
        total: BODY_TOTAL_TIMEOUT,
    };
    let body: Collected = collect(body, limit, patience, |so_far| frame::check(so_far, limit))
        .await
        .map_err(|error| refuse_body(error, limit))?;
    let (compressed, message) = frame::message(&body).map_err(|e| refuse_frame(e, limit))?;
    let coding = if compressed {
        coding(head.headers.get("grpc-encoding"))?
    } else {
        Coding::Identity
    };
    let answer = inflated(coding, message, limit, |bytes| {
        signal.give(&*context.endpoint.ingest, bytes, context.peer.ip())
    })
    .map_err(|error| match error {
        InflateError::TooLarge => {
            too_large(format!("the message inflates to more than {limit} bytes"))
        }
        InflateError::Corrupt(why) => (
            Notice::Malformed,
            Refusal::bad_request(format!("the message is not valid {}: {why}", coding.name())),
        ),
    })?;
    stored(&*context.endpoint.ingest).await;
    let notice = if matches!(answer, super::Answer::Malformed(_)) {
        Notice::Malformed
    } else {
        Notice::Busy
    };
    Refusal::of(answer).map_err(|refusal| (notice, refusal))
}

/// The coding of a message whose flag says that it is compressed.
fn coding(header: Option<&HeaderValue>) -> Result<Coding, Refused> {
    match Coding::parse(header) {
        Ok(Coding::Identity) => Err((
            Notice::Malformed,
            Refusal::new(
                Code::Internal,
                "the message is flagged as compressed, but grpc-encoding names no compression",
            ),
        )),
        Ok(coding) => Ok(coding),
        Err(name) => Err((
            Notice::Coding,
            Refusal::new(
                Code::Unimplemented,
                format!("grpc-encoding {name:?} is not supported: use identity, gzip or zstd"),
            ),
        )),
    }
}

fn too_large(what: String) -> Refused {
    let message = format!("{what}; the limit is set by max_recv_msg_size_mib of the OTLP receiver");
    (
        Notice::TooLarge,
        Refusal::new(Code::ResourceExhausted, message),
    )
}

fn refuse_frame(error: FrameError, limit: usize) -> Refused {
    let code = match error {
        FrameError::TooLarge { .. } => {
            return too_large(format!("{error} is over the limit of {limit} bytes"));
        }
        // gRPC status codes: "Request cardinality violation".
        FrameError::Missing | FrameError::Trailing => Code::Unimplemented,
        FrameError::ShortPrefix(_) | FrameError::Truncated { .. } | FrameError::Flag(_) => {
            Code::Internal
        }
    };
    (Notice::Malformed, Refusal::new(code, error.to_string()))
}

fn refuse_body(error: BodyError<FrameError>, limit: usize) -> Refused {
    match error {
        BodyError::Refused(error) => refuse_frame(error, limit),
        BodyError::Crowded => (
            Notice::Busy,
            Refusal::busy(CROWDED_RETRY_AFTER, "too many half-sent requests at once"),
        ),
        BodyError::Stalled => (
            Notice::Stalled,
            Refusal::new(
                Code::DeadlineExceeded,
                "the request body did not arrive in time",
            ),
        ),
        BodyError::Broken(why) => (
            Notice::Malformed,
            Refusal::new(Code::Cancelled, format!("the request stream broke: {why}")),
        ),
    }
}

fn unimplemented(context: &Context, path: &str) -> Response<Reply> {
    let path: String = path.chars().take(200).collect();
    let signal = OTHER_SIGNALS
        .iter()
        .find(|(prefix, _)| path.starts_with(prefix));
    let served = "the services here are opentelemetry.proto.collector.trace.v1.TraceService \
                  (Export) and grpc.health.v1.Health";
    let message = match signal {
        Some((_, "logs")) => {
            format!("{path}: wayspan takes traces, not logs ({LOGS_REMEDY}); {served}")
        }
        Some((_, signal)) => format!("{path}: wayspan takes traces, not {signal}; {served}"),
        None => format!("{path}: unknown service or method; {served}"),
    };
    Notice::NotServed.log(context.peer, &message);
    Refusal::new(Code::Unimplemented, message).grpc()
}

/// A request that is not gRPC over HTTP/2.
fn not_grpc(context: &Context, content: Content, request: &Request<Incoming>) -> Response<Reply> {
    const ELSEWHERE: &str = "this port speaks OTLP/gRPC; OTLP/HTTP is on the port of \
        protocols.http (4318 unless configured otherwise)";
    match content {
        Content::Grpc | Content::GrpcOther => {
            Notice::GrpcAsHttp1.log(
                context.peer,
                "gRPC requests arrive as HTTP/1.1, so every export fails and its spans are lost: \
                 the sending proxy takes this port for plain HTTP. Name the port of the \
                 Kubernetes Service grpc-… (such as grpc-otlp) or give it appProtocol: grpc",
            );
            let mut response = text(
                StatusCode::UPGRADE_REQUIRED,
                "gRPC needs HTTP/2, but this request came as HTTP/1.1. In Kubernetes: name the \
                 Service's port grpc-… (such as grpc-otlp) or give it appProtocol: grpc, so that \
                 the mesh speaks HTTP/2 to it.\n",
            );
            // RFC 9110 15.5.22: 426 must say to what.
            response
                .headers_mut()
                .insert(header::UPGRADE, HeaderValue::from_static("h2c"));
            if request.version() == Version::HTTP_11 {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            response
        }
        Content::Protobuf | Content::Json => {
            Notice::HttpOnGrpcPort.log(
                context.peer,
                format_args!("an OTLP/HTTP request came to the gRPC port: {ELSEWHERE}"),
            );
            let refusal = Refusal::new(Code::Unimplemented, ELSEWHERE);
            otlp_http::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, content, &refusal)
        }
        Content::Other => {
            Notice::NotServed.log(
                context.peer,
                format_args!(
                    "{} {} on the gRPC port",
                    request.method(),
                    named(request.headers())
                ),
            );
            let body = format!(
                "This port speaks OTLP/gRPC (content-type application/grpc); the request has {}. \
                 OTLP/HTTP is on the port of protocols.http (4318 unless configured otherwise).\n",
                named(request.headers())
            );
            text(StatusCode::UNSUPPORTED_MEDIA_TYPE, body)
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_do_not_come_have_their_codes() {
        assert_eq!(
            refuse_body(BodyError::Stalled, 10).1.code,
            Code::DeadlineExceeded
        );
        assert_eq!(
            refuse_body(BodyError::Broken(String::new()), 10).1.code,
            Code::Cancelled
        );
        let (_, crowded) = refuse_body(BodyError::Crowded, 10);
        assert_eq!(
            (crowded.code, crowded.retry_after()),
            (Code::ResourceExhausted, Some(1))
        );
    }
}
