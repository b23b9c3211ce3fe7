//! Connections that end, in every way and at every moment: no batch is lost,
//! and none waits for more than it must.

use crate::{
    ports::{grpc_cause_within, http_cause_within},
    support::*,
};
use bytes::Buf;
use std::{sync::Arc, time::Duration};
use testkit::frames;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use wayspan::exporter::ConfiguredExporter;
use wayspan::pdata::Signal::Traces;

/// Whoever waits for a backoff does so for an hour.
fn impatient(settings: ConfiguredExporter) -> ConfiguredExporter {
    let mut settings = settings;
    settings.queue.consumers = 1;
    settings.retry.initial_interval = Duration::from_secs(3600);
    settings.retry.max_interval = Duration::from_secs(3600);
    settings
}

fn grpc_ok() -> http::Response<()> {
    http::Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "0")
        .body(())
        .unwrap()
}

#[tokio::test]
async fn a_backend_that_lets_connections_age_loses_nothing() {
    // GOAWAY after each third request, as servers with a maximum age send it.
    let (listener, address) = listen().await;
    let order = Order::default();
    let its_order = Arc::clone(&order);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let order = Arc::clone(&its_order);
            tokio::spawn(async move {
                let mut connection = h2_server(socket).await;
                let mut taken = 0;
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    taken += 1;
                    if taken == 3 {
                        connection.graceful_shutdown();
                    }
                    let order = Arc::clone(&order);
                    tokio::spawn(async move {
                        let ids = read_ids(request.into_body()).await;
                        order.lock().unwrap().extend(ids);
                        respond.send_response(grpc_ok(), true).unwrap();
                    });
                }
            });
        }
    });
    let mut settings = impatient(grpc(address));
    settings.queue.consumers = 4;
    let running = Running::start(&settings);
    for id in 0..60 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (60, 0)
    );
    let mut ids = order.lock().unwrap().clone();
    ids.sort_unstable();
    assert_eq!(ids, (0..60).collect::<Vec<_>>(), "each once");
    assert_eq!(stats.outage.since(), None);
}

/// A peer that speaks HTTP/2 by hand: `react` to the first request's headers
/// on `socket`.
async fn by_hand(mut socket: TcpStream, reaction: &[u8]) -> TcpStream {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.unwrap();
    socket
        .write_all(&frames::http2(4, 0, 0, &[]))
        .await
        .unwrap();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let length = (&head[..]).get_uint(3) as usize;
        let mut payload = vec![0; length];
        socket.read_exact(&mut payload).await.unwrap();
        match head[3] {
            // SETTINGS that is no acknowledgement.
            4 if head[4] == 0 => socket
                .write_all(&frames::http2(4, 1, 0, &[]))
                .await
                .unwrap(),
            1 => {
                socket.write_all(reaction).await.unwrap();
                return socket;
            }
            _ => {}
        }
    }
}

/// The first connection by hand, all later ones by a backend that takes all.
async fn first_by_hand(reaction: Vec<u8>) -> (std::net::SocketAddr, Log) {
    let (listener, address) = listen().await;
    let log = Log::default();
    let its_log = log.clone();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let held = by_hand(socket, &reaction).await;
        grpc_server_logging(its_log, listener, 64 << 20, |_, _| Reply::Ok);
        // Read on, so that the closing is no reset that overtakes the answer.
        let mut rest = Vec::new();
        let (mut reading, _writing) = held.into_split();
        let _ = reading.read_to_end(&mut rest).await;
    });
    (address, log)
}

#[tokio::test]
async fn what_the_peer_has_not_touched_is_sent_again_at_once() {
    // GOAWAY(last stream 0, NO_ERROR), and RST_STREAM(REFUSED_STREAM).
    let away = frames::http2(7, 0, 0, &[0; 8]);
    let refused = frames::http2(3, 0, 1, &7_u32.to_be_bytes());
    for reaction in [away, refused] {
        let (address, log) = first_by_hand(reaction).await;
        let running = Running::start(&impatient(grpc(address)));
        running.push(batch(0..5));
        let (_, stats) = running.finish().await;
        assert_eq!(log.accepted(), [0, 1, 2, 3, 4]);
        assert_eq!((stats.retries.get(), stats.outage.since()), (1, None));
    }
}

#[tokio::test]
async fn a_request_reset_in_the_middle_is_sent_again() {
    // RST_STREAM(INTERNAL_ERROR): not at once, the backend may be to blame.
    let (address, log) = first_by_hand(frames::http2(3, 0, 1, &2_u32.to_be_bytes())).await;
    let running = Running::start(&grpc(address));
    running.push(seal(&request(0..300, 500)));
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..300).collect::<Vec<_>>());
    assert_eq!(stats.retries.get(), 1);
}

