//! Batches to send, exporters running as the service runs them, and scripted
//! OTLP/gRPC and HTTP servers that remember what they got.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{oneshot, watch},
};
use tonic_types::StatusExt as _;
use wayspan::{
    backoff::Growth,
    config::Id,
    exporter::{
        ConfiguredExporter, Drained, Exporter, ExporterSettings, Retry, SendingQueue,
        otlp::{Grpc, Http},
    },
    http::ClientSettings,
    http::{ConnectOptions, Resolver, Resolving, SystemResolver},
    pdata::Signal,
    pipeline::{Account, Logged, Offer, QueuedBatch, Route, SealedBatch, account::TakenItems},
    queue::{Budget, SizedQueue},
    telemetry::ExporterStats,
};

/// Only to end a test that would otherwise hang.
const STUCK: Duration = Duration::from_secs(60);

/// A request with a span for each id, each with `filler` bytes of attribute,
/// in two resources.
pub fn request(ids: impl IntoIterator<Item = u64>, filler: usize) -> ExportTraceServiceRequest {
    let text = |key: &str, value: String| KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value)),
        }),
        ..Default::default()
    };
    let (even, odd): (Vec<u64>, Vec<u64>) = ids.into_iter().partition(|id| id % 2 == 0);
    let resource = |ids: Vec<u64>, service: &str| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![text("service.name", service.into())],
            ..Default::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans: ids
                .into_iter()
                .map(|id| Span {
                    trace_id: vec![7; 16],
                    span_id: id.to_be_bytes().to_vec(),
                    name: "GET /".into(),
                    attributes: vec![text("filler", "x".repeat(filler))],
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let resource_spans = [(even, "even"), (odd, "odd")]
        .into_iter()
        .filter(|(ids, _)| !ids.is_empty())
        .map(|(ids, service)| resource(ids, service))
        .collect();
    ExportTraceServiceRequest { resource_spans }
}

/// The same as a sealed batch, in pieces.
pub fn batch(ids: impl IntoIterator<Item = u64>) -> Arc<SealedBatch> {
    seal(&request(ids, 20))
}

pub fn seal(request: &ExportTraceServiceRequest) -> Arc<SealedBatch> {
    let spans = span_ids(request).len() as u32;
    let mut first = Bytes::from(request.encode_to_vec());
    let bytes = first.len();
    let second = first.split_off(bytes / 3);
    let lease = Budget::new(usize::MAX).lease(bytes);
    Arc::new(SealedBatch {
        chunks: vec![first, second],
        bytes,
        signal: Signal::Traces,
        items: spans,
        lease,
        result: None,
        position: None,
    })
}

pub fn span_ids(request: &ExportTraceServiceRequest) -> Vec<u64> {
    request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .map(|span| u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap()))
        .collect()
}

/// A client without TLS.
pub fn client(url: impl Into<String>) -> ClientSettings {
    ClientSettings {
        url: url.into(),
        ..ClientSettings::default()
    }
}

/// Retries soon and forever.
fn retry() -> Retry {
    Retry {
        enabled: true,
        initial_interval: Duration::from_millis(5),
        randomization_factor: 0.0,
        multiplier: 1.5,
        max_interval: Duration::from_millis(20),
        max_elapsed: None,
    }
}

/// How a client without an exporter connects to its target.
pub fn options(timeout: Duration) -> ConnectOptions {
    ConnectOptions::new(timeout, Growth::from(&retry()))
}

/// Retries soon and forever.
pub fn settings(kind: impl ExporterSettings) -> ConfiguredExporter {
    ConfiguredExporter {
        id: Id {
            kind: "otlp".into(),
            name: Some("test".into()),
        },
        settings: Arc::new(kind),
        queue: SendingQueue::default(),
        retry: retry(),
        timeout: Duration::from_secs(30),
    }
}

pub fn grpc(address: SocketAddr) -> ConfiguredExporter {
    let client = client(format!("http://{address}"));
    settings(Grpc { client })
}

pub fn http(address: SocketAddr) -> ConfiguredExporter {
    settings(over_http(client(format!("http://{address}"))))
}

