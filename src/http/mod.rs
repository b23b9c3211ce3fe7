/*!
The client side of HTTP: one way to reach a host by its name, for exporters,
watchers and commands.

What others may use:

- [`HttpClient`] posts a [`Payload`] to one host. A whole [`HttpAnswer`] comes
  back, or a [`NoAnswer`] with cause and remedy.
- [`WebClient`] on top of it asks the API of a web service, such as Kiali's.

Under them, `pool` chooses an address and a connection to it, made by `connect`
with [`crate::tls`] and [`crate::auth`] to what `resolve` has found; which
address that is, `endpoints` decides. By which `route` a host is reached, directly, over a
unix socket or through one of the `proxies`, the settings say. `sniff` and `no_answer`
find out what is wrong when there is no answer. `body` sends bytes that stand in several
pieces without joining or copying them.

- Nothing happens without requests: no look-up, no connection.
- A request that gets no answer at one address goes to the next at once. Waiting
  and trying again later is the caller's.
*/

mod body;
mod client;
mod compression;
pub(crate) mod config;
mod connect;
mod connection;
mod endpoints;
mod no_answer;
mod pool;
mod protocol;
mod proxies;
mod proxy;
mod resolve;
mod route;
mod sniff;
mod web;

pub(crate) use body::{Payload, joined};
pub(crate) use client::{HttpAnswer, HttpClient};
pub use compression::Compression;
pub(crate) use compression::Compressor;
pub use config::{Balancer, ClientSettings};
pub(crate) use no_answer::NoAnswer;
pub use pool::ConnectOptions;
pub(crate) use protocol::ClientProtocol;
pub use proxies::Proxies;
pub use proxy::HttpProxy;
pub use resolve::{Resolver, Resolving, SystemResolver};
pub(crate) use web::{WebClient, WebRequest};
