/*! What became of the probe: a marked trace, sent as a waypoint would send it. */

use super::Answer;
use serde::{Deserialize, Serialize};

/// A probe and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Probe {
    /// Its trace id in hexadecimal.
    pub(crate) trace_id: String,
    /// The service name that it was sent with.
    pub(crate) emitted: String,
    /// The collector's address.
    pub(crate) collector: String,
    /// Got: the collector has taken it.
    pub(crate) sent: Answer<()>,
    /// Jaeger's address.
    pub(crate) jaeger: String,
    /// How long it was looked for, in seconds.
    pub(crate) waited: u64,
    /// The service names under which Jaeger holds it; none: it does not.
    pub(crate) stored: Answer<Vec<String>>,
    /// The service name that Kiali asks for.
    pub(crate) asked: String,
    /// The tags of Kiali's question.
    pub(crate) tags: Vec<(String, String)>,
    /// Whether Jaeger returns it to that question.
    pub(crate) found: Answer<bool>,
}
