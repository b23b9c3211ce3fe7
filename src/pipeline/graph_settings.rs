/*! What a graph is built from: the checked configuration, as far as the engine reads it. */

use super::{BatchSettings, ConnectorNode, ProcessorFactory};
use crate::{
    config::Id,
    pdata::Signal,
    queue::{QueueSize, Storage},
};
use std::sync::Arc;

/// All pipelines, and the exporters and storages that they name by index.
#[derive(Clone, Debug)]
pub struct GraphSettings {
    /// The pipelines.
    pub(crate) pipelines: Vec<PipelineSettings>,
    /// The connectors that make requests.
    pub(crate) connectors: Vec<ConnectorNode>,
    /// The exporters' queues.
    pub(crate) exporters: Vec<QueueSettings>,
    /// The storages that queues name.
    pub(crate) storages: Vec<Storage>,
    /// Bytes that may be held before senders are refused.
    pub(crate) memory_limit: usize,
}

/// One pipeline.
#[derive(Clone, Debug)]
pub(crate) struct PipelineSettings {
    /// `traces/name`.
    pub(crate) id: Id,
    /// What it carries.
    pub(crate) signal: Signal,
    /// Indices of its receivers in the configuration.
    pub(crate) receivers: Vec<usize>,
    /// Indices of the connectors that it takes from.
    pub(crate) fed_by: Vec<usize>,
    /// Indices of the connectors that it feeds.
    pub(crate) feeds: Vec<usize>,
    /// Its processors by id, in order.
    pub(crate) stages: Vec<(Id, Arc<dyn ProcessorFactory>)>,
    /// The `memory_limiter` that it names.
    pub(crate) memory_limiter: Option<Id>,
    /// How its items are batched.
    pub(crate) batch: BatchSettings,
    /// Indices into [`GraphSettings::exporters`].
    pub(crate) exporters: Vec<usize>,
}

/// The queue of one exporter.
#[derive(Clone, Debug)]
pub(crate) struct QueueSettings {
    /// The exporter's id.
    pub(crate) id: Id,
    /// How much may wait in memory.
    pub(crate) size: QueueSize,
    /// Senders wait for room in it.
    pub(crate) blocks: bool,
    /// Senders wait to hear what becomes of its batches.
    pub(crate) waits: bool,
    /// Index into [`GraphSettings::storages`]; None: in memory only.
    pub(crate) storage: Option<usize>,
}
