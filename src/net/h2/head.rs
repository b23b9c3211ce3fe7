/*!
A request's head, as far as it matters.

One head per connection is filled again and again: a header block is judged as
it is decoded, and only the few values that somebody looks at are copied.
*/

use super::{
    field::FieldKind,
    hpack::{Entry, OVERHEAD},
};
use http::HeaderName;

/// Where a value lies in [`RequestHead::text`].
type Place = Option<(usize, usize)>;

/// Text above this size is given back.
const KEEP: usize = 1024;

/// The head of the request that was announced last.
#[derive(Debug, Default)]
pub(crate) struct RequestHead {
    /// The field with the sender's credentials, where they are asked for.
    wanted: Option<HeaderName>,
    text: Vec<u8>,
    method: Place,
    path: Place,
    content_type: Place,
    grpc_encoding: Place,
    credentials: Place,
    length: Option<u64>,
    has_scheme: bool,
    has_authority: bool,
    has_regular: bool,
    has_pseudo: bool,
    is_malformed: bool,
    size: usize,
    most: usize,
}

impl RequestHead {
    /// For heads of at most so many octets, as SETTINGS_MAX_HEADER_LIST_SIZE
    /// counts; `wanted` is the field with the credentials.
    pub(crate) fn new(most: usize, wanted: Option<HeaderName>) -> Self {
        Self {
            wanted,
            most,
            ..Self::default()
        }
    }

    /// Begins with the next block.
    pub(super) fn clear(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        text.shrink_to(KEEP);
        *self = Self {
            wanted: self.wanted.take(),
            most: self.most,
            text,
            ..Self::default()
        };
    }

    /// Takes the next field; false: the head is over the limit, and no more
    /// fields matter.
    pub(super) fn add(&mut self, entry: Entry<'_>) -> bool {
        let octets = entry.name.len() + entry.value.len() + OVERHEAD;
        self.size = self.size.saturating_add(octets);
        if !self.is_too_large() {
            self.keep(entry);
        }
        !self.is_too_large()
    }

    fn keep(&mut self, Entry { field, name, value }: Entry<'_>) {
        if field.is_pseudo() {
            self.has_pseudo = true;
            // Pseudo-header fields come first.
            self.is_malformed |= self.has_regular;
        } else {
            self.has_regular = true;
        }
        let (place, is_single) = match field {
            FieldKind::Method => (&mut self.method, true),
            FieldKind::Path => (&mut self.path, true),
            FieldKind::Scheme => {
                self.is_malformed |= std::mem::replace(&mut self.has_scheme, true);
                return;
            }
            FieldKind::Authority => {
                self.is_malformed |= std::mem::replace(&mut self.has_authority, true);
                return;
            }
            FieldKind::ContentLength => {
                let length = length(value);
                self.is_malformed |=
                    length.is_none() || self.length.is_some_and(|known| Some(known) != length);
                self.length = length;
                return;
            }
            FieldKind::Malformed => {
                self.is_malformed = true;
                return;
            }
            FieldKind::ContentType => (&mut self.content_type, false),
            FieldKind::GrpcEncoding => (&mut self.grpc_encoding, false),
            FieldKind::Other => match &self.wanted {
                Some(wanted) if wanted.as_str().as_bytes() == name => {
                    (&mut self.credentials, false)
                }
                _ => return,
            },
        };
        if place.is_some() {
            // Of several the first counts.
            self.is_malformed |= is_single;
            return;
        }
        *place = Some((self.text.len(), value.len()));
        self.text.extend_from_slice(value);
    }

    /// Returns true if it is over the limit.
    pub(super) fn is_too_large(&self) -> bool {
        self.size > self.most
    }

    /// Returns true if it is a request's head that may be (RFC 9113, 8.3.1).
    pub(super) fn is_request(&self) -> bool {
        if self.is_malformed {
            return false;
        }
        match self.method() {
            b"" => false,
            b"CONNECT" => self.has_authority && !self.has_scheme && self.path.is_none(),
            _ => self.has_scheme && self.path.is_some(),
        }
    }

    /// Returns true if it may be the end of a request (RFC 9113, 8.1).
    pub(super) fn is_trailers(&self) -> bool {
        !self.is_malformed && !self.has_pseudo
    }

