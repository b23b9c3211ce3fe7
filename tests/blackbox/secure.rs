//! TLS and tokens through the binary: the ready configuration, and certificates
//! that change under load.

use crate::spans::good;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tempfile::TempDir;
use testkit::{
    Backend, Ca, EXPORT, Grpc, PATIENCE, Pair, Process, Setup, Tls, Wayspan, binary, frames,
    free_port, http, http_over, root, wait_for,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

const TOKEN: &str = "7d1f-hunter2";

async fn connect(port: u16, tls: &Tls<'_>) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tls.connector().connect(Tls::name(), socket).await.unwrap()
}

/// With `pipelines/tls-and-token.yaml`.
fn ready(ca: &Ca, backend: &Backend) -> Wayspan {
    ca.install(&ca.sign("localhost"));
    ca.put("tokens", &format!("another\n{TOKEN}\n"));
    let setup = Setup::file(root().join("pipelines/tls-and-token.yaml"))
        .exporter("otlp_grpc/jaeger", backend.port)
        .env("WAYSPAN_TLS_DIR", ca.path("").display())
        .env("WAYSPAN_TOKENS", ca.path("tokens").display())
        .layer("service: {telemetry: {logs: {level: debug}}}");
    Wayspan::start(setup)
}

#[tokio::test]
async fn a_wrong_token_and_a_missing_one_are_refused_on_both_ports() {
    let (ca, backend) = (Ca::new(), Backend::grpc());
    let wayspan = ready(&ca, &backend);
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
            .send("POST", EXPORT, headers, frames::grpc(0, &good(n)))
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
    assert_eq!(backend.wait(2).len(), 2);
    for transport in ["grpc", "http"] {
        let series = format!(
            "wayspan_receiver_unauthenticated_requests{{receiver=\"otlp\",transport=\"{transport}\"}}"
        );
        assert_eq!(wayspan.metric(&series), Some(2.0));
    }
    let log = wayspan.log();
    assert!(
        log.contains("OTLP/gRPC over mutual TLS, with a token, on 127.0.0.1"),
        "{log}"
    );
    assert!(log.contains("DEBUG") && !log.contains("hunter2"), "{log}");
}

#[test]
fn a_certificate_that_is_missing_stops_the_start_with_its_name() {
    let dir = TempDir::new().unwrap();
    let mut command = binary();
    command.args([
        "--set",
        "receivers.otlp.protocols.grpc.tls={cert_file: /nowhere/tls.crt, key_file: /nowhere/tls.key}",
    ]);
    let mut process = Process::start(dir.path(), "wayspan", &mut command);
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
    let (ca, backend) = (Arc::new(Ca::new()), Backend::grpc());
    ca.install(&ca.sign("localhost"));
    let tls_lines = format!(
        "tls: {{cert_file: {}, key_file: {}, reload_interval: 100ms}}",
        ca.path("tls.crt").display(),
        ca.path("tls.key").display()
    );
    let mut wayspan = Wayspan::start(Setup::to(&backend).grpc(&tls_lines));
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
    let mut ids: Vec<_> = backend
        .wait(usize::try_from(sent).unwrap())
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
    assert!(!wayspan.log().contains("BEGIN"));
}

/// TLS on the gRPC port, for senders with a certificate of `ca`; the HTTP port
/// takes plaintext.
fn mutual(ca: &Ca, backend: &Backend) -> Wayspan {
    ca.install(&ca.sign("localhost"));
    let tls = format!(
        "tls: {{cert_file: {}, key_file: {}, client_ca_file: {}, reload_interval: 100ms}}",
        ca.path("tls.crt").display(),
        ca.path("tls.key").display(),
        ca.path("ca.crt").display()
    );
    Wayspan::start(Setup::to(backend).grpc(&tls))
}

/// Whether a span gets through to the gRPC port.
async fn delivers(port: u16, tls: &Tls<'_>, n: u64) -> bool {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let Ok(stream) = tls.connector().connect(Tls::name(), socket).await else {
        return false;
    };
    // In TLS 1.3 a server refuses after the client believes that it is done.
    let Ok(mut client) = Grpc::try_over(stream).await else {
        return false;
    };
    let reply = client
        .try_send("POST", EXPORT, &[], frames::grpc(0, &good(n)))
        .await;
    reply.is_ok_and(|reply| reply.grpc_status() == Some(0))
}

/// Refuses `stranger`, tells why, and takes a good sender's spans before and after.
async fn refuses(ca: &Ca, stranger: Tls<'_>, why: &str) {
    let backend = Backend::grpc();
    let wayspan = mutual(ca, &backend);
    let own = Tls {
        identity: Some(ca.sign("sender")),
        ..ca.client()
    };
    assert!(delivers(wayspan.grpc, &own, 1).await);
    assert!(!delivers(wayspan.grpc, &stranger, 2).await);
    assert!(delivers(wayspan.grpc, &own, 3).await);
    let names = backend.wait(2);
    assert_eq!(names.len(), 2);
    failed_handshakes(&wayspan, "grpc", 1.0);
    let log = wayspan.log();
    assert_eq!(log.matches(why).count(), 1, "{log}");
    wayspan.assert_alive();
}

