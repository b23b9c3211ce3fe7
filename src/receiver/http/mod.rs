/*!
Requests over HTTP that hyper reads: HTTP/1.1, and HTTP/2 on ports other than
gRPC's.

[`connection`] has the connection, [`request`] leads each request from its head
to its reply, asking the receiver's [`Decoder`](super::decoder::Decoder) about
its format. [`body`] collects, [`reply`] turns refusals into replies.
*/

mod body;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod cors;
pub(crate) mod reply;
pub(crate) mod request;
mod settings;
mod transfer;

pub use cors::Cors;
pub use settings::HttpServer;
