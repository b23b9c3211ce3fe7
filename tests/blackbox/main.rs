//! Tests through the binary that need no peer but a sink of our own: what
//! senders get back for bad input, what the defaults do, how it stops.
//!
//! `cargo test --test blackbox`. Protocols are proven against real peers in
//! `tests/peers`; here it is the binary's own promises.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/ca.rs"]
mod ca;
#[path = "../support/http.rs"]
mod http1;
#[path = "../support/proc.rs"]
mod proc;

mod aliases;
mod bad_grpc;
mod bad_http;
mod client;
mod connections;
mod delivery;
mod demo;
mod drain;
mod floods;
mod hardening;
mod harm;
mod kiali;
mod neighbour;
mod pipelines;
mod process;
mod secrets;
mod secure;
mod sink;
mod spans;
mod start;
