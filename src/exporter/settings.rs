/*!
The settings of exporters: what all have, and what each adds by [`ExporterSettings`].
*/

use super::Exporter;
use crate::{
    config::Id,
    http::ConnectOptions,
    pdata::Signal,
    pipeline::QueueBatch,
    queue::{QueueSize, Sizer},
};
use std::{any::Any, fmt, sync::Arc, time::Duration};

/// What an exporter sends with: the checked settings of one kind.
pub trait ExporterSettings: fmt::Debug + Send + Sync + Any {
    /// Where it sends, for `validate` and the log of the start. None: nowhere
    /// that could be reached or not.
    fn destination(&self) -> Option<String> {
        None
    }

    /// Why it cannot export `signal`, if so, and what to do.
    fn lacks(&self, signal: Signal) -> Option<String> {
        let _ = signal;
        None
    }

    /// Builds the exporter `configured`, whose settings these are.
    ///
    /// # Errors
    /// Says which setting is wrong: a file cannot be read, or is not what it
    /// should be.
    fn build(
        &self,
        configured: &ConfiguredExporter,
        options: ConnectOptions,
    ) -> Result<Exporter, String>;
}

/// A configured exporter.
#[derive(Clone, Debug)]
pub struct ConfiguredExporter {
    /// Its id.
    pub id: Id,
    /// What it speaks.
    pub settings: Arc<dyn ExporterSettings>,
    /// `sending_queue`.
    pub queue: SendingQueue,
    /// `retry_on_failure`.
    pub retry: Retry,
    /// `timeout` of one attempt. Default 5 s gRPC, 30 s HTTP.
    pub timeout: Duration,
}

impl ConfiguredExporter {
    /// Its settings, if they are those of this type.
    pub fn settings<T: ExporterSettings>(&self) -> Option<&T> {
        (&*self.settings as &dyn Any).downcast_ref()
    }
}

/// `sending_queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendingQueue {
    /// `num_consumers`: requests in flight at once. Default 10.
    pub consumers: usize,
    /// `queue_size`, in the unit of `sizer`: how much may wait in memory. Default 1000
    /// batches.
    pub size: QueueSize,
    /// `block_on_overflow`: senders wait for room in a full queue. Default false.
    pub blocks: bool,
    /// `wait_for_result`: senders are answered once it has delivered. Default false.
    pub waits: bool,
    /// `batch`: how what is sent is batched; None: as the pipeline says.
    pub batch: Option<QueueBatch>,
    /// `storage`: index into the configuration's storages. None: batches are in
    /// memory only.
    pub storage: Option<usize>,
}

impl Default for SendingQueue {
    fn default() -> Self {
        Self {
            consumers: 10,
            size: QueueSize {
                sizer: Sizer::Requests,
                limit: 1000,
            },
            blocks: false,
            waits: false,
            batch: None,
            storage: None,
        }
    }
}

/// `retry_on_failure`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Default true.
    pub enabled: bool,
    /// Default 5 s in the Collector; ours 1 s.
    pub initial_interval: Duration,
    /// Default 0.5.
    pub randomization_factor: f64,
    /// Default 1.5.
    pub multiplier: f64,
    /// Default 30 s.
    pub max_interval: Duration,
    /// Give up after this long; None: never. Default 300 s, and never where the
    /// queue has a storage.
    pub max_elapsed: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(1),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed: Some(Duration::from_secs(300)),
        }
    }
}
