/*! What connectors count. */

use crate::telemetry::counters;

counters! {
    /// Counters of a connector.
    pub(super) struct ConnectorStats ["connector"] {
        /// Spans that were counted without their dimensions, in the series `otel_metric_overflow`,
        /// since there were too many series.
        overflowed: "wayspan_connector_overflowed_spans",
    }
}
