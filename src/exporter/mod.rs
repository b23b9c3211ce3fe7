/*!
Exporters take sealed batches from their queue and deliver them.

Each configured exporter is a thread's single task: [`deliver`] keeps several
requests in flight, retries, splits what is refused and accounts for every span.
What differs between exporters is only how a request is made and sent
([`otlp`] over gRPC and HTTP, [`debug`]) and what an answer means ([`outcome`]).

- [`deliver`] is the loop that all share: it takes batches from the queue, splits
  what is refused, and accounts for every span.
- [`circuit`] decides which request may be sent while a backend is failing,
  [`limit`] how much to send at once, [`delivery_log`] what to log.

Every span popped from the queue ends in exactly one of `sent_spans`,
`rejected_spans` (by the backend, in a partial success) and
`send_failed_spans`.
*/

pub mod circuit;
pub mod debug;
pub mod deliver;
pub mod delivery_log;
pub mod limit;
pub mod otlp;
pub mod outcome;
pub mod retry;

use crate::{
    backoff::Growth,
    config::{Exporter as Settings, ExporterKind},
    http::{ConnectOptions, Payload, Resolver, SystemResolver},
    pipeline::QueuedBatch,
    queue::Queue,
    telemetry::{Count, ExporterStats},
};
use bytes::Bytes;
use debug::Debug;
use deliver::Runner;
use delivery_log::DeliveryLog;
use otlp::{grpc::OtlpGrpc, http::OtlpHttp};
use outcome::Outcome;
use std::{sync::Arc, time::Instant};

/// What became of the batches when an exporter ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Spans still undelivered when the deadline came, now lost. Also counted
    /// in `send_failed_spans`.
    pub abandoned: u64,
    /// Spans undelivered that are in the segment log: the next run delivers
    /// them.
    pub kept: u64,
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
pub struct Exporter {
    runner: Runner,
}

impl Exporter {
    /// Builds from checked settings (reads certificate files, parses the endpoint).
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not what it should be.
    pub fn build(settings: &Settings) -> Result<Self, BuildError> {
        Self::build_with(settings, Arc::new(SystemResolver))
    }

    /// The same with another resolver of names than the system's.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_with(
        settings: &Settings,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, BuildError> {
        let id = settings.id.to_string();
        let sender = Sender::build(settings, resolver).map_err(|message| BuildError {
            id: id.clone(),
            message,
        })?;
        let log = DeliveryLog::new(id, sender.endpoint().to_owned());
        Ok(Self {
            runner: Runner {
                sender,
                retry: settings.retry.clone(),
                consumers: settings.queue.consumers,
                log,
            },
        })
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
        queue: Arc<Queue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        deadline: tokio::sync::watch::Receiver<Option<Instant>>,
    ) -> Drained {
        self.runner.run(&queue, &stats, deadline).await
    }
}

/// How a kind of exporter makes and sends one request.
#[derive(Debug)]
pub enum Sender {
    /// `otlp_grpc`.
    Grpc(OtlpGrpc),
    /// `otlp_http`.
    Http(OtlpHttp),
    /// `debug`.
    Debug(Debug),
}

impl Sender {
    fn build(settings: &Settings, resolver: Arc<dyn Resolver>) -> Result<Self, String> {
        let options = ConnectOptions {
            resolver,
            ..ConnectOptions::new(settings.timeout, Growth::from(&settings.retry))
        };
        Ok(match &settings.kind {
            ExporterKind::OtlpGrpc(client) => Self::Grpc(OtlpGrpc::build(client, options)?),
            ExporterKind::OtlpHttp(client, encoding) => {
                Self::Http(OtlpHttp::build(client, *encoding, options)?)
            }
            ExporterKind::Debug(debug) => Self::Debug(Debug::new(debug.verbosity)),
        })
    }

    /// Where it sends, for the log.
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Grpc(grpc) => grpc.endpoint(),
            Self::Http(http) => http.endpoint(),
            Self::Debug(_) => "stderr",
        }
    }

    /// Makes a request of an `ExportTraceServiceRequest`'s pieces.
    ///
    /// # Errors
    ///
    /// When it cannot be made, as the [`Outcome`] that this is.
    pub fn prepare(&self, chunks: &[Bytes]) -> Result<Payload, Outcome> {
        match self {
            Self::Grpc(grpc) => grpc.prepare(chunks),
            Self::Http(http) => http.prepare(chunks),
            Self::Debug(debug) => debug.prepare(chunks),
        }
    }

    /// Sends it until the backend has answered or all its addresses have failed;
    /// each time but the first is counted in `resent`. Cancel safe: the request
    /// is then lost or delivered.
    pub async fn send(&self, payload: &Payload, resent: &Count) -> Outcome {
        match self {
            Self::Grpc(grpc) => grpc.send(payload, resent).await,
            Self::Http(http) => http.send(payload, resent).await,
            Self::Debug(debug) => debug.send(payload),
        }
    }
}
