/*!
HTTP/2 as a server of small requests needs it (RFC 9113): octets in, events and
octets out, no socket, no clock but for floods, no task.

A [`H2Connection`] reads frames where they lie, and hands a request's data on as
a slice of what was read. An answer is appended to one buffer at once; what the
peer's windows do not allow yet waits with its stream. So a request of the
common kind costs two looks at tables, one call, and a few copies of constants.

Why not hyper: it serves any request with a task, channels and header maps, and
that was a third of the CPU time of a span (docs/performance.md).

What a peer can make this hold or do is bounded:

| | by |
|---|---|
| a header block in pieces | its octets and their number ([`receive`]) |
| decoded header fields | never kept but for a few values; 431 over the limit, and not looked at after it |
| heads over the limit | ENHANCE_YOUR_CALM at the tenth, or at one that would not end |
| streams | `max_concurrent_streams`, REFUSED_STREAM beyond |
| data | windows, and the shard's budget for half-received bodies |
| answers that the peer does not read | nothing is read while [`H2Connection::is_clogged`] |
| resets; frames that lead to nothing | [`allowance`], then ENHANCE_YOUR_CALM |
*/

mod allowance;
pub(crate) mod connection;
mod error;
mod field;
mod flow;
mod frame;
mod head;
pub(crate) mod hpack;
mod receive;
mod send;
mod stream;

#[cfg(test)]
mod tests;

pub(crate) use connection::{CONNECTION_WINDOW, PeerWaits, STREAM_WINDOW};
pub use connection::{H2Connection, H2Event, H2Limits};
pub use error::{ErrorCode, H2Failure};
pub(crate) use frame::{HEAD as FRAME_HEAD, MAX_PAYLOAD};
pub(crate) use head::RequestHead;
pub use stream::ReplyEnd;
