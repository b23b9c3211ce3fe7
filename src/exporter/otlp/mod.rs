/*!
OTLP to a backend: over gRPC ([`OtlpGrpc`]) and over HTTP ([`OtlpHttp`]).

Both post the same bytes through the client in [`crate::http`] and mean the same
by an answer, so what an answer says is read in one place for both (`answer`),
and what it means is decided in one place (`status`). `grpc` and `http` have only
how each of them writes a request and where each of them looks for the status.
*/

mod answer;
pub(crate) mod config;
mod grpc;
mod http;
mod settings;
mod status;

pub use grpc::OtlpGrpc;
pub use http::OtlpHttp;
pub use settings::{Encoding, Grpc, Http};

use crate::{http::Payload, pdata::Signal};

/// A request of either protocol, and where it goes.
#[derive(Clone, Debug)]
pub struct OtlpRequest {
    signal: Signal,
    payload: Payload,
}