fn failed_handshakes(wayspan: &Wayspan, transport: &str, count: f64) {
    let series = format!(
        "wayspan_receiver_failed_handshakes{{receiver=\"otlp\",transport=\"{transport}\"}}"
    );
    wayspan.wait_metric(&series, |value| value == count);
    // The peer is named, so that whoever fails again and again can be found.
    let of_peer = "wayspan_receiver_limited_peers{peer=\"127.0.0.1\",reason=\"handshake\"}";
    wayspan.wait_metric(of_peer, |value| value >= count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_with_a_certificate_of_a_wrong_ca_is_refused() {
    let (ca, other) = (Ca::new(), Ca::new());
    let stranger = Tls {
        identity: Some(other.sign("sender")),
        ..ca.client()
    };
    refuses(&ca, stranger, "not one of the CA in client_ca_file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_with_an_expired_certificate_is_refused() {
    let ca = Ca::new();
    let stranger = Tls {
        identity: Some(ca.expired("sender")),
        ..ca.client()
    };
    refuses(&ca, stranger, "certificate has expired").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_without_a_certificate_is_refused() {
    let ca = Ca::new();
    refuses(&ca, ca.client(), "presents no client certificate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_trusts_a_wrong_ca_is_told_of() {
    let (ca, other) = (Ca::new(), Ca::new());
    let why = "does not accept this receiver's certificate";
    refuses(&ca, other.client(), why).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plaintext_to_a_tls_port_is_told_of() {
    let (ca, backend) = (Ca::new(), Backend::grpc());
    let wayspan = mutual(&ca, &backend);
    let plain = [("content-type", "application/x-protobuf")];
    let reply = http(wayspan.grpc, "POST", "/v1/traces", &plain, &good(1)).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.text().contains("takes TLS"), "{}", reply.text());
    let mut client = Grpc::connect(wayspan.grpc).await;
    let refused = client
        .try_send("POST", EXPORT, &[], frames::grpc(0, &good(2)))
        .await;
    assert!(refused.is_err(), "{refused:?}");
    failed_handshakes(&wayspan, "grpc", 2.0);
    let log = wayspan.log();
    let told = log
        .matches("speaks plaintext, but this port takes TLS")
        .count();
    assert_eq!(told, 1, "{log}");
    let own = Tls {
        identity: Some(ca.sign("sender")),
        ..ca.client()
    };
    assert!(delivers(wayspan.grpc, &own, 3).await);
    wayspan.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_to_a_plaintext_port_is_told_of() {
    let (ca, backend) = (Ca::new(), Backend::grpc());
    let wayspan = mutual(&ca, &backend);
    assert!(!delivers(wayspan.http, &ca.client(), 1).await);
    failed_handshakes(&wayspan, "http", 1.0);
    let log = wayspan.log();
    assert_eq!(
        log.matches("speaks TLS, but this port takes plaintext")
            .count(),
        1,
        "{log}"
    );
    let plain = [("content-type", "application/x-protobuf")];
    let reply = http(wayspan.http, "POST", "/v1/traces", &plain, &good(2)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    wayspan.assert_alive();
}

/// What replaces a certificate and cannot be used is told of, and the one in
/// use goes on being served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_replaced_by_nonsense_stays_in_use() {
    let (ca, backend) = (Ca::new(), Backend::grpc());
    let wayspan = mutual(&ca, &backend);
    ca.put("tls.crt", "no certificate");
    wait_for("words about the new file", || {
        let log = wayspan.log();
        (log.contains("no PEM certificate in it") && log.contains("stays in use")).then_some(())
    });
    let own = Tls {
        identity: Some(ca.sign("sender")),
        ..ca.client()
    };
    assert!(delivers(wayspan.grpc, &own, 1).await);
    wayspan.assert_alive();
}

/// Health checks over TLS, whose certificate is followed too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_served_over_tls() {
    let (ca, dir) = (Ca::new(), TempDir::new().unwrap());
    ca.install(&ca.sign("localhost"));
    let [health, grpc] = [free_port(), free_port()];
    let mut command = binary();
    let tls = format!(
        "{{cert_file: {}, key_file: {}, reload_interval: 100ms}}",
        ca.path("tls.crt").display(),
        ca.path("tls.key").display()
    );
    for set in [
        format!("receivers.otlp.protocols={{grpc: {{endpoint: '127.0.0.1:{grpc}'}}}}"),
        format!("extensions.health_check={{endpoint: '127.0.0.1:{health}', tls: {tls}}}"),
        "service.telemetry.metrics.level=none".to_owned(),
    ] {
        command.args(["--set", &set]);
    }
    let mut process = Process::start(dir.path(), "wayspan", &mut command);
    tokio::task::block_in_place(|| {
        process.wait_ready(|| std::net::TcpStream::connect(("127.0.0.1", health)).is_ok());
    });
    // Whatever a probe negotiates, it gets HTTP/1.1.
    let probe = Tls {
        alpn: &["h2", "http/1.1"],
        ..ca.client()
    };
    for pair in [None, Some(ca.sign("localhost"))] {
        if let Some(pair) = &pair {
            ca.install(pair);
        }
        let served = async {
            loop {
                let stream = connect(health, &probe).await;
                let own = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
                let negotiated = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                let reply = http_over(stream, "GET", "/", &[], &[]).await;
                let ready = reply.status == 200 && negotiated == Some(b"http/1.1".to_vec());
                if ready && pair.as_ref().is_none_or(|pair| pair.der() == own) {
                    return;
                }
            }
        };
        timeout(PATIENCE, served).await.expect("health over TLS");
    }
    let log = process.log();
    assert!(
        log.contains(&format!("health on https://127.0.0.1:{health}/")),
        "{log}"
    );
}
