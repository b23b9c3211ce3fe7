/*!
Zipkin over HTTP: lists of spans, version 2 in JSON or protobuf, version 1 in JSON.

As in the Collector the path says no more than the version, and what is not protobuf
by its content type is JSON: many tracers say nothing, or `text/plain`. What is taken
is answered 202 with nothing, as Zipkin's API has it.
*/

use super::Zipkin;
use crate::{
    pdata::{Signal, time::unix_nanos},
    pipeline::{Ingest, Refusal, RefusalKind, Taken},
    receiver::{
        Protocol,
        content::Content,
        decoder::{Decoder, RequestRoute},
        http::reply::HttpReply,
    },
    zipkin::{self, ImportOptions, ZipkinFormat},
};
use ::http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use bytes::Bytes;
use std::{borrow::Cow, sync::Arc, time::SystemTime};

/// Where OTLP would be sent, whose senders are told so.
const OTLP_PATHS: [&str; 3] = ["/v1/traces", "/v1/metrics", "/v1/logs"];

/// Returns the protocol of a listener with these settings.
pub fn zipkin_protocol(settings: Zipkin) -> Protocol {
    let parse_string_tags = settings.parse_string_tags;
    let decoder = ZipkinDecoder { parse_string_tags };
    Protocol::Http(settings.server, Arc::new(decoder))
}

/// The decoder of Zipkin's lists of spans.
#[derive(Debug)]
struct ZipkinDecoder {
    parse_string_tags: bool,
}

impl Decoder for ZipkinDecoder {
    fn route(
        &self,
        path: &str,
        content: Content,
        ingest: &dyn Ingest,
    ) -> Result<RequestRoute, Refusal> {
        if !ingest.takes(Signal::Traces) {
            let message = "no traces pipeline has this receiver: add it to one";
            return Err(Refusal::new(RefusalKind::NotServed, message));
        }
        if OTLP_PATHS.contains(&path) {
            let message = format!("{path}: this port speaks {}", self.speaks());
            return Err(Refusal::new(RefusalKind::NotServed, message));
        }
        Ok(RequestRoute {
            signal: Signal::Traces,
            content: match content {
                Content::Other => Content::Json,
                content => content,
            },
            version: if path.contains("api/v1/spans") { 1 } else { 2 },
        })
    }

    fn decodes(&self, route: RequestRoute) -> bool {
        match route.content {
            Content::Json => true,
            Content::Protobuf => route.version == 2,
            _ => false,
        }
    }

    fn is_slow(&self, _: RequestRoute) -> bool {
        true
    }

    fn content_types(&self) -> &'static str {
        "application/json, or application/x-protobuf with /api/v2/spans"
    }

    fn speaks(&self) -> &'static str {
        "Zipkin; OTLP goes to the ports of an otlp receiver (4317 for gRPC, 4318 for HTTP)"
    }

    fn decode<'b>(
        &self,
        route: RequestRoute,
        body: &'b [u8],
        most: usize,
    ) -> Result<Cow<'b, [u8]>, Refusal> {
        let format = match (route.content, route.version) {
            (Content::Protobuf, _) => ZipkinFormat::V2Proto,
            (_, 1) => ZipkinFormat::V1Json,
            _ => ZipkinFormat::V2Json,
        };
        let now = unix_nanos(SystemTime::now());
        let options = ImportOptions {
            parse_string_tags: self.parse_string_tags,
            now,
            most,
        };
        let request = zipkin::read(format, body, options);
        let request = request.map_err(|error| Refusal::malformed(error.to_string()))?;
        Ok(Cow::Owned(request))
    }

    fn accepted(&self, _: RequestRoute, taken: Taken) -> Response<HttpReply> {
        let mut response = Response::new(HttpReply::default());
        *response.status_mut() = StatusCode::ACCEPTED;
        if taken.rejected > 0 {
            let words = format!("{} spans were dropped: {}\n", taken.rejected, taken.message);
            *response.body_mut() = HttpReply(words.into());
            response.headers_mut().insert(CONTENT_TYPE, plain_text());
        }
        response
    }

    fn refused(&self, _: Content, refusal: &Refusal) -> (HeaderValue, Bytes) {
        (plain_text(), format!("{}\n", refusal.message).into())
    }
}

fn plain_text() -> HeaderValue {
    HeaderValue::from_static("text/plain; charset=utf-8")
}
