/*!
What wayspan's tests and benches share: a backend that misbehaves on demand,
senders, the binary as a process, its metrics, certificates.

Idea: wayspan is seen from outside, through sockets, files and signals. The kit
uses nothing of the `wayspan` crate, so it reads protobuf with a reader of its
own and cannot be wrong in the same way.
Invariants: every wait is on a condition, with a deadline; a process ends with
the value that stands for it; nothing listens beyond 127.0.0.1.
*/

mod backend;
mod binary;
mod certificates;
mod client;
mod process;
mod signal;
mod web;

pub mod accounts;
pub mod frames;
pub mod kiali;
pub mod load;
pub mod metrics;
pub mod samples;
pub mod wire;

pub use backend::{
    Backend, Mode,
    records::{Received, Records},
    reply::Reply,
};
pub use binary::{Setup, Wayspan, binary, root};
pub use certificates::{Ca, Pair, Tls};
pub use client::{Grpc, GrpcReply, HttpReply, http, http_over};
pub use process::{PATIENCE, Process, free_port, wait_for};
pub use signal::{EXPORT, Protocol, Signal};
pub use web::{WebReply, get, get_from, get_within, is_healthy};
