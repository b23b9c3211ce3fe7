/*!
What a request allocates between the socket and the pipeline: nothing.

The server has a thread of its own, whose allocations are counted from its
first to its last request; two runs of different length cancel what a
connection costs. How a stream's bytes are cut into reads is the kernel's
business, so the figures are bounds.
*/

use crate::support::captured;
use allocation_counter::{AllocationInfo, measure};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::Request;
use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    thread,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions, LocalRuntime},
    sync::watch,
    task::{JoinHandle, spawn_local},
    time::sleep,
};
use wayspan::{
    pdata::Signal,
    pipeline::{Ingest, NotTaken, Taken},
    receiver::otlp::{GrpcServer, ServerKeepalive},
    receiver::{Endpoint, Protocol, Scratch, serve},
    telemetry::ReceiverStats,
};

const EXPORT: &str = "http://localhost/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What a thousand requests of five spans may allocate. The body is parsed where
/// it was read, or joined in a buffer that is used again; the answer is written
/// to another one.
const ALLOCATIONS: u64 = 10;

/// What a connection between two requests may hold, with its tasks and timers.
const IDLE: i64 = 6 << 10;

struct Taker(Cell<usize>);

impl Ingest for Taker {
    fn take(&self, _: Signal, request: &[u8], _peer: IpAddr) -> Result<Taken, NotTaken> {
        self.0.set(self.0.get() + request.len());
        Ok(Taken::default())
    }
}

fn settings() -> GrpcServer {
    GrpcServer {
        endpoint: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        tls: None,
        auth: None,
        max_message_bytes: 4 << 20,
        max_concurrent_streams: 256,
        max_header_bytes: 16 << 10,
        keepalive: ServerKeepalive {
            max_connection_age: None,
            max_connection_idle: None,
            max_connection_age_grace: Duration::from_secs(30),
            time: Duration::from_secs(3600),
            timeout: Duration::from_secs(10),
        },
    }
}

fn endpoint() -> Rc<Endpoint> {
    Rc::new(Endpoint {
        protocol: Protocol::Grpc(settings()),
        ingest: Rc::new(Taker(Cell::new(0))),
        closing: Rc::default(),
        scratch: Scratch::unlimited(),
        tls: None,
        admission: None,
        stats: ReceiverStats::default(),
    })
}

fn runtime() -> LocalRuntime {
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_all();
    builder.build_local(LocalOptions::default()).unwrap()
}

/// Serves one connection to its end; what its thread allocated for it.
fn served(listener: std::net::TcpListener) -> AllocationInfo {
    let (runtime, endpoint) = (runtime(), endpoint());
    let (_running, stop) = watch::channel(false);
    measure(|| {
        let (endpoint, stop) = (Rc::clone(&endpoint), stop.clone());
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
            let (socket, peer) = listener.accept().await.unwrap();
            serve(endpoint, socket, peer, Default::default(), stop).await;
        });
    })
}

/// Serves so many connections until each has had a request answered; what is
/// allocated then.
fn held(listener: std::net::TcpListener, connections: usize) -> i64 {
    let (runtime, endpoint) = (runtime(), endpoint());
    let (_running, stop) = watch::channel(false);
    let held = measure(|| {
        let (endpoint, stop) = (Rc::clone(&endpoint), stop.clone());
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
            for _ in 0..connections {
                let (socket, peer) = listener.accept().await.unwrap();
                spawn_local(serve(
                    Rc::clone(&endpoint),
                    socket,
                    peer,
                    Default::default(),
                    stop.clone(),
                ));
            }
            while endpoint.stats.requests.get() < connections as u64 {
                sleep(Duration::from_millis(1)).await;
            }
        });
    });
    held.bytes_current
}

type Client = (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>);

/// Sends so many requests, each after the answer to the one before, and each
/// body in so many frames, which the server reads one by one.
async fn send(to: SocketAddr, body: Bytes, frames: usize, count: usize) {
    let (sender, driver) = requests(to, body, frames, count).await;
    drop(sender);
    driver.await.unwrap().unwrap();
}

/// The same; the connection stays.
async fn requests(to: SocketAddr, body: Bytes, frames: usize, count: usize) -> Client {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    for _ in 0..count {
        let request = Request::post(EXPORT)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut sender = sender.clone().ready().await.unwrap();
        let (response, mut stream) = sender.send_request(request, false).unwrap();
        for n in 0..frames {
            // Written before the next one is there.
            for _ in 0..2 * usize::from(frames > 1) {
                tokio::task::yield_now().await;
            }
            let piece = n * body.len() / frames..(n + 1) * body.len() / frames;
            stream
                .send_data(body.slice(piece), n + 1 == frames)
                .unwrap();
        }
        let mut incoming = response.await.unwrap().into_body();
        while let Some(data) = incoming.data().await {
            let data = data.unwrap();
            incoming
                .flow_control()
                .release_capacity(data.len())
                .unwrap();
        }
        let trailers = incoming.trailers().await.unwrap();
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
    }
    (sender, driver)
}

fn run(body: &Bytes, frames: usize, count: usize) -> AllocationInfo {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || served(listener));
    let client = Builder::new_current_thread().enable_all().build().unwrap();
    client.block_on(send(address, body.clone(), frames, count));
    server.join().unwrap()
}

fn body() -> Bytes {
    let message = captured("ambient-istio-1.30").swap_remove(0);
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len() as u32);
    body.put_slice(&message);
    body.freeze()
}

#[test]
fn an_idle_connection() {
    let held = |connections| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || held(listener, connections));
        let client = Builder::new_current_thread().enable_all().build().unwrap();
        let all = (0..connections).map(|_| requests(address, body(), 1, 1));
        let _open = client.block_on(futures_util::future::join_all(all));
        server.join().unwrap()
    };
    // Two runs of different length cancel what the thread shares.
    let each = (held(90) - held(40)) / 50;
    eprintln!("an idle connection holds {each} bytes");
    assert!(each <= IDLE, "{each}");
}

#[test]
fn a_request_from_socket_to_pipeline() {
    let body = body();
    for frames in [1, 3] {
        let (few, many) = (run(&body, frames, 100), run(&body, frames, 1100));
        let more = |of: fn(&AllocationInfo) -> u64| of(&many).saturating_sub(of(&few));
        let (allocations, bytes) = (more(|i| i.count_total), more(|i| i.bytes_total));
        eprintln!(
            "in {frames} frame(s): {allocations} allocations of {bytes} bytes together in 1000 \
             requests of {} bytes",
            body.len()
        );
        assert!(allocations <= ALLOCATIONS, "{allocations}");
    }
}
