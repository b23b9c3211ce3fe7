/*!
Which proxy the requests of a client go through, by where they go.

The variables of the environment mean what they mean to Go programs: `HTTPS_PROXY` and
`HTTP_PROXY` name the proxy by the URL's scheme, and of gRPC always the former; `NO_PROXY`
lists hosts that are reached without; the machine itself always is.
*/

use super::proxy::HttpProxy;
use std::net::IpAddr;

/// The proxies of a client, by where its requests go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proxies {
    /// Of `http://` URLs.
    plain: Option<HttpProxy>,
    /// Of `https://` URLs and of gRPC.
    encrypted: Option<HttpProxy>,
    /// What is reached without.
    without: Vec<Exception>,
    /// Whether the machine itself is.
    spares_loopback: bool,
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq)]
enum Exception {
    All,
    /// Addresses that have these first bits in common.
    Network(IpAddr, u8),
    /// An address, at a port or at any.
    Address(IpAddr, Option<u16>),
    /// A domain that begins with a dot, and `is_host`: the host of that name too.
    Domain {
        suffix: String,
        is_host: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// One proxy for whatever is sent: `proxy_url`.
    pub(crate) fn all(proxy: HttpProxy) -> Self {
        Self {
            plain: Some(proxy.clone()),
            encrypted: Some(proxy),
            ..Self::default()
        }
    }

    /// Those that the environment names.
    ///
    /// # Errors
    ///
    /// Which variable is wrong, and why.
    pub(crate) fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let any = |name: &str| {
            let lower = name.to_lowercase();
            let values = [name, &lower].into_iter().filter_map(&variable);
            values
                .map(|value| value.trim().to_owned())
                .find(|value| !value.is_empty())
        };
        let proxy = |name: &str| {
            let parsed = any(name).map(|text| HttpProxy::parse(&text)).transpose();
            parsed.map_err(|message| format!("{name}: {message}"))
        };
        let without = any("NO_PROXY").unwrap_or_default();
        Ok(Self {
            plain: proxy("HTTP_PROXY")?,
            encrypted: proxy("HTTPS_PROXY")?,
            without: without.split(',').filter_map(Exception::parse).collect(),
            spares_loopback: true,
        })
    }

    /// The proxy for requests to `host` (IPv6 without brackets) at `port`. `is_tunnelled`:
    /// they are encrypted, or gRPC.
    pub(super) fn of(&self, host: &str, port: u16, is_tunnelled: bool) -> Option<&HttpProxy> {
        let proxy = match is_tunnelled {
            true => &self.encrypted,
            false => &self.plain,
        };
        let proxy = proxy.as_ref()?;
        let host = host.to_ascii_lowercase();
        let ip: Option<IpAddr> = host.parse().ok();
        let is_here = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        let is_spared = (self.spares_loopback && is_here)
            || self
                .without
                .iter()
                .any(|entry| entry.takes(&host, ip, port));
        (!is_spared).then_some(proxy)
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
            return Some(Self::Network(address, bits));
        }
        if let Ok(address) = entry.parse() {
            return Some(Self::Address(address, None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (&*entry, None),
        };
        let host = host.trim_matches(['[', ']']);
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address, port));
        }
        let host = match host.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') => domain,
            _ => host,
        };
        let is_host = !host.starts_with('.');
        let suffix = if is_host {
            format!(".{host}")
        } else {
            host.to_owned()
        };
        (suffix.len() > 1).then_some(Self::Domain {
            suffix,
            is_host,
            port,
        })
    }

    fn takes(&self, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
        let at = |own: &Option<u16>| own.is_none_or(|own| own == port);
        match self {
            Self::All => true,
            Self::Network(network, bits) => ip.is_some_and(|ip| is_within(ip, *network, *bits)),
            Self::Address(address, own) => ip == Some(*address) && at(own),
            Self::Domain {
                suffix,
                is_host,
                port: own,
            } => {
                let is_it = *is_host && suffix.get(1..) == Some(host);
                (is_it || host.ends_with(suffix)) && at(own)
            }
        }
    }
}

/// Returns true if both addresses are of one family and have the first bits in common.
fn is_within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let differing = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => (ip.to_bits() ^ network.to_bits()).leading_zeros(),
        (IpAddr::V6(ip), IpAddr::V6(network)) => (ip.to_bits() ^ network.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Proxies {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Proxies::from_environment(find).unwrap()
    }

    #[test]
    fn the_scheme_chooses_the_variable() {
        let proxies = environment(&[("HTTP_PROXY", "plain:1"), ("https_proxy", "tls:2")]);
        let of = |is_tunnelled| {
            proxies
                .of("jaeger", 4318, is_tunnelled)
                .unwrap()
                .to_string()
        };
        assert_eq!(of(false), "plain:1");
        assert_eq!(of(true), "tls:2");
        assert_eq!(environment(&[]).of("jaeger", 1, true), None);
        let wrong = |_: &str| Some("socks5://p:1".to_owned());
        assert!(
            Proxies::from_environment(wrong)
                .unwrap_err()
                .contains("HTTP_PROXY")
        );
    }

    /// The cases of Go's `httpproxy` for `NO_PROXY`.
    #[test]
    fn hosts_that_are_reached_without() {
        let list = "foobar.com, .barbaz.net, *.wild.org,192.168.1.1,192.168.1.2:81,192.168.1.3:80,\
                    10.0.0.0/30, 2001:db8::52:0:1, [2001:db8::52:0:2]:443, ported.com:8080,, :1";
        let proxies = environment(&[("HTTP_PROXY", "p:1"), ("NO_PROXY", list)]);
        for (host, port, goes_through) in [
            ("localhost", 80, false),
            ("127.0.0.1", 80, false),
            ("127.0.0.2", 80, false),
            ("::1", 80, false),
            ("::2", 80, true),
            ("192.168.1.1", 80, false),
            ("192.168.1.2", 80, true),
            ("192.168.1.2", 81, false),
            ("192.168.1.3", 80, false),
            ("192.168.1.4", 80, true),
            ("10.0.0.2", 80, false),
            ("10.0.0.4", 80, true),
            ("2001:db8::52:0:1", 80, false),
            ("2001:db8::52:0:2", 443, false),
            ("2001:db8::52:0:2", 80, true),
            ("www.barbaz.net", 80, false),
            ("barbaz.net", 80, true),
            ("a.wild.org", 80, false),
            ("wild.org", 80, true),
            ("foobar.com", 80, false),
            ("WWW.FooBar.com", 80, false),
            ("foofoobar.com", 80, true),
            ("ported.com", 8080, false),
            ("ported.com", 80, true),
            ("example.com", 80, true),
        ] {
            assert_eq!(
                proxies.of(host, port, false).is_some(),
                goes_through,
                "{host}:{port}"
            );
        }
        let all = environment(&[("HTTP_PROXY", "p:1"), ("NO_PROXY", "*")]);
        assert_eq!(all.of("example.com", 80, false), None);
        let fixed = Proxies::all(HttpProxy::parse("p:1").unwrap());
        assert!(fixed.of("localhost", 80, false).is_some());
    }
}
