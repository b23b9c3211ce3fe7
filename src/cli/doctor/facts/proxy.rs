/*! What was seen inside of a proxy: the tracing that it really has. */

use super::Answer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One Envoy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SeenProxy {
    /// `pod.namespace`, or its node id, or the address it was asked at.
    pub(crate) name: String,
    pub(crate) dump: Answer<Dump>,
    /// Healthy hosts by cluster; not asked where the proxy itself was not.
    pub(crate) healthy: Answer<BTreeMap<String, usize>>,
}

/// The parts of its configuration that concern tracing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Dump {
    /// What handles requests: one for each HTTP connection manager.
    pub(crate) managers: Vec<Manager>,
    /// All clusters by name.
    pub(crate) clusters: Vec<String>,
}

/// An HTTP connection manager.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Manager {
    pub(crate) listener: String,
    /// The filter chain, where it has a name.
    pub(crate) chain: String,
    /// None: it does not trace.
    pub(crate) tracing: Option<Tracing>,
}

/// Its tracing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tracing {
    /// The cluster that spans are sent to; None: no provider, or one that is not known.
    pub(crate) cluster: Option<String>,
    /// Percent of requests that begin a trace.
    pub(crate) sampling: Option<f64>,
}
