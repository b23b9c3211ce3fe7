/*!
OTLP/gRPC: `Export` of the services that some pipeline takes, the health service,
and clear answers to everything else that finds its way to this port.

[`connection`] moves octets between the socket and an HTTP/2 connection
([`h2`](crate::net::h2)), [`call`] leads each request from its head to its
answer, [`judge`] says what it is worth.
*/

mod call;
mod connection;
mod deadlines;
mod frame;
mod health;
mod joined;
mod judge;

pub use connection::converse;
pub use judge::misdirected;
