/*!
Exporters take sealed batches from their queue and deliver them.

A kind of exporter is a [`Sender`]: it makes a request of a batch's bytes, sends
it, and says by an [`Outcome`] what came of it. There is a folder for each:
[`otlp`] (over gRPC and HTTP), [`zipkin`], `kafka`, [`debug`], `prometheus`, `file` and `nop`; `http` has what those
over HTTP share. What all share is here:

- `deliver` is the loop of one exporter, a thread's single task, with several
  batches in flight; `delivery` is one batch on its way: attempts, halves of what
  is refused, and the account of its items.
- `circuit` decides which request may be sent while a backend is failing, `retry`
  how long to wait, `limit` how much to send at once, `delivery_log` what to log.

[`own_metrics`] sends by [`otlp`], too, but no batches: it pushes wayspan's own metrics.

Every item popped from the queue ends in exactly one of `sent`, `rejected` (by
the backend, in a partial success) and `send_failed`.
*/

mod circuit;
pub(crate) mod config;
pub mod debug;
mod deliver;
mod delivery;
mod delivery_log;
pub(crate) mod file;
mod http;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
mod limit;
pub(crate) mod nop;
pub mod otlp;
mod outcome;
pub(crate) mod own_metrics;
pub(crate) mod prometheus;
mod retry;
mod settings;
mod shutdown;
pub mod zipkin;

pub use outcome::Outcome;
pub use settings::{ConfiguredExporter, ExporterSettings, Retry, SendingQueue};

use crate::{
    backoff::Growth,
    http::{ConnectOptions, Resolver, SystemResolver},
    pdata::Signal,
    pipeline::QueuedBatch,
    queue::SizedQueue,
    telemetry::{Count, ExporterStats},
};
use bytes::Bytes;
use deliver::Deliverer;
use delivery_log::DeliveryLog;
use std::{fmt, pin::Pin, sync::Arc, time::Instant};
use tokio::sync::watch;

/// How one kind of exporter makes and sends a request.
pub trait Sender: fmt::Debug + Send + 'static {
    /// A request, made once and sent as often as needed.
    type Request;

    /// Returns where it sends, for the log.
    fn endpoint(&self) -> &str;

    /// Makes a request of the pieces of an OTLP export request.
    ///
    /// # Errors
    ///
    /// When it cannot be made, as the [`Outcome`] that this is.
    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<Self::Request, Outcome>;

    /// Does what is to be done beside the batches, until the exporter ends.
    fn serve(&self) -> impl Future<Output = ()> + 'static {
        std::future::pending()
    }

    /// Sends a request until the backend has answered or cannot be reached now;
    /// each time but the first is counted in `resent`. Cancel safe: the request
    /// is then lost or delivered.
    fn send(&self, request: &Self::Request, resent: &Count) -> impl Future<Output = Outcome>;
}

/// What became of the batches when an exporter ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Items still undelivered when the deadline came, now lost. Also counted
    /// in `send_failed`.
    pub abandoned: u64,
    /// Undelivered items that are in the segment log: the next run delivers
    /// them.
    pub(crate) kept: u64,
}

/// What an exporter begins with, and what ends it.
pub(crate) struct Shift {
    /// What a predecessor on the same queue has left: it goes first.
    pub(crate) first: Vec<QueuedBatch>,
    /// See [`Exporter::run`].
    pub(crate) deadline: watch::Receiver<Option<Instant>>,
    /// How it is ended before the process is.
    pub(crate) retirement: watch::Receiver<Retirement>,
}

/// How an exporter is ended when the configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retirement {
    /// It goes on.
    No,
    /// A successor on the same queue takes over.
    HandOver,
    /// It is gone from the configuration, and has until then to deliver what it holds.
    At(Instant),
}

/// How an exporter ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// What became of the batches.
    pub(crate) drained: Drained,
    /// What its successor is to send first.
    pub(crate) handed_over: Vec<QueuedBatch>,
}

/// An exporter that cannot be built from its settings.
#[derive(Debug, thiserror::Error)]
#[error("exporter {id}: {message}")]
pub struct BuildError {
    /// The configured id.
    pub(crate) id: String,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

/// A built exporter of any kind: connections are made when first needed.
#[derive(Debug)]
pub struct Exporter(Box<dyn Run>);

/// A [`Deliverer`] whose kind of sender is forgotten.
trait Run: fmt::Debug + Send {
    fn run(
        self: Box<Self>,
        queue: Arc<SizedQueue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        shift: Shift,
    ) -> Pin<Box<dyn Future<Output = Ended>>>;
}

impl<S: Sender> Run for Deliverer<S> {
    fn run(
        self: Box<Self>,
        queue: Arc<SizedQueue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        shift: Shift,
    ) -> Pin<Box<dyn Future<Output = Ended>>> {
        let serving = self.sender.serve();
        Box::pin(async move {
            let mut delivering = std::pin::pin!(Deliverer::run(*self, queue, stats, shift));
            tokio::select! {
                ended = &mut delivering => ended,
                // What cannot be served has been reported; batches go on.
                () = serving => delivering.await,
            }
        })
    }
}

impl Exporter {
    /// Builds from checked settings (reads certificate files, parses the endpoint).
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not what it should be.
    pub fn build(settings: &ConfiguredExporter) -> Result<Self, BuildError> {
        Self::build_with(settings, Arc::new(SystemResolver))
    }

    /// The same with another resolver of names than the system's.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_with(
        settings: &ConfiguredExporter,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, BuildError> {
        let options = ConnectOptions {
            resolver,
            ..ConnectOptions::new(settings.timeout, Growth::from(&settings.retry))
        };
        let built = settings.settings.build(settings, options);
        built.map_err(|message| BuildError {
            id: settings.id.to_string(),
            message,
        })
    }

    /// An exporter that delivers by `sender`, with what `settings` have for all
    /// kinds.
    pub(crate) fn new(settings: &ConfiguredExporter, sender: impl Sender) -> Self {
        let log = DeliveryLog::new(settings.id.to_string(), sender.endpoint().to_owned());
        Self(Box::new(Deliverer {
            sender,
            retry: settings.retry.clone(),
            consumers: settings.queue.consumers,
            log,
        }))
    }

    /// Takes batches from `queue` and delivers them, several at a time, until
    /// the queue is closed and empty. `deadline` is None until shutdown begins;
    /// undelivered batches are abandoned when it has passed, and the queue is
    /// closed then if it was not.
    ///
    /// Runs on any tokio runtime with time and I/O; the future itself stays on
    /// one thread (it is not `Send`).
    pub async fn run(
        self,
        queue: Arc<SizedQueue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        deadline: watch::Receiver<Option<Instant>>,
    ) -> Drained {
        let (_nobody, retirement) = watch::channel(Retirement::No);
        let shift = Shift {
            first: Vec::new(),
            deadline,
            retirement,
        };
        self.0.run(queue, stats, shift).await.drained
    }

    /// As [`Exporter::run`], from one reload of the configuration to the next.
    pub(crate) async fn run_shift(
        self,
        queue: Arc<SizedQueue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        shift: Shift,
    ) -> Ended {
        self.0.run(queue, stats, shift).await
    }
}
