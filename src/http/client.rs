/*!
The HTTP client under both OTLP exporters, and of what else asks over HTTP.

A request goes to one of the target's addresses ([`pool`](super::pool)). One
that gets no answer there, or one that says "not now", goes to the next address
at once; only when all have failed does the caller hear of it. A connection that
ends under a request says little about the backend, which may be restarting or
letting its connections age: the request is sent again at once, on another
connection, a few times at most.
*/

use super::{
    body::{Body, Payload},
    connect::{Connection, Connector, Failure},
    pool::{Place, Pool},
    resolve::Target,
};
pub use super::{connect::Protocol, pool::Reach};
use crate::{auth, config, exporter::outcome::Outcome, telemetry::Count};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{fmt, net::SocketAddr, time::Duration};
use tokio::time::timeout;

/// As much of an answer as is read; the rest is drained. An answer is a few
/// dozen bytes or an error message.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How often a request whose connection ended is sent again at once.
const RESENDS: u32 = 3;

/// A client for one URL.
pub struct HttpClient {
    pool: Pool,
    timeout: Duration,
    uri: Uri,
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

/// What became of a request at one address.
enum Attempt {
    Answered(Answer),
    /// Its connection ended, which says little about the address.
    Ended(Outcome),
    Failed(Outcome),
}

impl HttpClient {
    /// A client that posts to `uri` with the settings' TLS and, on top of
    /// `headers`, the settings' headers.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub fn build(
        uri: Uri,
        settings: &config::Client,
        protocol: Protocol,
        mut headers: HeaderMap,
        reach: Reach,
    ) -> Result<Self, String> {
        let target = Target::of(&uri).ok_or_else(|| {
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
        let connector = Connector::build(&target, tls, protocol, reach.timeout)?;
        let auth = settings.auth.as_ref();
        let auth = auth
            .map(|auth| auth::Client::build(format!("credentials for {target}"), auth))
            .transpose()?;
        Ok(Self {
            timeout: reach.timeout,
            pool: Pool::new(target, connector, reach),
            uri,
            headers,
            auth,
        })
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        self.pool.connector().authority()
    }

    /// Posts `payload` until an address has taken it or all have failed; each
    /// time but the first is counted in `resent`. `judge` says what an answer
    /// means.
    pub async fn post(
        &self,
        payload: &Payload,
        resent: &Count,
        judge: impl Fn(&Answer) -> Outcome,
    ) -> Outcome {
        let request = match Request::post(self.uri.clone()).body(payload.body()) {
            Ok(request) => request,
            Err(error) => {
                return Outcome::Permanent {
                    cause: error.to_string(),
                };
            }
        };
        let judge = |answer| match judge(&answer) {
            outcome if outcome.passes_elsewhere() => Err(outcome),
            outcome => Ok(outcome),
        };
        let result = self.exchange(request, ANSWER_LIMIT, resent, judge).await;
        result.unwrap_or_else(|outcome| outcome)
    }

    /// Sends `request`, with this client's headers over its own, and reads at
    /// most `limit` bytes of the answer.
    ///
    /// # Errors
    ///
    /// When no whole answer came, as the [`Outcome`] that this is.
    pub async fn send(&self, request: Request<Body>, limit: usize) -> Result<Answer, Outcome> {
        self.exchange(request, limit, &Count::default(), Ok).await
    }

    /// Asks one address after the other. An answer for which `judge` has an
    /// error is asked for elsewhere.
    async fn exchange<T>(
        &self,
        mut request: Request<Body>,
        limit: usize,
        resent: &Count,
        judge: impl Fn(Answer) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
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
            let mut place = match self.pool.take(&tried).await {
                Ok(place) => place,
                // What an address said weighs more than that there is no other.
                Err(outcome) => return Err(last.unwrap_or(outcome)),
            };
            if ended > 0 || !tried.is_empty() {
                resent.add(1);
            }
            let outcome = match self.attempt(&mut place, &request, limit).await {
                Attempt::Answered(answer) => {
                    let judged = judge(answer);
                    place.answered(judged.is_ok());
                    match judged {
                        Ok(done) => return Ok(done),
                        Err(outcome) => outcome,
                    }
                }
                Attempt::Ended(_) if ended < RESENDS => {
                    ended += 1;
                    continue;
                }
                Attempt::Ended(outcome) => {
                    place.failed();
                    outcome
                }
                Attempt::Failed(outcome) => outcome,
            };
            tried.push(place.address);
            last = Some(outcome);
        }
    }

    async fn attempt(&self, place: &mut Place, request: &Request<Body>, limit: usize) -> Attempt {
        let connection = match place.connection().await {
            Ok(connection) => connection,
            Err(outcome) => return Attempt::Failed(outcome),
        };
        let answers = connection.answers();
        let asked = timeout(self.timeout, ask(connection, request.clone(), limit)).await;
        let failure = match asked {
            Ok(Ok(answer)) => return Attempt::Answered(answer),
            Ok(Err(failure)) => failure,
            Err(_) => {
                // A connection on which others are answered is not to blame.
                if !place.is_alive(answers) {
                    place.lost();
                    place.failed();
                }
                return Attempt::Failed(Outcome::retry(format!(
                    "no answer from {} within {:?}",
                    self.authority(),
                    self.timeout
                )));
            }
        };
        let connector = self.pool.connector();
        let outcome = connector.trouble(&failure.error, connection.speaks());
        place.lost();
        if failure.untouched || answers > 0 {
            return Attempt::Ended(outcome);
        }
        place.failed();
        Attempt::Failed(outcome)
    }
}

/// Sends a request and reads its answer.
async fn ask(
    connection: &mut Connection,
    request: Request<Body>,
    limit: usize,
) -> Result<Answer, Failure> {
    let response = connection.send(request).await?;
    Ok(read(response, limit).await?)
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
