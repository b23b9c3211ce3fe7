/*!
TLS for both sides: trust, identity and what is negotiated.

One explicit crypto provider (ring), so that the process never depends on which
provider some other crate installed. Files are read together and anew when they
change ([`crate::reload`]); connections that stand keep what they were made with.
*/

mod client;
pub(crate) mod config;
mod pem;
mod server;
mod settings;

pub use client::ReloadedClientTls;
pub(crate) use client::server_name;
pub use server::ReloadedServerTls;
pub use settings::{ClientTls, Pem, ServerTls, TlsLimits, TlsVersion};

use rustls::{SupportedProtocolVersion, crypto::CryptoProvider, version};
use std::sync::Arc;

/// ring, with the cipher suites and groups that settings leave.
fn provider(limits: &TlsLimits) -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    // As in Go, TLS 1.3's own suites cannot be chosen.
    let named = |name: String, list: &[String]| list.is_empty() || list.contains(&name);
    provider.cipher_suites.retain(|suite| {
        suite.tls13().is_some() || named(format!("{:?}", suite.suite()), &limits.cipher_suites)
    });
    provider
        .kx_groups
        .retain(|group| named(format!("{:?}", group.name()), &limits.groups));
    Arc::new(provider)
}

/// From the least to the greatest version.
fn versions(limits: &TlsLimits) -> Vec<&'static SupportedProtocolVersion> {
    [
        (TlsVersion::Tls12, &version::TLS12),
        (TlsVersion::Tls13, &version::TLS13),
    ]
    .into_iter()
    .filter(|(version, _)| (limits.min..=limits.max).contains(version))
    .map(|(_, version)| version)
    .collect()
}
