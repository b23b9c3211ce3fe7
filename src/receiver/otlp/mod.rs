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

Either way [`Ingest`] gets the bytes of one export request of a signal that some
pipeline takes, inflated where it was compressed (`inflate`).

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
  | the first byte, the whole HTTP/2 preface | [`FIRST_BYTE_TIMEOUT`](crate::net::connection::FIRST_BYTE_TIMEOUT) |
  | the rest of a TLS handshake | [`HANDSHAKE_TIMEOUT`](crate::net::connection::HANDSHAKE_TIMEOUT) |
  | HTTP/2 settings and their acknowledgement | [`FIRST_BYTE_TIMEOUT`](crate::net::connection::FIRST_BYTE_TIMEOUT) |
  | the rest of an HTTP/2 frame or header block | [`FRAME_TIMEOUT`] |
  | room for an answer | [`STALL_TIMEOUT`] |
  | the rest of an HTTP/1.1 head | `read_header_timeout` |
  | the next piece of a body | [`BODY_IDLE_TIMEOUT`] |
  | the whole body | [`BODY_TOTAL_TIMEOUT`] |
  | the answer to an HTTP/2 ping | `keepalive.server_parameters.timeout` |

- A bad sender does not flood the log: the first occurrence of each kind is
  logged where operators look, the rest at debug level (`notice`).
*/

mod body;
mod grpc;
mod http;
mod reply;
mod serve;
mod status;

use crate::{
    config::{GrpcServer, HttpServer},
    net::{admission::Admission, closing::Leaving},
    pipeline::{Ingest, Taken},
    telemetry::ReceiverStats,
    tls,
};
use std::{future::poll_fn, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::watch;

pub use serve::serve;

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

/// How long a sender is asked to wait where too much is under way at once.
const CROWDED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a sender is told to wait while the process shuts down: long enough for
/// another replica to be found.
const SHUTDOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Waits until what was taken may be answered.
async fn stored(ingest: &dyn Ingest, taken: &Taken) {
    if let Some(ticket) = taken.stored {
        poll_fn(|cx| ingest.poll_stored(ticket, cx)).await;
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

/// What the request handlers know about their connection.
struct Context {
    endpoint: Rc<Endpoint>,
    peer: SocketAddr,
    shutdown: watch::Receiver<bool>,
}
