/*!
One connection from its first byte to its last.

Both ports recognise both HTTP versions: a sender with a wrong setting then
gets an answer that names the setting, instead of a parse error. The version is
found by peeking for the HTTP/2 preface, so hyper reads an untouched socket. In
TLS it is what was negotiated. Plaintext and TLS are served by the same code,
compiled for each: plaintext pays nothing for the other.
*/

use super::{
    Endpoint, FIRST_BYTE_TIMEOUT, Protocol,
    activity::{Activity, InFlight, Order, Watched},
    converse::converse,
    grpc,
    h2::{CONNECTION_WINDOW, STREAM_WINDOW},
    handshake::{self, Greeting, Version},
    http,
    notice::Notice,
    reply::Reply,
};
use crate::tls;
use ::http::{HeaderValue, Request, Response, header};
use futures_util::future::OptionFuture;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// Ping an idle HTTP/2 connection of the HTTP port, which has no setting for it.
const HTTP_PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// Requests at once on one of its HTTP/2 connections.
const HTTP_STREAMS: u32 = 256;

/// What the request handlers know about their connection.
pub(super) struct Context {
    pub endpoint: Rc<Endpoint>,
    pub peer: SocketAddr,
    pub shutdown: watch::Receiver<bool>,
}

/// Serves one accepted connection until it ends, or, once `shutdown` turns
/// true, until its requests in flight are answered (GOAWAY / connection: close).
/// Must run inside a `LocalSet` (it spawns local tasks).
pub async fn serve(
    endpoint: Rc<Endpoint>,
    socket: TcpStream,
    peer: SocketAddr,
    shutdown: watch::Receiver<bool>,
) {
    // An answer is a few dozen bytes: Nagle's algorithm would only delay it.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let greeting = tokio::select! {
        greeting = timeout(FIRST_BYTE_TIMEOUT, handshake::sniff(&socket)) => greeting,
        () = turned_true(shutdown.clone()) => return,
    };
    let greeting = match greeting {
        Ok(Ok(greeting)) => greeting,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "connection failed"),
        Err(_) => return tracing::debug!(%peer, "closed: the peer sent no request"),
    };
    match (endpoint.tls.clone(), greeting) {
        // A port probe: connect and close.
        (_, Greeting::None) => {}
        (None, Greeting::Http(version)) => {
            speak(endpoint, socket, version, peer, shutdown).await;
        }
        // In a box, so that the task of a plaintext connection is no larger for it.
        (Some(tls), Greeting::Tls) => {
            Box::pin(encrypted(endpoint, tls, socket, peer, shutdown)).await;
        }
        (None, Greeting::Tls) => {
            endpoint.stats.failed_handshakes.add(1);
            Notice::Tls.log(
                peer,
                "the sender speaks TLS, but this port takes plaintext: set insecure at the \
                 sender, or tls at this receiver, or, in the mesh, PeerAuthentication and \
                 DestinationRule so that mutual TLS ends before this process",
            );
        }
        (Some(_), Greeting::Http(version)) => {
            endpoint.stats.failed_handshakes.add(1);
            handshake::refuse_plaintext(socket, version, peer).await;
        }
    }
}

/// Does the TLS handshake and what follows.
async fn encrypted(
    endpoint: Rc<Endpoint>,
    tls: Arc<tls::Server>,
    socket: TcpStream,
    peer: SocketAddr,
    shutdown: watch::Receiver<bool>,
) {
    let shaken = tokio::select! {
        shaken = handshake::accept(&tls, socket, &endpoint.protocol, peer) => shaken,
        () = turned_true(shutdown.clone()) => return,
    };
    match shaken {
        Some((stream, version)) => speak(endpoint, stream, version, peer, shutdown).await,
        None => endpoint.stats.failed_handshakes.add(1),
    }
}

/// Speaks HTTP to the end of the connection.
async fn speak<S>(
    endpoint: Rc<Endpoint>,
    stream: S,
    version: Version,
    peer: SocketAddr,
    shutdown: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = Limits::of(&endpoint.protocol, version);
    let activity = Rc::new(Activity::new(limits.idle.is_some()));
    let context = Rc::new(Context {
        endpoint,
        peer,
        shutdown: shutdown.clone(),
    });
    let supervisor = supervise(limits, shutdown, Rc::clone(&activity));
    let _supervisor = AbortOnDrop(tokio::task::spawn_local(supervisor));
    match (&context.endpoint.protocol, version) {
        (Protocol::Grpc(settings), Version::Two) => {
            let ended = converse(Rc::clone(&context), settings, &activity, stream).await;
            log_end(peer, ended);
        }
        _ => Box::pin(by_hyper(context, activity, stream, version)).await,
    }
}

/// Speaks what hyper is used for: HTTP/1.1, and HTTP/2 on the HTTP port.
async fn by_hyper<S>(context: Rc<Context>, activity: Rc<Activity>, stream: S, version: Version)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let since = std::time::Instant::now();
    let peer = context.peer;
    let io = TokioIo::new(stream);
    let service = {
        let activity = Rc::clone(&activity);
        let context = Rc::clone(&context);
        service_fn(move |request| {
            if context.endpoint.leaving.claims(since) && activity.order() == Order::Serve {
                activity.give(Order::Finish);
            }
            answer(Rc::clone(&context), activity.request(), request)
        })
    };
    match version {
        Version::Two => {
            let connection =
                http2_builder(&context.endpoint.protocol).serve_connection(io, service);
            log_end(
                peer,
                drive(connection, &activity, |c| c.graceful_shutdown()).await,
            );
        }
        Version::One => {
            let io = Watched::new(io, Rc::clone(&activity));
            let connection =
                http1_builder(&context.endpoint.protocol).serve_connection(io, service);
            log_end(
                peer,
                drive(connection, &activity, |c| c.graceful_shutdown()).await,
            );
        }
    }
}

