/*! stub: the exporter owner writes the prologue. */
use crate::{config::Exporter as Settings, queue::Queue, telemetry::ExporterStats};
use std::sync::Arc;
use std::time::Instant;

/// What became of the batches when an exporter ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Spans still undelivered when the deadline came, now lost.
    pub abandoned: u64,
}

/// An exporter that cannot be built from its settings.
#[derive(Debug, thiserror::Error)]
#[error("exporter {id}: {message}")]
pub struct BuildError {
    /// The configured id.
    pub id: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// A built exporter: connections are made when first needed.
#[derive(Debug)]
pub struct Exporter {}

impl Exporter {
    /// Builds from checked settings (reads certificate files, parses the endpoint).
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be.
    pub fn build(_settings: &Settings) -> Result<Self, BuildError> {
        todo!()
    }

    /// Takes batches from `queue` and delivers them, several at a time, until
    /// the queue is closed and empty. After `deadline` (None until shutdown
    /// begins; sent by the watch channel) undelivered batches are abandoned.
    /// Runs on a current-thread runtime inside a LocalSet or not: uses
    /// FuturesUnordered, spawns nothing that needs Send... owner decides.
    pub async fn run(
        self,
        _queue: Arc<Queue>,
        _stats: Arc<ExporterStats>,
        _deadline: tokio::sync::watch::Receiver<Option<Instant>>,
    ) -> Drained {
        todo!()
    }
}
