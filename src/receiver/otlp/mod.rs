/*!
The OTLP receiver.

[`grpc`] and [`http`] are the two ways; both use [`codec`], which knows the
messages of each signal and what to say about a signal that no pipeline takes.
*/

mod codec;
pub(crate) mod grpc;
mod http;

pub use http::http_protocol;
