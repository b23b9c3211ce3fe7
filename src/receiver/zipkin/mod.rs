/*!
The Zipkin receiver: what Istio's `zipkin` provider, and tracers of Zipkin and Brave,
send to port 9411.

[`decoder`] knows paths, content types and answers; what spans become in OTLP is the
translation's ([`crate::zipkin`]).
*/

pub(crate) mod config;
mod decoder;
mod settings;

pub use decoder::zipkin_protocol;
pub use settings::Zipkin;
