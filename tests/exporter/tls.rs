//! TLS: trust, names, client certificates, and the words for each failure.

use crate::{
    ports::{grpc_cause, http_cause},
    support::*,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    },
};
use wayspan::pdata::Signal::Traces;
use wayspan::{
    exporter::Exporter,
    exporter::otlp::Grpc,
    tls::{ClientTls, Pem},
};

/// A CA of its own, with what it signs in files.
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl TestCa {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Client settings that trust this CA.
    pub fn trust(&self) -> ClientTls {
        ClientTls {
            ca: Some(Pem::File(self.file("ca.pem"))),
            ..ClientTls::default()
        }
    }

    /// Client settings that also present a certificate of this CA.
    fn identity(&self) -> ClientTls {
        let (cert, key) = self.sign("client");
        std::fs::write(self.file("client.pem"), cert).unwrap();
        std::fs::write(self.file("client.key"), key).unwrap();
        ClientTls {
            cert: Some(Pem::File(self.file("client.pem"))),
            key: Some(Pem::File(self.file("client.key"))),
            ..self.trust()
        }
    }

    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    /// An OTLP backend that is `localhost` by a certificate of this CA, over
    /// HTTP/2 or over HTTP/1.1; it answers gRPC and OTLP/HTTP.
    pub async fn server(&self, http2: bool, wants_certificate: bool) -> SocketAddr {
        self.server_with(self.sign("localhost"), http2, wants_certificate)
            .await
    }

    /// The same with another certificate and key.
    async fn server_with(
        &self,
        (cert, key): (String, String),
        http2: bool,
        wants_certificate: bool,
    ) -> SocketAddr {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap())
            .unwrap();
        let verifier: Arc<dyn ClientCertVerifier> = match wants_certificate {
            false => Arc::new(NoClientAuth),
            true => WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
                .build()
                .unwrap(),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![if http2 {
            b"h2".to_vec()
        } else {
            b"http/1.1".to_vec()
        }];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listen().await;
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        let answer = move |request: RawRequest| match &request.head.headers["content-type"]
                        {
                            kind if kind == "application/grpc" => Raw::grpc_ok(),
                            _ => Raw::http(200, &[], ""),
                        };
                        serve_raw(stream, http2, Arc::default(), Arc::new(answer)).await;
                    }
                });
            }
        });
        address
    }
}

fn exporter(
    address: SocketAddr,
    host: &str,
    http2: bool,
    tls: ClientTls,
) -> wayspan::exporter::ConfiguredExporter {
    let mut client = client(format!("https://{host}:{}", address.port()));
    client.tls = Some(tls);
    match http2 {
        true => settings(Grpc { client }),
        false => settings(over_http(client)),
    }
}

async fn delivers(settings: &wayspan::exporter::ConfiguredExporter) {
    let running = Running::start(settings);
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (5, 0)
    );
}

#[tokio::test]
async fn a_ca_file_is_trusted() {
    let ca = TestCa::new();
    for http2 in [true, false] {
        let address = ca.server(http2, false).await;
        delivers(&exporter(address, "localhost", http2, ca.trust())).await;
    }
}

#[tokio::test]
async fn http_takes_http2_where_tls_offers_it() {
    let ca = TestCa::new();
    let address = ca.server(true, false).await;
    delivers(&exporter(address, "localhost", false, ca.trust())).await;
}

#[tokio::test]
async fn verification_can_be_skipped_and_the_name_overridden() {
    let ca = TestCa::new();
    let address = ca.server(true, false).await;
    let skip = ClientTls {
        insecure_skip_verify: true,
        ..ClientTls::default()
    };
    delivers(&exporter(address, "127.0.0.1", true, skip)).await;
    let named = ClientTls {
        server_name_override: Some("localhost".into()),
        ..ca.trust()
    };
    delivers(&exporter(address, "127.0.0.1", true, named)).await;
}

#[tokio::test]
async fn a_client_certificate_is_presented() {
    let ca = TestCa::new();
    for http2 in [true, false] {
        let address = ca.server(http2, true).await;
        delivers(&exporter(address, "localhost", http2, ca.identity())).await;
    }
}

