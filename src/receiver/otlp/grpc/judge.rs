/*!
OTLP/gRPC: `TraceService/Export`, `LogsService/Export`, the health service, and clear answers to
everything else that finds its way to this port.

Status codes follow the gRPC specification (status codes, compression) and the
OTLP specification: a message over the limit is RESOURCE_EXHAUSTED without
RetryInfo, which OTLP senders must not send again.
*/

use super::{
    super::{
        CROWDED_RETRY_AFTER, Context, LOGS_REMEDY, body::BodyError, http as otlp_http,
        reply::Reply, status::Refusal,
    },
    frame::{self, FrameError},
    health,
};
use crate::{
    net::{admission::Denied, h2::Head, notice::Notice},
    pdata::Signal,
    pipeline::Taken,
    receiver::{
        content::{self, Content, named},
        inflate::{self, Coding, InflateError, inflated},
    },
};
use ::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use std::borrow::Cow;
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

/// What a request is, by its head.
#[derive(Debug)]
pub enum Verdict {
    /// A call whose message is to come.
    Call(Call),
    /// Nothing that is served.
    Refused(Box<Refused>),
}

/// What is wrong with a call, and the kind of it for the log.
pub type Fault = (Notice, Refusal);

/// A call.
#[derive(Debug)]
pub enum Call {
    /// `Export` of the trace or of the logs service.
    Export {
        /// Which.
        signal: Signal,
        /// How its message is compressed, if it is; or what we do not know.
        coding: Result<Coding, String>,
    },
    /// The health service.
    Health(health::Method),
}

impl Call {
    /// How large its message may be, where Export's may have `limit` bytes.
    pub fn limit(&self, limit: usize) -> usize {
        match self {
            Self::Export { .. } => limit,
            Self::Health(_) => health::MAX_MESSAGE,
        }
    }
}

