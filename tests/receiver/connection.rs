//! A connection's life: versions, limits, age, shutdown, silence.

use crate::harness::*;
use bytes::Bytes;
use http_body_util::{Full, StreamBody, combinators::BoxBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use wayspan::receiver::{Protocol, otlp::http_protocol};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Reads until the peer closes.
async fn rest(mut socket: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end as well.
    let _ = socket.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn head(length: usize) -> String {
    format!(
        "POST /v1/traces HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_port_probe_does_no_harm() {
    let mut server = Server::grpc();
    drop(connect(&server).await);
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
    assert_eq!(server.counts(), (0, 0));
}

#[tokio::test]
async fn a_preface_in_pieces_is_still_http2() {
    let server = Server::grpc();
    let mut socket = connect(&server).await;
    socket.set_nodelay(true).unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for piece in preface.chunks(5) {
        socket.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    // The server's first frame is SETTINGS (type 4) on stream 0.
    let mut frame = [0; 9];
    socket.read_exact(&mut frame).await.unwrap();
    assert_eq!((frame[3], &frame[5..]), (4, &[0; 4][..]));
}

#[tokio::test]
async fn a_method_that_begins_like_the_preface_is_http1() {
    let server = Server::http();
    let mut socket = connect(&server).await;
    socket
        .write_all(b"PROPFIND /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(socket).await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn noise_ends_the_connection_only() {
    let mut server = Server::grpc();
    for (n, noise) in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], // a TLS hello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, but long enough to be one",
        b"\0\0\0\0\0\0",
        b"GET\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let mut socket = connect(&server).await;
        socket.write_all(noise).await.unwrap();
        socket.shutdown().await.unwrap();
        rest(socket).await;
        server
            .ended
            .wait_for(|ended| *ended == n + 1)
            .await
            .unwrap();
    }
    assert_eq!(
        export(&server, &[], framed(0, &body("a")))
            .await
            .grpc()
            .code(),
        tonic::Code::Ok
    );
    assert_eq!(
        log()
            .into_iter()
            .filter(|line| line.contains("speaks TLS"))
            .count(),
        1
    );
}

#[tokio::test]
async fn no_setting_can_overflow_the_clock() {
    let mut settings = grpc_settings();
    settings.keepalive.max_connection_age = Some(Duration::MAX);
    settings.keepalive.max_connection_age_grace = Duration::MAX;
    settings.keepalive.max_connection_idle = Some(Duration::MAX);
    (settings.keepalive.time, settings.keepalive.timeout) = (Duration::MAX, Duration::MAX);
    settings.max_message_bytes = usize::MAX;
    let server = Server::start(Protocol::Grpc(settings));
    let sent = framed(1, &gzip(&body("a")));
    let got = export(&server, &[("grpc-encoding", "gzip")], sent).await;
    assert_eq!(got.grpc().code(), tonic::Code::Ok);

    let mut settings = http_settings();
    let server = &mut settings.server;
    (server.header_timeout, server.idle_timeout) = (Duration::MAX, Some(Duration::MAX));
    server.max_body_bytes = usize::MAX;
    let server = Server::start(http_protocol(settings));
    let headers = [("content-type", PROTOBUF), ("content-encoding", "zstd")];
    let got = http1(&server, post("/v1/traces", &headers, zstd(&body("a")))).await;
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn headers_are_limited() {
    let server = Server::http();
    let long = "x".repeat(20 << 10);
    let request = || {
        post(
            "/v1/traces",
            &[("content-type", PROTOBUF), ("x-long", &long)],
            vec![],
        )
    };
    assert_eq!(http1(&server, request()).await.status, 431);
    assert_eq!(http2(&server, request()).await.status, 431);
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn http1_connections_are_kept_alive() {
    let server = Server::http();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(connect(&server).await))
            .await
            .unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        sender.ready().await.unwrap();
        let request = post("/v1/traces", &[("content-type", PROTOBUF)], body("a"));
        let got = Got::of(sender.send_request(request).await.unwrap()).await;
        assert_eq!(got.status, 200);
    }
    assert_eq!(*server.ended.borrow(), 0);
}

type AnyBody = BoxBody<Bytes, Infallible>;
type Client = hyper::client::conn::http2::SendRequest<AnyBody>;

async fn call(client: &mut Client, body: AnyBody) -> hyper::Result<Got> {
    let request = http::Request::post(format!("http://test{EXPORT}"))
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap();
    Ok(Got::of(client.send_request(request).await?).await)
}

/// A call whose body is sent piece by piece, on a connection of its own.
struct OpenCall {
    pieces: mpsc::UnboundedSender<Bytes>,
    answer: tokio::task::JoinHandle<hyper::Result<Got>>,
}

/// Opens a call on a new connection, which it returns.
async fn begin_call(server: &Server) -> (OpenCall, Client) {
    let (client, connection) = hyper::client::conn::http2::handshake(
        TokioExecutor::new(),
        TokioIo::new(connect(server).await),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let (pieces, mut receive) = mpsc::unbounded_channel::<Bytes>();
    let body = BoxBody::new(StreamBody::new(futures_util::stream::poll_fn(move |cx| {
        receive
            .poll_recv(cx)
            .map(|piece| piece.map(|p| Ok(http_body::Frame::data(p))))
    })));
    let mut first = client.clone();
    let mut answer = tokio::spawn(async move { call(&mut first, body).await });
    // The spawned one has been polled after this, and so has its stream.
    tokio::task::yield_now().await;
    assert!(futures_util::poll!(&mut answer).is_pending());
    (OpenCall { pieces, answer }, client)
}

/// Opens a call and returns when the server has it in flight.
async fn open_call(server: &Server) -> OpenCall {
    let (open, mut client) = begin_call(server).await;
    // Streams begin in order: once a later one is answered, the first has begun.
    let refused = call(&mut client, BoxBody::new(Full::new(Bytes::new())))
        .await
        .unwrap();
    assert_eq!(refused.grpc().code(), tonic::Code::Unimplemented);
    open
}

#[tokio::test]
async fn shutdown_answers_what_is_in_flight_and_ends() {
    let mut server = Server::grpc();
    let message = framed(0, &body("late"));
    let open = open_call(&server).await;
    open.pieces
        .send(Bytes::copy_from_slice(&message[..7]))
        .unwrap();
    let mut idle = connect(&server).await;
    idle.write_all(head(0).as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();

    server.shutdown.send(true).unwrap();
    // At once, since nothing is in flight there.
    rest(idle).await;
    open.pieces
        .send(Bytes::copy_from_slice(&message[7..]))
        .unwrap();
    drop(open.pieces);
    assert_eq!(
        open.answer.await.unwrap().unwrap().grpc().code(),
        tonic::Code::Ok
    );
    assert_eq!(server.taken(), [body("late")]);
    server.ended.wait_for(|ended| *ended == 2).await.unwrap();
}

#[tokio::test]
async fn shutdown_closes_silent_connections() {
    let mut server = Server::grpc();
    let silent = connect(&server).await;
    server.shutdown.send(true).unwrap();
    assert_eq!(rest(silent).await, "");
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
}

/// A call over a connection of HTTP/2, which the server then ends with GOAWAY and
/// NO_ERROR: the client's side ends without an error.
async fn ends_after_a_call(mut server: Server, path: &str, content: &str, body: Vec<u8>) {
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(connect(&server).await),
    )
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::post(format!("http://test{path}"))
        .header("content-type", content)
        .body(Full::new(body.into()))
        .unwrap();
    let got = Got::of(sender.send_request(request).await.unwrap()).await;
    assert_eq!(got.status, 200);
    connection.await.unwrap().unwrap();
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn an_aged_connection_is_ended_after_its_calls() {
    let age = Some(Duration::from_secs(1));
    let mut settings = grpc_settings();
    settings.keepalive.max_connection_age = age;
    let server = Server::start(Protocol::Grpc(settings));
    ends_after_a_call(server, EXPORT, "application/grpc", framed(0, &body("a"))).await;

    let mut settings = http_settings();
    settings.server.max_connection_age = age;
    let server = Server::start(http_protocol(settings.clone()));
    ends_after_a_call(server, "/v1/traces", PROTOBUF, body("a")).await;
    let server = Server::start(http_protocol(settings));
    let mut socket = connect(&server).await;
    socket.write_all(head(0).as_bytes()).await.unwrap();
    let said = rest(socket).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test]
async fn a_connection_without_calls_for_long_is_ended() {
    let mut settings = grpc_settings();
    settings.keepalive.max_connection_idle = Some(Duration::from_millis(200));
    let server = Server::start(Protocol::Grpc(settings));
    ends_after_a_call(server, EXPORT, "application/grpc", framed(0, &body("a"))).await;
}

/// A shard with too much to do lets connections go: those that send, none that
/// came after the order, and none of their calls is lost.
#[tokio::test]
async fn a_connection_that_is_to_leave_is_ended_after_its_call() {
    let mut server = Server::start_with(Protocol::Grpc(grpc_settings()), 2);
    let client = async || {
        let io = TokioIo::new(connect(&server).await);
        let client = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = client.await.unwrap();
        (sender, tokio::spawn(connection))
    };
    let call = || {
        http::Request::post(format!("http://test{EXPORT}"))
            .header("content-type", "application/grpc")
            .body(Full::<Bytes>::new(framed(0, &body("a")).into()))
            .unwrap()
    };
    let (mut old, ended) = client().await;
    for _ in 0..2 {
        // The order comes with the first call and concerns the second.
        let got = Got::of(old.send_request(call()).await.unwrap()).await;
        assert_eq!(got.grpc().code(), tonic::Code::Ok);
    }
    ended.await.unwrap().unwrap();
    let (mut new, ended) = client().await;
    for _ in 0..3 {
        let got = Got::of(new.send_request(call()).await.unwrap()).await;
        assert_eq!(got.grpc().code(), tonic::Code::Ok);
    }
    drop(new);
    ended.await.unwrap().unwrap();
    server.ended.wait_for(|ended| *ended == 2).await.unwrap();
    assert_eq!(server.taken().len(), 5);
}

/// Over HTTP/1.1 the answer says so.
#[tokio::test]
async fn a_connection_that_is_to_leave_hears_it() {
    let mut server = Server::start_with(http_protocol(http_settings()), 1);
    let mut client = connect(&server).await;
    let mut heads = String::new();
    for _ in 0..2 {
        client.write_all(head(0).as_bytes()).await.unwrap();
        let mut byte = [0];
        while !heads.ends_with("\r\n\r\n") || byte == [0] {
            client.read_exact(&mut byte).await.unwrap();
            heads.push(byte[0].into());
        }
    }
    assert_eq!(heads.matches("connection: close").count(), 1, "{heads}");
    assert!(heads.ends_with("\r\n\r\n"));
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_cut() {
    let mut settings = grpc_settings();
    settings.keepalive.max_connection_age = Some(Duration::from_millis(50));
    settings.keepalive.max_connection_age_grace = Duration::from_millis(50);
    let mut server = Server::start(Protocol::Grpc(settings));
    let (open, _client) = begin_call(&server).await;
    open.pieces.send(Bytes::from_static(&[0, 0])).unwrap();
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
    drop(open.pieces);
    assert!(open.answer.await.unwrap().is_err());
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up_but_rest_between_requests_is_not() {
    let mut settings = http_settings();
    settings.server.header_timeout = Duration::from_millis(100);
    let mut server = Server::start(http_protocol(settings));
    let mut resting = connect(&server).await;
    resting.write_all(head(0).as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    resting.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");

    let mut slow = connect(&server).await;
    slow.write_all(b"POST /v1/traces HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    assert_eq!(rest(slow).await, "");
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
    // The resting one has rested for longer than that, and still serves.
    let last = head(0).replace("host: test", "host: test\r\nconnection: close");
    resting.write_all(last.as_bytes()).await.unwrap();
    assert!(rest(resting).await.contains("HTTP/1.1 200"));
    assert_eq!(server.taken().len(), 2);
}

#[tokio::test]
async fn an_idle_http_connection_is_closed_when_asked() {
    let mut settings = http_settings();
    settings.server.idle_timeout = Some(Duration::from_millis(50));
    let mut server = Server::start(http_protocol(settings));
    let mut socket = connect(&server).await;
    socket.write_all(head(0).as_bytes()).await.unwrap();
    assert!(rest(socket).await.starts_with("HTTP/1.1 200"));
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
}

#[tokio::test]
async fn a_sender_that_leaves_in_the_middle_is_forgotten() {
    let mut server = Server::http();
    let mut socket = connect(&server).await;
    socket.write_all(head(1000).as_bytes()).await.unwrap();
    socket.write_all(b"half").await.unwrap();
    drop(socket);
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
    let got = http1(
        &server,
        post("/v1/traces", &[("content-type", JSON)], b"{}".to_vec()),
    )
    .await;
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn chunked_bodies_are_joined() {
    let server = Server::http();
    let message = body("chunked");
    let (a, b) = message.split_at(5);
    let mut socket = connect(&server).await;
    let mut text = b"POST /v1/traces HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
        content-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec();
    for chunk in [a, b] {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n\r\n");
    socket.write_all(&text).await.unwrap();
    assert!(rest(socket).await.starts_with("HTTP/1.1 200"));
    assert_eq!(server.taken(), [message]);
}

#[tokio::test]
async fn other_transfer_codings_are_refused_with_a_reason() {
    let server = Server::http();
    for codings in ["gzip, chunked", "chunked\r\ntransfer-encoding: chunked"] {
        let mut socket = connect(&server).await;
        let text = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/x-protobuf\r\ntransfer-encoding: {codings}\r\n\r\n\
             1\r\n\n\r\n0\r\n\r\n"
        );
        socket.write_all(text.as_bytes()).await.unwrap();
        let answer = rest(socket).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{codings}: {answer}");
        assert!(answer.contains("transfer-encoding has more"), "{answer}");
    }
    assert_eq!(server.taken(), [] as [Vec<u8>; 0]);
}

#[tokio::test]
async fn a_refused_body_does_not_cost_the_answer_or_the_connection() {
    let server = Server::http();
    let mut socket = connect(&server).await;
    let length = LIMIT * 3 / 2;
    socket.write_all(head(length).as_bytes()).await.unwrap();
    socket.write_all(&vec![0; length]).await.unwrap();
    let last = head(0).replace("host: test", "host: test\r\nconnection: close");
    socket.write_all(last.as_bytes()).await.unwrap();
    let text = rest(socket).await;
    assert!(
        text.starts_with("HTTP/1.1 413") && text.contains("HTTP/1.1 200"),
        "{text}"
    );
}
