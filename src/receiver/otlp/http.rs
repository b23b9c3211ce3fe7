/*!
OTLP/HTTP: `POST` of protobuf or JSON to the path of traces, or of logs.

Statuses and bodies follow the OTLP specification: the response has the
request's content type, every error body is a `google.rpc.Status`, only what may
be sent again is 429 or 503 and has Retry-After. A body over the limit is 413.
*/

use super::{
    BODY_IDLE_TIMEOUT, BODY_TOTAL_TIMEOUT, CROWDED_RETRY_AFTER, Context, LOGS_REMEDY,
    body::{BodyError, Patience, collect, discard},
    reply::{self, Reply},
    status::Refusal,
    stored,
};
use crate::{
    config::HttpServer,
    net::notice::Notice,
    pdata::{Signal, json},
    pipeline::{self, RefusalKind},
    receiver::{
        content::{self, Content},
        inflate::{self, Coding, InflateError, inflated},
    },
};
use ::http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{self, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use bytes::Bytes;
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tonic::Code;

const PATIENCE: Patience = Patience {
    idle: BODY_IDLE_TIMEOUT,
    total: BODY_TOTAL_TIMEOUT,
};

/// Answers one request on the HTTP port.
pub async fn answer(
    context: &Context,
    settings: &HttpServer,
    request: Request<Incoming>,
) -> Response<Reply> {
    let content = Content::of(content::header(request.headers()));
    let (head, mut body) = request.into_parts();
    match export(context, settings, content, &head, &mut body).await {
        Ok((signal, partial)) => {
            context.endpoint.stats.requests.add(1);
            accepted(signal, content, partial)
        }
        Err(error) => {
            context.endpoint.stats.refused_requests.add(1);
            error.notice.log(context.peer, &error.refusal.message);
            // A sender that asked first (Expect) has sent nothing to discard.
            if head.version < Version::HTTP_2
                && error.notice != Notice::Stalled
                && !head.headers.contains_key(header::EXPECT)
            {
                discard(
                    &mut body,
                    settings.max_body_bytes.saturating_mul(2),
                    PATIENCE,
                )
                .await;
            }
            if error.status == StatusCode::OK {
                return error.refusal.grpc();
            }
            let mut response = refused(error.status, content, &error.refusal);
            if error.status == StatusCode::METHOD_NOT_ALLOWED {
                response
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            if let (StatusCode::UNAUTHORIZED, Some(admission)) =
                (error.status, &context.endpoint.admission)
            {
                context.endpoint.stats.unauthenticated_requests.add(1);
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, admission.challenge().clone());
            }
            if error.notice == Notice::Coding {
                // RFC 9110 12.5.3: on a 415 this says what would have worked.
                response
                    .headers_mut()
                    .insert(header::ACCEPT_ENCODING, inflate::ACCEPTED);
            }
            response
        }
    }
}

struct Refused {
    status: StatusCode,
    notice: Notice,
    refusal: Refusal,
}

fn refuse(status: StatusCode, notice: Notice, code: Code, message: impl Into<String>) -> Refused {
    Refused {
        status,
        notice,
        refusal: Refusal::new(code, message),
    }
}

async fn export(
    context: &Context,
    settings: &HttpServer,
    content: Content,
    head: &Parts,
    body: &mut Incoming,
) -> Result<(Signal, Option<(u64, String)>), Refused> {
    if let (Some(admission), false) = (&context.endpoint.admission, content.is_grpc())
        && let Err(denied) = admission.admit(&head.headers).await
    {
        let (notice, refusal) = Refusal::denied(denied);
        let status = match refusal.code {
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            _ => StatusCode::TOO_MANY_REQUESTS,
        };
        return Err(Refused {
            status,
            notice,
            refusal,
        });
    }
    let (signal, coding) = admit(context, settings, content, head)?;
    let limit = settings.max_body_bytes;
    let check = |so_far: &[u8]| {
        if so_far.len() > limit {
            Err(())
        } else {
            Ok(limit)
        }
    };
    let body = collect(body, limit, PATIENCE, check)
        .await
        .map_err(|error| refuse_body(error, limit))?;
    let peer = context.peer.ip();
    let take = |bytes: &[u8]| match content {
        Content::Json => match json::request_from_json(signal, bytes) {
            Ok(request) => context.endpoint.ingest.take(signal, &request, peer),
            Err(error) => Err(pipeline::Refusal::malformed(error.to_string())),
        },
        _ => context.endpoint.ingest.take(signal, bytes, peer),
    };
    let taken = inflated(coding, &body, limit, take).map_err(|error| match error {
        InflateError::TooLarge => {
            too_large(format!("the body inflates to more than {limit} bytes"))
        }
        InflateError::Corrupt(why) => Refused {
            status: StatusCode::BAD_REQUEST,
            notice: Notice::Malformed,
            refusal: Refusal::bad_request(format!(
                "the body is not valid {}: {why}",
                coding.name()
            )),
        },
    })?;
    match taken {
        Ok(taken) => {
            stored(&*context.endpoint.ingest, &taken).await;
            let partial = (taken.rejected > 0).then_some((taken.rejected, taken.message));
            Ok((signal, partial))
        }
        Err(refusal) => {
            let status = match refusal.kind {
                RefusalKind::Malformed => StatusCode::BAD_REQUEST,
                RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
                RefusalKind::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            };
            let (notice, refusal) = Refusal::noticed(refusal);
            Err(Refused {
                status,
                notice,
                refusal,
            })
        }
    }
}

/// Judges a request's head, and tells what its body is and how it is coded.
fn admit(
    context: &Context,
    settings: &HttpServer,
    content: Content,
    head: &Parts,
) -> Result<(Signal, Coding), Refused> {
    let path = head.uri.path();
    if content.is_grpc() {
        let message = "this port speaks OTLP/HTTP; OTLP/gRPC is on the port of protocols.grpc \
                       (4317 unless configured otherwise)";
        // 200: over HTTP/2 the sender understands gRPC's own status.
        let status = if head.version == Version::HTTP_2 {
            StatusCode::OK
        } else {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        };
        return Err(refuse(
            status,
            Notice::GrpcOnHttpPort,
            Code::Unimplemented,
            message,
        ));
    }
    let takes_logs = context.endpoint.ingest.takes(Signal::Logs);
    let signal = if path == settings.traces_path {
        Signal::Traces
    } else if takes_logs && path == settings.logs_path {
        Signal::Logs
    } else {
        return Err(refuse(
            StatusCode::NOT_FOUND,
            Notice::NotServed,
            Code::NotFound,
            not_found(settings, takes_logs, path),
        ));
    };
    if head.method != Method::POST {
        return Err(refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            Notice::NotServed,
            Code::Unimplemented,
            format!("{} is not allowed here: use POST", head.method),
        ));
    }
    if !matches!(content, Content::Protobuf | Content::Json) {
        return Err(refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Notice::Malformed,
            Code::InvalidArgument,
            format!(
                "{} is not supported: use application/x-protobuf or application/json",
                content::named(content::header(&head.headers))
            ),
        ));
    }
    let coding = coding(&head.headers)?;
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let limit = settings.max_body_bytes;
    match announced {
        Some(len) if len > limit as u64 => Err(too_large(format!(
            "a body of {len} bytes is over the limit of {limit} bytes"
        ))),
        _ => Ok((signal, coding)),
    }
}

