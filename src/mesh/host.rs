/*!
Host names as Istio writes them, and what service they stand for.

A Kubernetes service is `name.namespace.svc.domain`, where the domain is
whatever follows `.svc.`: clusters choose their own, with any number of parts. One part
more before that is a Pod of the service, as those of a StatefulSet have hosts
(`web-0.web.shop.svc.domain`), or all of them (`*`); it means the service.
Anything else that names a host is a ServiceEntry's host, which belongs to no
namespace that could be read off it.
*/

use std::net::IpAddr;

/// What a host name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    /// `[pod.]name.namespace.svc[.domain]`.
    Service {
        /// The service.
        name: &'a str,
        /// Its namespace.
        namespace: &'a str,
    },
    /// The host of a ServiceEntry; may begin with `*.`.
    External(&'a str),
}

impl<'a> Host<'a> {
    /// Reads a host name, with or without `:port`. `None` for addresses and
    /// for what is no host name, such as a route's name.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let host = strip_port(text);
        if host.parse::<IpAddr>().is_ok() || host.starts_with('[') || host.contains(':') {
            return None;
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let labels = host.strip_prefix("*.").unwrap_or(host);
        if labels.is_empty() || !labels.split('.').all(is_label) {
            return None;
        }
        let mut parts = host.splitn(5, '.');
        let mut part = || parts.next();
        match (part(), part(), part(), part()) {
            (Some("*"), Some(_), Some("svc"), _) => None,
            (Some(name), Some(namespace), Some("svc"), _)
            | (Some(_), Some(name), Some(namespace), Some("svc")) => {
                Some(Host::Service { name, namespace })
            }
            // `name.svc.domain` is what Kiali asks for without its namespace
            // selector; it names no service.
            (Some(_), Some("svc"), _, _) => None,
            // One word is a cluster's or a route's name, not a host on a network.
            (Some(_), None, _, _) => None,
            _ => Some(Host::External(host)),
        }
    }

    /// Like [`Host::parse`], but only Kubernetes services: for texts that may
    /// just as well hold a name with dots which is no host.
    pub(crate) fn parse_service(text: &'a str) -> Option<Self> {
        Self::parse(text).filter(|host| matches!(host, Host::Service { .. }))
    }
}

/// `host` of `host:port`; an IPv6 address keeps its colons.
fn strip_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => text,
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service<'a>(name: &'a str, namespace: &'a str) -> Option<Host<'a>> {
        Some(Host::Service { name, namespace })
    }

    #[test]
    fn services() {
        for host in [
            "reviews.bookinfo.svc.cluster.local",
            "reviews.bookinfo.svc.cluster.local:9080",
            "reviews.bookinfo.svc.cluster.local.",
            "reviews.bookinfo.svc",
            "reviews.bookinfo.svc:9080",
            "reviews.bookinfo.svc.prod.example.co.uk",
            "reviews.bookinfo.svc.k8s",
        ] {
            assert_eq!(Host::parse(host), service("reviews", "bookinfo"), "{host}");
        }
        for host in [
            "web-0.web.shop.svc.cluster.local:80",
            "10-244-0-9.web.shop.svc.my.domain",
            "*.web.shop.svc",
        ] {
            assert_eq!(Host::parse(host), service("web", "shop"), "{host}");
        }
        // A namespace may be called svc.
        assert_eq!(
            Host::parse("reviews.svc.svc.cluster.local"),
            service("reviews", "svc")
        );
    }

    #[test]
    fn others() {
        assert_eq!(
            Host::parse("httpbin.org"),
            Some(Host::External("httpbin.org"))
        );
        assert_eq!(
            Host::parse("api.example.com:443"),
            Some(Host::External("api.example.com"))
        );
        assert_eq!(
            Host::parse("*.example.com"),
            Some(Host::External("*.example.com"))
        );
        assert_eq!(Host::parse_service("httpbin.org:443"), None);
        for none in [
            "",
            "*",
            ".",
            ":",
            ":80",
            "10.1.2.3",
            "10.1.2.3:80",
            "fd00::1",
            "[fd00::1]:80",
            "reviews",
            "reviews:9080",
            "reviews.svc.cluster.local",
            "reviews~0~istio-autogenerated-k8s-gateway:9080",
            "a..svc.cluster.local",
            "*.bookinfo.svc.cluster.local",
            "not a.host.svc",
        ] {
            assert_eq!(Host::parse(none), None, "{none}");
        }
    }
}
