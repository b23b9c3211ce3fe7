//! The sender's side of a connection: OTLP over h2 itself, or over HTTP/1.1.

use crate::{
    Protocol, Signal,
    frames::PREFIX,
    wire::{Fields, Value, inside},
};
use anyhow::Context;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, rc::Rc};
use tokio::net::TcpStream;

/// What became of a request.
pub enum Answer {
    /// Taken, but for so many items.
    Taken {
        /// `partial_success.rejected_spans` and the like
        rejected: u64,
    },
    /// Not taken.
    Refused {
        /// The status and what was said.
        why: String,
        /// Whether it was said when to try again (`RetryInfo`, `Retry-After`).
        again: bool,
    },
}

/// A connection, or one more handle to it.
pub struct Link {
    sender: Sender,
    uri: Uri,
    headers: HeaderMap,
}

enum Sender {
    Grpc(Rc<Shared>),
    Http(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
}

/// An HTTP/2 connection that several handles use, made again when the receiver
/// has sent it away (GOAWAY), as Envoy does.
struct Shared {
    to: SocketAddr,
    sender: tokio::sync::Mutex<h2::client::SendRequest<Bytes>>,
}

impl Shared {
    async fn connect(to: SocketAddr) -> anyhow::Result<h2::client::SendRequest<Bytes>> {
        let mut builder = h2::client::Builder::new();
        builder.max_send_buffer_size(8 << 20);
        let (sender, connection) = builder.handshake(dial(to).await?).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    /// A handle that may send now.
    async fn ready(&self) -> anyhow::Result<h2::client::SendRequest<Bytes>> {
        let mut sender = self.sender.lock().await;
        if let Ok(ready) = sender.clone().ready().await {
            return Ok(ready);
        }
        *sender = Self::connect(self.to).await?;
        Ok(sender.clone().ready().await?)
    }
}

async fn dial(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(to).await;
    let stream = stream.with_context(|| format!("cannot connect to {to}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Link {
    /// Connects; `in_flight` handles share the connection. HTTP/1.1 has one
    /// request at a time, and so one handle.
    pub async fn connect(
        to: SocketAddr,
        signal: Signal,
        protocol: Protocol,
        gzip: bool,
        in_flight: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let mut headers = HeaderMap::new();
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        match protocol {
            Protocol::Grpc => {
                set(header::CONTENT_TYPE, "application/grpc");
                set(header::TE, "trailers");
            }
            Protocol::Http => {
                set(header::CONTENT_TYPE, "application/x-protobuf");
            }
        }
        match (gzip, protocol) {
            (true, Protocol::Grpc) => drop(set(
                header::HeaderName::from_static("grpc-encoding"),
                "gzip",
            )),
            (true, Protocol::Http) => drop(set(header::CONTENT_ENCODING, "gzip")),
            (false, _) => {}
        }
        let senders: Vec<Sender> = match protocol {
            Protocol::Grpc => {
                let sender = tokio::sync::Mutex::new(Shared::connect(to).await?);
                let shared = Rc::new(Shared { to, sender });
                (0..in_flight)
                    .map(|_| Sender::Grpc(Rc::clone(&shared)))
                    .collect()
            }
            Protocol::Http => {
                headers.insert(header::HOST, HeaderValue::try_from(to.to_string())?);
                let (sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(dial(to).await?)).await?;
                tokio::task::spawn_local(connection);
                vec![Sender::Http(sender)]
            }
        };
        let path = protocol.path(signal);
        let uri = match protocol {
            Protocol::Grpc => Uri::try_from(format!("http://{to}{path}"))?,
            Protocol::Http => Uri::from_static(path),
        };
        let link = |sender| Self {
            sender,
            uri: uri.clone(),
            headers: headers.clone(),
        };
        Ok(senders.into_iter().map(link).collect())
    }

    /// Adds a header to all its requests.
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::try_from(value).expect("a header's value");
        self.headers.insert(name, value);
        self
    }

    /// Posts a request, framed for gRPC, and reads the answer.
    pub async fn post(&mut self, frame: Bytes) -> anyhow::Result<Answer> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.headers.clone();
        *request.uri_mut() = self.uri.clone();
        match &mut self.sender {
            Sender::Grpc(sender) => {
                *request.version_mut() = Version::HTTP_2;
                grpc(sender.ready().await?, request, frame).await
            }
            Sender::Http(sender) => {
                let request = request.map(|()| Full::new(frame.slice(PREFIX..)));
                sender.ready().await?;
                let (head, body) = sender.send_request(request).await?.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok(match head.status {
                    StatusCode::OK => taken(&body),
                    status => Answer::Refused {
                        why: format!("{status} {}", String::from_utf8_lossy(&body)),
                        again: head.headers.contains_key(header::RETRY_AFTER),
                    },
                })
            }
        }
    }
}

async fn grpc(
    mut ready: h2::client::SendRequest<Bytes>,
    request: Request<()>,
    frame: Bytes,
) -> anyhow::Result<Answer> {
    let (response, mut stream) = ready.send_request(request, false)?;
    stream.send_data(frame, true)?;
    let (head, mut incoming) = response.await?.into_parts();
    let mut body = BytesMut::new();
    while let Some(data) = incoming.data().await {
        let data = data?;
        incoming.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let trailers = incoming.trailers().await?;
    // An answer without a message has its status among the headers.
    let last = trailers.as_ref().unwrap_or(&head.headers);
    let field = |name| last.get(name).and_then(|value| value.to_str().ok());
    Ok(match field("grpc-status") {
        Some("0") => taken(body.get(PREFIX..).unwrap_or_default()),
        status => Answer::Refused {
            why: format!("{status:?} {:?}", field("grpc-message")),
            again: last.contains_key("grpc-status-details-bin"),
        },
    })
}

/// Reads the answer to a request that was taken; all signals have the number of
/// rejected items in the same place.
fn taken(response: &[u8]) -> Answer {
    let partial = inside(response, 1).next().unwrap_or_default();
    let rejected = Fields::new(partial).find_map(|field| match field.value {
        Value::Varint(count) if field.number == 1 => Some(count),
        _ => None,
    });
    Answer::Taken {
        rejected: rejected.unwrap_or_default(),
    }
}
