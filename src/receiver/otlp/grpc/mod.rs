/*!
OTLP/gRPC: `Export` of the services whose signal some pipeline takes, the health
service, and clear answers to everything else that finds its way to this port.

[`connection`] moves octets between the socket and an HTTP/2 connection
([`h2`](crate::net::h2)) and asks [`deadlines`] what the peer is late with;
[`call`] leads each request from its head to its one reply. Leaves: [`judge`]
says what a head asks for, [`message`] joins and unpacks a message, [`reply`]
writes replies, [`health`] answers the health service.

A gRPC message that arrived in one DATA frame is handed on where it was read, and
answered in the same turn: no codec, no copy, no task, no allocation.
*/

mod call;
mod connection;
mod deadlines;
mod frame;
mod health;
mod judge;
mod message;
mod reply;

pub(crate) use connection::serve;
pub(crate) use reply::answer_http1;
