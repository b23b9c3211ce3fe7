/*!
The OTLP receiver.

[`grpc`] and [`http`] are the two ways; both use [`codec`], which knows the
messages of each signal and what to say about a signal that no pipeline takes.
*/

mod codec;
pub(crate) mod config;
pub(crate) mod grpc;
mod http;
mod settings;

pub use super::http::{Cors, HttpServer};
pub use http::http_protocol;
pub use settings::{GrpcServer, Otlp, OtlpHttpServer, ServerKeepalive};
