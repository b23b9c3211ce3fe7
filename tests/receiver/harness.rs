//! A listener with a fake pipeline behind it, and clients.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use std::{
    cell::Cell,
    io::Write,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};
pub use testkit::{
    EXPORT,
    frames::{deflate, grpc as framed, gzip, snappy, snappy_framed, zstd},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::LocalSet,
};
use wayspan::{
    auth,
    net::{admission::Admission, closing::CloseOrder},
    pdata::Signal,
    pipeline::{Ingest, NotTaken, Refusal, Taken},
    receiver::otlp::{GrpcServer, HttpServer, OtlpHttpServer, ServerKeepalive},
    receiver::{Endpoint, Protocol, Scratch, otlp::http_protocol, serve},
    telemetry::ReceiverStats,
    tls,
};

pub const PROTOBUF: &str = "application/x-protobuf";
pub const JSON: &str = "application/json";

/// The limit of the servers under test.
pub const LIMIT: usize = 64 << 10;

/// What a request is told.
pub type Answer = Result<Taken, Refusal>;

struct Fake {
    /// So many connections are to go, from the first request on.
    order: Cell<usize>,
    closing: Rc<CloseOrder>,
    signals: &'static [Signal],
    answer: Arc<Mutex<Answer>>,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Ingest for Fake {
    fn take(&self, _: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, NotTaken> {
        assert!(peer.is_loopback(), "{peer}");
        match self.order.take() {
            0 => {}
            count => self.closing.give(count),
        }
        self.taken.lock().unwrap().push(request.to_vec());
        Ok(self.answer.lock().unwrap().clone()?)
    }

    fn takes(&self, signal: Signal) -> bool {
        self.signals.contains(&signal)
    }
}

/// A running listener. Its thread ends when this is dropped and all its
/// connections have ended.
pub struct Server {
    pub address: SocketAddr,
    pub stats: ReceiverStats,
    pub shutdown: watch::Sender<bool>,
    /// How many connections have ended.
    pub ended: watch::Receiver<usize>,
    answer: Arc<Mutex<Answer>>,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    pub fn start(protocol: Protocol) -> Self {
        Self::start_as(protocol, 0, &[Signal::Traces], None, None)
    }

    /// One that takes logs as well.
    pub fn with_logs(protocol: Protocol) -> Self {
        Self::start_as(protocol, 0, &[Signal::Traces, Signal::Logs], None, None)
    }

    /// One that takes metrics and nothing else.
    pub fn with_metrics(protocol: Protocol) -> Self {
        Self::start_as(protocol, 0, &[Signal::Metrics], None, None)
    }

    /// One where so many connections are to go, from the first request on.
    pub fn start_with(protocol: Protocol, leaving: usize) -> Self {
        Self::start_as(protocol, leaving, &[Signal::Traces], None, None)
    }

    /// One behind TLS, or that asks for credentials.
    pub fn guarded(
        protocol: Protocol,
        tls: Option<Arc<tls::ReloadedServerTls>>,
        auth: Option<Arc<auth::RequestAuthenticator>>,
    ) -> Self {
        Self::start_as(protocol, 0, &[Signal::Traces], tls, auth)
    }

    fn start_as(
        protocol: Protocol,
        leaving: usize,
        signals: &'static [Signal],
        tls: Option<Arc<tls::ReloadedServerTls>>,
        auth: Option<Arc<auth::RequestAuthenticator>>,
    ) -> Self {
        LazyLock::force(&LOG);
        let answer = Arc::new(Mutex::new(Ok(Taken::default())));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let stats = ReceiverStats::default();
        let (shutdown, stop) = watch::channel(false);
        let (ends, ended) = watch::channel(0);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (told, seen) = (Arc::clone(&answer), Arc::clone(&taken));
        let counted = stats.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let order = leaving;
            let closing = Rc::<CloseOrder>::default();
            let fake = Fake {
                order: Cell::new(order),
                closing: Rc::clone(&closing),
                signals,
                answer: told,
                taken: seen,
            };
            let endpoint = Endpoint {
                protocol,
                tls,
                admission: auth.map(Admission::new),
                ingest: Rc::new(fake),
                closing,
                scratch: Scratch::unlimited(),
                stats: counted,
            };
            LocalSet::new().block_on(&runtime, accept(listener, Rc::new(endpoint), stop, ends));
        });
        Self {
            address,
            stats,
            shutdown,
            ended,
            answer,
            taken,
        }
    }

