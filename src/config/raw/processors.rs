//! `processors`: `mesh` (ours), `batch`, `memory_limiter`.

use crate::config::{
    de::{Field, Ignored},
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
    pub(in crate::config) kubernetes: Field<Switch>,
    pub(in crate::config) aliases: Field<Switch>,
    pub(in crate::config) ztunnel_connections: Field<Switch>,
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
    On,
    Off,
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
