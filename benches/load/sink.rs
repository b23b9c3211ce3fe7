/*!
The sink: an OTLP backend over gRPC and HTTP that counts spans by id and keeps
nothing. `GET /stats` on the HTTP port gives the counts.

It is not the backend of `testkit`: that one looks at a mode, notes headers and
time of every request and lives in one process with a test, and all of that is
CPU time that the measured process would compete with.
*/

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, combinators::WithTrailers};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use testkit::{Signal, frames::PREFIX, load::ids::Seen};
use tokio::net::{TcpListener, TcpStream};

/// Where to listen.
#[derive(clap::Args)]
pub struct Options {
    /// OTLP/gRPC
    #[arg(long)]
    grpc: SocketAddr,
    /// OTLP/HTTP and /stats
    #[arg(long)]
    http: SocketAddr,
}

#[derive(Default)]
struct Counts {
    seen: Seen,
    requests: u64,
    bytes: u64,
}

type Shared = Arc<Mutex<Counts>>;
type Trailing = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;
type Answer = Response<Either<Full<Bytes>, Trailing>>;

const WINDOW: u32 = 4 << 20;

/// Serves until killed.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let (grpc, http) = (
        TcpListener::bind(options.grpc).await?,
        TcpListener::bind(options.http).await?,
    );
    let counts = Shared::default();
    loop {
        tokio::select! {
            accepted = grpc.accept() => serve_grpc(accepted?.0, Arc::clone(&counts))?,
            accepted = http.accept() => serve_http(accepted?.0, Arc::clone(&counts))?,
        }
    }
}

fn serve_grpc(stream: TcpStream, counts: Shared) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let service = service_fn(move |request| grpc(request, Arc::clone(&counts)));
    let connection = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .serve_connection(TokioIo::new(stream), service);
    tokio::spawn(connection);
    Ok(())
}

fn serve_http(stream: TcpStream, counts: Shared) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let service = service_fn(move |request| http(request, Arc::clone(&counts)));
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    Ok(())
}

async fn grpc(request: Request<Incoming>, counts: Shared) -> Result<Answer, hyper::Error> {
    let message = read(request).await?;
    // A compressed message would be counted as nothing: say so instead.
    let status = match message.split_first() {
        Some((0, _)) => {
            count(message.get(PREFIX..).unwrap_or_default(), &counts);
            HeaderValue::from_static("0")
        }
        _ => HeaderValue::from_static("12"),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("grpc-status"), status);
    let body = Full::new(Bytes::from_static(&[0; PREFIX]));
    let body = body.with_trailers(ready(Some(Ok(trailers))));
    Ok(answer("application/grpc", Either::Right(body)))
}

async fn http(request: Request<Incoming>, counts: Shared) -> Result<Answer, hyper::Error> {
    if request.method() == Method::GET {
        let body = Full::from(stats(&counts));
        return Ok(answer("application/json", Either::Left(body)));
    }
    let compressed = request.headers().contains_key(header::CONTENT_ENCODING);
    let message = read(request).await?;
    let mut response = answer("application/x-protobuf", Either::Left(Full::default()));
    if compressed {
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    } else {
        count(&message, &counts);
    }
    Ok(response)
}

fn answer(kind: &'static str, body: Either<Full<Bytes>, Trailing>) -> Answer {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn read(request: Request<Incoming>) -> Result<Vec<u8>, hyper::Error> {
    let mut body = request.into_body();
    let mut message = Vec::with_capacity(1 << 20);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            message.extend_from_slice(&data);
        }
    }
    Ok(message)
}

fn count(request: &[u8], counts: &Shared) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    counts.requests += 1;
    counts.bytes += request.len() as u64;
    for span in Signal::items(request) {
        counts.seen.count(Signal::Traces.span_id(span));
    }
}

fn stats(counts: &Shared) -> String {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    json!({
        "requests": counts.requests,
        "bytes": counts.bytes,
        "received": counts.seen.received,
        "unique": counts.seen.unique,
        "foreign": counts.seen.foreign,
    })
    .to_string()
}
