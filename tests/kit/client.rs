//! A client that can say anything: raw gRPC over HTTP/2, raw HTTP/1.1.

use crate::{EXPORT, frames};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// What came back for a gRPC request.
#[derive(Debug)]
pub struct GrpcReply {
    pub http_status: u16,
    /// Headers and trailers.
    pub fields: HeaderMap,
    pub body: Bytes,
}

impl GrpcReply {
    pub fn grpc_status(&self) -> Option<u16> {
        self.fields.get("grpc-status")?.to_str().ok()?.parse().ok()
    }

    /// `grpc-message`, decoded.
    pub fn message(&self) -> String {
        let encoded = self
            .fields
            .get("grpc-message")
            .map_or(&b""[..], |value| value.as_bytes());
        percent_encoding::percent_decode(encoded)
            .decode_utf8()
            .unwrap()
            .into_owned()
    }
}

/// One connection over HTTP/2 without TLS.
#[derive(Clone)]
pub struct Grpc(http2::SendRequest<Full<Bytes>>);

impl Grpc {
    pub async fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await
    }

    /// The same over what is connected already.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::try_over(stream).await.unwrap()
    }

    /// The same, where the other side may have hung up.
    pub async fn try_over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> hyper::Result<Self> {
        let io = TokioIo::new(stream);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// A request with these headers over the usual ones; an empty value
    /// removes a header.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> GrpcReply {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// The same, where the connection may have come to its end.
    pub async fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> hyper::Result<GrpcReply> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            match *value {
                "" => drop(request.headers_mut().remove(name)),
                value => drop(request.headers_mut().insert(name, value.parse().unwrap())),
            }
        }
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?;
        let mut fields = parts.headers;
        if let Some(trailers) = body.trailers() {
            fields.extend(trailers.clone());
        }
        Ok(GrpcReply {
            http_status: parts.status.as_u16(),
            fields,
            body: body.to_bytes(),
        })
    }

    /// An Export call of `message`.
    pub async fn export(&mut self, message: &[u8]) -> GrpcReply {
        self.send("POST", EXPORT, &[], frames::grpc(0, message))
            .await
    }
}

/// What came back for an HTTP/1.1 request.
#[derive(Debug)]
pub struct HttpReply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl HttpReply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One HTTP/1.1 request on a connection of its own. `content-length` is added
/// unless given.
pub async fn http(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> HttpReply {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    http_over(stream, method, path, headers, body).await
}

/// The same over what is connected already.
pub async fn http_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> HttpReply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-length") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (mut read, mut write) = tokio::io::split(stream);
    let body = body.to_vec();
    // A server may answer and close before it has read all of a body that it
    // refuses, so writing goes on beside reading and may fail.
    let writer = tokio::spawn(async move {
        let _ = write.write_all(head.as_bytes()).await;
        let _ = write.write_all(&body).await;
        write
    });
    let mut raw = Vec::new();
    let _ = read.read_to_end(&mut raw).await;
    writer.abort();
    parse(&raw)
}

fn parse(raw: &[u8]) -> HttpReply {
    let end = raw
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no HTTP answer: {:?}", String::from_utf8_lossy(raw)));
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    HttpReply {
        status,
        headers,
        body: raw[end + 4..].to_vec(),
    }
}
