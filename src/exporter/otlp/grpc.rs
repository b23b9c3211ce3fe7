/*!
OTLP over gRPC: the unary Export call, by hand on HTTP/2.

What gRPC's "PROTOCOL-HTTP2" document asks of a client, for one method of each
signal: the request is a length-prefixed message, the status stands in the
trailers, or in the headers where there is no body. Status headers come from the
network and are decoded leniently: a broken `grpc-message` or
`grpc-status-details-bin` costs that detail, not the status.
*/

use super::{OtlpRequest, answer, status};
use crate::{
    exporter::{
        Outcome, Sender,
        http::{post, retry_after},
    },
    http::{ClientProtocol, ConnectOptions, HttpAnswer, HttpClient, Payload},
    http::{ClientSettings, Compressor},
    pdata::Signal,
    telemetry::Count,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};
use percent_encoding::percent_decode;
use prost::Message;
use std::time::{Duration, SystemTime};
use tonic::Code;
use tonic_types::RpcStatusExt;

/// The path of the Export method.
const fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// `-bin` headers come with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Sends requests to one OTLP/gRPC endpoint.
#[derive(Debug)]
pub struct OtlpGrpc {
    client: HttpClient,
    /// The methods' URLs, in the order of [`Signal::ALL`].
    uris: [Uri; Signal::ALL.len()],
    compressor: Compressor,
}

impl OtlpGrpc {
    /// Builds from checked settings.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub fn build(settings: &ClientSettings, options: ConnectOptions) -> Result<Self, String> {
        let uri = |signal| {
            let mut parts = Uri::try_from(&settings.url).ok()?.into_parts();
            parts.path_and_query = Some(PathAndQuery::from_static(method(signal)));
            Uri::from_parts(parts).ok()
        };
        let [Some(traces), Some(metrics), Some(logs)] = Signal::ALL.map(uri) else {
            return Err(format!(
                "endpoint {:?}: expected http(s)://host:port, as in http://jaeger:4317",
                settings.url
            ));
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        headers.insert(
            HeaderName::from_static("grpc-timeout"),
            grpc_timeout(options.timeout),
        );
        let (compression, encoding) = settings
            .compression
            .of_grpc()
            .ok_or_else(|| "compression: gRPC has gzip, zstd and snappy".to_owned())?;
        if let Some(encoding) = encoding {
            let name = HeaderName::from_static("grpc-encoding");
            headers.insert(name, HeaderValue::from_static(encoding));
        }
        let client = HttpClient::build(
            &traces,
            settings,
            ClientProtocol::OtlpGrpc,
            headers,
            options,
        )?;
        Ok(Self {
            client,
            uris: [traces, metrics, logs],
            compressor: compression.into(),
        })
    }
}

impl Sender for OtlpGrpc {
    type Request = OtlpRequest;

    fn endpoint(&self) -> &str {
        self.client.authority()
    }

    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<OtlpRequest, Outcome> {
        match Payload::grpc(chunks, self.compressor) {
            Ok(payload) => Ok(OtlpRequest { signal, payload }),
            Err(error) => Err(Outcome::TooLarge {
                cause: error.to_string(),
            }),
        }
    }

    async fn send(&self, request: &OtlpRequest, resent: &Count) -> Outcome {
        let signal = request.signal;
        let [traces, metrics, logs] = &self.uris;
        let uri = match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        };
        let judge = |answer: &HttpAnswer| outcome(signal, answer, self.endpoint());
        post(&self.client, uri, &request.payload, resent, judge).await
    }
}

/// `grpc-timeout`: at most eight digits and a unit.
fn grpc_timeout(timeout: Duration) -> HeaderValue {
    let text = match timeout.as_millis() {
        millis @ 0..100_000_000 => format!("{}m", millis.max(1)),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("5S"))
}

/// Decides what an answer means.
fn outcome(signal: Signal, received: &HttpAnswer, endpoint: &str) -> Outcome {
    let headers = &received.head.headers;
    let with_status = [received.trailers.as_ref(), Some(headers)]
        .into_iter()
        .flatten()
        .find(|map| map.contains_key("grpc-status"));
    if let Some(map) = with_status {
        let code = map
            .get("grpc-status")
            .map_or(Code::Unknown, |v| Code::from_bytes(v.as_bytes()));
        return match code {
            Code::Ok => delivered(&received.body),
            code => status::from_grpc(signal, code, &message(map), retry_info(map)),
        };
    }
    if received.head.status != StatusCode::OK {
        let after = retry_after(headers, SystemTime::now());
        return status::from_http_to_grpc(signal, received.head.status, after);
    }
    match headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
    {
        Some(kind) if !kind.starts_with("application/grpc") => Outcome::misconfigured(format!(
            "{endpoint} answered with {kind}: is this the OTLP/gRPC port (4317)?"
        )),
        _ => Outcome::retry(format!("{endpoint} ended its answer without a gRPC status")),
    }
}

