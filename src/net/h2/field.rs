/*!
What a header field means to a server of gRPC.
*/

/// Fields that matter, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
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

impl FieldKind {
    /// Judges a field.
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Self {
        if !is_value(value) {
            return FieldKind::Malformed;
        }
        match name {
            b":method" => FieldKind::Method,
            b":scheme" => FieldKind::Scheme,
            b":authority" => FieldKind::Authority,
            b":path" if is_path(value) => FieldKind::Path,
            b"content-type" => FieldKind::ContentType,
            b"content-length" => FieldKind::ContentLength,
            b"grpc-encoding" => FieldKind::GrpcEncoding,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => FieldKind::Malformed,
            b"te" if value != b"trailers" => FieldKind::Malformed,
            name if is_name(name) => FieldKind::Other,
            _ => FieldKind::Malformed,
        }
    }

    /// Returns true if its name begins with a colon.
    pub(crate) fn is_pseudo(self) -> bool {
        matches!(
            self,
            FieldKind::Method | FieldKind::Scheme | FieldKind::Authority | FieldKind::Path
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
            ("te", "trailers", FieldKind::Other),
            ("te", "gzip", FieldKind::Malformed),
            ("x-a", "", FieldKind::Other),
            ("x-a", "ü \t b", FieldKind::Other),
            ("x-a", "b ", FieldKind::Other),
            ("x-a", "b\u{7f}", FieldKind::Malformed),
            ("x-a", "b\r\n", FieldKind::Malformed),
            ("x-a", "b\0c", FieldKind::Malformed),
            ("X-a", "b", FieldKind::Malformed),
            ("x:a", "b", FieldKind::Malformed),
            ("x a", "b", FieldKind::Malformed),
            ("", "b", FieldKind::Malformed),
            (":path", "/a?b#c", FieldKind::Path),
            (":path", "*", FieldKind::Path),
            (":path", "", FieldKind::Malformed),
            (":path", "a", FieldKind::Malformed),
            (":path", "/a b", FieldKind::Malformed),
            (":status", "200", FieldKind::Malformed),
            (":other", "b", FieldKind::Malformed),
            ("connection", "close", FieldKind::Malformed),
            ("upgrade", "h2c", FieldKind::Malformed),
            ("content-type", "a\n", FieldKind::Malformed),
        ] {
            assert_eq!(
                FieldKind::of(name.as_bytes(), value.as_bytes()),
                field,
                "{name:?}: {value:?}"
            );
        }
    }
}
