/*!
The server side of a connection: accepting it, giving it to a shard, TLS and
credentials, and HTTP/2.

Nothing here knows what a request means: [`receiver`](crate::receiver) asks this
room for connections and says what they serve. Where to begin: [`listen`] binds,
[`accept`] takes a socket, if [`capacity`] has room for it, and sends it to a shard by [`handover`];
[`connection`] finds out what the peer speaks. [`h2`] is HTTP/2 as a pure state machine.

A connection is served by one task on one thread, so nothing here but the
hand-over is `Send`, and nothing is locked.
*/

pub(crate) mod accept;
pub(crate) mod activity;
pub mod admission;
pub(crate) mod balance;
pub(crate) mod buffers;
pub mod capacity;
pub mod closing;
pub(crate) mod connection;
pub(crate) mod guards;
pub mod h2;
pub(crate) mod handover;
mod handshake;
pub(crate) mod listen;
pub(crate) mod notice;
pub(crate) mod page;
pub mod permit;
