//! HTTP/2 frames that cost a sender little: bounded on each connection, told,
//! and no trouble for others.

use crate::spans::good;
use testkit::{Backend, EXPORT, Grpc, Setup, Wayspan, frames};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ENHANCE_YOUR_CALM: u8 = 11;

/// POST / by HPACK's static table.
const POST: [u8; 3] = [0x83, 0x86, 0x84];

/// Opens a stream.
fn open(stream: u32) -> Vec<u8> {
    frames::http2(HEADERS, 4, stream, &POST)
}

/// Writes until the peer has closed, or has seen far more than it should bear.
async fn flood(mut socket: OwnedWriteHalf, bytes: impl Fn(u32) -> Vec<u8>) {
    for n in 0..200_000 {
        if socket.write_all(&bytes(n)).await.is_err() {
            return;
        }
    }
}

/// Reads to the end; codes of GOAWAY.
async fn goaways(mut socket: OwnedReadHalf) -> Vec<u8> {
    let mut codes = Vec::new();
    let mut head = [0; 9];
    while socket.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if socket.read_exact(&mut payload).await.is_err() {
            break;
        }
        if head[3] == GOAWAY {
            codes.push(payload[7]);
        }
    }
    codes
}

/// Floods one connection while another sends.
async fn check(first: Vec<u8>, bytes: impl Fn(u32) -> Vec<u8> + Send + 'static) {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut neighbour = Grpc::connect(wayspan.grpc).await;
    assert_eq!(neighbour.export(&good(1)).await.grpc_status(), Some(0));
    let mut socket = TcpStream::connect(("127.0.0.1", wayspan.grpc))
        .await
        .unwrap();
    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    hello.extend(frames::http2(SETTINGS, 0, 0, &[]));
    hello.extend(first);
    socket.write_all(&hello).await.unwrap();
    let (read, write) = socket.into_split();
    let flooding = tokio::spawn(flood(write, bytes));
    let codes = goaways(read).await;
    assert_eq!(codes, [ENHANCE_YOUR_CALM]);
    flooding.await.unwrap();
    let ended = "wayspan_receiver_ended_connections{transport=\"grpc\",reason=\"flood\"}";
    wayspan.wait_metric(ended, |count| count == 1.0);
    let by_peer = "wayspan_receiver_limited_peers{peer=\"127.0.0.1\",reason=\"flood\"}";
    assert_eq!(wayspan.metric(by_peer), Some(1.0));
    assert_eq!(neighbour.export(&good(2)).await.grpc_status(), Some(0));
    backend.wait(2);
    let memory = wayspan.metric("otelcol_process_memory_rss").unwrap();
    assert!(memory < 200e6, "{memory}");
    wayspan.assert_alive();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_at_once() {
    check(vec![], |n| {
        let cancel = frames::http2(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes());
        [open(2 * n + 1), cancel].concat()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_we_are_made_to_reset() {
    check(vec![], |n| {
        let nothing = frames::http2(WINDOW_UPDATE, 0, 2 * n + 1, &[0; 4]);
        [open(2 * n + 1), nothing].concat()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_block_without_an_end() {
    check(frames::http2(HEADERS, 0, 1, &POST), |_| {
        frames::http2(CONTINUATION, 0, 1, &[0x84; 100])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn continuations_of_nothing() {
    check(frames::http2(HEADERS, 0, 1, &POST), |_| {
        frames::http2(CONTINUATION, 0, 1, &[])
    })
    .await;
}

/// Each is answered with 431 until it is too much.
#[tokio::test(flavor = "multi_thread")]
async fn heads_over_the_limit() {
    // accept-encoding by HPACK's static table, of 60 octets as they are counted.
    let block = [&POST[..], &[0x90; 10_000]].concat();
    check(vec![], move |n| {
        frames::http2(HEADERS, 5, 2 * n + 1, &block)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings() {
    check(vec![], |_| {
        frames::http2(SETTINGS, 0, 0, &[0, 4, 0, 0, 1, 0])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings() {
    check(vec![], |_| frames::http2(PING, 0, 0, &[7; 8])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_without_data() {
    // :path and content-type as literals.
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(EXPORT.len()).unwrap()];
    block.extend(EXPORT.as_bytes());
    block.extend(b"\x0f\x10\x10application/grpc");
    check(frames::http2(HEADERS, 4, 1, &block), |_| {
        frames::http2(DATA, 0, 1, &[])
    })
    .await;
}