    fn at(&self, place: Place) -> Option<&[u8]> {
        let (begin, length) = place?;
        self.text.get(begin..begin + length)
    }

    /// `:method`.
    pub(crate) fn method(&self) -> &[u8] {
        self.at(self.method).unwrap_or_default()
    }

    /// `:path`: with its query, without surprises (visible ASCII).
    pub(crate) fn path(&self) -> &[u8] {
        self.at(self.path).unwrap_or_default()
    }

    /// `content-type`.
    pub(crate) fn content_type(&self) -> Option<&[u8]> {
        self.at(self.content_type)
    }

    /// `grpc-encoding`.
    pub(crate) fn grpc_encoding(&self) -> Option<&[u8]> {
        self.at(self.grpc_encoding)
    }

    /// The field that was asked for.
    pub(crate) fn credentials(&self) -> Option<&[u8]> {
        self.at(self.credentials)
    }

    /// `content-length`.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }
}

fn length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok()?;
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::new(1000, Some(HeaderName::from_static("x-token")));
        for (name, value) in fields {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            head.add(Entry {
                field: FieldKind::of(name, value),
                name,
                value,
            });
        }
        head
    }

    const POST: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a?b")];

    #[test]
    fn what_matters_is_kept_and_the_first_counts() {
        let rest = [
            ("content-type", "application/grpc"),
            ("x-other", "1"),
            ("content-type", "text/plain"),
            ("x-token", "secret"),
            ("grpc-encoding", "gzip"),
            ("content-length", "12"),
        ];
        let mut head = head(&[&POST[..], &rest].concat());
        assert!(head.is_request());
        assert_eq!((head.method(), head.path()), (&b"POST"[..], &b"/a?b"[..]));
        assert_eq!(head.content_type(), Some(&b"application/grpc"[..]));
        assert_eq!(head.grpc_encoding(), Some(&b"gzip"[..]));
        assert_eq!(head.credentials(), Some(&b"secret"[..]));
        assert_eq!(head.length(), Some(12));
        head.clear();
        assert_eq!((head.method(), head.credentials()), (&b""[..], None));
        assert!(!head.is_request());
    }

    #[test]
    fn requests_are_told_from_what_is_none() {
        let [method, scheme, path] = POST;
        let connect = (":method", "CONNECT");
        let authority = (":authority", "a");
        let good: [&[_]; 4] = [
            &[path, scheme, method],
            &[method, scheme, path, authority, ("host", "b")],
            &[(":method", "OPTIONS"), scheme, (":path", "*")],
            &[connect, authority],
        ];
        for fields in good {
            assert!(head(fields).is_request(), "{fields:?}");
        }
        let bad: [&[_]; 13] = [
            &[],
            &[scheme, path],
            &[method, path],
            &[method, scheme],
            &[method, scheme, (":path", "")],
            &[method, scheme, (":path", "a")],
            &[method, scheme, (":path", "/a b")],
            &[method, method, scheme, path],
            &[method, scheme, path, path],
            &[method, scheme, scheme, path],
            &[method, scheme, ("x", "y"), path],
            &[method, scheme, path, ("content-length", "-1")],
            &[connect, scheme, authority],
        ];
        for fields in bad {
            assert!(!head(fields).is_request(), "{fields:?}");
        }
        let twice = [("content-length", "1"), ("content-length", "2")];
        assert!(!head(&[&POST[..], &twice].concat()).is_request());
    }

    #[test]
    fn the_size_is_that_of_the_settings() {
        let long = "x".repeat(1000 - 32 - 1);
        assert!(!head(&[("a", &long)]).is_too_large());
        let long = "x".repeat(1000 - 32);
        let large = head(&[("x-token", &long), (":path", "/")]);
        assert!(large.is_too_large());
        assert_eq!((large.credentials(), large.path()), (None, &b""[..]));
    }

    #[test]
    fn trailers_have_no_pseudo_header_fields() {
        assert!(head(&[("a", "b")]).is_trailers());
        assert!(!head(&[POST[0]]).is_trailers());
        assert!(!head(&[("connection", "b")]).is_trailers());
    }
}
