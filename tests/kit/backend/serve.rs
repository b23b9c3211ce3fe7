//! The backend's listener and connections.

use super::{
    Mode, Shared,
    records::Received,
    reply::{Body, Reply},
};
use crate::{
    Protocol, Signal,
    frames::{self, PREFIX, gunzip},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    error::Error,
    future::pending,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep,
};

const WINDOW: u32 = 4 << 20;

/// Listens while `up` is true; ends when its sender is dropped.
pub(super) async fn serve(address: SocketAddr, shared: Arc<Shared>, mut up: watch::Receiver<bool>) {
    loop {
        if up.wait_for(|up| *up).await.is_err() {
            return;
        }
        let listener = TcpListener::bind(address).await.unwrap();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    connections.spawn(connection(accepted.unwrap().0, Arc::clone(&shared)));
                }
                Some(_) = connections.join_next() => {}
                down = up.wait_for(|up| !up) => match down {
                    Ok(_) => break,
                    Err(_) => return,
                },
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let protocol = shared.protocol;
    let cut = Arc::new(Notify::new());
    let its_cut = Arc::clone(&cut);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared), Arc::clone(&cut)));
    let io = TokioIo::new(stream);
    // An error is a client that went away, or one that was cut off.
    match protocol {
        Protocol::Grpc => {
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .serve_connection(io, service);
            tokio::select! { _ = serving => {}, () = its_cut.notified() => {} }
        }
        Protocol::Http => {
            let serving = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
            tokio::select! { _ = serving => {}, () = its_cut.notified() => {} }
        }
    }
}

type Failure = Box<dyn Error + Send + Sync>;

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    cut: Arc<Notify>,
) -> Result<Response<Body>, Failure> {
    let mode = shared.mode.lock().unwrap().clone();
    shared.met.fetch_add(1, Ordering::SeqCst);
    let (head, mut body) = request.into_parts();
    let Some(signal) = Signal::of_path(head.uri.path()) else {
        return Ok(Reply::http(404, &[], "no such path").response(shared.protocol));
    };
    if let Mode::Reset = mode {
        let _ = body.frame().await;
        return Err("as the test wants".into());
    }
    if let Mode::Cut = mode {
        let _ = body.frame().await;
        cut.notify_one();
        pending::<()>().await;
    }
    let body = body.collect().await?.to_bytes();
    let request = Received {
        signal,
        message: message(shared.protocol, &head.headers, body)?,
        headers: head.headers,
        at: Instant::now(),
        taken: false,
    };
    if let Mode::Slow(delay) = mode {
        sleep(delay).await;
    }
    let reply = shared.judge(&mode, request);
    if let Mode::TakeAndCut = mode {
        cut.notify_one();
        pending::<()>().await;
    }
    if let Reply::Hang = reply {
        pending::<()>().await;
    }
    Ok(reply.response(shared.protocol))
}

/// The message of a body, decompressed where it says that it is compressed.
fn message(protocol: Protocol, headers: &HeaderMap, body: Bytes) -> Result<Bytes, Failure> {
    let (coding, message) = match protocol {
        Protocol::Grpc => {
            let flag = *body.first().ok_or("no prefix")?;
            let coding = headers.get("grpc-encoding").filter(|_| flag == 1);
            (coding, body.slice(PREFIX.min(body.len())..))
        }
        Protocol::Http => (headers.get("content-encoding"), body),
    };
    match coding.map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(message),
        Some(b"gzip") => Ok(gunzip(&message)?.into()),
        Some(b"zstd") => Ok(zstd::decode_all(&message[..])?.into()),
        Some(b"zlib" | b"deflate") => Ok(frames::inflate(&message)?.into()),
        // Over gRPC the Collector means frames by it, and over HTTP a block.
        Some(b"snappy") if protocol == Protocol::Http => Ok(frames::unsnap(&message)?.into()),
        Some(b"snappy" | b"x-snappy-framed") => Ok(frames::unsnap_framed(&message)?.into()),
        Some(other) => Err(format!("coding {}", other.escape_ascii()).into()),
    }
}
