/*! The checked settings of `prometheus`. */

use crate::tls::ServerTls;
use std::{net::SocketAddr, time::Duration};

/// What is served, and where.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) endpoint: SocketAddr,
    pub(super) tls: Option<ServerTls>,
    /// What names begin with.
    pub(super) namespace: String,
    /// Whether names end in units, and counters in `_total`.
    pub(super) has_suffixes: bool,
    /// Names and values of labels that all series have.
    pub(super) const_labels: Vec<(String, String)>,
    /// Whether resource attributes are labels of all series.
    pub(super) resource_labels: bool,
    /// Whether those that make `job` and `instance` are among them.
    pub(super) service_labels: bool,
    /// Whether the scope is in labels.
    pub(super) scope_labels: bool,
    /// Whether samples have the time of their points.
    pub(super) has_timestamps: bool,
    /// How long a series is served after its last point.
    pub(super) expiration: Duration,
    /// Whether who asks for OpenMetrics gets it.
    pub(super) has_open_metrics: bool,
}
