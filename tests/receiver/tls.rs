//! TLS and mutual TLS on both ports, and the words for each failure.

use crate::harness::*;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{io, sync::Arc};
use testkit::{Ca, Pair, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    client::TlsStream,
    rustls::{
        pki_types::CertificateDer,
        version::{TLS12, TLS13},
    },
};
use wayspan::{
    config::Secret,
    receiver::{Protocol, otlp::http_protocol},
    tls,
    tls::{Pem, ServerTls, TlsLimits, TlsVersion},
};

fn settings(ca: &Ca) -> ServerTls {
    ServerTls {
        cert: Pem::File(ca.path("tls.crt")),
        key: Pem::File(ca.path("tls.key")),
        client_ca: None,
        limits: TlsLimits::default(),
        reload_interval: None,
    }
}

fn built(settings: &ServerTls) -> Arc<tls::ReloadedServerTls> {
    Arc::new(tls::ReloadedServerTls::build("receiver otlp", settings).unwrap())
}

/// A server of either protocol with a certificate of `ca`; `mutual`: it demands one.
fn server(ca: &Ca, grpc: bool, mutual: bool) -> Server {
    ca.install(&ca.sign("localhost"));
    let mut settings = settings(ca);
    settings.client_ca = mutual.then(|| Pem::File(ca.path("ca.crt")));
    Server::guarded(protocol(grpc), Some(built(&settings)), None)
}

fn protocol(grpc: bool) -> Protocol {
    match grpc {
        true => Protocol::Grpc(grpc_settings()),
        false => http_protocol(http_settings()),
    }
}

async fn connect(server: &Server, tls: &Tls<'_>) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(server.address).await?;
    tls.connector().connect(Tls::name(), socket).await
}

