/*! The settings of TLS, checked. */

use crate::config::Secret;
use std::{path::PathBuf, time::Duration};

/// Certificates or a key in PEM: a file, which may change, or the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// `…_file`.
    File(PathBuf),
    /// `…_pem`.
    Inline(Secret),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// What may be negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsLimits {
    /// `min_version`. Default 1.2.
    pub min: TlsVersion,
    /// `max_version`. Default 1.3.
    pub max: TlsVersion,
    /// `cipher_suites` of TLS 1.2 by IANA's names; empty: all.
    pub cipher_suites: Vec<String>,
    /// `curve_preferences` by IANA's names; empty: all.
    pub groups: Vec<String>,
}

impl Default for TlsLimits {
    fn default() -> Self {
        Self {
            min: TlsVersion::Tls12,
            max: TlsVersion::Tls13,
            cipher_suites: Vec::new(),
            groups: Vec::new(),
        }
    }
}

/// `tls` of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate chain presented.
    pub cert: Pem,
    /// Its key.
    pub key: Pem,
    /// Senders must present a certificate of these CAs.
    pub client_ca: Option<Pem>,
    /// What may be negotiated.
    pub limits: TlsLimits,
    /// How often files are looked at; None: never. Default 60 s.
    pub reload_interval: Option<Duration>,
}

/// `tls` of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// Do not verify the server.
    pub insecure_skip_verify: bool,
    /// Trust these CAs instead of the system's.
    pub ca: Option<Pem>,
    /// Client certificate chain.
    pub cert: Option<Pem>,
    /// Its key.
    pub key: Option<Pem>,
    /// Name to verify instead of the URL's host.
    pub server_name_override: Option<String>,
    /// What may be negotiated.
    pub limits: TlsLimits,
    /// Files are looked at when a connection is made, if the last look is this
    /// long ago; None: never. Default 0.
    pub reload_interval: Option<Duration>,
}

impl Default for ClientTls {
    fn default() -> Self {
        Self {
            insecure_skip_verify: false,
            ca: None,
            cert: None,
            key: None,
            server_name_override: None,
            limits: TlsLimits::default(),
            reload_interval: Some(Duration::ZERO),
        }
    }
}
