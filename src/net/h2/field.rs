/*!
What a header field means to a server of gRPC.
*/

/// Fields that matter, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `:method`
    Method,
    /// `:scheme`
    Scheme,
    /// `:authority`
    Authority,
    /// `:path`
    Path,
    /// `content-type`
    ContentType,
    /// `content-length`
    ContentLength,
    /// `grpc-encoding`
    GrpcEncoding,
    /// Any other field that may be there.
    Other,
    /// What no request may have (RFC 9113, 8.2 and 8.3).
    Malformed,
}

impl Field {
    /// Judges a field.
    pub fn of(name: &[u8], value: &[u8]) -> Self {
        if !is_value(value) {
            return Field::Malformed;
        }
        match name {
            b":method" => Field::Method,
            b":scheme" => Field::Scheme,
            b":authority" => Field::Authority,
            b":path" if is_path(value) => Field::Path,
            b"content-type" => Field::ContentType,
            b"content-length" => Field::ContentLength,
            b"grpc-encoding" => Field::GrpcEncoding,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => Field::Malformed,
            b"te" if value != b"trailers" => Field::Malformed,
            name if is_name(name) => Field::Other,
            _ => Field::Malformed,
        }
    }

    /// Whether its name begins with a colon.
    pub fn is_pseudo(self) -> bool {
        matches!(
            self,
            Field::Method | Field::Scheme | Field::Authority | Field::Path
        )
    }
}

/// RFC 9113, 8.3.1: a path, or the asterisk of OPTIONS.
fn is_path(path: &[u8]) -> bool {
    (path.first() == Some(&b'/') || path == b"*") && path.iter().all(u8::is_ascii_graphic)
}

/// RFC 9113, 8.2.1. Pseudo-header fields that are known do not come here.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| matches!(byte, 0x21..=0x7e) && !byte.is_ascii_uppercase() && *byte != b':')
}

/// RFC 9113, 8.2.1: no control characters. Space at the ends should not be there
/// either; a credential cut short has it, and deserves its own answer.
fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_is_told_from_what_may() {
        for (name, value, field) in [
            ("te", "trailers", Field::Other),
            ("te", "gzip", Field::Malformed),
            ("x-a", "", Field::Other),
            ("x-a", "ü \t b", Field::Other),
            ("x-a", "b ", Field::Other),
            ("x-a", "b\u{7f}", Field::Malformed),
            ("x-a", "b\r\n", Field::Malformed),
            ("x-a", "b\0c", Field::Malformed),
            ("X-a", "b", Field::Malformed),
            ("x:a", "b", Field::Malformed),
            ("x a", "b", Field::Malformed),
            ("", "b", Field::Malformed),
            (":path", "/a?b#c", Field::Path),
            (":path", "*", Field::Path),
            (":path", "", Field::Malformed),
            (":path", "a", Field::Malformed),
            (":path", "/a b", Field::Malformed),
            (":status", "200", Field::Malformed),
            (":other", "b", Field::Malformed),
            ("connection", "close", Field::Malformed),
            ("upgrade", "h2c", Field::Malformed),
            ("content-type", "a\n", Field::Malformed),
        ] {
            assert_eq!(
                Field::of(name.as_bytes(), value.as_bytes()),
                field,
                "{name:?}: {value:?}"
            );
        }
    }
}
