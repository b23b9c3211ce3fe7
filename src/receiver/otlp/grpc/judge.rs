/*!
What a request on the gRPC port asks for, by its head.
*/

use super::{super::codec, health};
use crate::{
    net::h2::RequestHead,
    pdata::Signal,
    pipeline::{Ingest, Refusal, RefusalKind},
    receiver::{
        content::{Content, named},
        inflate::Coding,
    },
};

/// The one method of each signal's service.
const EXPORT: [(&str, Signal); 3] = [
    (
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Traces,
    ),
    (
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Metrics,
    ),
    (
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Logs,
    ),
];

/// A call whose message is to come.
#[derive(Debug)]
pub(crate) enum Call {
    /// `Export` of a signal's service.
    Export {
        /// The signal.
        signal: Signal,
        /// How its message is compressed, if it is; or a name that is not known.
        coding: Result<Coding, String>,
    },
    /// The health service.
    Health(health::Method),
}

impl Call {
    /// Returns how large its message may be, where Export's may have `limit`
    /// bytes.
    pub(crate) fn limit(&self, limit: usize) -> usize {
        match self {
            Self::Export { .. } => limit,
            Self::Health(_) => health::MAX_MESSAGE,
        }
    }
}

/// Judges a request over HTTP/2 by its head, its credentials excepted.
///
/// # Errors
///
/// When nothing is served that the head asks for.
pub(crate) fn judge(
    head: &RequestHead,
    content: Content,
    ingest: &dyn Ingest,
) -> Result<Call, Refusal> {
    if !content.is_grpc() {
        let method = String::from_utf8_lossy(head.method());
        return Err(not_grpc(content, head.content_type(), &method));
    }
    if head.method() != b"POST" {
        return Err(Refusal::new(
            RefusalKind::MethodNotAllowed,
            "gRPC calls are POST requests",
        ));
    }
    let path = path(head);
    let Some((_, signal)) = EXPORT.iter().find(|(known, _)| *known == path) else {
        let method = path.strip_prefix(health::PREFIX);
        return match method.and_then(health::Method::of) {
            Some(method) => Ok(Call::Health(method)),
            None => Err(not_served(path, "unknown service or method", ingest)),
        };
    };
    let signal = *signal;
    if !ingest.takes(signal) {
        return Err(not_served(path, &codec::not_taken(signal, ingest), ingest));
    }
    if content == Content::GrpcOther {
        return Err(Refusal::new(
            RefusalKind::UnsupportedContent,
            format!(
                "{} is not supported: send application/grpc (protobuf messages)",
                named(head.content_type())
            ),
        ));
    }
    Ok(Call::Export {
        signal,
        coding: Coding::parse(head.grpc_encoding()),
    })
}

/// Returns true if a request needs credentials, where there are any. The health
/// service does not: kubelets have none to give.
pub(crate) fn needs_credentials(head: &RequestHead, content: Content) -> bool {
    content.is_grpc() && !path(head).starts_with(health::PREFIX)
}

fn path(head: &RequestHead) -> &str {
    let path = std::str::from_utf8(head.path()).unwrap_or_default();
    path.split_once('?').map_or(path, |(path, _)| path)
}

fn not_served(path: &str, why: &str, ingest: &dyn Ingest) -> Refusal {
    let path: String = path.chars().take(200).collect();
    let mut served = String::new();
    for signal in codec::taken_signals(ingest) {
        let export = EXPORT.iter().find(|(_, known)| *known == signal);
        let service = export.and_then(|(path, _)| path[1..].strip_suffix("/Export"));
        served.push_str(service.unwrap_or_default());
        served.push_str(" (Export), ");
    }
    Refusal::new(
        RefusalKind::NotServed,
        format!("{path}: {why}; the services here are {served}grpc.health.v1.Health"),
    )
}

/// Refuses a request that is not gRPC over HTTP/2.
pub(crate) fn not_grpc(content: Content, content_type: Option<&[u8]>, method: &str) -> Refusal {
    const ELSEWHERE: &str = "OTLP/HTTP is on the port of protocols.http (4318 unless configured \
        otherwise)";
    match content {
        Content::Grpc | Content::GrpcOther => Refusal::new(
            RefusalKind::GrpcOverHttp1,
            "gRPC needs HTTP/2, but this request came as HTTP/1.1, so every export fails and its \
             spans are lost: the sending proxy takes this port for plain HTTP. In Kubernetes: name \
             the Service's port grpc-… (such as grpc-otlp) or give it appProtocol: grpc, so that \
             the mesh speaks HTTP/2 to it",
        ),
        Content::Protobuf | Content::Json => Refusal::new(
            RefusalKind::HttpOnGrpcPort,
            format!(
                "an OTLP/HTTP request came to the gRPC port: this port speaks OTLP/gRPC; {ELSEWHERE}"
            ),
        ),
        Content::Other | Content::Thrift => Refusal::new(
            RefusalKind::NotGrpc,
            format!(
                "This port speaks OTLP/gRPC (content-type application/grpc); the {method} request \
                 has {}. {ELSEWHERE}",
                named(content_type)
            ),
        ),
    }
}
