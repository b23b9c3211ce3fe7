/*!
Client TLS: trust, identity and the name to verify.

One explicit crypto provider (ring), so that the process never depends on which
provider some other crate installed. The system's CAs are read only where TLS is
used without `ca_file`: an image without a CA bundle is fine otherwise.
*/

use crate::config::ClientTls;
use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// A rustls configuration from checked settings; None: one that trusts nobody,
/// for connectors that will only connect in plaintext.
///
/// # Errors
///
/// Says which file cannot be read or which setting does not fit.
pub fn client_config(settings: Option<&ClientTls>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
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
    } else if let Some(path) = &settings.ca_file {
        builder.with_root_certificates(roots(path)?)
    } else {
        builder.with_native_roots().map_err(|error| {
            format!("tls: the system has no usable CA certificates ({error}): set tls.ca_file")
        })?
    };
    match (&settings.cert_file, &settings.key_file) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, "tls.cert_file")?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                format!(
                    "tls.key_file {}: no PEM private key: {error}",
                    key.display()
                )
            })?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| {
                    format!(
                        "tls.cert_file {} and tls.key_file {}: {error}",
                        cert.display(),
                        key.display()
                    )
                })
        }
        (Some(_), None) => Err("tls.cert_file is set without tls.key_file".to_owned()),
        (None, Some(_)) => Err("tls.key_file is set without tls.cert_file".to_owned()),
    }
}

/// The name to verify in place of the URL's host.
///
/// # Errors
///
/// When it is neither a DNS name nor an IP address.
pub fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        format!("tls.server_name_override {name:?}: neither a DNS name nor an IP address")
    })
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "tls.ca_file")? {
        roots
            .add(certificate)
            .map_err(|error| format!("tls.ca_file {}: {error}", path.display()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |error| format!("{key} {}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| named(error.to_string()))?;
    if found.is_empty() {
        return Err(named("no PEM certificate in it".to_owned()));
    }
    Ok(found)
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
