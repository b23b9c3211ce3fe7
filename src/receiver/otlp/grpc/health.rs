/*!
`grpc.health.v1.Health`: serving, until shutdown begins.

Kubernetes gRPC probes and grpc-go's client-side health checking ask it. The
answer is read off the shutdown channel, so there is no state to keep in step.
*/

use super::frame;
use crate::pipeline::{Refusal, RefusalKind};
use bytes::Bytes;
use prost::Message;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};

/// The path prefix of the service's methods.
pub(crate) const PREFIX: &str = "/grpc.health.v1.Health/";

/// A request names a service; nothing larger is meant.
pub(crate) const MAX_MESSAGE: usize = 4096;

/// The services asked about: the whole server and the one that matters.
const KNOWN: [&str; 2] = ["", "opentelemetry.proto.collector.trace.v1.TraceService"];

/// The methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// One answer.
    Check,
    /// An answer now and one with every change.
    Watch,
}

impl Method {
    /// Finds a method by its name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "Check" => Some(Self::Check),
            "Watch" => Some(Self::Watch),
            _ => None,
        }
    }
}

/// Reads a request from a whole body: returns true if it is about a service
/// that is known.
///
/// # Errors
///
/// When the body is not such a request.
pub(crate) fn read(body: &[u8]) -> Result<bool, Refusal> {
    let checked = frame::check(body, MAX_MESSAGE).and_then(|_| frame::message(body));
    let (is_compressed, message) = checked.map_err(|error| error.refusal(MAX_MESSAGE))?;
    if is_compressed {
        let why = "compressed messages are not taken here";
        return Err(Refusal::new(RefusalKind::NotServed, why));
    }
    match HealthCheckRequest::decode(message) {
        Ok(request) => Ok(KNOWN.contains(&request.service.as_str())),
        Err(error) => Err(Refusal::malformed(format!(
            "not a HealthCheckRequest: {error}"
        ))),
    }
}

/// Refuses `Check` about a service that is not known.
pub(crate) fn not_found() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "service not registered")
}

/// Returns the framed answer about a service that is known.
pub(crate) fn status(stopping: bool) -> Bytes {
    framed(match stopping {
        true => ServingStatus::NotServing,
        false => ServingStatus::Serving,
    })
}

/// Returns the framed answer to `Watch` about one that is not.
pub(crate) fn unknown() -> Bytes {
    framed(ServingStatus::ServiceUnknown)
}

fn framed(status: ServingStatus) -> Bytes {
    frame::encode(&HealthCheckResponse {
        status: status as i32,
    })
}
