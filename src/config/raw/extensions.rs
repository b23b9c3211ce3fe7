//! `extensions`: `health_check`, `healthcheckv2`, `file_storage`, `zpages`.

use super::security::ServerTls;
use crate::config::{
    de::{Field, Ignored, Refused},
    scalar::GoDuration,
};
use serde::Deserialize;

/// `fsync` is the Collector's boolean, or one of three words; `fsync_interval`,
/// `max_size_mib` are wayspan's own.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct FileStorage {
    pub(in crate::config) directory: Field<String>,
    pub(in crate::config) create_directory: Field<bool>,
    pub(in crate::config) timeout: Field<GoDuration>,
    pub(in crate::config) fsync: Field<Fsync>,
    pub(in crate::config) fsync_interval: Field<GoDuration>,
    pub(in crate::config) max_size_mib: Field<u64>,
    directory_permissions: Ignored,
    /// Damage costs the records that are damaged; there is nothing to make anew.
    recreate: Ignored,
    /// Segments are deleted whole.
    compaction: Ignored,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Fsync {
    #[serde(alias = "true")]
    Always,
    Interval,
    #[serde(alias = "false")]
    Never,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Zpages {
    pub(in crate::config) endpoint: Field<String>,
    tls: Refused,
    auth: Refused,
    expvar: Ignored,
}

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
