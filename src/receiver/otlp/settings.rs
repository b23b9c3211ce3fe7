/*! The settings of an `otlp` receiver. */

use crate::{auth::ServerAuth, config::ListenAddress, receiver::http::HttpServer, tls::ServerTls};
use std::time::Duration;

/// Settings of an `otlp` receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// `protocols.grpc`.
    pub grpc: Option<GrpcServer>,
    /// `protocols.http`.
    pub http: Option<OtlpHttpServer>,
}

/// OTLP/gRPC server settings.
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcServer {
    /// Address to listen on.
    pub endpoint: ListenAddress,
    /// `max_recv_msg_size_mib` in bytes, after inflating. Default 64 MiB.
    pub max_message_bytes: usize,
    /// `max_concurrent_streams` per connection. Default 256.
    pub max_concurrent_streams: u32,
    /// Limit of a request's header list in bytes. Default 16 KiB.
    pub max_header_bytes: u32,
    /// `keepalive.server_parameters`.
    pub keepalive: ServerKeepalive,
    /// `tls`; None: plaintext.
    pub tls: Option<ServerTls>,
    /// `auth`; None: whoever can connect.
    pub auth: Option<ServerAuth>,
}

/// `keepalive.server_parameters`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerKeepalive {
    /// Close a connection at this age, after a grace. Default: none.
    pub max_connection_age: Option<Duration>,
    /// How long requests in flight may take after that. Default 30 s.
    pub max_connection_age_grace: Duration,
    /// Close a connection that has had no request for this long. Default: none.
    pub max_connection_idle: Option<Duration>,
    /// Ping an idle connection after this long. Default 30 s.
    pub time: Duration,
    /// Close it when the answer takes longer than this. Default 10 s.
    pub timeout: Duration,
}

/// OTLP/HTTP server settings.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpHttpServer {
    /// The server.
    pub server: HttpServer,
    /// `traces_url_path`. Default `/v1/traces`.
    pub traces_path: String,
    /// `metrics_url_path`. Default `/v1/metrics`.
    pub metrics_path: String,
    /// `logs_url_path`. Default `/v1/logs`.
    pub logs_path: String,
}
