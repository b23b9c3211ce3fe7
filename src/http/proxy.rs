/*!
Proxies of HTTP that requests go through: which, and how.

A request for an `http://` URL is sent to the proxy as it is, with its whole URL. What is
encrypted, and what speaks gRPC, goes through a tunnel that the proxy is asked for
with CONNECT.

The variables of the environment mean what they mean to Go programs: `HTTPS_PROXY` and
`HTTP_PROXY` name the proxy by the URL's scheme, and of gRPC always the former; `NO_PROXY`
lists hosts that are reached without; the machine itself always is.
*/

use super::no_answer::NoAnswer;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::{fmt, net::IpAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest head of an answer to CONNECT.
const LONGEST_HEAD: usize = 16 << 10;

/// One proxy.
#[derive(Clone, PartialEq)]
pub struct HttpProxy {
    /// Name or address, IPv6 without brackets.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
    /// `Proxy-Authorization`, from the user in the URL.
    pub(super) authorization: Option<HeaderValue>,
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What else there is may be a secret.
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl HttpProxy {
    /// Takes `http://[user[:password]@]host[:port]`, or the same without the scheme.
    ///
    /// # Errors
    ///
    /// What is wrong with it. The URL is not shown, since it may have a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected http://HOST:PORT";
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if scheme != "http" {
            return Err(format!(
                "{EXPECTED}: wayspan does not speak {scheme} to a proxy"
            ));
        }
        let uri: Uri = format!("http://{rest}")
            .parse()
            .map_err(|error| format!("{EXPECTED}: {error}"))?;
        let authority = uri.authority().ok_or(EXPECTED)?.as_str();
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(EXPECTED)?;
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authorization: user.map(basic).transpose()?,
        })
    }

    /// Asks for a tunnel to `authority` on a connection to the proxy.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) async fn tunnel(
        &self,
        stream: &mut TcpStream,
        authority: &str,
    ) -> Result<(), NoAnswer> {
        let mut request =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        if let Some(value) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let broken = |error| {
            NoAnswer::passing(format!(
                "the proxy {self} ended the connection to {authority}: {error}"
            ))
        };
        stream.write_all(&request).await.map_err(broken)?;
        let head = read_head(stream).await.map_err(broken)?;
        match status(&head) {
            Some(200..=299) => Ok(()),
            Some(407) => Err(NoAnswer::misconfigured(format!(
                "the proxy {self} wants credentials: write http://USER:PASSWORD@{self}"
            ))),
            Some(status @ (400..=499)) => Err(NoAnswer::misconfigured(format!(
                "the proxy {self} does not let connections through to {authority} (HTTP {status}): \
                 permit it there, or name the host in NO_PROXY"
            ))),
            Some(status) => Err(NoAnswer::passing(format!(
                "the proxy {self} has no connection to {authority} (HTTP {status})"
            ))),
            None => Err(NoAnswer::misconfigured(format!(
                "{self} is no proxy of HTTP: it does not answer CONNECT"
            ))),
        }
    }
}

/// `Basic` credentials of a URL's `user:password`.
fn basic(user: &str) -> Result<HeaderValue, String> {
    let plain: Vec<u8> = percent_decode_str(user).collect();
    let plain = match plain.contains(&b':') {
        true => plain,
        false => [&plain[..], b":"].concat(),
    };
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(plain)))
        .map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads to the end of an answer's head, and nothing of what follows: in a tunnel that
/// is the other end's.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while head.len() < LONGEST_HEAD {
        let seen = stream.peek(&mut piece).await?;
        if seen == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let before = head.len();
        head.extend_from_slice(piece.get(..seen).unwrap_or_default());
        let end = head.windows(4).position(|window| window == b"\r\n\r\n");
        head.truncate(end.map_or(head.len(), |at| at + 4));
        let taken = head.len() - before;
        let taken = piece.get_mut(..taken).unwrap_or_default();
        stream.read_exact(taken).await?;
        if end.is_some() {
            break;
        }
    }
    Ok(head)
}

/// The status of an answer of HTTP/1; None: it is none.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?;
    let code = line.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

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

    #[test]
    fn urls_of_proxies() {
        let shown = |text: &str| HttpProxy::parse(text).map(|proxy| proxy.to_string());
        for (text, proxy) in [
            ("http://proxy.example:3128", "proxy.example:3128"),
            ("proxy:3128", "proxy:3128"),
            ("http://proxy", "proxy:80"),
            ("http://[::1]:3128/", "[::1]:3128"),
            ("http://user:secret@proxy:3128", "proxy:3128"),
        ] {
            assert_eq!(shown(text).unwrap(), proxy);
        }
        for bad in [
            "",
            "socks5://p:1",
            "https://p:1",
            "http://",
            "http://p:x",
            "a b",
        ] {
            assert!(shown(bad).is_err(), "{bad}");
        }
        let error = shown("https://user:secret@p:1").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_user_in_the_url_is_sent_as_credentials() {
        let header = |text: &str| HttpProxy::parse(text).unwrap().authorization;
        assert_eq!(header("http://p:1"), None);
        // "user:pass@word" and "user:".
        let value = header("http://user:pass%40word@p:1").unwrap();
        assert_eq!(value, "Basic dXNlcjpwYXNzQHdvcmQ=");
        assert!(value.is_sensitive());
        assert_eq!(header("http://user@p:1").unwrap(), "Basic dXNlcjo=");
        let shown = format!("{:?}", HttpProxy::parse("http://user:pass@p:1").unwrap());
        assert!(!shown.contains("pass"), "{shown}");
    }

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
