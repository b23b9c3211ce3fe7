/*!
`grpc.health.v1.Health`: serving, until shutdown begins.

Kubernetes gRPC probes and grpc-go's client-side health checking ask it. The
answer is read off the shutdown channel, so there is no state to keep in step.
*/

use super::{super::status::Refusal, frame};
use bytes::Bytes;
use prost::Message;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};

/// The path prefix of the service's methods.
pub const PREFIX: &str = "/grpc.health.v1.Health/";

/// A request names a service; nothing larger is meant.
pub const MAX_MESSAGE: usize = 4096;

/// The services asked about: the whole server and the one that matters.
const KNOWN: [&str; 2] = ["", "opentelemetry.proto.collector.trace.v1.TraceService"];

/// The methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One answer.
    Check,
    /// An answer now and one with every change.
    Watch,
}

impl Method {
    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "Check" => Some(Self::Check),
            "Watch" => Some(Self::Watch),
            _ => None,
        }
    }
}

/// Whether the service that `request` names is one of ours.
pub fn is_known(request: &[u8]) -> Result<bool, Refusal> {
    match HealthCheckRequest::decode(request) {
        Ok(request) => Ok(KNOWN.contains(&request.service.as_str())),
        Err(error) => Err(Refusal::bad_request(format!(
            "not a HealthCheckRequest: {error}"
        ))),
    }
}

/// The answer to `Check` about a service that is not known.
pub fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "service not registered")
}

/// The answer about one that is, framed.
pub fn status(stopping: bool) -> Bytes {
    framed(match stopping {
        true => ServingStatus::NotServing,
        false => ServingStatus::Serving,
    })
}

/// The answer to `Watch` about one that is not, framed.
pub fn unknown() -> Bytes {
    framed(ServingStatus::ServiceUnknown)
}

fn framed(status: ServingStatus) -> Bytes {
    frame::encode(&HealthCheckResponse {
        status: status as i32,
    })
}
