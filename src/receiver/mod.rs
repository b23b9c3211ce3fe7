/*! stub: the receiver owner writes the prologue. */
use crate::config::{GrpcServer, HttpServer};
use crate::telemetry::ReceiverStats;
use std::{rc::Rc, time::Duration};

/// What became of a request's spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All spans taken (also for an empty request).
    Accepted,
    /// Some spans were dropped and must not be sent again.
    Partial {
        /// How many.
        rejected: u64,
        /// Why, for the sender's log.
        message: String,
    },
    /// The request is malformed: INVALID_ARGUMENT / 400.
    Malformed(String),
    /// No room now: RESOURCE_EXHAUSTED with RetryInfo / 429 with Retry-After.
    Busy {
        /// When to try again.
        retry_after: Duration,
        /// Why.
        message: String,
    },
    /// Shutting down: UNAVAILABLE / 503.
    Unavailable,
}

/// Where a receiver puts request bodies: the shard's pipelines.
pub trait Ingest {
    /// Takes one `ExportTraceServiceRequest` in protobuf. Synchronous: it
    /// validates, edits and appends to the open batch.
    fn traces(&self, request: &[u8]) -> Answer;
}

/// Which protocol a listener speaks.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc(GrpcServer),
    /// OTLP/HTTP.
    Http(HttpServer),
}

/// Everything a shard needs to serve the connections of one listener. One per
/// (shard, listener); `Rc`, since a shard is one thread.
pub struct Endpoint {
    /// Protocol and limits.
    pub protocol: Protocol,
    /// Where bodies go.
    pub ingest: Rc<dyn Ingest>,
    /// Counters of this shard for this listener.
    pub stats: ReceiverStats,
}

/// Serves one accepted connection until it ends, or, once `shutdown` turns
/// true, until its requests in flight are answered (GOAWAY / connection: close).
/// Must run inside a `LocalSet` (it spawns local tasks).
pub async fn serve(
    _endpoint: Rc<Endpoint>,
    _socket: tokio::net::TcpStream,
    _peer: std::net::SocketAddr,
    _shutdown: tokio::sync::watch::Receiver<bool>,
) {
    todo!()
}
