//! A backend that keeps bodies of any path: for exporters that do not speak OTLP.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use testkit::frames;

/// Path and body.
type Bodies = Arc<Mutex<Vec<(String, Bytes)>>>;

pub struct Sink {
    pub port: u16,
    bodies: Bodies,
}

impl Sink {
    /// Takes everything, on a thread of its own.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Bodies::default();
        let its = Arc::clone(&bodies);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(listener, its));
        });
        Self { port, bodies }
    }

    /// The bodies of a path.
    pub fn bodies(&self, path: &str) -> Vec<Bytes> {
        let bodies = self.bodies.lock().unwrap();
        let its = bodies.iter().filter(|(of, _)| of == path);
        its.map(|(_, body)| body.clone()).collect()
    }
}

async fn serve(listener: std::net::TcpListener, bodies: Bodies) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let bodies = Arc::clone(&bodies);
        let take = service_fn(move |request| keep(request, Arc::clone(&bodies)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
    }
}

async fn keep(
    request: Request<Incoming>,
    bodies: Bodies,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = match head
        .headers
        .get("content-encoding")
        .map(|name| name.as_bytes())
    {
        Some(b"gzip") => frames::gunzip(&body).unwrap().into(),
        _ => body,
    };
    let path = head.uri.path().to_owned();
    bodies.lock().unwrap().push((path, body));
    let mut response = Response::new(Full::default());
    *response.status_mut() = http::StatusCode::ACCEPTED;
    Ok(response)
}
