/*! The settings of a server over HTTP, whatever format it takes. */

use super::cors::Cors;
use crate::{auth::ServerAuth, config::ListenAddress, tls::ServerTls};
use std::time::Duration;

/// Settings of a server over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpServer {
    /// Address to listen on.
    pub endpoint: ListenAddress,
    /// `max_request_body_size` in bytes, after inflating. Default 64 MiB.
    pub max_body_bytes: usize,
    /// Limit of a request's header list in bytes. Default 16 KiB.
    pub max_header_bytes: u32,
    /// `read_header_timeout`. Default 60 s.
    pub header_timeout: Duration,
    /// `idle_timeout` of a connection. Default none.
    pub idle_timeout: Option<Duration>,
    /// Close a connection at this age. Default: none.
    pub max_connection_age: Option<Duration>,
    /// How long requests in flight may take after that. Default 30 s.
    pub max_connection_age_grace: Duration,
    /// `cors`; None: pages of browsers may not send.
    pub cors: Option<Cors>,
    /// `tls`; None: plaintext.
    pub tls: Option<ServerTls>,
    /// `auth`; None: whoever can connect.
    pub auth: Option<ServerAuth>,
}
