/*!
How a body over HTTP/1.1 is framed: by its length, or in chunks.

hyper reads a body in chunks when that is the last of several transfer codings,
and leaves the others in it. What was compressed so would then be taken for
broken protobuf, and a proxy in front may see another request than we do; so
everything but chunks alone is refused (RFC 9112, 6.1).
*/

use crate::pipeline::{Refusal, RefusalKind};
use http::{HeaderMap, header::TRANSFER_ENCODING};

/// Refuses transfer codings that are not supported.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_supported = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    match is_supported {
        true => Ok(()),
        false => Err(Refusal::new(
            RefusalKind::Misframed,
            "transfer-encoding has more than \"chunked\", which is not supported: say how the \
             body is compressed in content-encoding",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn chunks_alone_are_taken() {
        let check = |values: &[&'static str]| {
            let values = values.iter().map(|v| HeaderValue::from_static(v));
            let headers: HeaderMap = values.map(|v| (TRANSFER_ENCODING, v)).collect();
            check(&headers)
        };
        for good in [&[][..], &["chunked"], &[" Chunked "]] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        let bad = [
            &["gzip, chunked"][..],
            &["chunked, chunked"],
            &["gzip", "chunked"],
            &["identity"],
            &[""],
        ];
        for bad in bad {
            let kind = check(bad).map_err(|refusal| refusal.kind);
            assert_eq!(kind, Err(RefusalKind::Misframed), "{bad:?}");
        }
    }
}