/// Settings of `otlp_http` with the URL of `client` as its endpoint.
pub fn over_http(client: ClientSettings) -> Http {
    Http {
        client,
        has_base: true,
        ..Http::default()
    }
}

/// Changes how the backend is reached.
pub fn change(settings: &mut ConfiguredExporter, change: impl FnOnce(&mut ClientSettings)) {
    if let Some(grpc) = settings.settings::<Grpc>() {
        let mut grpc = grpc.clone();
        change(&mut grpc.client);
        settings.settings = Arc::new(grpc);
    } else if let Some(http) = settings.settings::<Http>() {
        let mut http = http.clone();
        change(&mut http.client);
        settings.settings = Arc::new(http);
    }
}

/// To `backend.test`, whatever that is.
pub fn named() -> ConfiguredExporter {
    settings(Grpc {
        client: client("http://backend.test:4317"),
    })
}

/// A resolver that says what it is told to say.
#[derive(Clone, Debug)]
pub struct Names(Arc<Mutex<(Option<Vec<SocketAddr>>, usize)>>);

impl Names {
    pub fn new(addresses: &[SocketAddr]) -> Self {
        Self(Arc::new(Mutex::new((Some(addresses.to_vec()), 0))))
    }

    /// None: the name cannot be resolved.
    pub fn set(&self, addresses: Option<&[SocketAddr]>) {
        self.0.lock().unwrap().0 = addresses.map(<[_]>::to_vec);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        assert_eq!((host, port), ("backend.test", 4317));
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        let answer = state.0.clone();
        let answer = answer.ok_or_else(|| std::io::Error::other("no such host"));
        Box::pin(std::future::ready(answer))
    }
}

/// What this thread's code logs.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    pub fn record(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An exporter on a thread with a runtime of its own, as the service has it.
pub struct Running {
    pub queue: Arc<SizedQueue<QueuedBatch>>,
    pub route: Arc<Route>,
    pub stats: Arc<ExporterStats>,
    pub deadline: watch::Sender<Option<Instant>>,
    ended: oneshot::Receiver<Drained>,
}

impl Running {
    pub fn start(settings: &ConfiguredExporter) -> Self {
        Self::start_with(settings, Arc::new(SystemResolver))
    }

    pub fn start_with(settings: &ConfiguredExporter, resolver: Arc<dyn Resolver>) -> Self {
        let exporter = Exporter::build_with(settings, resolver).unwrap();
        let queue = Arc::new(SizedQueue::new(settings.queue.size));
        let stats = Arc::new(ExporterStats::default());
        let route = Arc::new(Route::new(
            Signal::Traces,
            Arc::clone(&queue),
            Account::new(TakenItems::default()),
            Budget::new(usize::MAX),
            1,
            None,
        ));
        let (deadline, watching) = watch::channel(None);
        let (tell, ended) = oneshot::channel();
        let (its_queue, its_stats) = (Arc::clone(&queue), Arc::clone(&stats));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let drained = runtime.block_on(exporter.run(its_queue, its_stats, watching));
            let _ = tell.send(drained);
        });
        Self {
            queue,
            route,
            stats,
            deadline,
            ended,
        }
    }

    pub fn push(&self, batch: Arc<SealedBatch>) {
        self.route.account.sealed(batch.items, batch.bytes);
        assert_eq!(self.route.offer(&batch, Logged::No), Offer::Taken);
    }

    /// Closes the queue and waits for the end.
    pub async fn finish(self) -> (Drained, Arc<ExporterStats>) {
        self.queue.close();
        let drained = limit(self.ended).await.unwrap();
        let stats = &self.stats;
        assert_eq!(
            stats.items[Signal::Traces].requests_started.get(),
            stats.items[Signal::Traces].requests_ended.get()
        );
        let account = &self.route.account;
        assert_eq!((account.balance().in_memory, account.bytes()), (0, 0));
        (drained, self.stats)
    }
}

pub async fn limit<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.expect("stuck")
}

/// The answer of a backend that asks for patience.
pub fn over_quota(wish: Duration) -> Reply {
    Reply::Status(tonic::Status::with_error_details(
        tonic::Code::ResourceExhausted,
        "over quota",
        tonic_types::ErrorDetails::with_retry_info(Some(wish)),
    ))
}

