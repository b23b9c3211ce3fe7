/*! Where the page is. */

use crate::tls::ServerTls;
use std::net::SocketAddr;

/// `health_check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Address to listen on.
    pub endpoint: SocketAddr,
    /// `path`. Default `/`.
    pub path: String,
    /// `tls`; None: plaintext.
    pub tls: Option<ServerTls>,
}

impl HealthCheck {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}
