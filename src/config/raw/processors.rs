//! `processors`: `mesh` (ours), `batch`, `memory_limiter`.

use crate::config::{
    de::{Field, Ignored, Switchable},
    scalar::GoDuration,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Mesh {
    pub(in crate::config) kiali: Kiali,
    pub(in crate::config) cluster_id: Field<String>,
    pub(in crate::config) service_name: ServiceName,
    pub(in crate::config) kubernetes: Field<Switchable<Switch, Kubernetes>>,
    pub(in crate::config) repairs: Field<Switchable<Toggle, Repairs>>,
    pub(in crate::config) aliases: Field<Toggle>,
    pub(in crate::config) ztunnel_connections: Field<Toggle>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Repairs {
    pub(in crate::config) status: Field<Toggle>,
    pub(in crate::config) node_id: Field<Toggle>,
    pub(in crate::config) span_name: Field<Toggle>,
}

/// The Kiali whose questions the names must answer, in Kiali's own words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Kiali {
    pub(in crate::config) version: Field<String>,
    pub(in crate::config) namespace_selector: Field<bool>,
    pub(in crate::config) use_waypoint_name: Field<bool>,
    pub(in crate::config) istio_identity_domain: Field<String>,
    pub(in crate::config) trust_domain: Field<String>,
    pub(in crate::config) app_label_name: Field<String>,
    pub(in crate::config) config_map: Field<String>,
    pub(in crate::config) custom_resource: Field<String>,
    pub(in crate::config) istio_config_map: Field<String>,
    pub(in crate::config) url: Field<String>,
    pub(in crate::config) token: Field<String>,
    pub(in crate::config) token_file: Field<String>,
    pub(in crate::config) poll_interval: Field<GoDuration>,
    pub(in crate::config) tls: KialiTls,
}

/// How the server behind `kiali.url` is verified.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct KialiTls {
    pub(in crate::config) insecure_skip_verify: Field<bool>,
    pub(in crate::config) ca_file: Field<String>,
    pub(in crate::config) server_name_override: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct ServiceName {
    pub(in crate::config) case: Field<Case>,
    pub(in crate::config) rename: Field<BTreeMap<String, Field<String>>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Case {
    Match,
    Lower,
    Preserve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Switch {
    Auto,
    /// YAML 1.1 turns `on` into `true`, and so do the templates that speak it.
    #[serde(alias = "true")]
    On,
    #[serde(alias = "false")]
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Toggle {
    #[serde(alias = "true")]
    On,
    #[serde(alias = "false")]
    Off,
}

/// Whether and how Kubernetes is watched, where the mode alone does not say it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Kubernetes {
    pub(in crate::config) mode: Field<Switch>,
    pub(in crate::config) namespaces: Field<Vec<Field<String>>>,
    pub(in crate::config) kubeconfig: Field<String>,
    pub(in crate::config) peer_address: Field<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Batch {
    pub(in crate::config) send_batch_size: Field<u32>,
    pub(in crate::config) timeout: Field<GoDuration>,
    pub(in crate::config) send_batch_max_size: Field<u32>,
    /// Ours: seal at this many bytes.
    pub(in crate::config) send_batch_max_bytes: Field<u64>,
    metadata_keys: Ignored,
    metadata_cardinality_limit: Ignored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct MemoryLimiter {
    pub(in crate::config) check_interval: Field<GoDuration>,
    pub(in crate::config) limit_mib: Field<u32>,
    pub(in crate::config) spike_limit_mib: Field<u32>,
    pub(in crate::config) limit_percentage: Field<u32>,
    pub(in crate::config) spike_limit_percentage: Field<u32>,
    min_gc_interval_when_soft_limited: Ignored,
    min_gc_interval_when_hard_limited: Ignored,
    max_gc_interval_when_soft_limited: Ignored,
    max_gc_interval_when_hard_limited: Ignored,
}
