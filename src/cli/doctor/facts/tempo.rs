/*! What was seen of a Tempo, where Kiali asks one. */

use super::Answer;
use serde::{Deserialize, Serialize};

/// A Tempo.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TempoSeen {
    pub(crate) url: String,
    pub(crate) search: Answer<TempoSearch>,
    /// The status of `/api/echo`, by which Kiali tells whether it is there.
    pub(crate) echo: Answer<u16>,
    pub(crate) version: Option<String>,
    /// Where Kiali searches over gRPC; empty: it does not.
    pub(crate) grpc_url: String,
    /// Got: it answers searches there.
    pub(crate) grpc: Answer<()>,
    /// The same address with the other scheme, where that is answered and this is not.
    pub(crate) other_scheme: Option<String>,
    /// Is true where a Jaeger answers.
    pub(crate) is_jaeger: bool,
}

/// What `/api/search` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TempoSearch {
    pub(crate) status: u16,
    /// It is what Tempo answers.
    pub(crate) is_tempos: bool,
    /// It wants to know the tenant.
    pub(crate) wants_tenant: bool,
}
