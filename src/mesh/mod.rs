/*! What the mesh means. stub; the owner writes the prologue. Pure: no tokio, no I/O. */
use std::collections::BTreeMap;

/// Checked settings of the `mesh` processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The Kiali whose questions the names must answer.
    pub kiali: Kiali,
    /// Added as `istio.cluster_id` where a mesh span lacks it.
    pub cluster_id: String,
    /// What to do with the letter case of SDK service names.
    pub case: Case,
    /// SDK service names to replace, by exact original name.
    pub rename: BTreeMap<String, String>,
}

/// A Kiali, in Kiali's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Kiali {
    /// Kiali's version.
    pub version: Version,
    /// `external_services.tracing.namespace_selector`, default true.
    pub namespace_selector: bool,
    /// `external_services.tracing.use_waypoint_name`, default false; before 2.22 without effect.
    pub use_waypoint_name: bool,
    /// `external_services.istio.istio_identity_domain`; None: what that Kiali defaults to.
    pub istio_identity_domain: Option<String>,
    /// The mesh's trust domain, which Kiali 2.26+ uses when no identity domain is set.
    pub trust_domain: String,
}

/// Major and minor version of Kiali.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
}

/// Letter case of SDK service names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Match the Kubernetes label's case; without a directory, preserve.
    Match,
    /// Lower-case.
    Lower,
    /// Leave as it is.
    Preserve,
}
