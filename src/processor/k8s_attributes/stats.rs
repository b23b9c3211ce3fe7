/*! What a `k8s_attributes` processor counts besides what every processor does. */

use crate::telemetry::counters;

counters! {
    /// Resources that were known by one association on one shard.
    pub(super) struct AssociationStats ["processor", "pod_identifier"] {
        /// Resources whose Pod was looked for, by whether it is known. Pod_identifier: what they are known by; empty: nothing.
        success: "otelcol_k8s_pod_association" in "{resources}" {"status" = "success"},
        /// Resources whose Pod was looked for, by whether it is known. Pod_identifier: what they are known by; empty: nothing.
        error: "otelcol_k8s_pod_association" in "{resources}" {"status" = "error"},
    }
}
