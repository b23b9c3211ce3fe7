/*!
`upstream_cluster`: where a proxy sent a request.

Istio names Envoy's clusters `direction|port|subset|host` (istio
`pilot/pkg/model/service.go`). A waypoint's own clusters begin `inbound-vip`
and have the protocol as third part, with the subset after a slash
(`http/v2`). The DNS form `outbound_.9080_.v1_.host` exists for SNI routing.
`upstream_cluster.name` has the same text, with a `;` at the end from Istio
1.23 on. Everything else (`PassthroughCluster`, `encap`, …) names no service.
*/

use super::Host;

/// A cluster name that leads to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamCluster<'a> {
    /// `outbound`, `inbound-vip`, ….
    pub(crate) direction: &'a str,
    /// The service's port, as text.
    pub(crate) port: &'a str,
    /// The DestinationRule subset, or empty.
    pub(crate) subset: &'a str,
    /// The host, never empty.
    pub(crate) host: &'a str,
}

impl<'a> UpstreamCluster<'a> {
    /// Reads a cluster name; `None` when it names no host: the proxy's own
    /// workload (`inbound|9080||`), catch-all clusters and internal plumbing.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_suffix(';').unwrap_or(text);
        let (direction, port, middle, host) = match text.contains('|') {
            true => {
                let mut parts = text.splitn(4, '|');
                (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
            }
            false => {
                let mut parts = text.splitn(4, "_.");
                (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
            }
        };
        let subset = match direction {
            "inbound-vip" => middle.split_once('/').map_or("", |(_, subset)| subset),
            _ => middle,
        };
        let known = matches!(direction, "outbound" | "inbound" | "inbound-vip");
        (known && !host.is_empty() && !host.contains('|')).then_some(Self {
            direction,
            port,
            subset,
            host,
        })
    }

    /// Returns the service the cluster leads to; `None` for addresses.
    pub(crate) fn service(&self) -> Option<Host<'a>> {
        Host::parse(self.host)
    }

    /// Returns the host of that service, which is another than the cluster's where
    /// that is a Pod's.
    pub(crate) fn service_host(&self) -> &'a str {
        let host = self.host.trim_end_matches('.');
        match (host.split_once('.'), self.service()) {
            (Some((pod, rest)), Some(Host::Service { name, .. })) if pod != name => rest,
            _ => host,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(&str, &str, &str, &str)> {
        UpstreamCluster::parse(text).map(|c| (c.direction, c.port, c.subset, c.host))
    }

    #[test]
    fn catalogue() {
        const HOST: &str = "reviews.bookinfo.svc.cluster.local";
        for (text, want) in [
            (
                "outbound|9080||reviews.bookinfo.svc.cluster.local",
                ("outbound", "9080", "", HOST),
            ),
            (
                "outbound|9080||reviews.bookinfo.svc.cluster.local;",
                ("outbound", "9080", "", HOST),
            ),
            (
                "outbound|9080|v2|reviews.bookinfo.svc.cluster.local",
                ("outbound", "9080", "v2", HOST),
            ),
            (
                "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local",
                ("inbound-vip", "9080", "", HOST),
            ),
            (
                "inbound-vip|9080|http/v2|reviews.bookinfo.svc.cluster.local;",
                ("inbound-vip", "9080", "v2", HOST),
            ),
            (
                "inbound-vip|9080|tcp|reviews.bookinfo.svc.cluster.local",
                ("inbound-vip", "9080", "", HOST),
            ),
            (
                "outbound_.9080_.v1_.reviews.bookinfo.svc.cluster.local",
                ("outbound", "9080", "v1", HOST),
            ),
            (
                "outbound_.9080_._.reviews.bookinfo.svc.cluster.local",
                ("outbound", "9080", "", HOST),
            ),
            (
                "inbound-vip|443|http|httpbin.org",
                ("inbound-vip", "443", "", "httpbin.org"),
            ),
            (
                "outbound|443||*.example.com",
                ("outbound", "443", "", "*.example.com"),
            ),
            ("outbound|80||fd00::7", ("outbound", "80", "", "fd00::7")),
        ] {
            assert_eq!(parse(text), Some(want), "{text}");
        }
        for none in [
            "",
            ";",
            "-",
            "inbound|9080||",
            "inbound|9080||;",
            "PassthroughCluster",
            "InboundPassthroughCluster",
            "InboundPassthroughClusterIpv4",
            "BlackHoleCluster",
            "encap",
            "main_internal",
            "connect_originate",
            "inner_connect_originate",
            "xds-grpc",
            "a|b|c|d",
            "outbound|80|reviews",
            "outbound|80||x|y",
        ] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    #[test]
    fn addresses_are_no_service() {
        for text in ["outbound|80||10.0.0.1", "outbound|80||fd00::7"] {
            assert_eq!(
                UpstreamCluster::parse(text).and_then(|c| c.service()),
                None,
                "{text}"
            );
        }
    }
}