/// Waits until `condition` holds.
pub async fn until(condition: impl Fn() -> bool) {
    limit(async {
        while !condition() {
            // A poll of a counter that another thread sets.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// What a scripted server answers.
pub enum Reply {
    Ok,
    Partial(i64, &'static str),
    Status(tonic::Status),
    /// Never answers.
    Hang,
}

type Script = dyn Fn(usize, &ExportTraceServiceRequest) -> Reply + Send + Sync;

/// What a server got.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<Got>>>);

/// One request.
#[derive(Clone, Debug)]
pub struct Got {
    pub at: Instant,
    pub ids: Vec<u64>,
    pub headers: http::HeaderMap,
    pub accepted: bool,
}

impl Log {
    fn add(&self, got: Got) -> usize {
        let mut log = self.0.lock().unwrap();
        log.push(got);
        log.len() - 1
    }

    fn accept(&self, at: usize) {
        self.0.lock().unwrap()[at].accepted = true;
    }

    pub fn all(&self) -> Vec<Got> {
        self.0.lock().unwrap().clone()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Span ids that were answered with success, sorted, duplicates kept.
    pub fn accepted(&self) -> Vec<u64> {
        let log = self.0.lock().unwrap();
        let mut ids: Vec<u64> = log
            .iter()
            .filter(|got| got.accepted)
            .flat_map(|got| got.ids.clone())
            .collect();
        ids.sort_unstable();
        ids
    }
}

/// A tonic TraceService that follows a script: (number of the request, the
/// request) → reply.
#[derive(Clone)]
pub struct Backend {
    log: Log,
    script: Arc<Script>,
}

#[tonic::async_trait]
impl TraceService for Backend {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let headers = request.metadata().clone().into_headers();
        let request = request.into_inner();
        let ids = span_ids(&request);
        let number = self.log.add(Got {
            at: Instant::now(),
            ids,
            headers,
            accepted: false,
        });
        let partial_success = match (self.script)(number, &request) {
            Reply::Ok => None,
            Reply::Partial(rejected_spans, message) => Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: message.into(),
            }),
            Reply::Status(status) => return Err(status),
            Reply::Hang => std::future::pending().await,
        };
        self.log.accept(number);
        Ok(tonic::Response::new(ExportTraceServiceResponse {
            partial_success,
        }))
    }
}

pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A tonic server on a free port.
pub async fn grpc_server(
    script: impl Fn(usize, &ExportTraceServiceRequest) -> Reply + Send + Sync + 'static,
) -> (SocketAddr, Log) {
    let (listener, address) = listen().await;
    (address, grpc_server_on(listener, 64 << 20, script))
}

/// A tonic server on `listener` that takes messages up to `limit` bytes.
pub fn grpc_server_on(
    listener: TcpListener,
    limit: usize,
    script: impl Fn(usize, &ExportTraceServiceRequest) -> Reply + Send + Sync + 'static,
) -> Log {
    let log = Log::default();
    grpc_server_logging(log.clone(), listener, limit, script);
    log
}

/// The same, noting in `log`.
pub fn grpc_server_logging(
    log: Log,
    listener: TcpListener,
    limit: usize,
    script: impl Fn(usize, &ExportTraceServiceRequest) -> Reply + Send + Sync + 'static,
) {
    let backend = Backend {
        log,
        script: Arc::new(script),
    };
    let service = TraceServiceServer::new(backend).max_decoding_message_size(limit);
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)),
    );
}

/// Span ids, in the order in which they came.
pub type Order = Arc<Mutex<Vec<u64>>>;

/// The ids of a gRPC request's spans.
pub async fn read_ids(mut body: h2::RecvStream) -> Vec<u64> {
    let mut message = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        message.extend_from_slice(&data);
    }
    span_ids(&ExportTraceServiceRequest::decode(&message[5..]).unwrap())
}

/// HTTP/2 by h2 alone.
pub async fn h2_server(
    socket: tokio::net::TcpStream,
) -> h2::server::Connection<tokio::net::TcpStream, Bytes> {
    h2::server::handshake(socket).await.unwrap()
}

