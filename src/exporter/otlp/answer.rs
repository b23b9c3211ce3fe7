/*!
What the answer to an export request says, for both protocols.

The three export responses differ in one name: `partial_success` is field 1 in
each, in it the number of rejected items is field 1 and the message field 2. In
JSON the number's name tells the signal.
*/

use crate::{exporter::Outcome, pdata::Signal};
use prost::Message;

/// An `Export…ServiceResponse` of any signal.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// An `Export…PartialSuccess` of any signal.
#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Success, in which the backend has nothing to say.
pub(super) fn delivered() -> Outcome {
    Outcome::Delivered {
        rejected: 0,
        message: String::new(),
    }
}

/// Reads a response in protobuf. One that cannot be read changes nothing about
/// the success.
pub(super) fn delivered_proto(response: &[u8]) -> Outcome {
    let response = ExportResponse::decode(response).unwrap_or_default();
    let partial = response.partial_success.unwrap_or_default();
    Outcome::Delivered {
        rejected: u64::try_from(partial.rejected).unwrap_or(0),
        message: partial.error_message,
    }
}

/// Reads a response in JSON: by hand, since OTLP/JSON writes an int64 as a string
/// and lets a number pass.
pub(super) fn delivered_json(signal: Signal, response: &[u8]) -> Outcome {
    let response: serde_json::Value = serde_json::from_slice(response).unwrap_or_default();
    let partial = response
        .get("partialSuccess")
        .unwrap_or(&serde_json::Value::Null);
    let name = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let rejected = partial.get(name).and_then(|n| match n.as_str() {
        Some(text) => text.parse().ok(),
        None => n.as_u64(),
    });
    let message = partial
        .get("errorMessage")
        .and_then(|message| message.as_str());
    Outcome::Delivered {
        rejected: rejected.unwrap_or(0),
        message: message.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_its_own_name_for_what_was_rejected() {
        for (signal, name) in [
            (Signal::Traces, "rejectedSpans"),
            (Signal::Metrics, "rejectedDataPoints"),
            (Signal::Logs, "rejectedLogRecords"),
        ] {
            let body = format!(r#"{{"partialSuccess":{{"{name}":"2","errorMessage":"no"}}}}"#);
            let expected = Outcome::Delivered {
                rejected: 2,
                message: "no".into(),
            };
            assert_eq!(delivered_json(signal, body.as_bytes()), expected);
        }
        let others = br#"{"partialSuccess":{"rejectedLogRecords":2}}"#;
        assert_eq!(delivered_json(Signal::Traces, others), delivered());
    }
}
