/*! A Kiali described by flags, in Kiali's own words. */

use crate::mesh::{Kiali, Version};
use clap::ArgAction;

/// The Kiali that looks for traces.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct KialiFlags {
    /// Version of the Kiali that looks for the traces
    #[arg(long, value_name = "MAJOR.MINOR", default_value_t = Version::NEWEST)]
    kiali_version: Version,

    /// Kiali's external_services.tracing.namespace_selector
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    namespace_selector: bool,

    /// Kiali's external_services.tracing.use_waypoint_name
    #[arg(
        long, value_name = "BOOL", default_value_t = false, default_missing_value = "true",
        num_args = 0..=1, require_equals = true, action = ArgAction::Set
    )]
    use_waypoint_name: bool,
}

impl KialiFlags {
    /// Returns the Kiali that they describe.
    pub(super) fn kiali(&self) -> Kiali {
        Kiali {
            version: self.kiali_version,
            namespace_selector: self.namespace_selector,
            use_waypoint_name: self.use_waypoint_name,
            ..Kiali::default()
        }
    }
}
