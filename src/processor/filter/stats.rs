/*! What a `filter` counts besides what every processor does. */

use crate::telemetry::counters;

counters! {
    /// What one `filter` dropped on one shard.
    pub(crate) struct FilterStats ["filter"] {
        /// Spans that a filter dropped.
        dropped: "otelcol_processor_filter_spans_filtered" in "1",
    }
}
