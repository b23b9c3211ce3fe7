/*!
One request over HTTP, from its head to its reply.
*/

use super::{
    HttpServer,
    body::{collect, discard, too_large},
    reply::{self, HttpReply},
    transfer,
};
use crate::{
    pipeline::{NotTaken, Preparation, Refusal, RefusalKind, Taken},
    receiver::{
        content::{self, Content},
        decoder::{Decoder, RequestRoute},
        endpoint::{BODY_IDLE_TIMEOUT, ConnectionContext},
        inflate::{self, Coding, InflateError, inflate},
        large,
        partial::WholeBody,
        status,
    },
};
use ::http::{
    HeaderMap, HeaderValue, Method, Request, Response, Version,
    header::{self, CONTENT_ENCODING, CONTENT_LENGTH},
    request::Parts,
};
use bytes::Bytes;
use hyper::body::Incoming;
use std::{borrow::Cow, rc::Rc, sync::Arc};

/// Answers one request in the format that `decoder` knows, and in words that a
/// browser lets its page read, where it may.
pub(crate) async fn answer(
    context: &Rc<ConnectionContext>,
    settings: &HttpServer,
    decoder: &Arc<dyn Decoder>,
    request: Request<Incoming>,
) -> Response<HttpReply> {
    let Some(cors) = &settings.cors else {
        return answer_one(context, settings, decoder, request.into_parts())
            .await
            .0;
    };
    let (head, body) = request.into_parts();
    if let Some(reply) = cors.preflight(&head) {
        return reply;
    }
    let (mut reply, head) = answer_one(context, settings, decoder, (head, body)).await;
    cors.open(&head.headers, reply.headers_mut());
    reply
}

/// Answers one request; returns its head as well.
async fn answer_one(
    context: &Rc<ConnectionContext>,
    settings: &HttpServer,
    decoder: &Arc<dyn Decoder>,
    (head, mut body): (Parts, Incoming),
) -> (Response<HttpReply>, Parts) {
    let content = Content::of(content::header(&head.headers));
    let reply = match take(context, settings, decoder, content, &head, &mut body).await {
        Ok((route, taken)) => {
            context.note_taken();
            decoder.accepted(route, taken)
        }
        Err(refusal) => {
            context.note(&refusal);
            // A sender that asked first (Expect) has sent nothing to discard.
            if head.version < Version::HTTP_2
                && refusal.kind != RefusalKind::Stalled
                && !head.headers.contains_key(header::EXPECT)
            {
                let most = settings.max_body_bytes.saturating_mul(2);
                discard(&mut body, most, BODY_IDLE_TIMEOUT).await;
            }
            // Over HTTP/2 a gRPC sender understands gRPC's own status.
            if content.is_grpc() && head.version == Version::HTTP_2 {
                grpc_status(&refusal)
            } else {
                let (content_type, body) = decoder.refused(content, &refusal);
                let admission = context.endpoint.admission.as_ref();
                let challenge = admission.map(|admission| admission.challenge());
                reply::refused(&refusal, content_type, body, challenge)
            }
        }
    };
    (reply, head)
}

/// Gives the request to the pipelines, and waits until it may be answered.
async fn take(
    context: &Rc<ConnectionContext>,
    settings: &HttpServer,
    decoder: &Arc<dyn Decoder>,
    content: Content,
    head: &Parts,
    body: &mut Incoming,
) -> Result<(RequestRoute, Taken), Refusal> {
    let endpoint = &context.endpoint;
    if let (Some(admission), false) = (&endpoint.admission, content.is_grpc()) {
        let given = head.headers.get(admission.header());
        context.admit(given.map(HeaderValue::as_bytes)).await?;
    }
    let (route, coding) = judge(context, settings, &**decoder, content, head)?;
    let limit = settings.max_body_bytes;
    let body = collect(body, limit, BODY_IDLE_TIMEOUT, &endpoint.scratch.bodies).await?;
    let turn = match decoder.is_slow(route) {
        true => large::turn_limit_slow(body.len()),
        false => large::turn_limit(body.len()),
    }
    .min(limit);
    let mut buffer = endpoint.scratch.take_inflate_buffer();
    let taken = match inflate(coding, &body, turn, &mut buffer) {
        // The lane may inflate more, in a larger window.
        Err(_) if turn < limit => Err(NotTaken::Large),
        Err(error) => Err(refuse_inflate(error, coding, limit).into()),
        Ok(body) => decoder
            .decode(route, body, usize::MAX)
            .map_err(NotTaken::from)
            .and_then(|request| {
                let peer = context.peer.ip();
                endpoint.ingest.take(route.signal, &request, peer)
            }),
    };
    endpoint.scratch.give_inflate_buffer(buffer);
    let taken = match taken {
        Ok(taken) => {
            body.give_back();
            taken
        }
        Err(NotTaken::Refused(refusal)) => return Err(refusal),
        Err(NotTaken::Large) => {
            take_large(context, limit, Arc::clone(decoder), (route, coding), body).await?
        }
    };
    Ok((route, context.settled(taken).await?))
}

