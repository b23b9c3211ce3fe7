//! The exporters' side.

use super::{pem, provider, versions};
use crate::{
    reload::{Files, Reloaded},
    tls::ClientTls,
};
use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Made of checked settings, and anew when their files change. `T` is what the
/// configuration is put into, such as a connector.
#[derive(Debug)]
pub struct ReloadedClientTls<T> {
    made: Reloaded<T>,
    /// Least time between two looks; None: never.
    interval: Option<Duration>,
    looked: Mutex<Instant>,
}

impl<T> ReloadedClientTls<T> {
    /// From checked settings (None: for plaintext only); `what` is whose they
    /// are, for the log.
    ///
    /// # Errors
    ///
    /// Says which file cannot be read, or what does not fit.
    pub fn build(
        what: impl Into<String>,
        settings: Option<&ClientTls>,
        wrap: impl Fn(ClientConfig) -> T + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let files = settings.into_iter().flat_map(|tls| {
            [
                tls.ca.as_ref().map(pem::ca),
                tls.cert.as_ref().map(pem::cert),
                tls.key.as_ref().map(pem::key),
            ]
        });
        let files = files.flatten().filter_map(|pem| pem.to_read()).collect();
        let interval = settings.and_then(|tls| tls.reload_interval);
        let settings = settings.cloned();
        let make = move |files: &Files| client_config(settings.as_ref(), files).map(&wrap);
        Ok(Self {
            made: Reloaded::load(what, files, make)?,
            interval,
            looked: Mutex::new(Instant::now()),
        })
    }

    /// For a connection about to be made: looks at the files first. Connections
    /// are rare, and one that is needed may need what has just been replaced.
    pub(crate) fn for_connection(&self) -> Arc<T> {
        if let Some(interval) = self.interval {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.elapsed() >= interval {
                *looked = Instant::now();
                self.made.look();
            }
        }
        self.made.current()
    }
}

fn client_config(settings: Option<&ClientTls>, files: &Files) -> Result<ClientConfig, String> {
    let default = ClientTls::default();
    let limits = &settings.unwrap_or(&default).limits;
    let provider = provider(limits);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(limits))
        .map_err(|error| format!("tls: {error}"))?;
    let Some(settings) = settings else {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    };
    let builder = if settings.insecure_skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else if let Some(ca) = &settings.ca {
        builder.with_root_certificates(pem::ca(ca).roots(files)?)
    } else {
        // Read only where they are needed: an image without a CA bundle is fine otherwise.
        builder.with_native_roots().map_err(|error| {
            format!("tls: the system has no usable CA certificates ({error}): set tls.ca_file")
        })?
    };
    match (&settings.cert, &settings.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let (cert, key) = (pem::cert(cert), pem::key(key));
            let (chain, private) = pem::pair((&cert, &key), files)?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| format!("{} and {}: {error}", cert.place(), key.place()))
        }
        (Some(cert), None) => Err(format!(
            "{} is set without tls.key_file",
            pem::cert(cert).place()
        )),
        (None, Some(key)) => Err(format!(
            "{} is set without tls.cert_file",
            pem::key(key).place()
        )),
    }
}

/// The name to verify in place of the URL's host.
///
/// # Errors
///
/// When it is neither a DNS name nor an IP address.
pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        format!("tls.server_name_override {name:?}: neither a DNS name nor an IP address")
    })
}

/// `insecure_skip_verify`: any certificate will do, but the peer must hold its key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
