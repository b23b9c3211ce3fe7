/*!
Zipkin, version 2, over HTTP: one POST of a list of spans, in JSON or in protobuf.

What OTLP becomes is the translation's ([`crate::zipkin`]); it is made on the exporter's
thread, once a batch. Zipkin and Jaeger answer 202 with nothing.
*/

pub(crate) mod config;
mod sender;
mod settings;

pub use sender::{ZipkinRequest, ZipkinSender};
pub use settings::{Zipkin, ZipkinFormat};
