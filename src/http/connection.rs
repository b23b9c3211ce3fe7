/*!
A connection that was made: requests go over it, in either version of HTTP.
*/

use super::{
    body::Body,
    endpoints::Channel,
    no_answer,
    proxy::HttpProxy,
    sniff::{FirstBytes, PeerProtocol},
};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A connection on which requests can be sent: over HTTP/2 several at once,
/// each through a handle of its own.
#[derive(Debug)]
pub(super) struct HttpConnection {
    http: RequestSender,
    /// The proxy at its end that sends requests on; None: there is none, or a tunnel.
    forwards: Option<HttpProxy>,
    seen: FirstBytes,
    /// Answers read on it so far, shared by all handles.
    answers: Arc<AtomicU64>,
}

/// Sends requests in one version of HTTP.
#[derive(Debug)]
pub(super) enum RequestSender {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

/// A request got no answer.
#[derive(Debug)]
pub(super) struct SendError {
    /// The cause.
    pub(crate) error: hyper::Error,
    /// Is true when the peer certainly did nothing about the request.
    pub(crate) untouched: bool,
}

impl From<hyper::Error> for SendError {
    fn from(error: hyper::Error) -> Self {
        let untouched = refused(&error);
        Self { error, untouched }
    }
}

impl HttpConnection {
    /// A connection that speaks HTTP/1.1, or HTTP/2, and whose peer's first bytes show in
    /// `seen`.
    pub(super) fn new(http: RequestSender, seen: FirstBytes) -> Self {
        Self {
            http,
            forwards: None,
            seen,
            answers: Arc::default(),
        }
    }

    /// The same, at whose end a proxy sends requests on.
    pub(super) fn forwarded_by(self, proxy: &HttpProxy) -> Self {
        Self {
            forwards: Some(proxy.clone()),
            ..self
        }
    }

    /// Sends a request for an absolute URL. The answer's body is still to be read.
    ///
    /// # Errors
    ///
    /// When none came.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, SendError> {
        let sent = match &mut self.http {
            RequestSender::Two(sender) => sender.try_send_request(request).await,
            RequestSender::One(sender) => {
                address_http1(&mut request, self.forwards.as_ref());
                if let Err(error) = sender.ready().await {
                    let untouched = true;
                    return Err(SendError { error, untouched });
                }
                sender.try_send_request(request).await
            }
        };
        sent.map_err(|mut error| {
            let back = error.take_message().is_some();
            let failure = SendError::from(error.into_error());
            let untouched = failure.untouched || back;
            SendError {
                untouched,
                ..failure
            }
        })
    }

    /// Counts an answer that was read to its end.
    pub(super) fn count_answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many answers came so far, to requests of all handles.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Returns what its peer speaks.
    pub(super) fn peer(&self) -> PeerProtocol {
        self.seen.get()
    }
}

impl Channel for HttpConnection {
    fn share(&self) -> Option<Self> {
        match &self.http {
            RequestSender::One(_) => None,
            RequestSender::Two(sender) => Some(Self {
                http: RequestSender::Two(sender.clone()),
                forwards: None,
                seen: self.seen.clone(),
                answers: Arc::clone(&self.answers),
            }),
        }
    }

    fn is_open(&self) -> bool {
        match &self.http {
            RequestSender::One(sender) => !sender.is_closed(),
            RequestSender::Two(sender) => !sender.is_closed(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.answers, &other.answers)
    }
}

/// Puts the host into a header, as HTTP/1.1 has it, and leaves the path alone of the URL
/// unless a proxy `forwards` the request by it.
fn address_http1(request: &mut Request<Body>, forwards: Option<&HttpProxy>) {
    let uri = request.uri();
    let host = match (uri.host(), uri.port_u16(), uri.scheme_str()) {
        (Some(host), None | Some(80), Some("http")) => host.to_owned(),
        (Some(host), None | Some(443), Some("https")) => host.to_owned(),
        (Some(host), Some(port), _) => format!("{host}:{port}"),
        _ => return,
    };
    let path = uri.path_and_query().cloned();
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::try_from(host) {
        headers.entry(header::HOST).or_insert(host);
    }
    if let Some(proxy) = forwards {
        if let Some(value) = &proxy.authorization {
            headers.insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        return;
    }
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
}

/// Returns true if an HTTP/2 peer said that it did nothing about the request:
/// its stream was refused, or came after the last one that a GOAWAY promised to
/// answer (RFC 9113, 8.7).
fn refused(error: &hyper::Error) -> bool {
    no_answer::find::<h2::Error>(error).is_some_and(|error| {
        let left = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (left || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::http::body::Payload;

    #[test]
    fn http1_requests_name_their_host_and_path() {
        for (url, host, path) in [
            (
                "http://jaeger:4318/v1/traces?x=1",
                "jaeger:4318",
                "/v1/traces?x=1",
            ),
            ("http://jaeger:80/", "jaeger", "/"),
            ("https://jaeger/v1/traces", "jaeger", "/v1/traces"),
            ("https://[::1]:4318/v1/traces", "[::1]:4318", "/v1/traces"),
        ] {
            let body = Payload::http(&[], crate::http::Compression::None)
                .unwrap()
                .body();
            let mut request = Request::post(url).body(body).unwrap();
            address_http1(&mut request, None);
            assert_eq!(request.headers()[header::HOST], host);
            assert_eq!(request.uri(), path);
        }
    }
}
