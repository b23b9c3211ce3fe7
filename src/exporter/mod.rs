/*!
Exporters take sealed batches from their queue and deliver them.

Each configured exporter is a thread's single task: [`run`] keeps several
requests in flight, retries, splits what is refused and accounts for every span.
What differs between exporters is only how a request is made and sent
([`otlp_grpc`], [`otlp_http`], [`debug`]) and what an answer means ([`outcome`]).

- [`body`]: request bodies over a batch's pieces, without copying them.
- [`client`]: the HTTP client under both OTLP exporters. It asks [`pool`] for an
  address and a connection to it, made by [`connect`], with [`crate::tls`] and
  [`crate::auth`], to what [`resolve`] says; which one that is, [`endpoints`] decides.
  [`sniff`] and [`trouble`] say what is wrong when there is no answer.
- [`circuit`]: who may try when the backend does not answer. [`retry`]: how long
  to wait. [`limit`]: how much to send at once. [`health`]: what to log.

Every span popped from the queue ends in exactly one of `sent_spans`,
`rejected_spans` (by the backend, in a partial success) and
`send_failed_spans`.
*/

pub mod body;
pub mod circuit;
pub mod client;
pub mod connect;
pub mod debug;
pub mod endpoints;
pub mod health;
pub mod limit;
pub mod otlp_grpc;
pub mod otlp_http;
pub mod outcome;
pub mod pool;
pub mod resolve;
pub mod retry;
pub mod run;
pub mod sniff;
pub mod trouble;

use crate::{
    config::{Client, Exporter as Settings, ExporterKind},
    pipeline::QueuedBatch,
    queue::Queue,
    telemetry::{Count, ExporterStats},
};
use body::Payload;
use bytes::Bytes;
use debug::Debug;
use health::Health;
use otlp_grpc::OtlpGrpc;
use otlp_http::OtlpHttp;
use outcome::Outcome;
use pool::Reach;
use resolve::{Resolve, System};
use run::Runner;
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
        Self::build_with(settings, Arc::new(System))
    }

    /// The same with another resolver of names than the system's.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_with(settings: &Settings, resolver: Arc<dyn Resolve>) -> Result<Self, BuildError> {
        let id = settings.id.to_string();
        let sender = Sender::build(settings, resolver).map_err(|message| BuildError {
            id: id.clone(),
            message,
        })?;
        let health = Health::new(id, sender.endpoint().to_owned());
        Ok(Self {
            runner: Runner {
                sender,
                retry: settings.retry.clone(),
                consumers: settings.queue.consumers,
                health,
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
    fn build(settings: &Settings, resolver: Arc<dyn Resolve>) -> Result<Self, String> {
        let reach = |client: &Client| Reach {
            timeout: settings.timeout,
            balancer: client.balancer,
            retry: settings.retry.clone(),
            resolver,
            refresh: pool::REFRESH,
        };
        Ok(match &settings.kind {
            ExporterKind::OtlpGrpc(client) => Self::Grpc(OtlpGrpc::build(client, reach(client))?),
            ExporterKind::OtlpHttp(client, encoding) => {
                Self::Http(OtlpHttp::build(client, *encoding, reach(client))?)
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
