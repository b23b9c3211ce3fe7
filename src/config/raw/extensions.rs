//! `extensions`: `health_check`, `healthcheckv2`.

use super::security::ServerTls;
use crate::config::de::{Field, Ignored, Refused};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct HealthCheck {
    pub(in crate::config) endpoint: Field<String>,
    pub(in crate::config) path: Field<String>,
    pub(in crate::config) tls: Field<ServerTls>,
    auth: Refused,
    response_body: Ignored,
    response_headers: Ignored,
    check_collector_pipeline: Ignored,
    include_metadata: Ignored,
    read_timeout: Ignored,
    read_header_timeout: Ignored,
    write_timeout: Ignored,
    idle_timeout: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct HealthCheckV2 {
    /// Without it the Collector takes the keys of `health_check`.
    use_v2: Ignored,
    pub(in crate::config) endpoint: Field<String>,
    pub(in crate::config) path: Field<String>,
    pub(in crate::config) tls: Field<ServerTls>,
    pub(in crate::config) http: HealthHttp,
    grpc: Ignored,
    component_health: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct HealthHttp {
    pub(in crate::config) endpoint: Field<String>,
    pub(in crate::config) status: HealthStatus,
    pub(in crate::config) tls: Field<ServerTls>,
    auth: Refused,
    config: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct HealthStatus {
    enabled: Ignored,
    pub(in crate::config) path: Field<String>,
}
