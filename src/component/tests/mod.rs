//! Components as a file configures them: requests through whole pipelines, without sockets.

mod allocations;
mod attributes;
mod redaction;
mod resource;
mod sampler;
mod span_metrics;
mod through;

use through::{Through, attributes, refused, shown, span};
