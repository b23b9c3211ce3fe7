//! Stopping in bad company: half-sent requests, a backend that is away, an
//! impatient operator.

use crate::spans::good;
use std::time::{Duration, Instant};
use testkit::{Backend, Grpc, Setup, Wayspan, free_port};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const HALF: &[u8] =
    b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nhalf";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_sent_request_keeps_nobody_elses_spans_from_being_delivered() {
    let backend = Backend::grpc();
    let mut wayspan = Wayspan::start(
        Setup::to(&backend)
            .batching("1h")
            .layer("service: {wayspan: {drain_timeout: 2s}}"),
    );
    let mut half_sent = TcpStream::connect(("127.0.0.1", wayspan.http))
        .await
        .unwrap();
    half_sent.write_all(HALF).await.unwrap();
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=25 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
    }
    wayspan.stop();
    assert_eq!(backend.spans().len(), 25);
    drop(half_sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_drain_and_the_account_says_what_is_lost() {
    // An hour to drain, and a backend that is not there.
    let setup = Setup::to_grpc(free_port()).layer("service: {wayspan: {drain_timeout: 1h}}");
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=10 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
    }
    let begun = Instant::now();
    wayspan.terminate();
    wayspan.wait_said("draining");
    wayspan.terminate();
    let (code, log) = wayspan.wait_end();
    assert!(begun.elapsed() < Duration::from_secs(3600));
    assert_eq!(
        code,
        Some(1),
        "spans were lost: {}",
        wayspan.process().log_tail()
    );
    assert!(
        log.contains("accepted 10; otlp_grpc: delivered 0, failed 10 (10 of them undelivered"),
        "{log}"
    );
}
