//! The smallest HTTP/1.1 client that the tests need.
//!
//! Idea: one request per connection on std sockets, so that a test reads top
//! to bottom and needs no runtime of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub struct WebReply {
    pub status: u16,
    pub body: String,
}

/// GET of `path` at 127.0.0.1:`port`.
pub fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> io::Result<WebReply> {
    get_within(Duration::from_secs(30), port, path, headers)
}

/// The same, where each read has so much time.
pub fn get_within(
    patience: Duration,
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<WebReply> {
    get_from(
        SocketAddr::from(([127, 0, 0, 1], port)),
        patience,
        path,
        headers,
    )
}

/// The same from any address.
pub fn get_from(
    to: SocketAddr,
    patience: Duration,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<WebReply> {
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let mut request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    parse(&raw).ok_or_else(|| io::Error::other("the answer is not HTTP, or not whole"))
}

/// Whether the health check on this port says yes.
pub fn is_healthy(port: u16) -> bool {
    get(port, "/", &[]).is_ok_and(|reply| reply.status == 200)
}

fn parse(raw: &[u8]) -> Option<WebReply> {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = &raw[end + 4..];
    let head = head.to_ascii_lowercase();
    let body = if head.contains("transfer-encoding: chunked") {
        dechunk(body)?
    } else {
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let whole = length.is_none_or(|length| length.parse() == Ok(body.len()));
        whole.then(|| body.to_vec())?
    };
    Some(WebReply {
        status,
        body: String::from_utf8(body).ok()?,
    })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let from = line + 2;
        body.extend_from_slice(rest.get(from..from + size)?);
        rest = rest.get(from + size + 2..)?;
    }
}