/// Gives a whole body to the lane of large requests.
async fn take_large(
    context: &Rc<ConnectionContext>,
    limit: usize,
    decoder: Arc<dyn Decoder>,
    (route, coding): (RequestRoute, Coding),
    body: WholeBody<Bytes>,
) -> Result<Taken, Refusal> {
    let (body, charge) = body.into_owned(&context.endpoint.scratch.bodies)?;
    let preparation = context.endpoint.ingest.preparation();
    let read = move |memory: usize| {
        let mut most = Preparation::longest(memory).min(limit);
        if decoder.is_slow(route) {
            // Parts of it are copied once more while they are decoded.
            most /= 2;
        }
        let inflated = large::inflated((coding, body, 0), most, limit, |error| {
            refuse_inflate(error, coding, limit)
        })?;
        let request = match decoder.decode(route, &inflated, Preparation::longest(memory))? {
            Cow::Owned(request) => request,
            Cow::Borrowed(_) => inflated,
        };
        preparation.prepare(route.signal, request, memory)
    };
    let outcome = large::take(Rc::clone(context), route.signal, charge, Box::new(read)).await;
    outcome.unwrap_or_else(|_| Err(Refusal::failed()))
}

/// Judges a request's head: what its body is, and how it is compressed.
fn judge(
    context: &ConnectionContext,
    settings: &HttpServer,
    decoder: &dyn Decoder,
    content: Content,
    head: &Parts,
) -> Result<(RequestRoute, Coding), Refusal> {
    if content.is_grpc() {
        return Err(Refusal::new(
            RefusalKind::GrpcOnHttpPort,
            format!("this port speaks {}", decoder.speaks()),
        ));
    }
    let route = decoder.route(head.uri.path(), content, &*context.endpoint.ingest)?;
    if head.method != Method::POST {
        return Err(Refusal::new(
            RefusalKind::MethodNotAllowed,
            format!("{} is not allowed here: use POST", head.method),
        ));
    }
    if !decoder.decodes(route) {
        return Err(Refusal::new(
            RefusalKind::UnsupportedContent,
            format!(
                "{} is not supported: use {}",
                content::named(content::header(&head.headers)),
                decoder.content_types(),
            ),
        ));
    }
    transfer::check(&head.headers)?;
    let coding = coding(&head.headers)?;
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let limit = settings.max_body_bytes;
    match announced {
        Some(length) if length > limit as u64 => Err(too_large(format_args!(
            "a body of {length} bytes is over the limit of {limit} bytes"
        ))),
        _ => Ok((route, coding)),
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, Refusal> {
    let mut named = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(HeaderValue::as_bytes);
    let coding = Coding::parse(named.next());
    let coding = match named.next() {
        Some(_) => Err("several".to_owned()),
        None => coding,
    };
    coding.map_err(|name| {
        Refusal::new(
            RefusalKind::UnsupportedCoding,
            format!(
                "content-encoding {name:?} is not supported: use {}",
                inflate::NAMES
            ),
        )
    })
}

fn refuse_inflate(error: InflateError, coding: Coding, limit: usize) -> Refusal {
    match error {
        InflateError::TooLarge => {
            too_large(format_args!("the body inflates to more than {limit} bytes"))
        }
        InflateError::Corrupt(why) => {
            Refusal::malformed(format!("the body is not valid {}: {why}", coding.name()))
        }
    }
}

/// Makes gRPC's reply to a request that came to a port of plain HTTP.
fn grpc_status(refusal: &Refusal) -> Response<HttpReply> {
    let mut response = Response::new(HttpReply::default());
    let headers = response.headers_mut();
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, grpc);
    let code = status::grpc_code(refusal.kind);
    if status::with_details(refusal, code)
        .add_header(headers)
        .is_err()
    {
        // Percent-encoding leaves nothing a header cannot carry.
        headers.insert("grpc-status", HeaderValue::from(code as i32));
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

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
            assert_eq!(error.kind, RefusalKind::UnsupportedCoding);
        }
    }
}
