/*!
References to images (`registry:5000/shop/cart:1.2@sha256:…`), by the grammar of the
distribution project that the Collector parses them by.
*/

use regex::Regex;
use std::sync::LazyLock;

/// An image reference in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImageReference<'a> {
    /// Registry and path.
    pub(super) name: &'a str,
    /// The tag, if it has one.
    pub(super) tag: Option<&'a str>,
    /// The digest, if it has one, with its algorithm.
    pub(super) digest: Option<&'a str>,
}

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    const LABEL: &str = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    const PART: &str = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    let domain = format!(r"(?:{LABEL}(?:\.{LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?");
    let name = format!("(?:{domain}/)?{PART}(?:/{PART})*");
    let tag = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}";
    let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    match Regex::new(&format!("^({name})(?::({tag}))?(?:@({digest}))?$")) {
        Ok(regex) => regex,
        Err(_) => unreachable!("the pattern is made of constants and valid"),
    }
});

impl<'a> ImageReference<'a> {
    /// Parses a reference; None where it is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let groups = REFERENCE.captures(text)?;
        let part = |n| groups.get(n).map(|part| part.as_str());
        Some(Self {
            name: part(1)?,
            tag: part(2),
            digest: part(3),
        })
    }

    /// The version of a service by its image: tag and digest.
    pub(super) fn version(&self) -> Option<String> {
        match (self.tag, self.digest) {
            (Some(tag), Some(digest)) => Some(format!("{tag}@{digest}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    }
}

/// The reference of an image that was pulled, with registry and digest; None where
/// `image` has no digest.
pub(super) fn canonical(image: &str) -> Option<String> {
    const REGISTRY: &str = "docker.io";
    let is_registry = |part: &str| {
        part.contains(['.', ':']) || part == "localhost" || part != part.to_ascii_lowercase()
    };
    let (registry, rest) = match image.split_once('/') {
        Some((first, rest)) if is_registry(first) => (first, rest),
        _ => (REGISTRY, image),
    };
    let (registry, rest) = match registry {
        REGISTRY | "index.docker.io" if !rest.contains('/') => {
            (REGISTRY, format!("library/{rest}"))
        }
        "index.docker.io" => (REGISTRY, rest.to_owned()),
        registry => (registry, rest.to_owned()),
    };
    let whole = format!("{registry}/{rest}");
    let reference = ImageReference::parse(&whole)?;
    reference.digest.is_some().then(|| whole.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn references_in_parts() {
        let with_digest = format!("ghcr.io/shop/cart:1.2@{DIGEST}");
        let only_digest = format!("cart@{DIGEST}");
        for (text, name, tag, version) in [
            ("cart", "cart", None, None),
            ("cart:1.2", "cart", Some("1.2"), Some("1.2")),
            (
                "registry:5000/shop/cart",
                "registry:5000/shop/cart",
                None,
                None,
            ),
            (
                "registry:5000/cart:v1-rc.2",
                "registry:5000/cart",
                Some("v1-rc.2"),
                Some("v1-rc.2"),
            ),
            (
                &with_digest,
                "ghcr.io/shop/cart",
                Some("1.2"),
                Some(&*format!("1.2@{DIGEST}")),
            ),
            (&only_digest, "cart", None, Some(DIGEST)),
        ] {
            let image = ImageReference::parse(text).unwrap();
            assert_eq!((image.name, image.tag), (name, tag), "{text}");
            assert_eq!(image.version().as_deref(), version, "{text}");
        }
        for text in [
            "",
            "Cart:1",
            "cart:",
            "cart@sha256:12",
            "a//b",
            "c:1:2",
            " cart",
        ] {
            assert_eq!(ImageReference::parse(text), None, "{text}");
        }
    }

    #[test]
    fn canonical_references_have_a_registry_and_a_digest() {
        for (image, want) in [
            (
                format!("cart@{DIGEST}"),
                Some(format!("docker.io/library/cart@{DIGEST}")),
            ),
            (
                format!("shop/cart@{DIGEST}"),
                Some(format!("docker.io/shop/cart@{DIGEST}")),
            ),
            (
                format!("q.io/a/b@{DIGEST}"),
                Some(format!("q.io/a/b@{DIGEST}")),
            ),
            (
                format!("index.docker.io/cart@{DIGEST}"),
                Some(format!("docker.io/library/cart@{DIGEST}")),
            ),
            (DIGEST.to_owned(), None),
            (format!("docker-pullable://cart@{DIGEST}"), None),
            ("cart:1".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(canonical(&image), want, "{image}");
        }
    }
}