fn presented(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// Sends one request over an encrypted connection, in the HTTP it negotiated.
async fn send(stream: TlsStream<TcpStream>, grpc: bool, http2: bool) -> Result<Got, hyper::Error> {
    let io = TokioIo::new(stream);
    let mut request = match grpc {
        true => post(
            EXPORT,
            &[("content-type", "application/grpc")],
            framed(0, &body("a")),
        ),
        false => post("/v1/traces", &[("content-type", PROTOBUF)], body("a")),
    };
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        *request.uri_mut() = format!("https://localhost{}", request.uri())
            .parse()
            .unwrap();
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    Ok(Got::of(response).await)
}

/// Whether a sender with these settings gets a request through.
async fn delivers(server: &Server, tls: &Tls<'_>, grpc: bool, http2: bool) -> bool {
    let Ok(stream) = connect(server, tls).await else {
        return false;
    };
    // In TLS 1.3 a server refuses after the client believes that it is done.
    let Ok(got) = send(stream, grpc, http2).await else {
        return false;
    };
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(server.taken(), [body("a")]);
    true
}

/// Waits until the log has a line with `words`, and returns how many it has.
async fn said(words: &str) -> usize {
    loop {
        let lines = log().iter().filter(|line| line.contains(words)).count();
        if lines > 0 {
            return lines;
        }
        tokio::task::yield_now().await;
    }
}

async fn counted(server: &Server, failed: u64) {
    while server.stats.failed_handshakes.get() < failed {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.stats.failed_handshakes.get(), failed);
}

#[tokio::test]
async fn both_ports_serve_both_versions_and_senders_that_negotiate_nothing() {
    let ca = Ca::new();
    for (grpc, alpn, http2) in [
        (true, &["h2"][..], true),
        (true, &["http/1.1", "h2"], true),
        (true, &[], true),
        (false, &["h2"], true),
        (false, &["http/1.1"], false),
        (false, &[], false),
    ] {
        let server = server(&ca, grpc, false);
        for version in [&TLS12, &TLS13] {
            let tls = Tls {
                alpn,
                versions: vec![version],
                ..ca.client()
            };
            assert!(
                delivers(&server, &tls, grpc, http2).await,
                "{grpc} {alpn:?}"
            );
        }
        assert_eq!(server.stats.failed_handshakes.get(), 0);
    }
}

#[tokio::test]
async fn grpc_as_http1_gets_its_words_through_tls_too() {
    let ca = Ca::new();
    let server = server(&ca, true, false);
    let tls = Tls {
        alpn: &["http/1.1"],
        ..ca.client()
    };
    let stream = connect(&server, &tls).await.unwrap();
    assert_eq!(send(stream, true, false).await.unwrap().status, 426);
}

#[tokio::test]
async fn mutual_tls_takes_its_own_ca_and_nobody_else() {
    let (ca, other) = (Ca::new(), Ca::new());
    let refused: [(Option<Pair>, &str); 3] = [
        (None, "set cert_file and key_file at the sender"),
        (
            Some(other.sign("sender")),
            "not one of the CA in client_ca_file",
        ),
        (
            Some(ca.expired("sender")),
            "not one of the CA in client_ca_file",
        ),
    ];
    for grpc in [true, false] {
        let server = server(&ca, grpc, true);
        let with = |identity: &Option<Pair>| Tls {
            identity: identity.clone(),
            ..ca.client()
        };
        for (at, (identity, _)) in refused.iter().enumerate() {
            assert!(
                !delivers(&server, &with(identity), grpc, true).await,
                "{at}"
            );
            counted(&server, at as u64 + 1).await;
        }
        assert_eq!((server.taken().len(), server.counts()), (0, (0, 0)));
        let own = Some(ca.sign("sender"));
        assert!(delivers(&server, &with(&own), grpc, true).await);
    }
    assert_eq!(said(refused[0].1).await, 1);
    // Of the foreign and the expired one the first is said; both are the sender's certificate.
    assert_eq!(said("the sender's client certificate").await, 1);
}

#[tokio::test]
async fn a_sender_that_distrusts_the_certificate_is_noticed() {
    let (ca, other) = (Ca::new(), Ca::new());
    for grpc in [true, false] {
        // Signed by another CA, and by the right one but expired.
        let server = server(&ca, grpc, false);
        assert!(!delivers(&server, &other.client(), grpc, true).await);
        counted(&server, 1).await;
        ca.install(&ca.expired("localhost"));
        let server = Server::guarded(protocol(grpc), Some(built(&settings(&ca))), None);
        let refused = connect(&server, &ca.client()).await.unwrap_err();
        assert!(refused.to_string().contains("xpired"), "{refused}");
        counted(&server, 1).await;
    }
    assert_eq!(said("does not accept this receiver's certificate").await, 1);
}

#[tokio::test]
async fn plaintext_on_a_tls_port_gets_words() {
    let ca = Ca::new();
    for grpc in [true, false] {
        let server = server(&ca, grpc, false);
        for (first, answer) in [
            (
                &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
                "\0\0\0\x0cthis port takes TLS",
            ),
            (
                b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n",
                "HTTP/1.1 400 Bad Request",
            ),
        ] {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(first).await.unwrap();
            socket.shutdown().await.unwrap();
            let mut got = Vec::new();
            socket.read_to_end(&mut got).await.unwrap();
            let got = String::from_utf8_lossy(&got);
            assert!(got.contains(answer) && got.contains("plaintext"), "{got:?}");
        }
        counted(&server, 2).await;
        assert_eq!(server.counts(), (0, 0));
    }
    assert_eq!(said("speaks plaintext, but this port takes TLS").await, 1);
}

#[tokio::test]
async fn tls_on_a_plaintext_port_is_explained() {
    let ca = Ca::new();
    for grpc in [true, false] {
        let server = Server::start(protocol(grpc));
        connect(&server, &ca.client()).await.unwrap_err();
        counted(&server, 1).await;
    }
    assert_eq!(
        said("the sender speaks TLS, but this port takes plaintext").await,
        1
    );
}

#[tokio::test]
async fn versions_outside_the_limits_are_refused() {
    let ca = Ca::new();
    ca.install(&ca.sign("localhost"));
    for (min, max, refused, taken) in [
        (TlsVersion::Tls13, TlsVersion::Tls13, &TLS12, &TLS13),
        (TlsVersion::Tls12, TlsVersion::Tls12, &TLS13, &TLS12),
    ] {
        let mut settings = settings(&ca);
        settings.limits = TlsLimits {
            min,
            max,
            ..TlsLimits::default()
        };
        let server = Server::guarded(protocol(true), Some(built(&settings)), None);
        let with = |version| Tls {
            versions: vec![version],
            ..ca.client()
        };
        assert!(!delivers(&server, &with(refused), true, true).await);
        assert!(delivers(&server, &with(taken), true, true).await);
    }
}

#[tokio::test]
async fn only_chosen_suites_and_groups_are_negotiated() {
    let ca = Ca::new();
    ca.install(&ca.sign("localhost"));
    let mut settings = settings(&ca);
    settings.limits.cipher_suites = vec!["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256".into()];
    settings.limits.groups = vec!["secp384r1".into()];
    let server = Server::guarded(protocol(true), Some(built(&settings)), None);
    let tls = Tls {
        versions: vec![&TLS12],
        ..ca.client()
    };
    let stream = connect(&server, &tls).await.unwrap();
    let session = stream.get_ref().1;
    let suite = session.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(
        format!("{suite:?}"),
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    );
    let group = session.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(format!("{group:?}"), "secp384r1");
}

#[tokio::test]
async fn new_connections_get_new_certificates_and_bad_ones_are_not_taken_in() {
    let ca = Ca::new();
    let (first, second) = (ca.sign("localhost"), ca.sign("localhost"));
    ca.install(&first);
    let tls = built(&settings(&ca));
    let server = Server::guarded(protocol(false), Some(Arc::clone(&tls)), None);
    let client = Tls {
        alpn: &["http/1.1"],
        ..ca.client()
    };
    let standing = connect(&server, &client).await.unwrap();
    assert_eq!(presented(&standing), first.der());

    // The certificate without its key, as in the middle of a change.
    ca.put("tls.crt", &second.cert);
    assert!(!tls.look());
    assert_eq!(
        presented(&connect(&server, &client).await.unwrap()),
        first.der()
    );
    ca.put("tls.key", &second.key);
    assert!(tls.look());
    assert_eq!(
        presented(&connect(&server, &client).await.unwrap()),
        second.der()
    );
    for damaged in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        ca.put("tls.crt", damaged);
        assert!(!tls.look());
    }
    std::fs::remove_file(ca.path("tls.key")).unwrap();
    assert!(!tls.look());
    assert_eq!(
        presented(&connect(&server, &client).await.unwrap()),
        second.der()
    );
    assert!(said("stays in use until the files are right").await >= 1);
    // What was connected before goes on.
    assert_eq!(send(standing, false, false).await.unwrap().status, 200);
}

