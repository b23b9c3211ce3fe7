/*!
One connection that hyper serves, and the orders that end it.
*/

use super::reply::HttpReply;
use crate::{
    net::{
        activity::{Activity, Order, Watched},
        connection::HttpVersion,
        h2::{CONNECTION_WINDOW, STREAM_WINDOW},
    },
    receiver::{endpoint::ConnectionContext, notice::PeerFault},
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
    error::Error as _,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, ready},
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// How often an idle HTTP/2 connection is pinged, and how long the answer may
/// take. There is no setting for it.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

/// Serves a connection to its end: each request is answered by `answer`.
pub(crate) async fn run<S, F>(
    context: Rc<ConnectionContext>,
    activity: Rc<Activity>,
    stream: S,
    version: HttpVersion,
    max_header_bytes: u32,
    answer: impl Fn(Rc<ConnectionContext>, Request<Incoming>) -> F + Clone + 'static,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = Response<HttpReply>> + 'static,
{
    let since = Instant::now();
    let noted = Rc::clone(&context);
    let io = TokioIo::new(stream);
    let service = {
        let activity = Rc::clone(&activity);
        service_fn(move |request: Request<Incoming>| {
            let closing = &context.endpoint.closing;
            if closing.take(since) && activity.order() == Order::Serve {
                activity.give(Order::Finish);
            }
            let in_flight = activity.request();
            let (context, answer) = (Rc::clone(&context), answer.clone());
            async move {
                let version = request.version();
                let mut response = answer(context, request).await;
                // HTTP/2 has GOAWAY; a sender over HTTP/1.1 must hear it with the
                // answer, or its next request meets a closed connection.
                if version <= ::http::Version::HTTP_11 && in_flight.is_last() {
                    let headers = response.headers_mut();
                    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    match version {
        HttpVersion::Two => {
            let connection = http2_builder(max_header_bytes).serve_connection(io, service);
            let ended = drive(connection, &activity, |c| c.graceful_shutdown());
            note_end(&noted, ended.await);
        }
        HttpVersion::One => {
            let io = Watched::new(io, Rc::clone(&activity));
            let connection = http1_builder(max_header_bytes).serve_connection(io, service);
            let ended = drive(connection, &activity, |c| c.graceful_shutdown());
            note_end(&noted, ended.await);
        }
    }
}

/// Logs a failure, and counts it where it is the peer's fault.
fn note_end(context: &ConnectionContext, ended: Result<(), hyper::Error>) {
    let Err(error) = ended else {
        return;
    };
    tracing::debug!(peer = %context.peer, %error, "connection ended");
    if error.is_parse_too_large() {
        context.note_long_head();
    } else if let Some(fault) = fault(&error) {
        context.note_ended(fault);
    }
}

/// What the peer did, where a connection failed for that.
fn fault(error: &hyper::Error) -> Option<PeerFault> {
    if error.is_timeout() {
        return Some(PeerFault::Silent);
    }
    if error.is_parse() {
        return Some(PeerFault::Protocol);
    }
    let h2 = error.source()?.downcast_ref::<h2::Error>()?;
    match h2.reason()? {
        h2::Reason::ENHANCE_YOUR_CALM if !h2.is_remote() => Some(PeerFault::Flood),
        _ if h2.is_remote() => None,
        _ => Some(PeerFault::Protocol),
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

fn http2_builder(max_header_bytes: u32) -> http2::Builder<ThisThread> {
    let (ping, pong) = PING;
    let mut builder = http2::Builder::new(ThisThread);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(max_header_bytes)
        .keep_alive_interval(ping)
        .keep_alive_timeout(pong);
    builder
}

fn http1_builder(max_header_bytes: u32) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The supervisor does this, see `Watched`.
        .header_read_timeout(None)
        .max_header_size(max_header_bytes as usize);
    builder
}
