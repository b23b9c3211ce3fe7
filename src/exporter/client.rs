/*!
The HTTP client under both OTLP exporters, and of what else asks over HTTP.

hyper's pooled client over rustls or plaintext. gRPC speaks HTTP/2 only; OTLP
over HTTP speaks what TLS negotiates, HTTP/1.1 in plaintext. A peer that has
vanished without a word is noticed by TCP's user timeout and by HTTP/2 pings
while requests are open; there are none on an idle connection, which grpc-go's
servers would punish.
*/

use super::{
    body::{Body, Payload},
    outcome::Outcome,
    sniff::{Seen, Sniffing},
    trouble,
};
use crate::{auth, config, tls};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_service::Service;

/// Ping while requests are open and nothing arrives for this long.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Close when a ping is not answered for this long.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Close when sent bytes are not acknowledged for this long.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Longest wait for a TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Keep an unused connection this long. Below the idle timeouts that proxies
/// and servers usually have, so that the closing is rarely theirs.
const IDLE: Duration = Duration::from_secs(50);
/// As much of an answer as is read; the rest is drained. An answer is a few
/// dozen bytes or an error message.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What is spoken over the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
    /// HTTP, of whatever is served there.
    Web,
}

/// A client for one URL.
pub struct HttpClient {
    client: Client<Sniffing<Current>, Body>,
    seen: Seen,
    protocol: Protocol,
    uri: Uri,
    authority: String,
    headers: HeaderMap,
    auth: Option<auth::Client>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials.
        f.debug_struct("HttpClient")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The body, cut at a bound.
    pub body: Bytes,
    /// Trailers, where there were any.
    pub trailers: Option<HeaderMap>,
}

impl HttpClient {
    /// A client that posts to `uri` with the settings' TLS and, on top of
    /// `headers`, the settings' headers. `timeout` is that of a whole attempt.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub fn build(
        uri: Uri,
        settings: &config::Client,
        protocol: Protocol,
        mut headers: HeaderMap,
        timeout: Duration,
    ) -> Result<Self, String> {
        let authority = authority(&uri).ok_or_else(|| {
            format!("endpoint {uri:?}: expected http(s)://host:port, as in http://jaeger:4317")
        })?;
        let agent = concat!("wayspan/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in &settings.headers {
            let parsed = HeaderName::try_from(name)
                .map_err(|_| format!("headers: {name:?} is not a header name"))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| format!("headers: the value of {name:?} is not a header value"))?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }

        let encrypted = uri.scheme_str() == Some("https");
        let default = config::ClientTls::default();
        let tls = encrypted.then(|| settings.tls.as_ref().unwrap_or(&default));
        let name = tls
            .and_then(|tls| tls.server_name_override.as_deref())
            .map(tls::server_name)
            .transpose()?;
        let what = format!("TLS to {authority}");
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        // Before the attempt as a whole times out, so that the error can say
        // that there was no connection.
        http.set_connect_timeout(Some((timeout / 5 * 4).min(CONNECT)));
        http.set_keepalive(Some(KEEPALIVE));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        http.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let connector = tls::Client::build(what, tls, move |config| {
            let mut connector = HttpsConnectorBuilder::new()
                .with_tls_config(config)
                .https_or_http();
            if let Some(name) = &name {
                let name = FixedServerNameResolver::new(name.clone());
                connector = connector.with_server_name_resolver(name);
            }
            let http = http.clone();
            match protocol {
                Protocol::Grpc => connector.enable_http2().wrap_connector(http),
                Protocol::Http | Protocol::Web => {
                    connector.enable_all_versions().wrap_connector(http)
                }
            }
        })?;
        let auth = settings.auth.as_ref();
        let auth = auth
            .map(|auth| auth::Client::build(format!("credentials for {authority}"), auth))
            .transpose()?;

        let seen = Seen::default();
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_only(protocol == Protocol::Grpc)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .build(Sniffing::new(Current(Arc::new(connector)), seen.clone()));
        Ok(Self {
            client,
            seen,
            protocol,
            uri,
            authority,
            headers,
            auth,
        })
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Posts `payload` once and reads the answer.
    ///
    /// # Errors
    ///
    /// When no whole answer came, as the [`Outcome`] that this is.
    pub async fn post(&self, payload: &Payload) -> Result<Answer, Outcome> {
        let request = Request::post(self.uri.clone())
            .body(payload.body())
            .map_err(|error| Outcome::Permanent {
                cause: error.to_string(),
            })?;
        self.send(request, ANSWER_LIMIT).await
    }

    /// Sends `request`, with this client's headers over its own, and reads at
    /// most `limit` bytes of the answer.
    ///
    /// # Errors
    ///
    /// As [`Self::post`].
    pub async fn send(&self, mut request: Request<Body>, limit: usize) -> Result<Answer, Outcome> {
        match request.headers().is_empty() {
            true => *request.headers_mut() = self.headers.clone(),
            false => request.headers_mut().extend(self.headers.clone()),
        }
        if let Some(auth) = &self.auth {
            let (name, value) = auth.header();
            request.headers_mut().insert(name, value);
        }
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| self.trouble(&error))?;
        read(response, limit)
            .await
            .map_err(|error| self.trouble(&error))
    }

    fn trouble(&self, error: &(dyn std::error::Error + 'static)) -> Outcome {
        let place = trouble::Place {
            authority: &self.authority,
            protocol: self.protocol,
            tls: self.uri.scheme_str() == Some("https"),
        };
        trouble::outcome(error, self.seen.get(), place)
    }
}

/// Connects with what the settings' files hold at that moment.
#[derive(Clone, Debug)]
struct Current(Arc<tls::Client<HttpsConnector<HttpConnector>>>);

impl Service<Uri> for Current {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<HttpConnector> as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Connectors are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let mut connector = HttpsConnector::clone(&self.0.for_connection());
        Box::pin(connector.call(uri))
    }
}

async fn read(response: Response<Incoming>, limit: usize) -> Result<Answer, hyper::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                let room = limit.saturating_sub(body.len()).min(data.len());
                body.extend_from_slice(data.get(..room).unwrap_or_default());
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Answer {
        head,
        body: body.freeze(),
        trailers,
    })
}

/// `host:port` of a URL with a scheme that this client speaks.
fn authority(uri: &Uri) -> Option<String> {
    let host = uri.host().filter(|host| !host.is_empty())?;
    let port = match (uri.port_u16(), uri.scheme_str()?) {
        (Some(port), "http" | "https") => port,
        (None, "http") => 80,
        (None, "https") => 443,
        _ => return None,
    };
    Some(format!("{host}:{port}"))
}