#[tokio::test]
async fn each_failure_names_its_remedy() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let address = ca.server(true, false).await;
    let url = |host: &str, port: u16| format!("https://{host}:{port}");

    let (cause, blamed) = grpc_cause(url("localhost", address.port()), Some(other.trust())).await;
    assert!(
        cause.contains("set tls.ca_file to that CA") && blamed,
        "{cause}"
    );
    assert!(
        cause.contains(&format!("localhost:{}", address.port())),
        "{cause}"
    );

    let (cause, blamed) = grpc_cause(url("127.0.0.1", address.port()), Some(ca.trust())).await;
    assert!(
        cause.contains("set tls.server_name_override") && blamed,
        "{cause}"
    );

    let address = ca.server(true, true).await;
    let (cause, blamed) = grpc_cause(url("localhost", address.port()), Some(ca.trust())).await;
    assert!(
        cause.contains("set tls.cert_file and tls.key_file") && blamed,
        "{cause}"
    );

    let address = ca.server(false, false).await;
    let (cause, blamed) = grpc_cause(url("localhost", address.port()), Some(ca.trust())).await;
    assert!(cause.contains("does not offer HTTP/2") && blamed, "{cause}");
    let (cause, blamed) = http_cause(url("localhost", address.port()), Some(other.trust())).await;
    assert!(
        cause.contains("set tls.ca_file to that CA") && blamed,
        "{cause}"
    );
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_a_ca_names_its_remedy() {
    let ca = TestCa::new();
    for is_ca in [true, false] {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap().pem();
        std::fs::write(ca.file("own.pem"), &own).unwrap();
        let address = ca
            .server_with((own, key.serialize_pem()), true, false)
            .await;
        let trust = ClientTls {
            ca: Some(Pem::File(ca.file("own.pem"))),
            ..ClientTls::default()
        };
        if !is_ca {
            delivers(&exporter(address, "localhost", true, trust)).await;
            continue;
        }
        let url = format!("https://localhost:{}", address.port());
        let (cause, blamed) = grpc_cause(url, Some(trust)).await;
        assert!(
            cause.contains("a certificate signed by that CA") && blamed,
            "{cause}"
        );
    }
}

#[test]
fn unusable_settings_are_refused_at_build() {
    let ca = TestCa::new();
    std::fs::write(ca.file("empty.pem"), "nothing here").unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let error = |tls: ClientTls| {
        Exporter::build(&exporter(address, "localhost", true, tls))
            .unwrap_err()
            .to_string()
    };
    let with_ca = |name: &str| ClientTls {
        ca: Some(Pem::File(ca.file(name))),
        ..ClientTls::default()
    };
    for (tls, words) in [
        (
            with_ca("missing.pem"),
            ["otlp/test", "tls.ca_file", "missing.pem"],
        ),
        (
            with_ca("empty.pem"),
            ["otlp/test", "tls.ca_file", "no PEM certificate"],
        ),
        (
            ClientTls {
                key: None,
                ..ca.identity()
            },
            ["otlp/test", "tls.cert_file", "without tls.key_file"],
        ),
        (
            ClientTls {
                key: Some(Pem::File(ca.file("ca.pem"))),
                ..ca.identity()
            },
            ["otlp/test", "tls.key_file", "no PEM private key"],
        ),
        (
            ClientTls {
                server_name_override: Some("not a name".into()),
                ..ca.trust()
            },
            ["otlp/test", "server_name_override", "not a name"],
        ),
    ] {
        let error = error(tls);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    for url in ["jaeger:4317", "ftp://jaeger:4317", "", "http://"] {
        let settings = settings(Grpc {
            client: client(url),
        });
        let error = Exporter::build(&settings).unwrap_err().to_string();
        assert!(
            error.contains("expected http(s)://host:port"),
            "{url}: {error}"
        );
    }
}

/// CAs, certificates and tokens that are replaced count from the next
/// connection or request on, without a restart.
#[tokio::test]
async fn what_is_replaced_is_used_without_a_restart() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let (cert, key) = other.sign("client");
    std::fs::write(ca.file("client.pem"), cert).unwrap();
    std::fs::write(ca.file("client.key"), key).unwrap();
    let tls = ClientTls {
        ca: Some(Pem::File(ca.file("trust.pem"))),
        cert: Some(Pem::File(ca.file("client.pem"))),
        key: Some(Pem::File(ca.file("client.key"))),
        ..ClientTls::default()
    };
    for http2 in [true, false] {
        // Trusts another CA than the backend's at first, and has its certificate.
        std::fs::copy(other.file("ca.pem"), ca.file("trust.pem")).unwrap();
        let address = ca.server(http2, true).await;
        let mut settings = exporter(address, "localhost", http2, tls.clone());
        settings.retry.initial_interval = std::time::Duration::from_millis(10);
        settings.retry.max_interval = std::time::Duration::from_millis(10);
        let running = Running::start(&settings);
        running.push(batch(0..5));
        until(|| running.stats.retries.get() > 0).await;
        ca.identity();
        std::fs::copy(ca.file("ca.pem"), ca.file("trust.pem")).unwrap();
        let (_, stats) = running.finish().await;
        assert_eq!(stats.items[Traces].sent.get(), 5);
    }
}
