/*! What the pages tell of a service: built anew whenever the configuration is read. */

use crate::{
    pipeline::{NamedRoute, SpanReader, Tap},
    telemetry::LimitedPeers,
};
use std::sync::Arc;

/// A service, as the pages show it.
pub(crate) struct AboutService {
    /// The ways to the exporters.
    pub(crate) routes: Vec<NamedRoute>,
    /// Whom receivers refused something.
    pub(crate) limited: Vec<LimitedPeers>,
    /// The components in the way of an item, by pipeline.
    pub(crate) ways: Vec<(String, String)>,
    /// What each extension says of itself.
    pub(crate) extensions: Vec<(String, Vec<String>)>,
    /// Where spans are shown that pass.
    pub(crate) tap: Arc<Tap>,
    /// What says what the spans of a pipeline mean, by the pipeline.
    pub(crate) readers: Vec<(String, Arc<dyn SpanReader>)>,
}