/// Reads the response message: success, perhaps with items that the backend
/// rejected. One that cannot be read changes nothing about the success.
fn delivered(body: &[u8]) -> Outcome {
    let message = match body {
        [0, a, b, c, d, rest @ ..] => rest.get(..u32::from_be_bytes([*a, *b, *c, *d]) as usize),
        _ => None,
    };
    message.map_or_else(answer::delivered, answer::delivered_proto)
}

/// Reads `grpc-message`, percent-decoded.
fn message(map: &HeaderMap) -> String {
    map.get("grpc-message").map_or_else(String::new, |value| {
        percent_decode(value.as_bytes())
            .decode_utf8_lossy()
            .into_owned()
    })
}

/// Reads the delay of a `RetryInfo` in `grpc-status-details-bin`.
fn retry_info(map: &HeaderMap) -> Option<Duration> {
    let bytes = BASE64
        .decode(map.get("grpc-status-details-bin")?.as_bytes())
        .ok()?;
    tonic_types::Status::decode(bytes.as_slice())
        .ok()?
        .get_details_retry_info()?
        .retry_delay
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };

    fn answer(
        headers: &[(&'static str, &str)],
        body: &[u8],
        trailers: &[(&'static str, &str)],
    ) -> HttpAnswer {
        let map = |pairs: &[(&'static str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| (HeaderName::from_static(k), v.parse().unwrap()))
                .collect()
        };
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.headers = map(headers);
        let trailers = (!trailers.is_empty()).then(|| map(trailers));
        HttpAnswer {
            head,
            body: Bytes::copy_from_slice(body),
            trailers,
        }
    }

    #[test]
    fn status_is_found_in_trailers_and_in_headers() {
        let ok = answer(&[], &[0; 5], &[("grpc-status", "0")]);
        assert_eq!(
            outcome(Signal::Traces, &ok, "e"),
            Outcome::Delivered {
                rejected: 0,
                message: String::new()
            }
        );
        let only = answer(
            &[("grpc-status", "3"), ("grpc-message", "bad%20sp%C3%A4n%")],
            &[],
            &[],
        );
        match outcome(Signal::Traces, &only, "e") {
            Outcome::Invalid { cause } => assert_eq!(cause, "InvalidArgument: bad spän%"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn broken_status_details_cost_only_the_detail() {
        for details in ["***", "AAAA", ""] {
            let broken = answer(
                &[("grpc-status", "8"), ("grpc-status-details-bin", details)],
                &[],
                &[],
            );
            match outcome(Signal::Traces, &broken, "e") {
                Outcome::Retry {
                    after: None,
                    misconfigured: false,
                    ..
                } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_answer_without_status_is_no_success() {
        match outcome(
            Signal::Traces,
            &answer(&[("content-type", "application/grpc")], &[0; 5], &[]),
            "e",
        ) {
            Outcome::Retry {
                misconfigured: false,
                ..
            } => {}
            other => panic!("{other:?}"),
        }
        match outcome(
            Signal::Traces,
            &answer(&[("content-type", "text/html")], b"<html>", &[]),
            "e",
        ) {
            Outcome::Retry {
                misconfigured: true,
                cause,
                ..
            } => assert!(cause.contains("4317")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn partial_success_is_read_and_nonsense_is_not() {
        let response = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 3,
                error_message: "no".into(),
            }),
        }
        .encode_to_vec();
        let mut body = vec![0, 0, 0, 0, response.len() as u8];
        body.extend(&response);
        let expected = Outcome::Delivered {
            rejected: 3,
            message: "no".into(),
        };
        assert_eq!(
            outcome(
                Signal::Traces,
                &answer(&[], &body, &[("grpc-status", "0")]),
                "e"
            ),
            expected
        );
        for body in [
            &[0, 255, 255, 255, 255, 1][..],
            &[0, 0],
            &[0, 0, 0, 0, 1, 255],
            &[1; 9],
        ] {
            let outcome = outcome(
                Signal::Traces,
                &answer(&[], body, &[("grpc-status", "0")]),
                "e",
            );
            assert_eq!(
                outcome,
                Outcome::Delivered {
                    rejected: 0,
                    message: String::new()
                }
            );
        }
    }

    #[test]
    fn grpc_timeout_fits_eight_digits() {
        for (secs, text) in [
            (0, "1m"),
            (5, "5000m"),
            (200_000, "200000S"),
            (u64::MAX, "99999999S"),
        ] {
            assert_eq!(grpc_timeout(Duration::from_secs(secs)), text);
        }
    }
}
