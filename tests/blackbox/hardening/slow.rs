//! A thousand connections that take their time.

use super::{MANY_OF_ONE, MIB, Stage};
use crate::spans::good;
use bytes::Bytes;
use std::time::Duration;
use testkit::{Backend, Ca, EXPORT, Grpc, Setup, Tls, Wayspan, frames};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

const MANY: usize = 1000;

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Opens `count` connections with `open`, and keeps what it gives.
async fn keep<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    open: impl Fn(usize) -> F,
) -> Vec<T> {
    let mut kept = Vec::new();
    let all: Vec<usize> = (0..count).collect();
    // Not all at once: the kernel's queue of connections is not what is tested.
    for some in all.chunks(100) {
        let opening: JoinSet<T> = some.iter().map(|n| open(*n)).collect();
        kept.extend(opening.join_all().await);
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_connections() {
    let stage = Stage::start("").await;
    let (grpc, http) = (stage.wayspan.grpc, stage.wayspan.http);
    let kept = keep(MANY, move |n| connect([grpc, http][n % 2])).await;
    stage.bears(32).await;
    drop(kept);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_dripping_http_bodies() {
    let stage = Stage::start("").await;
    let port = stage.wayspan.http;
    let head = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\
        content-type: application/x-protobuf\r\ncontent-length: 1000000\r\n\r\n";
    let mut kept = keep(MANY, move |_| async move {
        let mut stream = connect(port).await;
        stream.write_all(head).await.unwrap();
        stream
    })
    .await;
    for _ in 0..5 {
        for stream in &mut kept {
            stream.write_all(b"\x0a").await.unwrap();
        }
        stage.bears(64).await;
    }
    drop(kept);
    // Each was a request that never came to its end.
    stage.counted("wayspan_receiver_refused_requests", "http", MANY as f64);
    let log = stage.wayspan.log();
    assert_eq!(log.matches("request refused").count(), 1, "{log}");
    stage.finish().await;
}

/// One request whose body is begun.
struct Dripping {
    stream: h2::SendStream<Bytes>,
    _answer: h2::client::ResponseFuture,
    _sender: h2::client::SendRequest<Bytes>,
}

async fn drip(port: u16) -> Dripping {
    let (sender, connection) = h2::client::handshake(connect(port).await).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let (answer, mut stream) = sender.send_request(request(), false).unwrap();
    let begun = Bytes::from(frames::grpc(0, &good(1))).split_to(9);
    stream.send_data(begun, false).unwrap();
    Dripping {
        stream,
        _answer: answer,
        _sender: sender,
    }
}

fn request() -> http::Request<()> {
    http::Request::post(format!("http://localhost{EXPORT}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_dripping_grpc_bodies() {
    let stage = Stage::start("").await;
    let port = stage.wayspan.grpc;
    let mut kept = keep(MANY, move |_| drip(port)).await;
    for _ in 0..5 {
        for dripping in &mut kept {
            dripping
                .stream
                .send_data(Bytes::from_static(b"\x0a"), false)
                .unwrap();
        }
        stage.bears(64).await;
    }
    drop(kept);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_half_tls_handshakes() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let (ca, backend) = (Ca::new(), Backend::grpc());
    ca.install(&ca.sign("localhost"));
    let tls = format!(
        "tls: {{cert_file: {}, key_file: {}}}",
        ca.path("tls.crt").display(),
        ca.path("tls.key").display()
    );
    let wayspan = Wayspan::start(Setup::to(&backend).grpc(&tls).layer(MANY_OF_ONE));
    let port = wayspan.grpc;
    let before = wayspan.process().peak_memory();
    let kept = keep(MANY, move |n| async move {
        let mut stream = connect(port).await;
        // A ClientHello's header and less of it than that says; of every other
        // not even the header.
        let hello: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        let part = if n % 2 == 0 { hello } else { &hello[..3] };
        stream.write_all(part).await.unwrap();
        stream
    })
    .await;
    // The good sender comes in TLS, and anew each time.
    for n in 1..=20 {
        let connector = ca.client().connector();
        let stream = connector
            .connect(Tls::name(), connect(port).await)
            .await
            .unwrap();
        let reply = Grpc::over(stream).await.export(&good(n)).await;
        assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
    }
    let grown = wayspan.process().peak_memory().saturating_sub(before) / MIB;
    assert!(grown <= 64, "{grown} MiB more than before");
    // They are given up after ten seconds, each is counted, and each is closed.
    let series = "wayspan_receiver_failed_handshakes{receiver=\"otlp\",transport=\"grpc\"}";
    wayspan.wait_metric(series, |value| value == MANY as f64);
    for mut stream in kept {
        let end = timeout(Duration::from_secs(20), stream.read(&mut [0; 64])).await;
        assert!(matches!(end, Ok(Ok(0) | Err(_))), "still open: {end:?}");
    }
    backend.wait(20);
    wayspan.assert_alive();
}

/// Requests without end, of which no answer is ever read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_senders_that_read_no_answers() {
    let stage = Stage::start("").await;
    let (grpc, http) = (stage.wayspan.grpc, stage.wayspan.http);
    let kept = keep(100, move |n| async move {
        match n % 2 {
            0 => pipeline(http).await,
            _ => window_of_zero(grpc).await,
        }
    })
    .await;
    stage.bears(128).await;
    drop(kept);
    stage.finish().await;
}

/// Sends HTTP/1.1 requests until nobody takes any more, or 16 MiB.
async fn pipeline(port: u16) -> Box<dyn Send> {
    let mut stream = connect(port).await;
    let one = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    for _ in 0..(16 << 20) / one.len() {
        let written = timeout(Duration::from_millis(500), stream.write_all(&one)).await;
        if !matches!(written, Ok(Ok(()))) {
            break;
        }
    }
    Box::new(stream)
}

/// Sends requests to whose answers it gives no room.
async fn window_of_zero(port: u16) -> Box<dyn Send> {
    let handshake = h2::client::Builder::new()
        .initial_window_size(0)
        .handshake::<_, Bytes>(connect(port).await);
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..500 {
        // A server limits the streams, or ends the connection.
        let Ok(Ok(ready)) = timeout(Duration::from_millis(200), sender.ready()).await else {
            return Box::new(answers);
        };
        sender = ready;
        let Ok((answer, mut body)) = sender.send_request(request(), false) else {
            break;
        };
        // An empty request is answered with success, and with a body.
        let _ = body.send_data(Bytes::from(frames::grpc(0, b"")), true);
        answers.push((answer, body));
    }
    Box::new((sender, answers))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_low_soft_limit_of_open_files_is_raised_and_a_low_hard_one_is_told() {
    let few = 64;
    for hard in [false, true] {
        let soft = if hard { "" } else { "S" };
        let setup = Setup::usual()
            .layer(
                "exporters: {debug: }\n\
                 service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}",
            )
            .after(&format!("ulimit -{soft}n {few}"));
        let wayspan = Wayspan::start(setup);
        let told = wayspan.log().contains("at most 64 files may be open");
        assert_eq!(told, hard, "{}", wayspan.log());
        if hard {
            continue;
        }
        let port = wayspan.grpc;
        let kept = keep(200, move |_| connect(port)).await;
        let reply = Grpc::connect(port).await.export(&good(1)).await;
        assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
        wayspan.assert_alive();
        drop(kept);
    }
}
