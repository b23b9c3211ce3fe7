/*!
What a request says it is, by its `Content-Type`.
*/

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

/// A request's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `application/grpc`, `application/grpc+proto`.
    Grpc,
    /// `application/grpc+…` with another message encoding.
    GrpcOther,
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
    /// `application/x-thrift` and its other names.
    Thrift,
    /// Anything else, or nothing.
    Other,
}

impl Content {
    /// Reads the header. Parameters (`; charset=utf-8`) do not matter.
    pub(crate) fn of(header: Option<&[u8]>) -> Self {
        let value = header.unwrap_or_default();
        // What gRPC senders send, first.
        if value == b"application/grpc" {
            return Content::Grpc;
        }
        let media = value
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let is = |name: &str| media.eq_ignore_ascii_case(name.as_bytes());
        let begins = |name: &str| {
            media
                .get(..name.len())
                .is_some_and(|m| m.eq_ignore_ascii_case(name.as_bytes()))
        };
        if is("application/x-protobuf") {
            Content::Protobuf
        } else if is("application/json") {
            Content::Json
        } else if is("application/grpc") || is("application/grpc+proto") {
            Content::Grpc
        } else if begins("application/grpc+") {
            Content::GrpcOther
        } else if is("application/x-thrift") || begins("application/vnd.apache.thrift.") {
            Content::Thrift
        } else {
            // Also `application/grpc-web`, which is another protocol.
            Content::Other
        }
    }

    /// Whether this is OTLP/gRPC's protocol, whatever the message encoding.
    pub(crate) fn is_grpc(self) -> bool {
        matches!(self, Content::Grpc | Content::GrpcOther)
    }
}

/// The header.
pub(crate) fn header(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes)
}

/// The header's text, for messages.
pub(crate) fn named(header: Option<&[u8]>) -> String {
    match header {
        None => "no content-type".to_owned(),
        Some(value) => {
            let text = String::from_utf8_lossy(value);
            format!(
                "content-type {:?}",
                text.chars().take(100).collect::<String>()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_and_ignores_parameters() {
        for (text, content) in [
            ("application/grpc", Content::Grpc),
            ("application/grpc+proto", Content::Grpc),
            ("application/grpc; a=b", Content::Grpc),
            ("Application/GRPC", Content::Grpc),
            ("application/grpc+json", Content::GrpcOther),
            ("application/grpc-web", Content::Other),
            ("application/grpcx", Content::Other),
            ("application/json;charset=utf-8", Content::Json),
            ("application/JSON ; charset=utf-8", Content::Json),
            ("application/x-protobuf", Content::Protobuf),
            ("application/x-thrift", Content::Thrift),
            ("application/vnd.apache.thrift.binary", Content::Thrift),
            ("application/protobuf", Content::Other),
            ("", Content::Other),
        ] {
            assert_eq!(Content::of(Some(text.as_bytes())), content, "{text}");
        }
        assert_eq!(Content::of(None), Content::Other);
    }
}
