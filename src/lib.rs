/*!
wayspan: the trace collector for Istio meshes.

A span's way through the crate is the order of its rooms:

- [`receiver`] reads an OTLP request off a connection and hands its bytes on;
- [`pdata`] walks those bytes once, accepts exactly what protobuf accepts, and
  finds the spans and the few attributes that rules read;
- [`processor`] decides, per span, what to change; [`mesh`] is the knowledge
  those decisions rest on: what Istio emits and what Kiali asks;
- [`queue`] seals the patched bytes into batches and hands them, without a
  lock, to
- [`exporter`], which delivers them to Jaeger or another OTLP backend.

[`config`] turns a Collector file into a checked value, [`service`] builds the
pipeline from it and runs it, [`telemetry`] counts, [`extension`] answers
health checks, and [`cli`] is the command line. What guards connections is
[`tls`] and [`auth`] (with [`htpasswd`]), on both sides; [`reload`] follows their
files. Dependencies point one way: `cli → service → {receiver, processor,
exporter, queue, extension} → {tls, auth} → {pdata, mesh, config, telemetry,
reload, htpasswd}`.

Spans are never decoded into structs on their way: see `docs/architecture.md`.
*/

#![forbid(unsafe_code)]
#![deny(unreachable_pub)]

pub mod auth;
pub mod backoff;
pub mod cli;
pub mod component;
pub mod config;
mod connector;
pub mod exporter;
pub mod extension;
pub mod htpasswd;
pub mod http;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
pub mod mesh;
pub mod net;
mod ottl;
pub mod pdata;
pub mod pipeline;
pub mod processor;
mod prometheus;
pub mod queue;
mod random;
pub mod receiver;
pub mod regexp;
mod reload;
mod service;
pub mod telemetry;
mod threads;
pub mod tls;
mod turns;
pub mod zipkin;
