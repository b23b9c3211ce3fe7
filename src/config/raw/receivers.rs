//! `receivers.otlp`.

use super::security::{Auth, ServerTls};
use crate::config::{
    de::{Field, Ignored, Refused, Section},
    scalar::GoDuration,
};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Otlp {
    pub(in crate::config) protocols: Section<Protocols>,
}

/// A protocol that is named is served, with or without settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Protocols {
    pub(in crate::config) grpc: Section<Grpc>,
    pub(in crate::config) http: Section<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Grpc {
    pub(in crate::config) endpoint: Field<String>,
    pub(in crate::config) transport: Field<Transport>,
    pub(in crate::config) tls: Field<ServerTls>,
    pub(in crate::config) max_recv_msg_size_mib: Field<u32>,
    pub(in crate::config) max_concurrent_streams: Field<u32>,
    /// Ours: limit of a request's header list.
    pub(in crate::config) max_header_bytes: Field<u32>,
    read_buffer_size: Ignored,
    write_buffer_size: Ignored,
    pub(in crate::config) keepalive: Keepalive,
    pub(in crate::config) auth: Field<Auth>,
    include_metadata: Ignored,
    middlewares: Refused,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Transport {
    Tcp,
    Tcp4,
    Tcp6,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Keepalive {
    pub(in crate::config) server_parameters: ServerParameters,
    enforcement_policy: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct ServerParameters {
    max_connection_idle: Ignored,
    pub(in crate::config) max_connection_age: Field<GoDuration>,
    pub(in crate::config) max_connection_age_grace: Field<GoDuration>,
    pub(in crate::config) time: Field<GoDuration>,
    pub(in crate::config) timeout: Field<GoDuration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Http {
    pub(in crate::config) endpoint: Field<String>,
    transport: Ignored,
    pub(in crate::config) tls: Field<ServerTls>,
    cors: Ignored,
    pub(in crate::config) auth: Field<Auth>,
    /// Bytes, after inflating.
    pub(in crate::config) max_request_body_size: Field<u64>,
    /// Ours: limit of a request's header list.
    pub(in crate::config) max_header_bytes: Field<u32>,
    include_metadata: Ignored,
    response_headers: Ignored,
    compression_algorithms: Ignored,
    read_timeout: Ignored,
    pub(in crate::config) read_header_timeout: Field<GoDuration>,
    write_timeout: Ignored,
    pub(in crate::config) idle_timeout: Field<GoDuration>,
    keep_alives_enabled: Ignored,
    middlewares: Refused,
    pub(in crate::config) traces_url_path: Field<String>,
    metrics_url_path: Ignored,
    pub(in crate::config) logs_url_path: Field<String>,
    profiles_url_path: Ignored,
}
