/*! How a connection to a URL's host is made: directly, over a unix socket, or through a
proxy. */

use super::{config::ClientSettings, protocol::ClientProtocol, proxy::HttpProxy, resolve::Target};
use crate::config::UnixAddress;

/// The way to one target.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// To the addresses of its name.
    Direct,
    /// Over a unix socket, whatever its name.
    Unix(UnixAddress),
    /// Through a tunnel of a proxy.
    Tunnel(HttpProxy),
    /// Through a proxy that reads the requests and sends them on.
    Forward(HttpProxy),
}

impl Route {
    /// The way of requests of `protocol` to `target`.
    pub(super) fn of(
        settings: &ClientSettings,
        target: &Target,
        protocol: ClientProtocol,
        is_encrypted: bool,
    ) -> Self {
        if let Some(address) = &settings.unix {
            return Self::Unix(address.clone());
        }
        let is_tunnelled = is_encrypted || protocol.is_http2();
        match (settings.proxies).of(&target.host, target.port, is_tunnelled) {
            None => Self::Direct,
            Some(proxy) if is_tunnelled => Self::Tunnel(proxy.clone()),
            Some(proxy) => Self::Forward(proxy.clone()),
        }
    }

    /// The proxy, if there is one.
    pub(super) fn proxy(&self) -> Option<&HttpProxy> {
        match self {
            Self::Direct | Self::Unix(_) => None,
            Self::Tunnel(proxy) | Self::Forward(proxy) => Some(proxy),
        }
    }

    /// What is connected to on the way to `target`.
    pub(super) fn first(&self, target: &Target) -> Target {
        match self {
            Self::Direct => target.clone(),
            Self::Unix(_) => Target::unresolved(),
            Self::Tunnel(proxy) | Self::Forward(proxy) => Target {
                host: proxy.host.clone(),
                port: proxy.port,
            },
        }
    }
}
