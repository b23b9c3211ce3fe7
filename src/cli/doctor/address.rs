/*!
Addresses of the cluster that lead nowhere from outside of it: which Service they mean, and how
to get there. Pure.
*/

use super::{
    check::Inconclusive,
    url::{UrlParts, parts},
};

/// What an address of the cluster says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InCluster<'a> {
    url: &'a str,
    /// Name and namespace of the Service.
    service: Option<(&'a str, &'a str)>,
    port: Option<u16>,
    path: &'a str,
}

/// Reads a URL of a Service: `http://NAME.NAMESPACE[.svc[.DOMAIN]][:PORT][/PATH]`.
pub(super) fn in_cluster(url: &str) -> InCluster<'_> {
    let UrlParts {
        authority, path, ..
    } = parts(url);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    };
    let mut labels = host.split('.');
    let names = labels.next().zip(labels.next());
    let is_service = labels.next().is_none_or(|label| label == "svc");
    let is_name = |name: &str| {
        let has_letter = name.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_label =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        has_letter && name.bytes().all(is_label)
    };
    let service =
        names.filter(|(name, namespace)| is_service && is_name(name) && is_name(namespace));
    InCluster {
        url,
        service,
        port,
        path: path.trim_end_matches('/'),
    }
}

/// A port that can be forwarded, and the option that takes it then.
pub(super) struct Way<'a> {
    pub(super) option: &'a str,
    pub(super) local: u16,
    pub(super) port: u16,
    pub(super) path: &'a str,
}

impl<'a> InCluster<'a> {
    /// Returns the way to the address itself.
    pub(super) fn way(&self, option: &'a str, local: u16) -> Way<'a> {
        Way {
            option,
            local,
            port: self.port.unwrap_or(80),
            path: self.path,
        }
    }

    /// Ends a check because the address is of no use here, and says which ports to forward and
    /// which options to give.
    pub(super) fn unreached(&self, ways: &[Way<'_>]) -> Inconclusive {
        let host = if self.service.is_some() {
            "localhost"
        } else {
            "HOST"
        };
        let options = ways.iter().map(|way| {
            let Way {
                option,
                local,
                path,
                ..
            } = way;
            format!("{option} http://{host}:{local}{path}")
        });
        let options = options.collect::<Vec<_>>().join(" ");
        let remedy = match self.service {
            Some((name, namespace)) => {
                let ports = ways.iter().map(|way| format!("{}:{}", way.local, way.port));
                let ports = ports.collect::<Vec<_>>().join(" ");
                format!(
                    "kubectl -n {namespace} port-forward service/{name} {ports}   # then wayspan doctor {options}"
                )
            }
            None => format!("Give {options}"),
        };
        Inconclusive::Unknown {
            why: match self.url {
                "" => "its address is not known".to_owned(),
                url => format!("{url} leads nowhere from here"),
            },
            remedy: Some(remedy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_urls() {
        for (url, service, port, path) in [
            (
                "http://jaeger.observability:16686/jaeger/",
                Some(("jaeger", "observability")),
                Some(16686),
                "/jaeger",
            ),
            (
                "http://tracing.istio-system.svc.cluster.local",
                Some(("tracing", "istio-system")),
                None,
                "",
            ),
            ("http://tempo.example.com:3200", None, Some(3200), ""),
            ("http://10.0.0.1:80", None, Some(80), ""),
            ("http://jaeger:16686", None, Some(16686), ""),
            ("http://[::1]:80", None, Some(80), ""),
            ("", None, None, ""),
            ("http://a'; rm.-x", None, None, ""),
        ] {
            let want = InCluster {
                url,
                service,
                port,
                path,
            };
            assert_eq!(in_cluster(url), want, "{url}");
        }
    }

    #[test]
    fn the_way_is_told() {
        let told = |url: &str| {
            let address = in_cluster(url);
            match address.unreached(&[address.way("--jaeger", 16686)]) {
                Inconclusive::Unknown { remedy, .. } => remedy.unwrap_or_default(),
                Inconclusive::NotApplicable => String::new(),
            }
        };
        assert_eq!(
            told("http://jaeger.observability/jaeger"),
            "kubectl -n observability port-forward service/jaeger 16686:80   # then wayspan doctor --jaeger http://localhost:16686/jaeger"
        );
        assert_eq!(told(""), "Give --jaeger http://HOST:16686");
    }
}
