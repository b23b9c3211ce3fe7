/*! Parts of a URL as somebody wrote it into a configuration: nothing of it need be right. */

/// What a URL is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UrlParts<'a> {
    pub(super) scheme: Option<&'a str>,
    /// Host and port, and the user that may stand before them.
    pub(super) authority: &'a str,
    /// It begins with a slash, or is empty.
    pub(super) path: &'a str,
}

/// Takes a URL apart.
pub(super) fn parts(url: &str) -> UrlParts<'_> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    UrlParts {
        scheme,
        authority,
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_and_without_their_parts() {
        for (url, scheme, authority, path) in [
            (
                "http://jaeger:16686/jaeger/",
                Some("http"),
                "jaeger:16686",
                "/jaeger/",
            ),
            ("https://u:p@[::1]:80", Some("https"), "u:p@[::1]:80", ""),
            ("jaeger/x", None, "jaeger", "/x"),
            ("", None, "", ""),
        ] {
            let want = UrlParts {
                scheme,
                authority,
                path,
            };
            assert_eq!(parts(url), want, "{url}");
        }
    }
}
