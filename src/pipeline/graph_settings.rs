/*! What a graph is built from: the checked configuration, as far as the engine reads it. */

use super::{BatchSettings, ProcessorFactory};
use crate::{config::Id, pdata::Signal, queue::Storage};
use std::sync::Arc;

/// All pipelines, and the exporters and storages that they name by index.
#[derive(Clone, Debug)]
pub struct GraphSettings {
    /// The pipelines.
    pub pipelines: Vec<PipelineSettings>,
    /// The exporters' queues.
    pub exporters: Vec<QueueSettings>,
    /// The storages that queues name.
    pub storages: Vec<Storage>,
    /// Bytes that may be held before senders are refused.
    pub memory_limit: usize,
}

/// One pipeline.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// `traces/name`.
    pub id: Id,
    /// What it carries.
    pub signal: Signal,
    /// Indices of its receivers in the configuration.
    pub receivers: Vec<usize>,
    /// Its processors by id, in order.
    pub stages: Vec<(Id, Arc<dyn ProcessorFactory>)>,
    /// The `memory_limiter` that it names.
    pub memory_limiter: Option<Id>,
    /// How its items are batched.
    pub batch: BatchSettings,
    /// Indices into [`GraphSettings::exporters`].
    pub exporters: Vec<usize>,
}

/// The queue of one exporter.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// The exporter's id.
    pub id: Id,
    /// Batches that may wait in memory.
    pub batches: usize,
    /// Index into [`GraphSettings::storages`]; None: in memory only.
    pub storage: Option<usize>,
}
