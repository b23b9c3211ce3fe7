/*!
Finding the addresses of a name.

A look-up may take seconds, so no request that has an address waits for one:
[`super::pool`] looks names up in a task of its own and uses what was known until
there is an answer. [`SystemResolver`] asks what the system asks (hosts file,
`resolv.conf`, search domains), on a thread for blocking work.
*/

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
};

/// Addresses to come, or the reason why there are none.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of a name.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// Returns all addresses of `host` with `port`, the preferred ones first.
    ///
    /// # Errors
    ///
    /// When there are none, or no server answers.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Where a URL points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Name or address, IPv6 without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

impl Target {
    /// Takes host and port of a URL; None for a scheme other than http and https.
    pub(super) fn of(uri: &http::Uri) -> Option<Self> {
        let host = uri.host().filter(|host| !host.is_empty())?;
        let port = match (uri.port_u16(), uri.scheme_str()?) {
            (Some(port), "http" | "https") => port,
            (None, "http") => 80,
            (None, "https") => 443,
            _ => return None,
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Some(Self { host, port })
    }

    /// A place that stands for one which has no address.
    pub(super) fn unresolved() -> Self {
        Self {
            host: Ipv4Addr::UNSPECIFIED.to_string(),
            port: 0,
        }
    }

    /// Returns the address where no name has to be resolved.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let host: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(host, self.port))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn target(url: &str) -> Option<Target> {
        Target::of(&url.parse().unwrap())
    }

    #[test]
    fn a_url_has_a_host_and_a_port() {
        for (url, text, literal) in [
            ("http://jaeger:4317/x", "jaeger:4317", false),
            ("http://jaeger", "jaeger:80", false),
            ("https://jaeger", "jaeger:443", false),
            ("http://[::1]:4317", "[::1]:4317", true),
            ("https://10.0.0.1", "10.0.0.1:443", true),
        ] {
            let target = target(url).unwrap();
            assert_eq!(target.to_string(), text);
            assert_eq!(target.address().is_some(), literal, "{url}");
        }
        for url in ["jaeger:4317", "ftp://jaeger:4317"] {
            assert_eq!(target(url), None, "{url}");
        }
    }

    #[tokio::test]
    async fn the_system_knows_this_machine_and_no_invalid_name() {
        let here = SystemResolver.resolve("localhost", 4317).await.unwrap();
        assert!(
            here.iter()
                .all(|at| at.ip().is_loopback() && at.port() == 4317)
        );
        assert!(!here.is_empty());
        assert!(
            SystemResolver
                .resolve("jaeger.invalid", 4317)
                .await
                .is_err()
        );
    }
}
