/*!
A small HTTP server for the operator's pages: metrics and health.

It runs on the admin thread, so that a scrape never waits for spans nor spans
for a scrape. A page has few connections at once, and the oldest gives way to a
new one: requests are answered at once, so that what is older is idle or slow.
*/

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{collections::VecDeque, convert::Infallible, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{self, AbortHandle},
};

/// Connections that one page has at once: a few scrapers and probes.
const CONNECTIONS: usize = 8;

/// How OpenMetrics is called among content types.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// An answer: status, content type, body.
pub(crate) type PageAnswer = (StatusCode, &'static str, String);

/// What is asked of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageRequest<'a> {
    /// The path.
    pub(crate) path: &'a str,
    /// What stands behind the question mark, as it was sent.
    pub(crate) query: &'a str,
    /// Is true when a browser asks, which wants HTML.
    pub(crate) is_browser: bool,
    /// Is true when OpenMetrics is among the formats that are taken.
    pub(crate) takes_open_metrics: bool,
}

/// Answers `GET` and `HEAD` by `page`; `None` is 404. `speak` makes what is
/// spoken over of what was accepted, such as TLS, or nothing. Runs until dropped;
/// needs a `LocalSet`.
pub(crate) async fn serve<S, F>(
    listener: TcpListener,
    speak: impl Fn(TcpStream) -> F,
    page: impl Fn(&PageRequest<'_>) -> Option<PageAnswer> + 'static,
) where
    F: Future<Output = Option<S>> + 'static,
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let page = Rc::new(page);
    let mut open = VecDeque::<AbortHandle>::with_capacity(CONNECTIONS);
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            // Out of file descriptors, mostly: try again when some are free.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let (page, opening) = (Rc::clone(&page), speak(socket));
        let connection = task::spawn_local(async move {
            let Some(stream) = opening.await else {
                return;
            };
            let service = service_fn(move |request| {
                let answer = answer(&request, &*page);
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        open.push_back(connection.abort_handle());
        // A request that came with its connection is answered before others come.
        task::yield_now().await;
    }
}

fn answer(
    request: &Request<Incoming>,
    page: impl Fn(&PageRequest<'_>) -> Option<PageAnswer>,
) -> Response<Full<Bytes>> {
    let accepted = request.headers().get(header::ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    let asked = PageRequest {
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        is_browser: accepted.is_some_and(|types| types.contains("text/html")),
        takes_open_metrics: accepted.is_some_and(|types| types.contains(OPEN_METRICS)),
    };
    let (status, content_type, body) = match *request.method() {
        Method::GET | Method::HEAD => page(&asked).unwrap_or((
            StatusCode::NOT_FOUND,
            "text/plain",
            format!("nothing at {}\n", asked.path),
        )),
        _ => (
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET and HEAD\n".to_owned(),
        ),
    };
    let body = if request.method() == Method::HEAD {
        String::new()
    } else {
        body
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static(content_type),
    );
    response
}
