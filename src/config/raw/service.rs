//! `service`.

use crate::config::{
    de::{Field, Ignored},
    scalar::GoDuration,
};
use serde::Deserialize;

/// A pipeline: ids of its components.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Pipeline {
    pub(in crate::config) receivers: Field<Vec<Field<String>>>,
    pub(in crate::config) processors: Field<Vec<Field<String>>>,
    pub(in crate::config) exporters: Field<Vec<Field<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Telemetry {
    pub(in crate::config) logs: Logs,
    pub(in crate::config) metrics: Metrics,
    traces: Ignored,
    resource: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Logs {
    pub(in crate::config) level: Field<String>,
    pub(in crate::config) encoding: Field<LogEncoding>,
    development: Ignored,
    disable_caller: Ignored,
    disable_stacktrace: Ignored,
    disable_zap_resource: Ignored,
    sampling: Ignored,
    output_paths: Ignored,
    error_output_paths: Ignored,
    initial_fields: Ignored,
    processors: Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum LogEncoding {
    Console,
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Metrics {
    pub(in crate::config) level: Field<Level>,
    pub(in crate::config) address: Field<String>,
    pub(in crate::config) readers: Field<Vec<Field<Reader>>>,
    views: Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Level {
    None,
    Basic,
    Normal,
    Detailed,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Reader {
    pub(in crate::config) pull: Pull,
    periodic: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Pull {
    pub(in crate::config) exporter: PullExporter,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct PullExporter {
    pub(in crate::config) prometheus: Field<Prometheus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Prometheus {
    pub(in crate::config) host: Field<String>,
    pub(in crate::config) port: Field<u16>,
    pub(in crate::config) without_scope_info: Field<bool>,
    pub(in crate::config) without_units: Field<bool>,
    pub(in crate::config) without_type_suffix: Field<bool>,
    with_resource_constant_labels: Ignored,
    translation_strategy: Ignored,
}

/// `service.wayspan`, ours.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Wayspan {
    pub(in crate::config) shards: Field<u16>,
    pub(in crate::config) drain_timeout: Field<GoDuration>,
    pub(in crate::config) gather: Field<GoDuration>,
}
