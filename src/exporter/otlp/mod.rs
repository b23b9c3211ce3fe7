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

use crate::{
    exporter::Outcome,
    http::{HttpAnswer, HttpClient, Payload},
    pdata::Signal,
    telemetry::Count,
};
use ::http::Uri;

/// A request of either protocol, and where it goes.
#[derive(Clone, Debug)]
pub struct OtlpRequest {
    signal: Signal,
    payload: Payload,
}

/// Posts a request to one address after the other until one takes it. `judge`
/// says what an answer means.
async fn post(
    client: &HttpClient,
    uri: &Uri,
    request: &OtlpRequest,
    resent: &Count,
    judge: impl Fn(&HttpAnswer) -> Outcome,
) -> Outcome {
    let judge = |answer: &HttpAnswer| match judge(answer) {
        outcome if outcome.passes_elsewhere() => Err(outcome),
        outcome => Ok(outcome),
    };
    let posted = client.post(uri, &request.payload, resent, judge).await;
    posted.unwrap_or_else(|outcome| outcome)
}
