/*! The checked settings of `resource_detection`. */

use super::system::{HostnameSource, SystemAttribute};
use crate::mesh::watch::Access;
use std::time::Duration;

/// What the keys say.
#[derive(Clone, Debug)]
pub(crate) struct DetectionSettings {
    /// In their order.
    pub(super) detectors: Vec<Detector>,
    /// What is detected replaces what resources have.
    pub(super) overrides: bool,
    /// How long detecting may take.
    pub(super) timeout: Duration,
}

/// A detector that is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detector {
    /// What the environment says: it was read with the file.
    Environment(Vec<(String, String)>),
    /// What the system says.
    System {
        attributes: Vec<(&'static str, SystemAttribute)>,
        sources: Vec<HostnameSource>,
    },
    /// What Kubernetes says of the Node.
    Node(NodeDetector),
}

/// How the Node is detected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeDetector {
    /// The way to the API server.
    pub(super) access: Access,
    /// The Node's name.
    pub(super) name: String,
    /// Its name is told.
    pub(super) tells_name: bool,
    /// Its UID is asked for.
    pub(super) tells_uid: bool,
    /// The cluster's UID is asked for.
    pub(super) tells_cluster: bool,
}