/// Takes all, one request after the other in the order of their streams.
pub async fn serve_in_order(listener: TcpListener, order: Order) {
    let (socket, _) = listener.accept().await.unwrap();
    let mut connection = h2_server(socket).await;
    type Turn = (h2::RecvStream, h2::server::SendResponse<Bytes>);
    let (turn, mut turns) = tokio::sync::mpsc::unbounded_channel::<Turn>();
    tokio::spawn(async move {
        while let Some((body, mut respond)) = turns.recv().await {
            let ids = read_ids(body).await;
            order.lock().unwrap().extend(ids);
            let response = Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", "0");
            let response = response.body(()).unwrap();
            respond.send_response(response, true).unwrap();
        }
    });
    while let Some(Ok((request, respond))) = connection.accept().await {
        let _ = turn.send((request.into_body(), respond));
    }
}

/// An answer of a raw server: status, headers, body, trailers.
#[derive(Clone, Default)]
pub struct Raw {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(&'static str, String)>,
}

impl Raw {
    pub fn http(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        Self {
            status,
            headers,
            body: body.into(),
            trailers: vec![],
        }
    }

    /// gRPC success.
    pub fn grpc_ok() -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/grpc".into())],
            body: vec![0; 5],
            trailers: vec![("grpc-status", "0".into())],
        }
    }

    fn response(self) -> Response<http_body_util::combinators::BoxBody<Bytes, Infallible>> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = Full::new(Bytes::from(self.body));
        let body = if self.trailers.is_empty() {
            body.boxed()
        } else {
            let map = self
                .trailers
                .into_iter()
                .map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap()))
                .collect();
            body.with_trailers(std::future::ready(Some(Ok(map))))
                .boxed()
        };
        response.body(body).unwrap()
    }
}

/// A request as a raw server sees it.
pub struct RawRequest {
    pub number: usize,
    pub head: http::request::Parts,
    pub body: Bytes,
}

type Handler = dyn Fn(RawRequest) -> Raw + Send + Sync;

/// Serves HTTP/1.1 or HTTP/2 on one connection by `handler`.
pub async fn serve_raw(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    http2: bool,
    count: Arc<Mutex<usize>>,
    handler: Arc<Handler>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (count, handler) = (Arc::clone(&count), Arc::clone(&handler));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let number = {
                let mut count = count.lock().unwrap();
                *count += 1;
                *count - 1
            };
            Ok::<_, hyper::Error>(handler(RawRequest { number, head, body }).response())
        }
    });
    let io = TokioIo::new(io);
    // An error here is a client that went away, which some tests want.
    let _ = if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await
    } else {
        hyper::server::conn::http1::Builder::new()
            .serve_connection(io, service)
            .await
    };
}

/// A raw plaintext server on a free port.
pub async fn raw_server(
    http2: bool,
    handler: impl Fn(RawRequest) -> Raw + Send + Sync + 'static,
) -> SocketAddr {
    let (listener, address) = listen().await;
    let (count, handler) = (Arc::default(), Arc::new(handler) as Arc<Handler>);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve_raw(
                socket,
                http2,
                Arc::clone(&count),
                Arc::clone(&handler),
            ));
        }
    });
    address
}

/// An HTTP/1.1 OTLP backend that notes what it takes. The script says what to
/// answer instead of success.
pub async fn http_server(
    script: impl Fn(usize, &ExportTraceServiceRequest) -> Option<Raw> + Send + Sync + 'static,
) -> (SocketAddr, Log) {
    let log = Log::default();
    let its_log = log.clone();
    let address = raw_server(false, move |request| {
        assert_eq!(request.head.uri.path(), "/v1/traces");
        let decoded = ExportTraceServiceRequest::decode(request.body).unwrap();
        let got = Got {
            at: Instant::now(),
            ids: span_ids(&decoded),
            headers: request.head.headers,
            accepted: false,
        };
        let number = its_log.add(got);
        script(number, &decoded).unwrap_or_else(|| {
            its_log.accept(number);
            Raw::http(200, &[("content-type", "application/x-protobuf")], "")
        })
    })
    .await;
    (address, log)
}
