/*!
The OTLP receiver: a connection in, request bodies out.

One connection is served by one task on the thread that accepted it (a shard:
`current_thread` runtime and `LocalSet`), so nothing here is `Send` and nothing
is locked. `connection` tells HTTP/2 from HTTP/1.1 and bounds the connection's
life (`handshake` is before it where there is TLS, `admission` behind it where
there are credentials). Then there are two ways:

- OTLP/gRPC, the way of nearly every span: `converse` moves octets between the
  socket and an HTTP/2 connection of our own (`h2`), `calls` leads each request
  from its head to its answer, `grpc` says what it is worth, `vigil` has the
  timer. What comes in pieces is held in `joined`, in buffers from `spare`.
- Everything else is hyper's: HTTP/1.1, and HTTP/2 on the HTTP port. `http`
  judges a request and collects its body (`body`).

Either way [`Ingest`] gets the bytes of one `ExportTraceServiceRequest`, inflated
where it was compressed (`inflate`), or of one `ExportLogsServiceRequest` where a
pipeline wants ztunnel's access log.

Invariants:

- A gRPC message that arrived in one DATA frame is handed on where it was read,
  and answered in the same turn: no codec, no copy, no task, no allocation.
- A length that a sender claims is compared with the limit, and never allocated
  before the bytes have arrived. Inflating stops at the limit.
- Every refusal is a `google.rpc.Status` in the protocol of the request, with a
  message that says what was wrong and what to do (`status`). What may be sent
  again carries RetryInfo or Retry-After; what may not, does not.
- A peer that sends nothing, or stops in the middle, is given up on:

  | waiting for | limit |
  |---|---|
  | the first byte, the whole HTTP/2 preface | [`FIRST_BYTE_TIMEOUT`] |
  | the rest of a TLS handshake | [`HANDSHAKE_TIMEOUT`] |
  | HTTP/2 settings and their acknowledgement | [`FIRST_BYTE_TIMEOUT`] |
  | the rest of an HTTP/2 frame or header block | [`FRAME_TIMEOUT`] |
  | room for an answer | [`STALL_TIMEOUT`] |
  | the rest of an HTTP/1.1 head | `read_header_timeout` |
  | the next piece of a body | [`BODY_IDLE_TIMEOUT`] |
  | the whole body | [`BODY_TOTAL_TIMEOUT`] |
  | the answer to an HTTP/2 ping | `keepalive.server_parameters.timeout` |

- A bad sender does not flood the log: the first occurrence of each kind is
  logged where operators look, the rest at debug level (`notice`).
*/

mod activity;
mod admission;
mod body;
mod calls;
mod connection;
mod content;
mod converse;
mod frame;
mod grpc;
mod h2;
mod handshake;
mod health;
mod http;
mod inflate;
mod joined;
mod leaving;
mod notice;
mod reply;
mod spare;
mod status;
mod vigil;

use crate::config::{GrpcServer, HttpServer};
use crate::{telemetry::ReceiverStats, tls};
use std::{
    future::poll_fn,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

pub use admission::Admission;
pub use connection::serve;
pub use leaving::Leaving;

/// How long a new connection may stay silent before it is closed.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a TLS handshake may take, after its first byte.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request's body may pause between two pieces. A gRPC call is then
/// answered with DEADLINE_EXCEEDED, an HTTP request with 408.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request's body may take in all: a sender that drips a byte now
/// and then must not hold memory for ever.
pub const BODY_TOTAL_TIMEOUT: Duration = Duration::from_secs(300);

/// How long one HTTP/2 frame, or a header block of several, may take to arrive.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an HTTP/2 peer may take nothing of its answers.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What a sender is told to wait while the process shuts down: long enough for
/// another replica to be found.
const SHUTDOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

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
    /// A bug showed over it: INTERNAL / 500.
    Failed,
}

/// Where a receiver puts request bodies: the shard's pipelines.
pub trait Ingest {
    /// Takes one `ExportTraceServiceRequest` in protobuf. Synchronous: it
    /// validates, edits and appends to the open batch. `peer` is who sent it.
    fn traces(&self, request: &[u8], peer: IpAddr) -> Answer;

    /// Whether some pipeline wants logs: ztunnel's access log.
    fn takes_logs(&self) -> bool {
        false
    }

    /// Takes one `ExportLogsServiceRequest` in protobuf; called only where
    /// [`Ingest::takes_logs`]. Synchronous, too. [`Answer::Partial`] counts
    /// records.
    fn logs(&self, _request: &[u8], _peer: IpAddr) -> Answer {
        Answer::Malformed("no pipeline here takes logs".to_owned())
    }

    /// What an answer must wait for, asked right after a request was taken;
    /// None: nothing. Requests taken in one turn of the shard's loop share it.
    fn ticket(&self) -> Option<Ticket> {
        None
    }

    /// Whether what `ticket` stands for is in the segment log, or is held in
    /// memory as far as it ever will be; else wakes the task when it is.
    fn poll_stored(&self, _ticket: Ticket, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// A moment in a shard's life, in order: everything taken before it may be
/// answered once it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Waits until what was just taken may be answered.
async fn stored(ingest: &dyn Ingest) {
    if let Some(ticket) = ingest.ticket() {
        poll_fn(|cx| ingest.poll_stored(ticket, cx)).await;
    }
}

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Traces,
    Logs,
}

impl Signal {
    /// Gives a request's bytes to the pipelines.
    fn give(self, ingest: &dyn Ingest, request: &[u8], peer: IpAddr) -> Answer {
        match self {
            Signal::Traces => ingest.traces(request, peer),
            Signal::Logs => ingest.logs(request, peer),
        }
    }
}

/// What to do where logs are not taken.
const LOGS_REMEDY: &str = "of logs, only ztunnel's access log is of use here: with \
    ztunnel_connections: on in the mesh processor its connections become spans";

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
    /// What is presented and trusted; None: plaintext.
    pub tls: Option<Arc<tls::Server>>,
    /// Who may send; None: whoever can connect.
    pub admission: Option<Admission>,
    /// Where bodies go.
    pub ingest: Rc<dyn Ingest>,
    /// Connections of the shard that are to go, so that their senders come back
    /// to another shard.
    pub leaving: Rc<Leaving>,
    /// Counters of this shard for this listener. The receiver counts requests;
    /// spans are counted by the [`Ingest`] that knows them.
    pub stats: ReceiverStats,
}
