/*!
The client side of HTTP: one way to reach a host by its name, for exporters,
watchers and commands.

[`client`] is what others use: a request goes out, a whole answer or one error
with cause and remedy comes back. Under it, [`pool`] has an address and a
connection to it, made by [`connect`] with [`crate::tls`] and [`crate::auth`] to
what [`resolve`] says; which address that is, [`endpoints`] decides. [`sniff`]
and [`trouble`] find out what is wrong when there is no answer. [`body`] sends
bytes that stand in several pieces without joining or copying them.
*/

pub mod body;
pub mod client;
pub mod connect;
pub mod endpoints;
pub mod pool;
pub mod resolve;
pub mod sniff;
pub mod trouble;
