//! OTLP/gRPC: delivery, retries, compression, and what the headers say.

use crate::support::*;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::{
    io::Read,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Status};
use wayspan::http::Compression;
use wayspan::pdata::Signal::Traces;

#[tokio::test]
async fn delivers_every_span_once() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let mut settings = grpc(address);
    change(&mut settings, |client| {
        client.headers.push(("X-Tenant".into(), "blue".into()));
    });
    let running = Running::start(&settings);
    for start in 0..20 {
        running.push(batch(start * 10..start * 10 + 10));
    }
    let (drained, stats) = running.finish().await;
    assert_eq!(drained.abandoned, 0);
    assert_eq!(log.accepted(), (0..200).collect::<Vec<_>>());
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].requests_started.get()
        ),
        (200, 20)
    );
    assert_eq!(
        (stats.retries.get(), stats.items[Traces].send_failed.get()),
        (0, 0)
    );
    let headers = log.all()[0].headers.clone();
    assert_eq!(headers["x-tenant"], "blue");
    assert_eq!(headers["grpc-timeout"], "30000m");
    assert!(
        headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("wayspan/")
    );
}

#[tokio::test]
async fn a_batch_of_megabytes_arrives_whole() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let running = Running::start(&grpc(address));
    running.push(seal(&request(0..3000, 1000)));
    running.finish().await;
    assert_eq!(log.accepted(), (0..3000).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for code in [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
        Code::ResourceExhausted,
        // Not OTLP's list: someone will put the credentials right.
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::Unimplemented,
    ] {
        let (address, log) = grpc_server(move |number, _| match number {
            0 | 1 => Reply::Status(Status::new(code, "not now")),
            _ => Reply::Ok,
        })
        .await;
        let running = Running::start(&grpc(address));
        running.push(batch(0..5));
        let (_, stats) = running.finish().await;
        assert_eq!(log.accepted(), [0, 1, 2, 3, 4], "{code:?}");
        assert_eq!(
            (stats.retries.get(), stats.items[Traces].sent.get()),
            (2, 5),
            "{code:?}"
        );
    }
}

#[tokio::test]
async fn what_is_refused_for_good_costs_only_its_own_batch() {
    let (address, log) = grpc_server(|_, request| match span_ids(request).contains(&3) {
        true => Reply::Status(Status::internal("cannot store")),
        false => Reply::Ok,
    })
    .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..5));
    running.push(batch(5..10));
    let (drained, stats) = running.finish().await;
    assert_eq!(log.accepted(), [5, 6, 7, 8, 9]);
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].send_failed.get()
        ),
        (5, 5)
    );
    assert_eq!((stats.retries.get(), drained.abandoned), (0, 0));
}

#[tokio::test]
async fn retry_info_is_waited_for() {
    let wish = Duration::from_millis(300);
    let (address, log) = grpc_server(move |number, _| match number {
        0 => over_quota(wish),
        _ => Reply::Ok,
    })
    .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..5));
    running.finish().await;
    let got = log.all();
    assert_eq!(got.len(), 2);
    assert!(
        got[1].at - got[0].at >= wish,
        "its own backoff would have been 5 ms"
    );
}

#[tokio::test]
async fn gives_up_after_max_elapsed_and_at_once_without_retry() {
    // Its backoff is milliseconds: two seconds are time for a second attempt on
    // any machine.
    for (enabled, max_elapsed) in [(true, Duration::from_secs(2)), (false, Duration::MAX)] {
        let (address, log) = grpc_server(|_, _| Reply::Status(Status::unavailable("no"))).await;
        let mut settings = grpc(address);
        settings.retry.enabled = enabled;
        settings.retry.max_elapsed = Some(max_elapsed);
        let running = Running::start(&settings);
        running.push(batch(0..5));
        let (drained, stats) = running.finish().await;
        assert_eq!(
            (stats.items[Traces].send_failed.get(), drained.abandoned),
            (5, 0)
        );
        assert_eq!(log.len() > 1, enabled, "{} attempts", log.len());
    }
}

#[tokio::test]
async fn partial_success_is_counted_and_not_sent_again() {
    let (address, log) = grpc_server(|_, _| Reply::Partial(2, "two were bad")).await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].rejected.get()
        ),
        (3, 2)
    );
}

