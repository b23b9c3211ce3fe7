/*!
Kafka: how to reach brokers, and a client.

- [`Connection`] is what a component says of a cluster: brokers, TLS, SASL; `config` reads it.
- `client` is the only part of wayspan that knows the library that speaks Kafka's protocol. What
  comes out of it are the types of this room, so that another library can take its place.

Invariants: nothing is connected to before it is needed, and no record is written by a
thread other than the caller's. The library compresses with gzip and zstd, derives SCRAM's keys and
reads certificates on the runtime's blocking threads.
*/

pub(crate) mod client;
pub(crate) mod config;
mod settings;

pub(crate) use settings::{Connection, Encoding, Mechanism, Sasl};
