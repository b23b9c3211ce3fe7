/*! The checked settings of `k8s_attributes`. */

use super::inventory::Filing;
use crate::mesh::watch::{Kept, WatchScope};
use std::time::Duration;

/// What the keys say.
#[derive(Clone, Debug, Default)]
pub(crate) struct K8sSettings {
    /// Only the address of the sender is noted.
    pub(super) passthrough: bool,
    /// What is asked of the API server.
    pub(super) scope: WatchScope,
    /// How Pods are known, and what is said of them.
    pub(super) filing: Filing,
    /// How long the start waits for Pods to be known; None: it does not.
    pub(super) wait: Option<Duration>,
}

impl K8sSettings {
    /// What must be watched, and kept.
    pub(super) fn kept(&self) -> Kept {
        let by_container = self.filing.associations.use_containers();
        self.filing.rules.kept(by_container)
    }
}
