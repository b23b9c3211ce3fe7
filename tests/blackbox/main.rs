//! Tests through the binary that need no peer but the backend of `testkit`: what
//! senders get back for bad input, what the defaults do, how it stops.
//!
//! `cargo test --test blackbox`. Protocols are proven against real peers in
//! `tests/peers`; here it is the binary's own promises.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod aliases;
mod bad_grpc;
mod bad_http;
mod chain;
mod connections;
mod connectors;
mod delivery;
mod demo;
mod detection;
mod doctor;
mod drain;
mod explain;
mod file_exporter;
mod floods;
mod hardening;
mod harm;
mod kafka;
mod kiali;
mod metrics;
mod neighbour;
mod ottl;
mod own_metrics;
mod pipelines;
mod proxy;
mod queue;
mod reload;
mod secrets;
mod secure;
mod signals;
mod sources;
mod spans;
mod start;
mod unix;
mod zipkin;
mod zpages;
