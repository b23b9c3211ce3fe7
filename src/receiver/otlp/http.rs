/*!
OTLP/HTTP: a path for each signal, protobuf or JSON.

As the OTLP specification has it, the response has the request's content type
and every error body is a `google.rpc.Status`.
*/

use super::codec;
use crate::{
    pdata::Signal,
    pipeline::{Ingest, Refusal, RefusalKind, Taken},
    receiver::otlp::OtlpHttpServer,
    receiver::{
        content::Content,
        decoder::{Decoder, RequestRoute},
        endpoint::Protocol,
        http::reply::HttpReply,
        status,
    },
};
use ::http::{HeaderValue, Response, header::CONTENT_TYPE};
use bytes::Bytes;
use std::{borrow::Cow, sync::Arc};

/// Returns the protocol of a listener with these settings.
pub fn http_protocol(settings: OtlpHttpServer) -> Protocol {
    let paths = [
        (Signal::Traces, settings.traces_path),
        (Signal::Metrics, settings.metrics_path),
        (Signal::Logs, settings.logs_path),
    ];
    Protocol::Http(settings.server, Arc::new(OtlpHttp { paths }))
}

/// The decoder of OTLP/HTTP.
#[derive(Debug)]
struct OtlpHttp {
    paths: [(Signal, String); 3],
}

impl OtlpHttp {
    /// Says what is served where.
    fn served(&self, ingest: &dyn Ingest) -> String {
        let served = self
            .paths
            .iter()
            .filter(|(signal, _)| ingest.takes(*signal));
        let served: Vec<_> = served
            .map(|(signal, path)| format!("{signal} at {path}"))
            .collect();
        format!("wayspan takes {}", served.join(" and "))
    }
}

impl Decoder for OtlpHttp {
    fn route(
        &self,
        path: &str,
        content: Content,
        ingest: &dyn Ingest,
    ) -> Result<RequestRoute, Refusal> {
        let signal = self.paths.iter().find(|(_, known)| known == path);
        let signal = signal.map(|(signal, _)| *signal);
        if let Some(signal) = signal.filter(|signal| ingest.takes(*signal)) {
            return Ok(RequestRoute {
                signal,
                content,
                version: 1,
            });
        }
        let short: String = path.chars().take(200).collect();
        let served = self.served(ingest);
        let message = match signal {
            Some(signal) => format!("{short}: {}; {served}", codec::not_taken(signal, ingest)),
            None => format!("{short}: {served} and nothing else"),
        };
        Err(Refusal::new(RefusalKind::NotServed, message))
    }

    fn decodes(&self, route: RequestRoute) -> bool {
        matches!(route.content, Content::Protobuf | Content::Json)
    }

    fn is_slow(&self, route: RequestRoute) -> bool {
        route.content == Content::Json
    }

    fn content_types(&self) -> &'static str {
        "application/x-protobuf or application/json"
    }

    fn speaks(&self) -> &'static str {
        "OTLP/HTTP; OTLP/gRPC is on the port of protocols.grpc (4317 unless configured otherwise)"
    }

    fn decode<'b>(
        &self,
        route: RequestRoute,
        body: &'b [u8],
        most: usize,
    ) -> Result<Cow<'b, [u8]>, Refusal> {
        codec::to_protobuf(route.signal, route.content, body, most)
    }

    fn accepted(&self, route: RequestRoute, taken: Taken) -> Response<HttpReply> {
        let RequestRoute {
            signal, content, ..
        } = route;
        let body = codec::response(signal, content, taken);
        let mut response = Response::new(HttpReply(body.into()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type(content));
        response
    }

    fn refused(&self, content: Content, refusal: &Refusal) -> (HeaderValue, Bytes) {
        error_body(content, refusal)
    }
}

/// Makes the body of an error: the Status as protobuf for a protobuf request,
/// else as JSON.
pub(crate) fn error_body(content: Content, refusal: &Refusal) -> (HeaderValue, Bytes) {
    let body = match content {
        Content::Protobuf => status::protobuf(refusal),
        _ => status::json(refusal),
    };
    (content_type(content), body.into())
}

fn content_type(content: Content) -> HeaderValue {
    HeaderValue::from_static(match content {
        Content::Protobuf => "application/x-protobuf",
        _ => "application/json",
    })
}
