/*!
The messages of OTLP, for both of its protocols: how a request of each signal and
content type becomes protobuf, and what the replies are.

`ExportTraceServiceResponse`, `ExportMetricsServiceResponse` and
`ExportLogsServiceResponse` are the same on the wire: a message in field 1 with
the number of rejected items in its field 1 and a text in its field 2.
*/

use crate::{
    pdata::{Signal, json},
    pipeline::{Ingest, Refusal, Taken},
    receiver::content::Content,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use std::borrow::Cow;

/// Turns a body into an export request in protobuf, of `most` bytes at most.
/// Protobuf is not looked at.
///
/// # Errors
///
/// When JSON is not what OTLP makes of it.
pub(crate) fn to_protobuf(
    signal: Signal,
    content: Content,
    body: &[u8],
    most: usize,
) -> Result<Cow<'_, [u8]>, Refusal> {
    if content != Content::Json {
        return Ok(Cow::Borrowed(body));
    }
    let request = json::request_from_json_within(signal, body, most);
    let request = request.map_err(|error| Refusal::malformed(error.to_string()))?;
    Ok(Cow::Owned(request))
}

/// Makes the response message for a request of which some items were dropped.
pub(crate) fn partial_success(taken: Taken) -> impl Message {
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: i64::try_from(taken.rejected).unwrap_or(i64::MAX),
            error_message: taken.message,
        }),
    }
}

/// Encodes the response to a request that was taken, in its content type.
pub(crate) fn response(signal: Signal, content: Content, taken: Taken) -> Vec<u8> {
    match (content, taken.rejected) {
        (Content::Json, 0) => b"{}".to_vec(),
        (Content::Json, rejected) => serde_json::json!({ "partialSuccess": {
            // 64-bit numbers are strings in protobuf's JSON.
            rejected_items(signal): rejected.to_string(),
            "errorMessage": taken.message,
        }})
        .to_string()
        .into_bytes(),
        (_, 0) => Vec::new(),
        _ => partial_success(taken).encode_to_vec(),
    }
}

fn rejected_items(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    }
}

/// Says that no pipeline of this receiver takes `signal`, and what to do.
pub(crate) fn not_taken(signal: Signal, ingest: &dyn Ingest) -> String {
    let taken: Vec<_> = taken_signals(ingest).map(Signal::as_str).collect();
    let remedy = match signal {
        Signal::Logs => {
            "; if these are ztunnel's access logs, ztunnel_connections: on in the mesh processor \
             makes spans of their connections"
        }
        _ => "",
    };
    format!(
        "this receiver takes {}, not {signal}: add a {signal} pipeline with this receiver to \
         service.pipelines, or let the sender send no {signal}{remedy}",
        taken.join(" and "),
    )
}

/// Returns the signals that some pipeline takes.
pub(crate) fn taken_signals(ingest: &dyn Ingest) -> impl Iterator<Item = Signal> {
    Signal::ALL
        .into_iter()
        .filter(move |signal| ingest.takes(*signal))
}
