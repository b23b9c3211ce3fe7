//! Bodies and heads that are too large, or say so.

use super::{MIB, Stage};
use crate::spans::good;
use bytes::Bytes;
use http::Request;
use testkit::{EXPORT, Grpc, GrpcReply, PATIENCE, frames, http};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use wayspan::pdata::wire;

const INVALID_ARGUMENT: u16 = 3;
const RESOURCE_EXHAUSTED: u16 = 8;
/// What a body may have by default, and what it may inflate to.
const LIMIT: usize = 64 << 20;
const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");

fn zstd(bytes: impl std::io::Read) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// So many zeros that nobody could hold them.
fn zeros(mib: u64) -> impl std::io::Read {
    std::io::Read::take(std::io::repeat(0), mib << 20)
}

/// Refused for good: RetryInfo would make the sender try the same again.
fn assert_refused(reply: &GrpcReply) {
    assert_eq!(reply.grpc_status(), Some(RESOURCE_EXHAUSTED), "{reply:?}");
    assert!(
        reply.message().contains("max_recv_msg_size_mib"),
        "{}",
        reply.message()
    );
    let details = reply.fields.get("grpc-status-details-bin");
    assert!(details.is_none(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_and_zstd_bombs_on_both_ports() {
    // They wait in the share for bodies in part, 25 MiB here.
    const EACH: usize = 4;
    let stage = Stage::start("").await;
    let (grpc, http_port) = (stage.wayspan.grpc, stage.wayspan.http);
    let bombs = [
        // Members one after another are one body.
        ("gzip", frames::gzip(&vec![0; MIB as usize]).repeat(128)),
        ("zstd", zstd(zeros(4096))),
    ];
    let mut sending = JoinSet::new();
    for (coding, bomb) in bombs {
        assert!(bomb.len() < LIMIT / 8, "small when packed: {}", bomb.len());
        let bomb = Bytes::from(bomb);
        for _ in 0..EACH {
            let body = bomb.clone();
            sending.spawn(async move {
                let mut client = Grpc::connect(grpc).await;
                let headers = [("grpc-encoding", coding)];
                assert_refused(
                    &client
                        .send("POST", EXPORT, &headers, frames::grpc(1, &body))
                        .await,
                );
            });
            let body = bomb.clone();
            sending.spawn(async move {
                let headers = [PROTO, ("content-encoding", coding)];
                let reply = http(http_port, "POST", "/v1/traces", &headers, &body).await;
                assert_eq!(reply.status, 413, "{reply:?}");
            });
        }
    }
    sending.join_all().await;
    stage.bears(stage.room).await;
    for transport in ["grpc", "http"] {
        stage.counted(
            "wayspan_receiver_refused_requests",
            transport,
            2.0 * EACH as f64,
        );
    }
    let log = stage.wayspan.log();
    assert_eq!(
        log.matches("request refused").count(),
        1,
        "said once: {log}"
    );
    stage.finish().await;
}

/// Packs a MiB at a time, and what is the same only once.
fn gzip_members(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut last) = (Vec::new(), (&[][..], Vec::new()));
    for piece in bytes.chunks(MIB as usize) {
        if piece != last.0 {
            last = (piece, frames::gzip(piece));
        }
        out.extend_from_slice(&last.1);
    }
    out
}

/// A valid request without a span that has `len` bytes in all.
fn of_size(len: usize) -> Vec<u8> {
    let mut request = Vec::new();
    // Tag and length of a field that nobody knows take two and four bytes.
    wire::put_bytes(99, &vec![7; len - 6], &mut request);
    assert_eq!(request.len(), len);
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mib_are_taken_and_one_byte_more_is_not() {
    // One such body takes an eighth of the memory limit.
    let stage = Stage::with_limit("", 1280).await;
    let mut client = Grpc::connect(stage.wayspan.grpc).await;
    for (len, taken) in [(LIMIT, true), (LIMIT + 1, false)] {
        let body = of_size(len);
        for (coding, sent) in [
            ("", body.clone()),
            ("gzip", gzip_members(&body)),
            ("zstd", zstd(&body[..])),
        ] {
            let packed = u8::from(!coding.is_empty());
            let headers = [("grpc-encoding", coding)];
            let headers = &headers[..usize::from(packed)];
            let reply = client
                .send("POST", EXPORT, headers, frames::grpc(packed, &sent))
                .await;
            match taken {
                true => assert_eq!(reply.grpc_status(), Some(0), "{coding}: {reply:?}"),
                false => assert_refused(&reply),
            }
            let headers = [PROTO, ("content-encoding", coding)];
            let headers = &headers[..1 + usize::from(packed)];
            let reply = http(stage.wayspan.http, "POST", "/v1/traces", headers, &sent).await;
            let wanted = if taken { 200 } else { 413 };
            assert_eq!(reply.status, wanted, "{coding}: {}", reply.text());
        }
    }
    stage.bears(stage.room).await;
    for transport in ["grpc", "http"] {
        stage.counted("wayspan_receiver_refused_requests", transport, 3.0);
    }
    stage.finish().await;
}

/// A connection that takes requests.
async fn sender(port: u16) -> h2::client::SendRequest<Bytes> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

/// Begins a request with these bytes of a body that goes on.
async fn begin(port: u16, body: Vec<u8>) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
    let mut sender = sender(port).await;
    let request = Request::post(format!("http://localhost{EXPORT}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (answer, mut stream) = sender.send_request(request, false).unwrap();
    stream.send_data(Bytes::from(body), false).unwrap();
    (answer, stream)
}

fn prefix(claimed: u32) -> Vec<u8> {
    let mut prefix = vec![0];
    prefix.extend(claimed.to_be_bytes());
    prefix
}

/// Refused as soon as the claim is there.
async fn claim_in_grpc(port: u16) {
    let (answer, _open) = begin(port, prefix(u32::MAX)).await;
    let answer = timeout(PATIENCE, answer).await;
    let answer = answer.expect("an answer while the body is open").unwrap();
    let mut fields = answer.headers().clone();
    if !fields.contains_key("grpc-status") {
        let trailers = answer.into_body().trailers().await.unwrap();
        fields.extend(trailers.unwrap());
    }
    assert_eq!(fields["grpc-status"], "8");
    assert!(!fields.contains_key("grpc-status-details-bin"));
}

async fn claim_in_http(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/x-protobuf\r\ncontent-length: 4294967296\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    let read = timeout(PATIENCE, stream.read_exact(&mut status)).await;
    read.expect("an answer while the body is missing").unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_gib_that_are_only_claimed_are_refused_at_once() {
    const MANY: usize = 100;
    let stage = Stage::start("").await;
    let (grpc, http_port) = (stage.wayspan.grpc, stage.wayspan.http);
    let mut claiming = JoinSet::new();
    for _ in 0..MANY {
        claiming.spawn(claim_in_grpc(grpc));
        claiming.spawn(claim_in_http(http_port));
    }
    claiming.join_all().await;
    // Inside a request, too.
    let mut client = Grpc::connect(stage.wayspan.grpc).await;
    let reply = client.export(b"\x0a\xff\xff\xff\xff\x0f").await;
    assert_eq!(reply.grpc_status(), Some(INVALID_ARGUMENT), "{reply:?}");
    stage.bears(64).await;
    stage.counted("wayspan_receiver_refused_requests", "http", MANY as f64);
    stage.counted(
        "wayspan_receiver_refused_requests",
        "grpc",
        1.0 + MANY as f64,
    );
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_within_the_limit_takes_no_memory_before_it_comes() {
    let stage = Stage::start("").await;
    let claimed = u32::try_from(LIMIT).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/x-protobuf\r\ncontent-length: {LIMIT}\r\n\r\n\x0a"
    );
    let mut open = Vec::new();
    for _ in 0..100 {
        let begun = begin(stage.wayspan.grpc, prefix(claimed)).await;
        let mut stream = TcpStream::connect(("127.0.0.1", stage.wayspan.http))
            .await
            .unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push((begun, stream));
    }
    stage.bears(64).await;
    drop(open);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_over_the_limit_is_refused() {
    let stage = Stage::start("").await;
    let long = "x".repeat(64 << 10);
    let headers = [PROTO, ("x-long", &*long)];
    for port in [stage.wayspan.http, stage.wayspan.grpc] {
        let reply = http(port, "POST", "/v1/traces", &headers, &good(1)).await;
        assert_eq!(reply.status, 431, "{reply:?}");
    }
    for port in [stage.wayspan.http, stage.wayspan.grpc] {
        let mut sender = sender(port).await;
        let request = Request::post(format!("http://localhost{EXPORT}"))
            .header("content-type", "application/grpc")
            .header("x-long", &*long)
            .body(())
            .unwrap();
        // 431, or the end of the stream or of the connection: never success.
        let Ok((answer, mut body)) = sender.send_request(request, false) else {
            continue;
        };
        let _ = body.send_data(Bytes::from(frames::grpc(0, &good(1))), true);
        let answer = timeout(PATIENCE, answer).await.expect("an end");
        if let Ok(answer) = answer {
            assert_eq!(answer.status(), 431, "{answer:?}");
        }
    }
    stage.bears(16).await;
    stage.finish().await;
}