fn not_found(settings: &HttpServer, takes_logs: bool, path: &str) -> String {
    let (traces, logs) = (&settings.traces_path, &settings.logs_path);
    let short: String = path.chars().take(200).collect();
    match takes_logs {
        true => format!("{short}: wayspan takes traces at {traces} and logs at {logs}"),
        false if path == logs => {
            format!("{short}: wayspan takes traces at {traces} and nothing else; {LOGS_REMEDY}")
        }
        false => format!("{short}: wayspan takes traces at {traces} and nothing else"),
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, Refused> {
    let mut named = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(HeaderValue::as_bytes);
    let coding = Coding::parse(named.next());
    let coding = if named.next().is_some() {
        Err("several".to_owned())
    } else {
        coding
    };
    coding.map_err(|name| {
        refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Notice::Coding,
            Code::InvalidArgument,
            format!("content-encoding {name:?} is not supported: use identity, gzip or zstd"),
        )
    })
}

fn too_large(what: String) -> Refused {
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        Notice::TooLarge,
        Code::ResourceExhausted,
        format!("{what}; the limit is set by max_request_body_size of the OTLP receiver"),
    )
}

fn refuse_body(error: BodyError<()>, limit: usize) -> Refused {
    match error {
        BodyError::Refused(()) => too_large(format!("the body is over the limit of {limit} bytes")),
        BodyError::Crowded => Refused {
            status: StatusCode::TOO_MANY_REQUESTS,
            notice: Notice::Busy,
            refusal: Refusal::busy(CROWDED_RETRY_AFTER, "too many half-sent requests at once"),
        },
        BodyError::Stalled => refuse(
            StatusCode::REQUEST_TIMEOUT,
            Notice::Stalled,
            Code::DeadlineExceeded,
            "the request body did not arrive in time",
        ),
        BodyError::Broken(why) => refuse(
            StatusCode::BAD_REQUEST,
            Notice::Malformed,
            Code::Cancelled,
            format!("the request body broke off: {why}"),
        ),
    }
}

