//! TLS and tokens through the binary: the ready configuration, and certificates
//! that change under load.

use crate::{
    ca::{Ca, Pair, Tls},
    client::{EXPORT, Grpc, frame, http_over},
    proc::{PATIENCE, Proc},
    process::{Setup, Wayspan, shipped},
    sink::Sink,
    spans::good,
};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

const TOKEN: &str = "7d1f-hunter2";

async fn connect(port: u16, tls: &Tls<'_>) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tls.connector().connect(Tls::name(), socket).await.unwrap()
}

/// With `pipelines/tls-and-token.yaml`.
async fn ready(ca: &Ca, sink: &Sink) -> Wayspan {
    ca.install(&ca.sign("localhost"));
    ca.put("tokens", &format!("another\n{TOKEN}\n"));
    let file = shipped("pipelines", "tls-and-token.yaml");
    let to = format!("127.0.0.1:{}", sink.port());
    Wayspan::ready(&file, "otlp_grpc/jaeger", &to, |command| {
        command.env("WAYSPAN_TLS_DIR", ca.path(""));
        command.env("WAYSPAN_TOKENS", ca.path("tokens"));
        command.args(["--set", "service.telemetry.logs.level=debug"]);
    })
    .await
}

#[tokio::test]
async fn tls_and_token() {
    let (ca, sink) = (Ca::new(), Sink::start());
    let wayspan = ready(&ca, &sink).await;
    let own = Tls {
        identity: Some(ca.sign("sender")),
        ..ca.client()
    };
    let mut client = Grpc::over(connect(wayspan.grpc, &own).await).await;
    let http1 = Tls {
        alpn: &["http/1.1"],
        ..ca.client()
    };
    let bearer = format!("Bearer {TOKEN}");
    let wrong = format!("Bearer {TOKEN}x");
    for (n, authorization, good_one) in [
        (1, bearer.as_str(), true),
        (2, &wrong, false),
        (3, "", false),
    ] {
        let headers = [("authorization", authorization)];
        let headers = if authorization.is_empty() {
            &[][..]
        } else {
            &headers
        };
        let reply = client
            .send("POST", EXPORT, headers, frame(0, &good(n)))
            .await;
        assert_eq!(
            reply.grpc_status(),
            Some(if good_one { 0 } else { 16 }),
            "{reply:?}"
        );
        let mut all = vec![("content-type", "application/x-protobuf")];
        all.extend_from_slice(headers);
        let stream = connect(wayspan.http, &http1).await;
        let reply = http_over(stream, "POST", "/v1/traces", &all, &good(n + 10)).await;
        assert_eq!(
            reply.status,
            if good_one { 200 } else { 401 },
            "{}",
            reply.text()
        );
        if !good_one {
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(sink.wait(2).await.len(), 2);
    let page = crate::http1::get(wayspan.metrics, "/metrics", &[])
        .unwrap()
        .body;
    for transport in ["grpc", "http"] {
        let series = format!(
            "wayspan_receiver_unauthenticated_requests{{receiver=\"otlp\",transport=\"{transport}\"}} 2"
        );
        assert!(page.contains(&series), "{page}");
    }
    let log = wayspan.process.log();
    assert!(
        log.contains("OTLP/gRPC over mutual TLS, with a token, on 127.0.0.1"),
        "{log}"
    );
    assert!(log.contains("DEBUG") && !log.contains("hunter2"), "{log}");
}

#[test]
fn a_certificate_that_is_missing_stops_the_start_with_its_name() {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayspan"));
    command.args([
        "--set",
        "receivers.otlp.protocols.grpc.tls={cert_file: /nowhere/tls.crt, key_file: /nowhere/tls.key}",
    ]);
    let mut process = Proc::start(dir.path(), "wayspan", &mut command);
    assert!(!process.wait_end(PATIENCE).success());
    let log = process.log();
    let said = "OTLP/gRPC (receiver otlp): tls.cert_file /nowhere/tls.crt: cannot be read";
    assert!(log.contains(said), "{log}");
}

/// Every request is answered with success while senders come and go and the
/// certificate changes, file by file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_load_without_a_lost_request() {
    const SENDERS: u64 = 4;
    const PER_CONNECTION: u64 = 5;
    let (ca, sink) = (Arc::new(Ca::new()), Sink::start());
    ca.install(&ca.sign("localhost"));
    let tls_lines = format!(
        "tls:\n  cert_file: {}\n  key_file: {}\n  reload_interval: 100ms",
        ca.path("tls.crt").display(),
        ca.path("tls.key").display()
    );
    let mut wayspan = Wayspan::launch(Setup {
        towards: sink.port(),
        grpc_lines: &tls_lines,
        ..Setup::default()
    })
    .await;
    let (port, stop) = (wayspan.grpc, Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = (1..=SENDERS)
        .map(|sender| {
            let (ca, stop) = (Arc::clone(&ca), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let mut client = Grpc::over(connect(port, &ca.client()).await).await;
                    for _ in 0..PER_CONNECTION {
                        sent += 1;
                        let reply = client.export(&good(sender << 32 | sent)).await;
                        assert_eq!(reply.grpc_status(), Some(0), "{reply:?}");
                    }
                }
                sent
            })
        })
        .collect();
    for _ in 0..5 {
        let next: Pair = ca.sign("localhost");
        ca.install(&next);
        let served = async {
            loop {
                let stream = connect(port, &ca.client()).await;
                if stream.get_ref().1.peer_certificates().unwrap()[0] == next.der() {
                    return;
                }
            }
        };
        timeout(PATIENCE, served)
            .await
            .expect("the new certificate is served");
    }
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    let mut ids: Vec<_> = sink
        .wait(usize::try_from(sent).unwrap())
        .await
        .into_iter()
        .map(|span| span.span_id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, sent);
    assert_eq!(
        wayspan.metric("wayspan_receiver_failed_handshakes{receiver=\"otlp\",transport=\"grpc\"}"),
        Some(0.0)
    );
    wayspan.stop();
    assert!(!wayspan.process.log().contains("BEGIN"));
}
