/*!
The HTTP client for one host.

A request goes to one of the target's addresses ([`pool`](super::pool)). One
that gets no answer there, or one that says "not now", goes to the next address
at once; only when all have failed does the caller hear of it. A connection that
ends under a request says little about the backend, which may be restarting or
letting its connections age: the request is sent again at once, on another
connection, a few times at most.
*/

use super::{
    body::{Body, Payload},
    connect::Connector,
    connection::{HttpConnection, SendError},
    no_answer::NoAnswer,
    pool::{Checkout, ConnectOptions, Pool},
    protocol::ClientProtocol,
    resolve::Target,
    route::Route,
};
use crate::{auth, telemetry::Count};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{fmt, net::SocketAddr, time::Duration};
use tokio::time::timeout;

/// The most that is read of an answer to a post; the rest is drained. An answer
/// is a few dozen bytes or an error message.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How often a request whose connection ended is sent again at once.
const RESENDS: u32 = 3;

/// A client for the host of one URL.
pub(crate) struct HttpClient {
    pool: Pool,
    timeout: Duration,
    headers: HeaderMap,
    auth: Option<auth::RequestCredentials>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials.
        f.debug_struct("HttpClient")
            .field("authority", &self.authority())
            .finish_non_exhaustive()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    /// Status and headers.
    pub(crate) head: http::response::Parts,
    /// The body, cut at a bound.
    pub(crate) body: Bytes,
    /// Trailers, where there were any.
    pub(crate) trailers: Option<HeaderMap>,
}

/// Why a request got no answer at one address.
struct Unanswered {
    why: NoAnswer,
    /// The connection ended, which says little about the address.
    ended: bool,
}

impl HttpClient {
    /// A client for the host of `uri`, with the settings' TLS and, on top of
    /// `headers`, the settings' headers.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub(crate) fn build(
        uri: &Uri,
        settings: &crate::http::ClientSettings,
        protocol: ClientProtocol,
        mut headers: HeaderMap,
        options: ConnectOptions,
    ) -> Result<Self, String> {
        let target = Target::of(uri).ok_or_else(|| {
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
        let default = crate::tls::ClientTls::default();
        let tls = encrypted.then(|| settings.tls.as_ref().unwrap_or(&default));
        let route = Route::of(settings, &target, protocol, encrypted);
        let first = route.first(&target);
        let connector = Connector::build(&target, route, tls, protocol, options.timeout)?;
        let auth = settings.auth.as_ref();
        let auth = auth
            .map(|auth| auth::RequestCredentials::build(format!("credentials for {target}"), auth))
            .transpose()?;
        Ok(Self {
            timeout: options.timeout,
            pool: Pool::new(first, connector, settings.balancer, options),
            headers,
            auth,
        })
    }

    /// `host:port`.
    pub(crate) fn authority(&self) -> &str {
        self.pool.connector().authority()
    }

    /// Posts `payload` to `uri`, a URL of this client's host, until `judge`
    /// accepts an answer or all addresses have failed. An answer for which
    /// `judge` returns an error is asked for at another address. Each time but
    /// the first is counted in `resent`.
    ///
    /// # Errors
    ///
    /// What the last address came to.
    pub(crate) async fn post<T, E: From<NoAnswer>>(
        &self,
        uri: &Uri,
        payload: &Payload,
        resent: &Count,
        judge: impl Fn(&HttpAnswer) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut request = Request::new(payload.body());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let judge = |answer: HttpAnswer| judge(&answer);
        self.exchange(request, ANSWER_LIMIT, resent, judge).await
    }

    /// Sends `request`, with this client's headers over its own, and reads at
    /// most `limit` bytes of the answer.
    ///
    /// # Errors
    ///
    /// Why no whole answer came.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        limit: usize,
    ) -> Result<HttpAnswer, NoAnswer> {
        self.exchange(request, limit, &Count::default(), Ok).await
    }

    /// Asks one address after the other. An answer for which `judge` has an
    /// error is asked for elsewhere.
    async fn exchange<T, E: From<NoAnswer>>(
        &self,
        mut request: Request<Body>,
        limit: usize,
        resent: &Count,
        judge: impl Fn(HttpAnswer) -> Result<T, E>,
    ) -> Result<T, E> {
        match request.headers().is_empty() {
            true => *request.headers_mut() = self.headers.clone(),
            false => request.headers_mut().extend(self.headers.clone()),
        }
        if let Some(auth) = &self.auth {
            let (name, value) = auth.header();
            request.headers_mut().insert(name, value);
        }
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut last = None;
        let mut ended = 0;
        loop {
            let mut checkout = match self.pool.take(&tried).await {
                Ok(checkout) => checkout,
                // What an address said weighs more than that there is no other.
                Err(no_answer) => return Err(last.unwrap_or_else(|| no_answer.into())),
            };
            if ended > 0 || !tried.is_empty() {
                resent.add(1);
            }
            let error = match self.attempt(&mut checkout, &request, limit).await {
                Ok(answer) => {
                    let judged = judge(answer);
                    checkout.answered(judged.is_ok());
                    match judged {
                        Ok(done) => return Ok(done),
                        Err(error) => error,
                    }
                }
                Err(unanswered) if unanswered.ended && ended < RESENDS => {
                    ended += 1;
                    continue;
                }
                Err(unanswered) => {
                    if unanswered.ended {
                        checkout.failed();
                    }
                    unanswered.why.into()
                }
            };
            tried.push(checkout.address);
            last = Some(error);
        }
    }

    async fn attempt(
        &self,
        checkout: &mut Checkout,
        request: &Request<Body>,
        limit: usize,
    ) -> Result<HttpAnswer, Unanswered> {
        let failed = |why| Unanswered { why, ended: false };
        let connection = checkout.connection().await.map_err(failed)?;
        let answers = connection.answers();
        let asked = timeout(self.timeout, ask(connection, request.clone(), limit)).await;
        let error = match asked {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => {
                // A connection on which others are answered is not to blame.
                if !checkout.is_alive(answers) {
                    checkout.lost();
                    checkout.failed();
                }
                return Err(failed(NoAnswer::passing(format!(
                    "no answer from {} within {:?}",
                    self.authority(),
                    self.timeout
                ))));
            }
        };
        let peer = connection.peer();
        let why = self.pool.connector().diagnose(&error.error, peer);
        checkout.lost();
        let ended = error.untouched || answers > 0;
        if !ended {
            checkout.failed();
        }
        Err(Unanswered { why, ended })
    }
}

/// Sends a request and reads its answer.
async fn ask(
    connection: &mut HttpConnection,
    request: Request<Body>,
    limit: usize,
) -> Result<HttpAnswer, SendError> {
    let response = connection.send(request).await?;
    Ok(read(response, limit).await?)
}

async fn read(response: Response<Incoming>, limit: usize) -> Result<HttpAnswer, hyper::Error> {
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
    Ok(HttpAnswer {
        head,
        body: body.freeze(),
        trailers,
    })
}
