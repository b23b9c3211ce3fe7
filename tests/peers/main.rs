//! Tests through the binary with real peers: Envoys send, wayspan works, a
//! Jaeger stores, a Kubernetes API server holds the mesh's objects, and the
//! questions of Kiali are asked. `tests/run` installs the peers; `cargo test
//! --features peers --test peers` runs these alone.
//!
//! Each test has a directory, ports and processes of its own, so they run side
//! by side. The fakes are only the applications of the mesh.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attributes;
mod broker;
mod collector;
mod connections;
mod deploy;
mod differential;
mod directory;
mod doctor;
mod envoy;
mod h2spec;
mod http;
mod image;
mod installed;
mod jaeger;
mod kafka;
mod kafka_collector;
mod kafka_receiver;
mod kafka_refusals;
mod kiali;
mod kiali_config;
mod kiali_found;
mod kiali_objects;
mod kubectl;
mod kubernetes;
mod matrix;
mod mesh;
mod naming;
mod own_metrics;
mod pod;
mod sdk;
mod senders;
mod spans;
mod swap;
mod trace;
