/*!
A proxy of HTTP, and how requests go through it.

A request for an `http://` URL is sent to the proxy as it is, with its whole URL. What is
encrypted, and what speaks gRPC, goes through a tunnel that the proxy is asked for
with CONNECT.
*/

use super::no_answer::NoAnswer;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::fmt;
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
        let place = authority.rsplit('@').next().unwrap_or_default();
        if place != host && uri.port_u16().is_none() {
            return Err(format!("{EXPECTED}: the port is not a number up to 65535"));
        }
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
}
