/*!
The yardstick: what a relay on tonic costs that does nothing for its spans.

It receives OTLP/gRPC with tonic, counts spans by a walk over the top level,
joins requests into batches (the bytes of two requests, one after the other,
are the request of both), and sends those with tonic. Two worker threads, no
decoding, no processing, no metrics, no limits.
*/

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use std::{convert::Infallible, net::SocketAddr, task, time::Duration};
use testkit::{EXPORT, Signal};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{
        Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf,
        Encoder,
    },
    server::{NamedService, UnaryService},
    transport::{Channel, Server},
};

/// From where to where.
#[derive(clap::Args)]
pub struct Options {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Where to send
    #[arg(long)]
    to: SocketAddr,
}

/// Spans of a batch, and how long it stays open.
const SPANS: usize = 8192;
const OPEN: Duration = Duration::from_millis(200);
/// Requests waiting to be joined.
const WAITING: usize = 1024;
/// Batches on their way at once.
const UNDER_WAY: usize = 10;

/// Serves until killed.
pub fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let channel = Channel::from_shared(format!("http://{}", options.to))?.connect_lazy();
        let (joiner, requests) = mpsc::channel(WAITING);
        tokio::spawn(join(requests, channel));
        Server::builder()
            .add_service(Relay { joiner })
            .serve(options.listen)
            .await?;
        Ok(())
    })
}

/// A request and its number of spans.
type Received = (Bytes, usize);

async fn join(mut requests: mpsc::Receiver<Received>, channel: Channel) {
    let (outlet, batches) = mpsc::channel(UNDER_WAY);
    let batches = std::sync::Arc::new(tokio::sync::Mutex::new(batches));
    for _ in 0..UNDER_WAY {
        tokio::spawn(send(std::sync::Arc::clone(&batches), channel.clone()));
    }
    while let Some((first, mut spans)) = requests.recv().await {
        let until = Instant::now() + OPEN;
        let mut batch = BytesMut::from(first);
        while spans < SPANS
            && let Ok(Some((request, more))) = timeout_at(until, requests.recv()).await
        {
            batch.extend_from_slice(&request);
            spans += more;
        }
        if outlet.send(batch.freeze()).await.is_err() {
            return;
        }
    }
}

async fn send(
    batches: std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<Bytes>>>,
    channel: Channel,
) {
    let mut client = tonic::client::Grpc::new(channel);
    loop {
        let Some(batch) = batches.lock().await.recv().await else {
            return;
        };
        let sent = match client.ready().await {
            Ok(()) => {
                let path = PathAndQuery::from_static(EXPORT);
                client.unary(Request::new(batch), path, Raw).await
            }
            Err(error) => Err(Status::unavailable(error.to_string())),
        };
        if let Err(status) = sent {
            eprintln!("a batch is lost: {status}");
        }
    }
}

/// The trace service over bytes; what tonic's generated code would be.
#[derive(Clone)]
struct Relay {
    joiner: mpsc::Sender<Received>,
}

impl NamedService for Relay {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl tower_service::Service<http::Request<Body>> for Relay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let relay = self.clone();
        Box::pin(async move {
            let mut inflates = EnabledCompressionEncodings::default();
            inflates.enable(CompressionEncoding::Gzip);
            let mut grpc = tonic::server::Grpc::new(Raw)
                .max_decoding_message_size(64 << 20)
                .apply_compression_config(inflates, EnabledCompressionEncodings::default());
            Ok(grpc.unary(relay, request).await)
        })
    }
}

impl UnaryService<Bytes> for Relay {
    type Response = Bytes;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let joiner = self.joiner.clone();
        Box::pin(async move {
            let request = request.into_inner();
            let spans = Signal::items(&request).count();
            let sent = joiner.send((request, spans)).await;
            sent.map_err(|_| Status::unavailable("stopping"))?;
            Ok(Response::new(Bytes::new()))
        })
    }
}

/// Messages as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}
