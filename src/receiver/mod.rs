/*!
Receivers: a connection in, OTLP requests out. One that fetches what it receives is a
[`Source`].

One connection is served by one task on the thread of its shard
(`current_thread` runtime and `LocalSet`), so nothing here is `Send` and nothing
is locked. [`serve()`] opens it and finds who speaks on it:

- [`otlp::grpc`], the way of nearly every span, on the HTTP/2 server of
  [`net`](crate::net);
- [`http`] for everything else, by hyper. It moves requests of any format: a
  [`Decoder`](decoder::Decoder) says which paths and content types a receiver has, how a body
  becomes OTLP, and what the sender is answered.

A receiver is a folder here with its decoder. Either way [`Ingest`] gets the
bytes of one export request of a signal that some pipeline takes, inflated where
it was compressed (`inflate`).

Invariants:

- A length that a sender claims is compared with the limit, and never allocated
  before the bytes have arrived. Inflating stops at the limit.
- A shard does work in proportion to what came over the wire; all else is done
  by the lane of large requests ([`pipeline`](crate::pipeline)).
- There is one [`Refusal`]: every "no" is one, of a kind from which the reply's
  codes, the counters and the log line derive, with a message that says what
  was wrong and what to do. What may be sent again carries RetryInfo or
  Retry-After; what may not, does not.
- A peer that sends nothing, or stops in the middle, is given up on:

  | waiting for | limit |
  |---|---|
  | the first byte, the whole HTTP/2 preface | [`FIRST_BYTE_TIMEOUT`] |
  | the rest of a TLS handshake | [`HANDSHAKE_TIMEOUT`] |
  | HTTP/2 settings and their acknowledgement | [`FIRST_BYTE_TIMEOUT`] |
  | the rest of an HTTP/2 frame or header block | `FRAME_TIMEOUT` |
  | room for an answer | `STALL_TIMEOUT` |
  | the rest of an HTTP/1.1 head | `read_header_timeout` |
  | another request over HTTP/1.1 on the gRPC port | [`FIRST_BYTE_TIMEOUT`] |
  | the next piece of a body | `BODY_IDLE_TIMEOUT` |
  | the whole body | `BODY_TOTAL_TIMEOUT`, and a kilobyte a second after thirty seconds |
  | the answer to an HTTP/2 ping | `keepalive.server_parameters.timeout` |

- A bad sender does not flood the log: the first occurrence of each kind is
  logged where operators look, the rest at debug level (`notice`).

[`Ingest`]: crate::pipeline::Ingest
[`Refusal`]: crate::pipeline::Refusal
[`FIRST_BYTE_TIMEOUT`]: crate::net::connection::FIRST_BYTE_TIMEOUT
[`HANDSHAKE_TIMEOUT`]: crate::net::connection::HANDSHAKE_TIMEOUT
*/

pub(crate) mod config;
mod content;
mod decoder;
mod endpoint;
mod http;
mod inflate;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
mod large;
mod notice;
pub mod otlp;
mod partial;
mod scratch;
mod serve;
mod settings;
mod source;
mod status;
pub mod zipkin;

pub use endpoint::{Endpoint, Protocol};
pub use scratch::Scratch;
pub(crate) use serve::HANDSHAKE;
pub use serve::serve;
pub(crate) use settings::{ConfiguredReceiver, ListenerSettings, ReceiverSettings};
pub(crate) use source::{Fetching, Source};
