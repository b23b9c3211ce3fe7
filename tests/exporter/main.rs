//! Exporters against real servers in this process: what arrives, how often,
//! and what is counted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod addresses;
mod auth;
mod connections;
mod grpc;
mod http;
mod outage;
mod ports;
mod refusals;
mod shutdown;
mod support;
mod tls;