/// A refusal on its way to the sender, the counters and the log.
#[derive(Debug)]
pub struct Refused {
    told: Option<(Notice, Cow<'static, str>)>,
    is_unauthenticated: bool,
    response: Response<Reply>,
}

impl Refused {
    fn new(told: Option<(Notice, Cow<'static, str>)>, response: Response<Reply>) -> Self {
        Self {
            told,
            is_unauthenticated: false,
            response,
        }
    }

    fn grpc(notice: Notice, refusal: Refusal) -> Self {
        let response = refusal.grpc();
        Self::new(Some((notice, refusal.message.into())), response)
    }

    /// Credentials are wanting.
    pub fn denied(denied: Denied) -> Self {
        let (notice, refusal) = Refusal::denied(denied);
        Self {
            is_unauthenticated: refusal.code == Code::Unauthenticated,
            ..Self::grpc(notice, refusal)
        }
    }

    /// The body of a call cannot be taken.
    pub fn body(error: BodyError<FrameError>, limit: usize) -> Self {
        Self::call(refuse_body(error, limit))
    }

    /// A call that came whole, or so far, is refused.
    pub fn call((notice, refusal): Fault) -> Self {
        let is_unimplemented = refusal.code == Code::Unimplemented;
        let mut refused = Self::grpc(notice, refusal);
        if is_unimplemented {
            let headers = refused.response.headers_mut();
            headers.insert("grpc-accept-encoding", inflate::ACCEPTED);
        }
        refused
    }

    /// Counts and logs it; what the sender is to be answered.
    pub fn tell(self, context: &Context) -> Response<Reply> {
        let stats = &context.endpoint.stats;
        stats.refused_requests.add(1);
        if self.is_unauthenticated {
            stats.unauthenticated_requests.add(1);
        }
        if let Some((notice, text)) = self.told {
            notice.log(context.peer, text);
        }
        self.response
    }
}

impl From<Refused> for Verdict {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

/// Judges a request over HTTP/2 by its head, its credentials excepted.
pub fn judge(head: &Head, takes_logs: bool) -> Verdict {
    let content_type = head.content_type();
    let content = Content::of(content_type);
    if !content.is_grpc() {
        let method = String::from_utf8_lossy(head.method());
        let refused = not_grpc(content, content_type, &method, Version::HTTP_2);
        return refused.into();
    }
    if head.method() != b"POST" {
        return Refused::new(None, not_post()).into();
    }
    let path = path(head);
    let call = match path {
        EXPORT => Signal::Traces,
        EXPORT_LOGS if takes_logs => Signal::Logs,
        path => {
            let method = path.strip_prefix(health::PREFIX);
            return match method.and_then(health::Method::of) {
                Some(method) => Verdict::Call(Call::Health(method)),
                None => unimplemented(path).into(),
            };
        }
    };
    if content == Content::GrpcOther {
        let refusal = Refusal::new(
            Code::Unimplemented,
            format!(
                "{} is not supported: send application/grpc (protobuf messages)",
                named(content_type)
            ),
        );
        return Refused::grpc(Notice::Coding, refusal).into();
    }
    Verdict::Call(Call::Export {
        signal: call,
        coding: Coding::parse(head.grpc_encoding()),
    })
}

/// Whether a request needs credentials, where there are any: see
/// [`admission`](super::admission).
pub fn needs_credentials(head: &Head) -> bool {
    Content::of(head.content_type()).is_grpc() && !path(head).starts_with(health::PREFIX)
}

fn path(head: &Head) -> &str {
    let path = std::str::from_utf8(head.path()).unwrap_or_default();
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// Answers a request that came over HTTP/1.1.
pub fn misdirected<B>(context: &Context, request: &Request<B>) -> Response<Reply> {
    let content_type = content::header(request.headers());
    let content = Content::of(content_type);
    let method = request.method().as_str();
    not_grpc(content, content_type, method, request.version()).tell(context)
}

/// Gives the whole body of a call of Export to the pipelines.
pub fn export(
    context: &Context,
    signal: Signal,
    coding: Result<Coding, String>,
    body: &[u8],
    limit: usize,
) -> Result<Taken, Fault> {
    let (compressed, message) = message(body, limit)?;
    let coding = match compressed {
        true => known(coding)?,
        false => Coding::Identity,
    };
    let taken = inflated(coding, message, limit, |bytes| {
        let ingest = &context.endpoint.ingest;
        ingest.take(signal, bytes, context.peer.ip())
    });
    let taken = taken.map_err(|error| match error {
        InflateError::TooLarge => {
            too_large(format!("the message inflates to more than {limit} bytes"))
        }
        InflateError::Corrupt(why) => (
            Notice::Malformed,
            Refusal::bad_request(format!("the message is not valid {}: {why}", coding.name())),
        ),
    })?;
    taken.map_err(Refusal::noticed)
}

/// What was asked of the health service: whether about a service that is known.
pub fn asked(body: &[u8]) -> Result<bool, Refusal> {
    let limit = health::MAX_MESSAGE;
    let refused = |error| refuse_frame(error, limit).1;
    frame::check(body, limit).map_err(refused)?;
    match frame::message(body).map_err(refused)? {
        (true, _) => Err(Refusal::new(
            Code::Unimplemented,
            "compressed messages are not taken here",
        )),
        (false, message) => health::is_known(message),
    }
}

fn message(body: &[u8], limit: usize) -> Result<(bool, &[u8]), Fault> {
    frame::check(body, limit)
        .and_then(|_| frame::message(body))
        .map_err(|error| refuse_frame(error, limit))
}

/// The coding of a message whose flag says that it is compressed.
fn known(coding: Result<Coding, String>) -> Result<Coding, Fault> {
    match coding {
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

fn too_large(what: String) -> Fault {
    let message = format!("{what}; the limit is set by max_recv_msg_size_mib of the OTLP receiver");
    (
        Notice::TooLarge,
        Refusal::new(Code::ResourceExhausted, message),
    )
}

fn refuse_frame(error: FrameError, limit: usize) -> Fault {
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

fn refuse_body(error: BodyError<FrameError>, limit: usize) -> Fault {
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

fn unimplemented(path: &str) -> Refused {
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
    Refused::grpc(
        Notice::NotServed,
        Refusal::new(Code::Unimplemented, message),
    )
}

fn not_post() -> Response<Reply> {
    let mut response = text(
        StatusCode::METHOD_NOT_ALLOWED,
        "gRPC calls are POST requests",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// A request that is not gRPC over HTTP/2.
fn not_grpc(
    content: Content,
    content_type: Option<&[u8]>,
    method: &str,
    version: Version,
) -> Refused {
    const ELSEWHERE: &str = "this port speaks OTLP/gRPC; OTLP/HTTP is on the port of \
        protocols.http (4318 unless configured otherwise)";
    match content {
        Content::Grpc | Content::GrpcOther => {
            let told = "gRPC requests arrive as HTTP/1.1, so every export fails and its spans are \
                 lost: the sending proxy takes this port for plain HTTP. Name the port of the \
                 Kubernetes Service grpc-… (such as grpc-otlp) or give it appProtocol: grpc";
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
            if version == Version::HTTP_11 {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            Refused::new(Some((Notice::GrpcAsHttp1, told.into())), response)
        }
        Content::Protobuf | Content::Json => {
            let told = format!("an OTLP/HTTP request came to the gRPC port: {ELSEWHERE}");
            let refusal = Refusal::new(Code::Unimplemented, ELSEWHERE);
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let response = otlp_http::refused(status, content, &refusal);
            Refused::new(Some((Notice::HttpOnGrpcPort, told.into())), response)
        }
        Content::Other => {
            let named = named(content_type);
            let told = format!("{method} {named} on the gRPC port");
            let body = format!(
                "This port speaks OTLP/gRPC (content-type application/grpc); the request has \
                 {named}. OTLP/HTTP is on the port of protocols.http (4318 unless configured \
                 otherwise).\n"
            );
            let response = text(StatusCode::UNSUPPORTED_MEDIA_TYPE, body);
            Refused::new(Some((Notice::NotServed, told.into())), response)
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply(body.into()));
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
