/*!
The settings of a client, and the keys that all clients have.
*/

use crate::{
    auth::{self, ClientAuth},
    config::{Field, KeyReader, Pairs, Reading, Spot, UnixAddress, bare_variable},
    http::{Compression, Compressor, Proxies},
    tls::{self, ClientTls},
};
use std::fmt;

/// How to reach a server: the settings of a client.
#[derive(Clone, Default, PartialEq)]
pub struct ClientSettings {
    /// `http(s)://host:port`, perhaps with a path.
    pub url: String,
    /// TLS settings; None: plaintext.
    pub tls: Option<ClientTls>,
    /// `auth`; None: no credentials but what `headers` has.
    pub auth: Option<ClientAuth>,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// Compression of requests. Default none (in-cluster, gzip costs more than all else).
    pub compression: Compression,
    /// `compression_params.level`. Default 1, the fastest.
    pub compression_level: Option<u32>,
    /// How requests are spread over the addresses of the URL's host.
    pub balancer: Balancer,
    /// The unix socket to connect to, instead of the URL's host.
    pub unix: Option<UnixAddress>,
    /// The proxies that requests go through.
    pub proxies: Proxies,
}

impl ClientSettings {
    /// How requests are compressed.
    pub(crate) fn compressor(&self) -> Compressor {
        Compressor::new(self.compression, self.compression_level)
    }

    /// The settings for questions to the server at `url`, now and then: plain, and to the first
    /// address that can be reached.
    pub(crate) fn asking(url: impl Into<String>, tls: ClientTls) -> Self {
        Self {
            url: url.into(),
            tls: Some(tls),
            balancer: Balancer::PickFirst,
            ..Self::default()
        }
    }
}

/// `balancer_name`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balancer {
    /// All addresses, in turns.
    #[default]
    RoundRobin,
    /// The first that can be reached.
    PickFirst,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of headers may be secrets.
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Client")
            .field("url", &self.url)
            .field("tls", &self.tls)
            .field("auth", &self.auth)
            .field("headers", &headers)
            .field("compression", &self.compressor())
            .field("balancer", &self.balancer)
            .field("unix", &self.unix)
            .field("proxies", &self.proxies)
            .finish()
    }
}

/// The keys of a client beside its URL.
pub(crate) struct ClientKeys {
    /// `tls`.
    pub(crate) tls: tls::config::TlsClientKeys,
    auth: Option<ClientAuth>,
    headers: Field<Pairs>,
    compression: Compression,
    at: Option<Spot>,
}

/// Reads the keys that all clients have.
pub(crate) fn client(keys: &mut KeyReader<'_>) -> ClientKeys {
    ClientKeys {
        tls: tls::config::client(keys),
        auth: auth::config::client(keys),
        headers: keys.get("headers", "none", "sent with each request"),
        compression: keys
            .or(
                "compression",
                Compression::None,
                "of requests; the Collector's default is gzip, which in a cluster costs more than it saves",
            )
            .value,
        at: keys.spot(),
    }
}

impl ClientKeys {
    /// The settings of a client of `url`, through the proxies of the environment. None when
    /// there is no URL, or nothing uses the component.
    pub(crate) fn check(self, url: Option<String>, keys: &KeyReader<'_>) -> Option<ClientSettings> {
        let cx = keys.reading();
        let headers = headers(self.headers.value.unwrap_or_default(), cx);
        let url = url?;
        let is_encrypted = url.starts_with("https://");
        if is_encrypted && keys.is_used() {
            self.tls.check_files(self.at, cx);
        }
        if self.auth.is_some() && !is_encrypted {
            let message = "credentials are sent in plaintext: set tls, unless the mesh encrypts the connection";
            cx.warn(keys.spot_of("auth"), message);
        }
        Some(ClientSettings {
            url,
            tls: is_encrypted.then_some(self.tls.settings),
            auth: self.auth,
            headers,
            compression: self.compression,
            compression_level: None,
            balancer: Balancer::default(),
            unix: None,
            proxies: proxies(keys),
        })
    }
}

/// The proxies that the environment names. What is wrong with them is reported.
pub(crate) fn proxies(keys: &KeyReader<'_>) -> Proxies {
    if !keys.is_used() {
        return Proxies::default();
    }
    let cx = keys.reading();
    Proxies::from_environment(|name| cx.variable(name)).unwrap_or_else(|message| {
        cx.error(keys.spot(), &message);
        Proxies::default()
    })
}

/// The headers among `pairs`. What is none is reported.
pub(crate) fn headers(pairs: Pairs, cx: &Reading<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, value) in pairs.0 {
        let (spot, value) = (value.spot, value.value.unwrap_or_default());
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            cx.error_at_key(spot, "not a name that a header can have", "");
        } else if http::HeaderValue::from_str(&value).is_err() {
            // The value may be a secret: it is not shown.
            cx.error_at_key(spot, "the value has characters that no header can have", "");
        } else {
            headers.push((name.to_ascii_lowercase(), value));
        }
    }
    headers
}

/// A URL that the client will take.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("\"{text}\" is not a URL such as http://jaeger:4318: {why}");
    // Beyond the host a dollar sign may be meant, and what stands before an `@` is not shown.
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    if let Some(hint) = bare_variable(host).filter(|_| !host.contains('@')) {
        return Err(wrong(&hint));
    }
    let uri: http::Uri = text
        .parse()
        .map_err(|e: http::uri::InvalidUri| wrong(&e.to_string()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins with neither http:// nor https://"));
    }
    let authority = uri
        .authority()
        .ok_or_else(|| wrong("the host is missing"))?;
    if authority.host().is_empty() {
        return Err(wrong("the host is missing"));
    }
    if authority.as_str().contains('@') {
        return Err("put credentials into headers, not into the URL".to_owned());
    }
    if authority.as_str() != authority.host() && authority.port_u16().is_none() {
        return Err(wrong("the port is not a number up to 65535"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        assert!(url("http://jaeger:4318").is_ok());
        let bare = url("http://$HOST:4318").unwrap_err();
        assert!(bare.ends_with("for a variable write ${env:HOST}"), "{bare}");
        let secret = url("http://me:pa$$word@jaeger:4318").unwrap_err();
        assert!(!secret.contains("word"), "{secret}");
        assert!(url("https://[::1]:4318/x?y=z").is_ok());
        for bad in [
            "jaeger:4318",
            "http://",
            "http://j:x",
            "http://j:99999",
            "http://u:p@j",
            "//j",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_url_panics(text in "\\PC{0,30}|(http://|dns:///)?[\\[\\]a-z0-9:/@.]{0,20}") {
            let _ = url(&text);
        }
    }
}
