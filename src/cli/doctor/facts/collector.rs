/*! What was seen of a collector. */

use super::Answer;
use serde::{Deserialize, Serialize};

/// A collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Collector {
    pub(crate) grpc_url: String,
    /// Got: it takes OTLP over gRPC.
    pub(crate) grpc: Answer<()>,
    pub(crate) http_url: String,
    /// Got: it takes OTLP over HTTP.
    pub(crate) http: Answer<()>,
    pub(crate) metrics_url: String,
    pub(crate) metrics: Answer<CollectorMetrics>,
}

/// What its metrics say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CollectorMetrics {
    pub(crate) is_wayspan: bool,
    /// The labels of wayspan's scheme in force.
    pub(crate) scheme: Option<String>,
    /// Batches that the exporters' queues hold.
    pub(crate) capacity: f64,
    pub(crate) counts: Counts,
    /// The same a second later.
    pub(crate) later: Counts,
}

/// Spans by what became of them, all receivers and exporters together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) accepted: f64,
    pub(crate) refused: f64,
    pub(crate) sent: f64,
    pub(crate) failed: f64,
    /// Dropped because a queue was full.
    pub(crate) lost: f64,
    /// Batches waiting.
    pub(crate) queued: f64,
}