    pub fn grpc() -> Self {
        Self::start(Protocol::Grpc(grpc_settings()))
    }

    pub fn http() -> Self {
        Self::start(http_protocol(http_settings()))
    }

    /// What the pipeline says from now on.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// What the pipeline was given since the last call.
    pub fn taken(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }

    /// (requests, refused requests)
    pub fn counts(&self) -> (u64, u64) {
        (self.stats.requests.get(), self.stats.refused.total())
    }
}

async fn accept(
    listener: std::net::TcpListener,
    endpoint: Rc<Endpoint>,
    stop: watch::Receiver<bool>,
    ends: watch::Sender<usize>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    let ends = Rc::new(ends);
    loop {
        let (socket, peer) = listener.accept().await.unwrap();
        let (endpoint, stop, ends) = (Rc::clone(&endpoint), stop.clone(), Rc::clone(&ends));
        tokio::task::spawn_local(async move {
            serve(endpoint, socket, peer, Default::default(), stop).await;
            ends.send_modify(|n| *n += 1);
        });
    }
}

pub fn grpc_settings() -> GrpcServer {
    GrpcServer {
        endpoint: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        max_message_bytes: LIMIT,
        max_concurrent_streams: 256,
        max_header_bytes: 16 << 10,
        keepalive: ServerKeepalive {
            max_connection_age: None,
            max_connection_idle: None,
            max_connection_age_grace: Duration::from_secs(30),
            time: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
        },
        tls: None,
        auth: None,
    }
}

pub fn http_settings() -> OtlpHttpServer {
    OtlpHttpServer {
        server: http_server(),
        traces_path: "/v1/traces".to_owned(),
        metrics_path: "/v1/metrics".to_owned(),
        logs_path: "/v1/logs".to_owned(),
    }
}

pub fn http_server() -> HttpServer {
    HttpServer {
        endpoint: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        max_body_bytes: LIMIT,
        max_header_bytes: 16 << 10,
        header_timeout: Duration::from_secs(60),
        cors: None,
        idle_timeout: None,
        max_connection_age: None,
        max_connection_age_grace: Duration::from_secs(30),
        tls: None,
        auth: None,
    }
}

/// A request with one span of that name.
pub fn request(name: &str) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    name: name.to_owned(),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

pub fn body(name: &str) -> Vec<u8> {
    request(name).encode_to_vec()
}

/// A whole response.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Got {
    pub async fn of(response: Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Got {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
            trailers,
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The gRPC status, wherever it is.
    pub fn grpc(&self) -> tonic::Status {
        tonic::Status::from_header_map(&self.headers)
            .or_else(|| tonic::Status::from_header_map(&self.trailers))
            .expect("a grpc-status")
    }

    /// The `google.rpc.Status` of an OTLP/HTTP error.
    pub fn rpc_status(&self) -> tonic_types::Status {
        match self.header("content-type") {
            PROTOBUF => tonic_types::Status::decode(&self.body[..]).unwrap(),
            JSON => {
                let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
                tonic_types::Status {
                    code: i32::try_from(json["code"].as_i64().unwrap()).unwrap(),
                    message: json["message"].as_str().unwrap().to_owned(),
                    details: Vec::new(),
                }
            }
            other => panic!("an error body of type {other:?}"),
        }
    }
}

pub fn post(path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header("host", "test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// Sends one request over HTTP/2.
pub async fn http2(server: &Server, request: Request<Full<Bytes>>) -> Got {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().as_str();
    head.uri = format!("http://test{path}").parse().unwrap();
    Got::of(
        sender
            .send_request(Request::from_parts(head, body))
            .await
            .unwrap(),
    )
    .await
}

/// Sends one request over HTTP/1.1.
pub async fn http1(server: &Server, request: Request<Full<Bytes>>) -> Got {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    Got::of(sender.send_request(request).await.unwrap()).await
}

/// Sends a gRPC body to Export.
pub async fn export(server: &Server, headers: &[(&str, &str)], body: Vec<u8>) -> Got {
    let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
    all.extend_from_slice(headers);
    http2(server, post(EXPORT, &all, body)).await
}

/// Lines logged by this process at the levels operators see.
pub fn log() -> Vec<String> {
    let log = LINES.lock().unwrap();
    String::from_utf8_lossy(&log)
        .lines()
        .map(str::to_owned)
        .collect()
}

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOG: LazyLock<()> = LazyLock::new(|| {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(|| Lines)
        .init();
});
