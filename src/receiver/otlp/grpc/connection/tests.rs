//! A connection over a pipe, with a clock that is moved by hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    super::deadlines::{FRAME_TIMEOUT, STALL_TIMEOUT},
    *,
};
use crate::{
    net::{connection::FIRST_BYTE_TIMEOUT, h2::hpack},
    pdata::Signal,
    pipeline::{Ingest, NotTaken, Taken, Ticket},
    receiver::endpoint::{BODY_IDLE_TIMEOUT, Endpoint, Protocol, body_time},
    receiver::otlp::ServerKeepalive,
    receiver::scratch::Scratch,
    telemetry::ReceiverStats,
};
use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    task::Waker,
};
use tokio::{
    io::DuplexStream,
    sync::watch,
    task::{JoinHandle, LocalSet},
    time::sleep,
};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// A pipeline that can make answers wait.
#[derive(Default)]
struct Pipeline {
    taken: Cell<u64>,
    /// Requests up to this one are stored; None: nobody waits for that.
    stored: Cell<Option<u64>>,
    waiting: RefCell<Option<Waker>>,
}

impl Pipeline {
    fn store(&self, up_to: u64) {
        self.stored.set(Some(up_to));
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

impl Ingest for Pipeline {
    fn take(&self, _: Signal, _request: &[u8], _peer: IpAddr) -> Result<Taken, NotTaken> {
        self.taken.set(self.taken.get() + 1);
        let stored = self.stored.get().map(|_| Ticket(self.taken.get()));
        Ok(Taken {
            stored,
            ..Taken::default()
        })
    }

    fn poll_stored(&self, ticket: Ticket, cx: &mut task::Context<'_>) -> Poll<()> {
        if self.stored.get().is_none_or(|stored| ticket.0 <= stored) {
            return Poll::Ready(());
        }
        self.waiting.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// The client's end of a connection.
struct Peer {
    socket: DuplexStream,
    pipeline: Rc<Pipeline>,
    stats: ReceiverStats,
    _shutdown: watch::Sender<bool>,
    server: JoinHandle<Result<(), ConnectionError>>,
    unread: Vec<u8>,
}

fn settings() -> GrpcServer {
    GrpcServer {
        endpoint: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        max_message_bytes: 1 << 20,
        max_concurrent_streams: 100,
        max_header_bytes: 16 << 10,
        keepalive: ServerKeepalive {
            max_connection_age: None,
            max_connection_idle: None,
            max_connection_age_grace: Duration::from_secs(30),
            time: Duration::from_secs(3600),
            timeout: Duration::from_secs(10),
        },
        tls: None,
        auth: None,
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn block(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        ("content-type", "application/grpc"),
    ] {
        hpack::field(&mut block, name.as_bytes(), value.as_bytes());
    }
    block
}

fn head(stream: u32, path: &str) -> Vec<u8> {
    frame(1, 4, stream, &block(path))
}

fn message(stream: u32) -> Vec<u8> {
    frame(0, 1, stream, &[0; 5])
}

fn call(stream: u32) -> Vec<u8> {
    [head(stream, EXPORT), message(stream)].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Peer {
    /// Both sides have said and heard their settings.
    async fn connect(settings: GrpcServer) -> Self {
        let mut peer = Self::silent(settings, 64 << 10);
        let hello = [PREFACE.to_vec(), frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat();
        peer.send(&hello).await;
        for want in [(4, 0), (8, 0), (4, 1)] {
            let (kind, flags, ..) = peer.frame().await.unwrap();
            assert_eq!((kind, flags), want);
        }
        peer
    }

    /// Nothing was said yet; the pipe holds so many octets.
    fn silent(settings: GrpcServer, pipe: usize) -> Self {
        let (socket, stream) = tokio::io::duplex(pipe);
        let pipeline = Rc::<Pipeline>::default();
        let stats = ReceiverStats::default();
        let (shutdown, stop) = watch::channel(false);
        let endpoint = Rc::new(Endpoint {
            protocol: Protocol::Grpc(settings.clone()),
            tls: None,
            admission: None,
            ingest: Rc::<Pipeline>::clone(&pipeline),
            closing: Rc::default(),
            scratch: Scratch::unlimited(),
            stats: stats.clone(),
        });
        let peer = "127.0.0.1:1".parse().unwrap();
        let context = ConnectionContext::new(endpoint, peer, Default::default(), stop);
        let context = Rc::new(context);
        let server = tokio::task::spawn_local(async move {
            let activity = Activity::new(false);
            GrpcConnection::new(context, &settings, stream)
                .run(&activity)
                .await
        });
        Self {
            socket,
            pipeline,
            stats,
            _shutdown: shutdown,
            server,
            unread: Vec::new(),
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// The next frame: kind, flags, stream, payload; None: closed.
    async fn frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        loop {
            if let [_, a, b, ..] = self.unread[..] {
                let length = usize::from(a) << 8 | usize::from(b);
                if self.unread.len() >= 9 + length {
                    let bytes: Vec<_> = self.unread.drain(..9 + length).collect();
                    let stream = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
                    return Some((bytes[3], bytes[4], stream, bytes[9..].to_vec()));
                }
            }
            if self.socket.read_buf(&mut self.unread).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// Streams as they are answered, and `grpc-status` of each.
    async fn answer(&mut self) -> (u32, String) {
        loop {
            let (kind, flags, stream, payload) = self.frame().await.unwrap();
            if (kind, flags & 1) == (1, 1) {
                let mut status = String::new();
                let decoded = hpack::HpackDecoder::default().decode(&payload, |entry| {
                    if entry.name == b"grpc-status" {
                        status = String::from_utf8(entry.value.to_vec()).unwrap();
                    }
                    true
                });
                decoded.unwrap();
                return (stream, status);
            }
        }
    }

    /// The code of GOAWAY, which must come.
    async fn goaway(&mut self) -> u8 {
        loop {
            let (kind, .., payload) = self.frame().await.unwrap();
            if kind == 7 {
                return payload[7];
            }
        }
    }

    async fn end(self) -> Result<(), ConnectionError> {
        drop(self.socket);
        self.server.await.unwrap()
    }
}

/// With a clock that jumps whenever nobody has anything to do.
fn run(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

async fn within(begin: Instant, about: Duration) {
    let (gone, slack) = (begin.elapsed(), Duration::from_millis(10));
    assert!(gone >= about && gone <= about + slack, "{gone:?}");
}

#[test]
fn a_body_that_stops_is_given_up_and_the_connection_goes_on() {
    run(async {
        let mut peer = Peer::connect(settings()).await;
        let begin = Instant::now();
        peer.send(&[head(1, EXPORT), frame(0, 0, 1, &[0, 0])].concat())
            .await;
        assert_eq!(peer.answer().await, (1, "4".to_owned()));
        within(begin, BODY_IDLE_TIMEOUT).await;
        peer.send(&call(3)).await;
        assert_eq!(peer.answer().await, (3, "0".to_owned()));
        assert_eq!(
            (peer.stats.refused.total(), peer.stats.requests.get()),
            (1, 1)
        );
        assert!(peer.end().await.is_ok());
    });
}

#[test]
fn a_body_that_drips_is_given_up_in_the_end() {
    run(async {
        let mut peer = Peer::connect(settings()).await;
        let begin = Instant::now();
        peer.send(&[head(1, EXPORT), frame(0, 0, 1, &[0, 0, 1, 0, 0])].concat())
            .await;
        let (mut reader, mut drips) = (peer, 0);
        let status = loop {
            tokio::select! {
                answer = reader.answer() => break answer.1,
                () = sleep(Duration::from_millis(900)) => {}
            }
            reader.send(&frame(0, 0, 1, &[7])).await;
            drips += 1;
        };
        assert_eq!(status, "4");
        assert!((32..=34).contains(&drips), "{drips}");
        within(begin, body_time(16)).await;
    });
}

#[test]
fn a_header_block_or_frame_that_does_not_end_ends_the_connection() {
    for begun in [
        frame(1, 0, 1, &block(EXPORT)),
        head(1, EXPORT)[..20].to_vec(),
    ] {
        run(async {
            let mut peer = Peer::connect(settings()).await;
            let begin = Instant::now();
            peer.send(&begun).await;
            assert_eq!(peer.goaway().await, 11);
            within(begin, FRAME_TIMEOUT).await;
            assert!(matches!(
                peer.end().await,
                Err(ConnectionError::Protocol(_))
            ));
        });
    }
}

#[test]
fn settings_that_do_not_come_end_the_connection() {
    for hello in [
        &PREFACE[..10],
        PREFACE,
        &[PREFACE, &frame(4, 0, 0, &[])].concat(),
    ] {
        run(async {
            let mut peer = Peer::silent(settings(), 1000);
            let begin = Instant::now();
            peer.send(hello).await;
            assert!([4, 11].contains(&peer.goaway().await));
            within(begin, FIRST_BYTE_TIMEOUT).await;
        });
    }
}

#[test]
fn a_silent_peer_is_pinged_and_must_answer() {
    run(async {
        let (time, timeout) = (Duration::from_secs(40), Duration::from_secs(7));
        let mut settings = settings();
        (settings.keepalive.time, settings.keepalive.timeout) = (time, timeout);
        let mut peer = Peer::connect(settings).await;
        for _ in 0..3 {
            let begin = Instant::now();
            let (kind, flags, _, payload) = peer.frame().await.unwrap();
            assert_eq!((kind, flags), (6, 0));
            assert!(begin.elapsed() <= time * 5 / 4 + Duration::from_millis(10));
            peer.send(&frame(6, 1, 0, &payload)).await;
        }
        let (kind, ..) = peer.frame().await.unwrap();
        assert_eq!(kind, 6);
        let begin = Instant::now();
        assert_eq!(peer.frame().await, None);
        within(begin, timeout).await;
        assert!(matches!(peer.end().await, Err(ConnectionError::Silent(_))));
    });
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from_and_closed() {
    run(async {
        let mut peer = Peer::silent(settings(), 1000);
        let begin = Instant::now();
        let hello = [PREFACE.to_vec(), frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat();
        peer.send(&hello).await;
        let mut sent = 0_u32;
        // The pipe is full when the server has stopped to read.
        while let Ok(()) = timeout(Duration::from_secs(1), peer.send(&call(2 * sent + 1))).await {
            sent += 1;
            assert!(sent < 5000, "it reads on and on");
        }
        assert!(u64::from(sent) >= peer.pipeline.taken.get());
        let ended = peer.server.await.unwrap();
        assert!(
            matches!(ended, Err(ConnectionError::Silent(_))),
            "{ended:?}"
        );
        let gone = begin.elapsed();
        assert!(
            gone >= STALL_TIMEOUT && gone < STALL_TIMEOUT + Duration::from_secs(3),
            "{gone:?}"
        );
    });
}

#[test]
fn windows_that_stay_closed_end_the_connection() {
    run(async {
        let mut peer = Peer::connect(settings()).await;
        let begin = Instant::now();
        let closed = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
        peer.send(&[closed, call(1)].concat()).await;
        assert_eq!(peer.goaway().await, 11);
        within(begin, STALL_TIMEOUT).await;
    });
}

#[test]
fn answers_wait_until_what_was_taken_is_stored() {
    run(async {
        let mut peer = Peer::connect(settings()).await;
        peer.pipeline.store(0);
        peer.send(&[call(1), call(3), call(5)].concat()).await;
        let early = timeout(Duration::from_secs(20), peer.answer()).await;
        assert!(early.is_err(), "{early:?}");
        assert_eq!(
            (peer.pipeline.taken.get(), peer.stats.requests.get()),
            (3, 0)
        );
        peer.pipeline.store(2);
        assert_eq!(peer.answer().await, (1, "0".to_owned()));
        assert_eq!(peer.answer().await, (3, "0".to_owned()));
        // One that was reset meanwhile costs nobody anything.
        peer.send(&[frame(3, 0, 5, &[0, 0, 0, 8]), call(7)].concat())
            .await;
        peer.pipeline.store(9);
        assert_eq!(peer.answer().await, (7, "0".to_owned()));
        assert!(peer.end().await.is_ok());
    });
}

#[test]
fn a_request_cut_off_is_counted_once() {
    run(async {
        let mut peer = Peer::connect(settings()).await;
        peer.send(&[head(1, EXPORT), frame(0, 0, 1, &[0])].concat())
            .await;
        peer.send(&[head(3, EXPORT), frame(3, 0, 3, &[0, 0, 0, 8])].concat())
            .await;
        let stats = peer.stats.clone();
        assert!(peer.end().await.is_ok());
        assert_eq!((stats.refused.total(), stats.requests.get()), (2, 0));
    });
}

#[test]
fn a_watcher_that_leaves_is_forgotten() {
    run(async {
        let mut peer = Peer::connect(settings()).await;
        let watch = [head(1, WATCH), message(1), head(3, WATCH), message(3)].concat();
        peer.send(&watch).await;
        for stream in [1, 1, 3, 3] {
            assert_eq!(peer.frame().await.unwrap().2, stream);
        }
        peer.send(&frame(3, 0, 1, &[0, 0, 0, 8])).await;
        peer.send(&frame(6, 0, 0, &[1; 8])).await;
        assert_eq!(peer.frame().await.unwrap().0, 6);
        peer._shutdown.send(true).unwrap();
        // Not serving, and the end.
        for (kind, flags) in [(0, 0), (1, 5)] {
            let frame = peer.frame().await.unwrap();
            assert_eq!((frame.0, frame.1, frame.2), (kind, flags, 3));
        }
    });
}