/// A 200 in the request's content type.
fn accepted(signal: Signal, content: Content, partial: Option<(u64, String)>) -> Response<Reply> {
    let rejected_what = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let body = match (content, partial) {
        (Content::Json, None) => Bytes::from_static(b"{}"),
        (Content::Json, Some((rejected, message))) => Bytes::from(
            // 64-bit numbers are strings in protobuf's JSON.
            serde_json::json!({ "partialSuccess": {
                rejected_what: rejected.to_string(),
                "errorMessage": message,
            }})
            .to_string(),
        ),
        (_, partial) => {
            let response = partial.map_or_else(ExportTraceServiceResponse::default, |(n, why)| {
                reply::partial(n, why)
            });
            Bytes::from(response.encode_to_vec())
        }
    };
    let mut response = Response::new(Reply(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, content_type(content));
    response
}

/// An error response: the Status as protobuf for a protobuf request, else as JSON.
pub fn refused(status: StatusCode, content: Content, refusal: &Refusal) -> Response<Reply> {
    let body = match content {
        Content::Protobuf => refusal.protobuf(),
        _ => refusal.json(),
    };
    let mut response = Response::new(Reply(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, content_type(content));
    if let Some(seconds) = refusal.retry_after() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn content_type(content: Content) -> HeaderValue {
    HeaderValue::from_static(match content {
        Content::Protobuf => "application/x-protobuf",
        _ => "application/json",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn bodies_that_do_not_come_have_their_statuses() {
        let stalled = refuse_body(BodyError::Stalled, 10);
        assert_eq!(stalled.status, StatusCode::REQUEST_TIMEOUT);
        let crowded = refuse_body(BodyError::Crowded, 10);
        assert_eq!(crowded.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(crowded.refusal.retry_after(), Some(1));
    }

    #[test]
    fn only_one_known_content_encoding_is_taken() {
        let headers = |values: &[&'static str]| {
            HeaderMap::from_iter(
                values
                    .iter()
                    .map(|v| (CONTENT_ENCODING, HeaderValue::from_static(v))),
            )
        };
        assert_eq!(coding(&headers(&[])).ok(), Some(Coding::Identity));
        assert_eq!(coding(&headers(&["gzip"])).ok(), Some(Coding::Gzip));
        for refused in [&["gzip", "gzip"][..], &["gzip, zstd"], &["br"]] {
            let error = coding(&headers(refused)).err().unwrap();
            assert_eq!(error.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
    }
}