fn log_end(peer: SocketAddr, ended: Result<(), impl std::fmt::Display>) {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Ends a task with the connection, also when `serve` itself is cancelled.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn answer(
    context: Rc<Context>,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    let version = request.version();
    let mut response = match &context.endpoint.protocol {
        Protocol::Grpc(_) => grpc::misdirected(&context, &request),
        Protocol::Http(settings) => http::answer(&context, settings, request).await,
    };
    // HTTP/2 has GOAWAY; a sender over HTTP/1.1 must hear it with the answer, or
    // its next request meets a closed connection.
    if version <= ::http::Version::HTTP_11 && in_flight.is_last() {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// What ends a connection that still works.
struct Limits {
    age: Option<Duration>,
    grace: Duration,
    idle: Option<Duration>,
    head: Option<Duration>,
}

/// An age varied by a tenth. Whatever the file says, this does not overflow.
fn spread(age: Duration) -> Duration {
    let seconds = age.as_secs_f64() * rand::random_range(0.9..1.1);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl Limits {
    fn of(protocol: &Protocol, version: Version) -> Self {
        match protocol {
            Protocol::Grpc(settings) => Self {
                // Spread by a tenth, as grpc-go does, so that connections made
                // together do not come back together.
                age: settings.keepalive.max_connection_age.map(spread),
                grace: settings.keepalive.max_connection_age_grace,
                idle: None,
                head: (version == Version::One).then_some(FIRST_BYTE_TIMEOUT),
            },
            Protocol::Http(settings) => Self {
                age: None,
                grace: Duration::ZERO,
                idle: settings.idle_timeout,
                head: (version == Version::One).then_some(settings.header_timeout),
            },
        }
    }
}

pub(super) async fn turned_true(mut shutdown: watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could ask for a shutdown.
        std::future::pending().await
    }
}

/// Waits for the end of a connection's time and gives the order. Runs beside
/// the connection so that serving a request polls none of this.
async fn supervise(limits: Limits, shutdown: watch::Receiver<bool>, activity: Rc<Activity>) {
    let mut stop = pin!(turned_true(shutdown));
    let mut old = pin!(OptionFuture::from(limits.age.map(sleep)));
    loop {
        tokio::select! {
            () = &mut stop => return activity.give(Order::Finish),
            Some(()) = &mut old => {
                activity.give(Order::Finish);
                sleep(limits.grace).await;
                return activity.give(Order::Close);
            }
            Some(order) = OptionFuture::from(limits.check(&activity)) => {
                if let Some(order) = order {
                    return activity.give(order);
                }
            }
        }
    }
}

impl Limits {
    /// Waits until the first idle limit could have been reached and tells what
    /// is due then; None when the connection has no such limit.
    fn check<'a>(
        &'a self,
        activity: &'a Activity,
    ) -> Option<impl Future<Output = Option<Order>> + 'a> {
        let shortest = [self.idle, self.head].into_iter().flatten().min()?;
        Some(async move {
            let over = |since: Option<Instant>, limit: Option<Duration>| {
                since
                    .zip(limit)
                    .is_some_and(|(since, limit)| since.elapsed() >= limit)
            };
            // A quarter of the limit late at most, without a timer per request.
            sleep((shortest / 4).max(Duration::from_millis(1))).await;
            if over(activity.head_since(), self.head) {
                Some(Order::Close)
            } else if over(activity.quiet_since(), self.idle) {
                Some(Order::Finish)
            } else {
                None
            }
        })
    }
}

/// Polls a connection to its end, passing on the supervisor's orders.
async fn drive<C, E>(
    connection: C,
    activity: &Activity,
    finish: impl Fn(Pin<&mut C>),
) -> Result<(), E>
where
    C: Future<Output = Result<(), E>>,
{
    let mut connection = pin!(connection);
    let mut finishing = false;
    poll_fn(|cx| {
        activity.listen(cx.waker());
        match activity.order() {
            Order::Close => return Poll::Ready(Ok(())),
            Order::Finish if !finishing => {
                finishing = true;
                finish(connection.as_mut());
            }
            _ => {}
        }
        let ended = ready!(connection.as_mut().poll(cx));
        Poll::Ready(ended)
    })
    .await
}

/// hyper spawns a task per HTTP/2 request: on this thread, like all else.
#[derive(Clone, Copy, Debug)]
struct ThisThread;

impl<F> hyper::rt::Executor<F> for ThisThread
where
    F: Future + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

fn http2_builder(protocol: &Protocol) -> http2::Builder<ThisThread> {
    let headers = max_header_bytes(protocol);
    let (ping, pong) = HTTP_PING;
    let mut builder = http2::Builder::new(ThisThread);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(HTTP_STREAMS)
        .max_header_list_size(headers)
        .keep_alive_interval(ping)
        .keep_alive_timeout(pong);
    builder
}

fn max_header_bytes(protocol: &Protocol) -> u32 {
    match protocol {
        Protocol::Grpc(settings) => settings.max_header_bytes,
        Protocol::Http(settings) => settings.max_header_bytes,
    }
}

fn http1_builder(protocol: &Protocol) -> http1::Builder {
    let headers = max_header_bytes(protocol);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The supervisor does this, see `Watched`.
        .header_read_timeout(None)
        .max_header_size(headers as usize);
    builder
}