#[tokio::test]
async fn as_many_in_flight_as_consumers_and_no_more() {
    // Each of the first four is answered only when all four are there.
    let together = Arc::new(tokio::sync::Barrier::new(4));
    let peak = Arc::new(Mutex::new((0, 0)));
    let (listener, address) = listen().await;
    let (its_together, its_peak) = (Arc::clone(&together), Arc::clone(&peak));
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2_server(socket).await;
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (together, peak) = (Arc::clone(&its_together), Arc::clone(&its_peak));
            tokio::spawn(async move {
                {
                    let mut peak = peak.lock().unwrap();
                    peak.0 += 1;
                    peak.1 = peak.1.max(peak.0);
                }
                let mut body = request.into_body();
                while let Some(Ok(data)) = body.data().await {
                    let _ = body.flow_control().release_capacity(data.len());
                }
                together.wait().await;
                peak.lock().unwrap().0 -= 1;
                let response = http::Response::builder()
                    .header("content-type", "application/grpc")
                    .header("grpc-status", "0");
                respond
                    .send_response(response.body(()).unwrap(), true)
                    .unwrap();
            });
        }
    });
    let mut settings = grpc(address);
    settings.queue.consumers = 4;
    let running = Running::start(&settings);
    for start in 0..12 {
        running.push(batch(start..start + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(stats.items[Traces].sent.get(), 12);
    assert_eq!(peak.lock().unwrap().1, 4);
}

#[tokio::test]
async fn a_server_that_hangs_is_timed_out_and_asked_again() {
    let (address, log) = grpc_server(|number, _| match number {
        0 => Reply::Hang,
        _ => Reply::Ok,
    })
    .await;
    let mut settings = grpc(address);
    settings.timeout = Duration::from_millis(200);
    let running = Running::start(&settings);
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), [0, 1, 2, 3, 4]);
    assert!(stats.retries.get() >= 1);
    assert_eq!(stats.items[Traces].sent.get(), 5);
}

#[tokio::test]
async fn a_server_that_is_away_at_first_gets_everything_later() {
    let (listener, address) = listen().await;
    drop(listener);
    let running = Running::start(&grpc(address));
    for start in 0..30 {
        running.push(batch(start * 5..start * 5 + 5));
    }
    let stats = Arc::clone(&running.stats);
    until(|| stats.retries.get() >= 10).await;
    assert_eq!(stats.items[Traces].sent.get(), 0);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let log = grpc_server_on(listener, 64 << 20, |_, _| Reply::Ok);
    let (drained, _) = running.finish().await;
    assert_eq!(drained.abandoned, 0);
    assert_eq!(log.accepted(), (0..150).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_connection_reset_in_the_middle_costs_nothing() {
    let (listener, address) = listen().await;
    let reset = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // SETTINGS, without which nothing would be sent.
        socket
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut some = [0; 4096];
        socket.read_exact(&mut some).await.unwrap();
        socket.set_zero_linger().unwrap();
        drop(socket);
        listener
    });
    let running = Running::start(&grpc(address));
    running.push(seal(&request(0..3000, 500)));
    let listener = limit(reset).await.unwrap();
    let log = grpc_server_on(listener, 64 << 20, |_, _| Reply::Ok);
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..3000).collect::<Vec<_>>());
    assert!(stats.retries.get() >= 1);
}

#[tokio::test]
async fn compressed_messages_say_so_and_inflate_to_the_request() {
    for (compression, name) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let got = Arc::new(Mutex::new(Vec::new()));
        let its_got = Arc::clone(&got);
        let address = raw_server(true, move |request| {
            assert_eq!(request.head.headers["grpc-encoding"], name);
            assert_eq!(request.head.headers["te"], "trailers");
            assert_eq!(request.body[0], 1);
            let length = u32::from_be_bytes(request.body[1..5].try_into().unwrap());
            let body = &request.body[5..];
            assert_eq!(length as usize, body.len());
            let mut inflated = Vec::new();
            match name {
                "gzip" => flate2::read::GzDecoder::new(body)
                    .read_to_end(&mut inflated)
                    .unwrap(),
                _ => zstd::Decoder::new(body)
                    .unwrap()
                    .read_to_end(&mut inflated)
                    .unwrap(),
            };
            let request = ExportTraceServiceRequest::decode(inflated.as_slice()).unwrap();
            *its_got.lock().unwrap() = span_ids(&request);
            Raw::grpc_ok()
        })
        .await;
        let mut settings = grpc(address);
        change(&mut settings, |client| client.compression = compression);
        let running = Running::start(&settings);
        running.push(batch((0..50).map(|id| id * 2)));
        let (_, stats) = running.finish().await;
        assert_eq!(stats.items[Traces].sent.get(), 50);
        assert_eq!(
            *got.lock().unwrap(),
            (0..50).map(|id| id * 2).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_proxy_that_answers_instead_is_understood() {
    let first = Instant::now();
    let address = raw_server(true, move |request| match request.number {
        0 => Raw::http(
            503,
            &[("retry-after", "1"), ("content-type", "text/plain")],
            "warming up",
        ),
        1 => Raw::http(429, &[], ""),
        // Broken details, as tonic's own client would panic on.
        2 => Raw {
            trailers: vec![
                ("grpc-status", "8".into()),
                ("grpc-status-details-bin", "%%%".into()),
                ("grpc-message", "%zz".into()),
            ],
            ..Raw::grpc_ok()
        },
        _ => Raw::grpc_ok(),
    })
    .await;
    let running = Running::start(&grpc(address));
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (5, 3)
    );
    assert!(first.elapsed() >= Duration::from_secs(1));
}