#[tokio::test]
async fn a_connection_that_ends_between_requests_costs_nothing() {
    for http2 in [true, false] {
        // Answers one request on each connection and then closes it, unasked.
        let (listener, address) = listen().await;
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                match http2 {
                    true => tokio::spawn(one_over_http2(socket)),
                    false => tokio::spawn(one_over_http1(socket)),
                };
            }
        });
        let settings = impatient(match http2 {
            true => grpc(address),
            false => http(address),
        });
        let running = Running::start(&settings);
        for id in 0..20 {
            running.push(batch(id..id + 1));
        }
        let (_, stats) = running.finish().await;
        assert_eq!(
            (stats.items[Traces].sent.get(), stats.outage.since()),
            (20, None),
            "http2: {http2}"
        );
    }
}

async fn one_over_http2(socket: TcpStream) {
    let mut connection = h2_server(socket).await;
    let Some(Ok((request, mut respond))) = connection.accept().await else {
        return;
    };
    let answered = async {
        read_ids(request.into_body()).await;
        respond.send_response(grpc_ok(), true).unwrap();
    };
    // The connection is what moves the bytes; it is dropped soon after.
    tokio::select! {
        _ = connection.accept() => return,
        () = answered => {}
    }
    let _ = tokio::time::timeout(Duration::from_millis(5), connection.accept()).await;
}

async fn one_over_http1(mut socket: TcpStream) {
    let mut got = Vec::new();
    loop {
        if socket.read_buf(&mut got).await.unwrap() == 0 {
            return;
        }
        let Some(head) = got.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&got[..head]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        if got.len() >= head + 4 + length {
            break;
        }
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    socket.write_all(answer).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_left_for_a_new_connection() {
    // As a connection looks whose other end has vanished.
    let (listener, address) = listen().await;
    let silent = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        (by_hand(socket, &[]).await, listener)
    });
    let mut settings = grpc(address);
    settings.timeout = Duration::from_secs(2);
    let running = Running::start(&settings);
    running.push(batch(0..5));
    let (held, listener) = limit(silent).await.unwrap();
    let log = grpc_server_on(listener, 64 << 20, |_, _| Reply::Ok);
    let (_, stats) = running.finish().await;
    drop(held);
    assert_eq!(log.accepted(), [0, 1, 2, 3, 4]);
    assert_eq!(stats.retries.get(), 1);
}

#[tokio::test]
async fn a_peer_that_never_speaks_is_told_from_one_that_is_not_there() {
    let (listener, address) = listen().await;
    let (cause, blamed) =
        grpc_cause_within(format!("http://{address}"), Duration::from_secs(1)).await;
    assert!(
        cause.contains("takes connections but does not begin to speak HTTP/2") && !blamed,
        "{cause}"
    );
    let url = format!("https://{address}/v1/traces");
    let (cause, _) = http_cause_within(url, Duration::from_secs(1)).await;
    assert!(cause.contains("does not begin to speak TLS"), "{cause}");
    // HTTP/1.1 in plaintext waits to be asked.
    let url = format!("http://{address}/v1/traces");
    let (cause, _) = http_cause_within(url, Duration::from_secs(1)).await;
    assert!(cause.contains("no answer from"), "{cause}");
    drop(listener);
}

#[tokio::test]
async fn a_backend_that_takes_one_request_at_a_time_gets_them_so() {
    let (listener, address) = listen().await;
    let order = Order::default();
    let its_order = Arc::clone(&order);
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::Builder::new()
            .max_concurrent_streams(1)
            .handshake::<_, bytes::Bytes>(socket)
            .await
            .unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let order = Arc::clone(&its_order);
            tokio::spawn(async move {
                let ids = read_ids(request.into_body()).await;
                order.lock().unwrap().extend(ids);
                respond.send_response(grpc_ok(), true).unwrap();
            });
        }
    });
    let mut settings = impatient(grpc(address));
    settings.queue.consumers = 10;
    let running = Running::start(&settings);
    for id in 0..30 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (30, 0)
    );
    let mut ids = order.lock().unwrap().clone();
    ids.sort_unstable();
    assert_eq!(ids, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn connections_are_made_again_while_the_backend_restarts() {
    let (listener, address) = listen().await;
    let (socket, running) = {
        let running = Running::start(&grpc(address));
        running.push(batch(0..5));
        (listener.accept().await.unwrap().0, running)
    };
    // Dies with the request unanswered, and is away for a while.
    let socket = by_hand(socket, &[]).await;
    drop(listener);
    socket.set_zero_linger().unwrap();
    drop(socket);
    let stats = Arc::clone(&running.stats);
    until(|| stats.retries.get() >= 3).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let log = grpc_server_on(listener, 64 << 20, |_, _| Reply::Ok);
    running.finish().await;
    assert_eq!(log.accepted(), [0, 1, 2, 3, 4]);
}
