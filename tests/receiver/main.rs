/*!
The OTLP receiver over real sockets: `serve` on one side, a stock gRPC client
or a hand-driven HTTP client on the other, and between them an [`Ingest`] that
notes what it was given.

[`Ingest`]: wayspan::pipeline::Ingest
*/
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod auth;
mod connection;
mod grpc;
mod harness;
mod health;
mod http;
mod logs;
mod metrics;
mod misdirected;
mod tls;
