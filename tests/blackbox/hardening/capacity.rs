//! Connections without end: each address has its share, and what else needs
//! files has them.

use crate::spans::good;
use std::{net::SocketAddr, time::Duration};
use testkit::{Backend, Grpc, Setup, Wayspan, get, is_healthy, wait_for};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

const REFUSED: &str = "wayspan_receiver_refused_connections";
const DISPLACED: &str = "wayspan_receiver_displaced_connections";

/// Connects from an address of this host.
async fn connect_from(address: [u8; 4], port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((address, 0))).unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    socket.connect(to).await.unwrap()
}

/// A sender on whose connection a request was taken.
async fn sender_from(address: [u8; 4], port: u16) -> Grpc {
    let mut sender = Grpc::over(connect_from(address, port).await).await;
    assert_eq!(sender.export(&good(1)).await.grpc_status(), Some(0));
    sender
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let end = timeout(Duration::from_millis(1), stream.read(&mut [0; 64])).await;
    matches!(end, Ok(Ok(0) | Err(_)))
}

async fn wait_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "still open");
}

const HERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_its_share_and_gets_no_more_by_holding_connections_open() {
    let backend = Backend::grpc();
    let limits = "service: {wayspan: {max_connections: 12, max_connections_per_peer: 8}}";
    let wayspan = Wayspan::start(Setup::to(&backend).layer(limits));
    let port = wayspan.grpc;
    let mut standing = sender_from(HERE, port).await;
    // Eight that do nothing, of which some have sent part of a preface.
    let mut idle = Vec::new();
    for n in 0..8 {
        let mut stream = connect_from(ELSEWHERE, port).await;
        if n % 2 == 0 {
            stream.write_all(b"PRI * H").await.unwrap();
        }
        idle.push(stream);
    }
    // The oldest give way to senders of the same address, one each.
    let mut senders = Vec::new();
    for stream in &mut idle {
        assert!(!is_closed(stream).await);
        senders.push(sender_from(ELSEWHERE, port).await);
        wait_closed(stream).await;
    }
    let of_peer = |name: &str| format!("{name}{{reason=\"peer_limit\"}}");
    wayspan.wait_metric(&of_peer(DISPLACED), |value| value == 8.0);
    assert_eq!(wayspan.metric(&of_peer(REFUSED)), Some(0.0));
    // All of its connections are in use now: it gets no more of them.
    for _ in 0..5 {
        wait_closed(&mut connect_from(ELSEWHERE, port).await).await;
    }
    wayspan.wait_metric(&of_peer(REFUSED), |value| value == 5.0);
    // Others have what is left of all, and no more either.
    let mut others = Vec::new();
    for n in 3..6 {
        others.push(sender_from([127, 0, 0, n], port).await);
    }
    assert_eq!(wayspan.metric("wayspan_receiver_connections"), Some(12.0));
    wait_closed(&mut connect_from([127, 0, 0, 6], port).await).await;
    let of_all = format!("{REFUSED}{{reason=\"limit\"}}");
    wayspan.wait_metric(&of_all, |value| value == 1.0);
    assert_eq!(standing.export(&good(2)).await.grpc_status(), Some(0));
    let log = wayspan.log();
    assert_eq!(
        log.matches("max_connections_per_peer of").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("max_connections of").count(), 1, "{log}");
    // Who it was, and why, is named.
    let named = "wayspan_receiver_limited_peers{peer=\"127.0.0.2\",reason=\"peer_connections\"}";
    assert_eq!(wayspan.metric(named), Some(13.0));
    let pages = wayspan.pipelines();
    assert!(
        pages.contains("127.0.0.2") && pages.contains("peer_connections 13"),
        "{pages}"
    );
    // An end makes room.
    drop(senders);
    wayspan.wait_metric("wayspan_receiver_connections", |value| value == 4.0);
    sender_from(ELSEWHERE, port).await;
    wayspan.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_leave_files_for_the_backend_the_pages_and_other_senders() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend).after("ulimit -n 200"));
    let mut standing = sender_from(HERE, wayspan.grpc).await;
    let mut kept = Vec::new();
    for n in 0..600 {
        let port = [wayspan.grpc, wayspan.http][n % 2];
        kept.push(connect_from(ELSEWHERE, port).await);
    }
    let limit = wayspan.metric("wayspan_receiver_connections_limit{of=\"peer\"}");
    let limit = limit.unwrap();
    assert!((10.0..100.0).contains(&limit), "{limit}");
    wait_for("the others are closed", || {
        let closed = [DISPLACED, REFUSED].map(|name| wayspan.metric(name));
        (closed[0]? + closed[1]? >= 600.0 - limit).then_some(())
    });
    // The pages have more connections than they keep, and are there.
    let pages = [wayspan.health, wayspan.metrics, wayspan.pages];
    for n in 0..100 {
        kept.push(connect_from(ELSEWHERE, pages[n % 3]).await);
    }
    assert!(is_healthy(wayspan.health));
    assert_eq!(
        get(wayspan.pages, "/debug/pipelinez", &[]).unwrap().status,
        200
    );
    assert_eq!(wayspan.metric("wayspan_receiver_accept_errors"), Some(0.0));
    // So is the backend, anew.
    backend.away();
    backend.back();
    for n in 2..12 {
        assert_eq!(standing.export(&good(n)).await.grpc_status(), Some(0));
        sender_from(HERE, wayspan.grpc).await;
    }
    backend.wait(21);
    drop(kept);
    wait_for("the connections have ended", || {
        (wayspan.metric("wayspan_receiver_connections")? <= 2.0).then_some(())
    });
    wayspan.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_counted_by_reason_and_by_peer() {
    let backend = Backend::grpc();
    let wayspan = Wayspan::start(Setup::to(&backend));
    let mut sender = sender_from(ELSEWHERE, wayspan.grpc).await;
    for _ in 0..3 {
        assert_eq!(sender.export(b"\x0a\xff").await.grpc_status(), Some(3));
    }
    let by_reason = "wayspan_receiver_refused_requests{transport=\"grpc\",reason=\"malformed\"}";
    assert_eq!(wayspan.metric(by_reason), Some(3.0));
    assert_eq!(
        wayspan.metric("wayspan_receiver_refused_requests"),
        Some(3.0)
    );
    let by_peer = "wayspan_receiver_limited_peers{peer=\"127.0.0.2\"}";
    assert_eq!(wayspan.metric(by_peer), Some(3.0));
    assert!(
        wayspan.pipelines().contains("malformed 3"),
        "{}",
        wayspan.pipelines()
    );
}
