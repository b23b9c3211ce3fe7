/*! What traces that were looked at say of the senders of their spans. */

use serde::{Deserialize, Serialize};

/// What was seen in traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Traces {
    pub(crate) looked_at: usize,
    pub(crate) skews: Vec<Skew>,
    pub(crate) orphans: Vec<Orphan>,
}

/// Two senders of which the second's spans lie outside of the first's, their parents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Skew {
    pub(crate) parent: String,
    pub(crate) child: String,
    /// Pairs of spans that were compared.
    pub(crate) pairs: usize,
    /// Pairs of which the child began before the parent, or after it, by more than the parent
    /// lasted.
    pub(crate) outside: usize,
    /// By how much most, in milliseconds; negative: before.
    pub(crate) most: i64,
}

/// Spans of one sender whose parents are not in their traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Orphan {
    /// Their service name.
    pub(crate) service: String,
    /// The address that called, where the span tells it.
    pub(crate) caller: String,
    pub(crate) traces: usize,
}
