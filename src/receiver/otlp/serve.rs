/*!
One connection from its first byte to its last: which protocol serves it.

Plaintext and TLS are served by the same code, compiled for each: plaintext pays
nothing for the other.
*/

use super::{Context, Endpoint, Protocol, grpc, http, reply::Reply};
use crate::net::{
    activity::{Activity, InFlight, Order, Watched},
    connection::{ConnectionLimits, FIRST_BYTE_TIMEOUT, Opened, Supervisor, Version, open, spread},
    h2::{CONNECTION_WINDOW, STREAM_WINDOW},
};
use ::http::{HeaderValue, Request, Response, header};
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
    task::{Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};

/// Ping an idle HTTP/2 connection of the HTTP port, which has no setting for it.
const HTTP_PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// Requests at once on one of its HTTP/2 connections.
const HTTP_STREAMS: u32 = 256;

/// Serves one accepted connection until it ends, or, once `shutdown` turns
/// true, until its requests in flight are answered (GOAWAY / connection: close).
/// Must run inside a `LocalSet` (it spawns local tasks).
pub async fn serve(
    endpoint: Rc<Endpoint>,
    socket: TcpStream,
    peer: SocketAddr,
    shutdown: watch::Receiver<bool>,
) {
    let (tls, stats) = (endpoint.tls.as_ref(), &endpoint.stats);
    let unnegotiated = match endpoint.protocol {
        Protocol::Grpc(_) => Version::Two,
        Protocol::Http(_) => Version::One,
    };
    let failed = &stats.failed_handshakes;
    match open(socket, peer, tls, unnegotiated, failed, &shutdown).await {
        Some(Opened::Plain(stream, version)) => {
            speak(endpoint, stream, version, peer, shutdown).await;
        }
        Some(Opened::Encrypted(stream, version)) => {
            Box::pin(speak(endpoint, *stream, version, peer, shutdown)).await;
        }
        None => {}
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
    let limits = limits(&endpoint.protocol, version);
    let activity = Rc::new(Activity::new(limits.idle.is_some()));
    let context = Rc::new(Context {
        endpoint,
        peer,
        shutdown: shutdown.clone(),
    });
    let _supervisor = Supervisor::start(limits, shutdown, Rc::clone(&activity));
    match (&context.endpoint.protocol, version) {
        (Protocol::Grpc(settings), Version::Two) => {
            let ended = grpc::converse(Rc::clone(&context), settings, &activity, stream).await;
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

/// What a connection of this protocol may last.
fn limits(protocol: &Protocol, version: Version) -> ConnectionLimits {
    match protocol {
        Protocol::Grpc(settings) => ConnectionLimits {
            age: settings.keepalive.max_connection_age.map(spread),
            grace: settings.keepalive.max_connection_age_grace,
            idle: None,
            head: (version == Version::One).then_some(FIRST_BYTE_TIMEOUT),
        },
        Protocol::Http(settings) => ConnectionLimits {
            age: None,
            grace: Duration::ZERO,
            idle: settings.idle_timeout,
            head: (version == Version::One).then_some(settings.header_timeout),
        },
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
