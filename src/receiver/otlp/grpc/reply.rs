/*!
The replies of the gRPC port, written as HTTP/2 header blocks.

The common one consists of constants. A refusal is a trailers-only response;
what came to this port and is not gRPC is answered over HTTP in its own words.
*/

use super::{
    super::{codec, http::error_body},
    frame, judge,
};
use crate::{
    net::h2::{H2Connection, ReplyEnd, hpack},
    pipeline::{Refusal, RefusalKind, Taken},
    receiver::{
        content::{self, Content},
        endpoint::ConnectionContext,
        http::reply::{self, HttpReply},
        inflate, status,
    },
};
use ::http::{HeaderMap, Request, Response, Version, header};

/// `:status: 200`, `content-type: application/grpc`: two places in HPACK's
/// static table, and a literal.
pub(crate) const GRPC: &[u8] = b"\x88\x0f\x10\x10application/grpc";

/// `grpc-status: 0`, as literals.
pub(crate) const OK: ReplyEnd = ReplyEnd::Trailers(b"\x00\x0bgrpc-status\x010");

/// An empty `ExportTraceServiceResponse`, framed.
const ACCEPTED: &[u8] = &[0; frame::PREFIX];

/// Answers a call of Export that was taken.
pub(crate) fn accept(h2: &mut H2Connection, stream: u32, taken: Taken) {
    if taken.rejected == 0 {
        return h2.answer(stream, GRPC, ACCEPTED, OK);
    }
    let message = frame::encode(&codec::partial_success(taken));
    h2.answer(stream, GRPC, &message, OK);
}

/// Answers a request that was refused, in the protocol of its content type.
pub(crate) fn refuse(h2: &mut H2Connection, stream: u32, content: Content, refusal: &Refusal) {
    if !content.is_grpc() || refusal.kind == RefusalKind::MethodNotAllowed {
        return respond(h2, stream, not_grpc(content, refusal));
    }
    let mut block = GRPC.to_vec();
    let mut fields = HeaderMap::new();
    let code = status::grpc_code(refusal.kind);
    if status::with_details(refusal, code)
        .add_header(&mut fields)
        .is_err()
    {
        // Percent-encoding leaves nothing a header cannot carry.
        fields.insert("grpc-status", (code as i32).into());
    }
    if refusal.kind == RefusalKind::UnsupportedCoding {
        fields.insert("grpc-accept-encoding", inflate::ACCEPTED);
    }
    put(&mut block, &fields);
    h2.answer(stream, &block, &[], ReplyEnd::Stream);
}

/// Answers a request that came over HTTP/1.1, in which nothing is served.
pub(crate) fn answer_http1<B>(
    context: &ConnectionContext,
    request: &Request<B>,
) -> Response<HttpReply> {
    let content_type = content::header(request.headers());
    let content = Content::of(content_type);
    let refusal = judge::not_grpc(content, content_type, request.method().as_str());
    context.note(&refusal);
    let mut response = not_grpc(content, &refusal);
    if request.version() != Version::HTTP_11 {
        response.headers_mut().remove(header::CONNECTION);
    }
    response
}

/// Makes the reply to a request that is not gRPC.
fn not_grpc(content: Content, refusal: &Refusal) -> Response<HttpReply> {
    match refusal.kind {
        RefusalKind::HttpOnGrpcPort => {
            let (content_type, body) = error_body(content, refusal);
            reply::refused(refusal, content_type, body, None)
        }
        _ => reply::refused_in_words(refusal),
    }
}

/// Sends a response that is not gRPC's.
fn respond(h2: &mut H2Connection, stream: u32, response: Response<HttpReply>) {
    let (head, HttpReply(body)) = response.into_parts();
    let mut block = Vec::new();
    hpack::status(&mut block, head.status.as_u16());
    put(&mut block, &head.headers);
    if !body.is_empty() {
        let length = body.len().to_string();
        hpack::field(&mut block, b"content-length", length.as_bytes());
    }
    h2.answer(stream, &block, &body, ReplyEnd::Stream);
}

fn put(block: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        hpack::field(block, name.as_str().as_bytes(), value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_constants_say_what_they_should() {
        let read = |block: &[u8]| {
            let mut fields = Vec::new();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            hpack::HpackDecoder::default()
                .decode(block, |entry| {
                    fields.push((text(entry.name), text(entry.value)));
                    true
                })
                .unwrap();
            fields
        };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let head = [
            field(":status", "200"),
            field("content-type", "application/grpc"),
        ];
        assert_eq!(read(GRPC), head);
        let ReplyEnd::Trailers(block) = OK else {
            panic!()
        };
        assert_eq!(read(block), [field("grpc-status", "0")]);
    }
}