#[tokio::test]
async fn pem_may_stand_in_the_configuration() {
    let ca = Ca::new();
    let pair = ca.sign("localhost");
    let settings = ServerTls {
        cert: Pem::Inline(Secret::new(pair.cert.as_str())),
        key: Pem::Inline(Secret::new(pair.key.as_str())),
        ..settings(&ca)
    };
    assert!(!format!("{settings:?}").contains("BEGIN"));
    let server = Server::guarded(protocol(true), Some(built(&settings)), None);
    assert!(delivers(&server, &ca.client(), true, true).await);
}

#[test]
fn files_that_do_not_fit_are_named() {
    let ca = Ca::new();
    let (first, second) = (ca.sign("localhost"), ca.sign("localhost"));
    let error = |settings: &ServerTls| tls::ReloadedServerTls::build("r", settings).unwrap_err();
    let missing = error(&settings(&ca));
    assert!(
        missing.contains("tls.cert_file") && missing.contains("cannot be read"),
        "{missing}"
    );
    ca.install(&Pair {
        cert: first.cert.clone(),
        key: second.key,
    });
    let mismatch = error(&settings(&ca));
    assert!(
        mismatch.contains("tls.cert_file") && mismatch.contains("tls.key_file"),
        "{mismatch}"
    );
    ca.install(&Pair {
        cert: first.cert,
        key: "nothing".to_owned(),
    });
    assert!(error(&settings(&ca)).contains("no PEM private key"));
    ca.install(&ca.sign("localhost"));
    let mut settings = settings(&ca);
    settings.client_ca = Some(Pem::File(ca.put("empty.crt", "nothing")));
    let empty = error(&settings);
    assert!(
        empty.contains("tls.client_ca_file") && empty.contains("no PEM certificate"),
        "{empty}"
    );
}
