//! The receivers' side, and that of the operator's pages.

use super::{pem, provider, versions};
use crate::{
    reload::{Files, Reloaded},
    tls::ServerTls,
};
use rustls::{
    ServerConfig,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// HTTP/2 before HTTP/1.1, on both ports: a sender at the wrong one then gets
/// words instead of a failed handshake.
const RECEIVER: &[&[u8]] = &[b"h2", b"http/1.1"];
/// What the operator's pages speak.
const PAGE: &[&[u8]] = &[b"http/1.1"];

/// What a listener presents and trusts. Shared by all shards.
#[derive(Debug)]
pub struct ReloadedServerTls(Reloaded<ServerConfig>);

impl ReloadedServerTls {
    /// From checked settings; `what` is whose they are, for the log.
    ///
    /// # Errors
    ///
    /// Says which file cannot be read, or what does not fit.
    pub fn build(what: impl Into<String>, settings: &ServerTls) -> Result<Self, String> {
        Self::speaking(RECEIVER, what, settings)
    }

    /// The same, for a page that is served by HTTP/1.1 alone.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub(crate) fn for_page(what: impl Into<String>, settings: &ServerTls) -> Result<Self, String> {
        Self::speaking(PAGE, what, settings)
    }

    fn speaking(
        alpn: &'static [&'static [u8]],
        what: impl Into<String>,
        settings: &ServerTls,
    ) -> Result<Self, String> {
        let files = [
            pem::cert(&settings.cert).to_read(),
            pem::key(&settings.key).to_read(),
            settings
                .client_ca
                .as_ref()
                .and_then(|ca| pem::client_ca(ca).to_read()),
        ];
        let files = files.into_iter().flatten().collect();
        let settings = settings.clone();
        let make = move |files: &Files| {
            let mut config = config(&settings, files)?;
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            Ok(config)
        };
        Reloaded::load(what, files, make).map(Self)
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.current())
    }

    /// Looks whether files have changed; true: new connections use them.
    pub fn look(&self) -> bool {
        self.0.look()
    }
}

fn config(settings: &ServerTls, files: &Files) -> Result<ServerConfig, String> {
    let provider = provider(&settings.limits);
    let verifier: Arc<dyn ClientCertVerifier> = match &settings.client_ca {
        None => Arc::new(NoClientAuth),
        Some(ca) => {
            let ca = pem::client_ca(ca);
            let roots = Arc::new(ca.roots(files)?);
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| format!("{}: {error}", ca.place()))?
        }
    };
    let (cert, key) = (pem::cert(&settings.cert), pem::key(&settings.key));
    let (chain, private) = pem::pair((&cert, &key), files)?;
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(&settings.limits))
        .map_err(|error| format!("tls: {error}"))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private)
        .map_err(|error| format!("{} and {}: {error}", cert.place(), key.place()))
}
