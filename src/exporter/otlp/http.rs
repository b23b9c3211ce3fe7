/*!
OTLP over HTTP: one POST, protobuf or JSON.

The specification's "OTLP/HTTP": a 2xx is success, its body may tell of a
partial one, an error's body is a `google.rpc.Status` in the request's content
type. A web server or a proxy's login page also answers 200, in HTML: what is not
in one of OTLP's content types is no success. Backends and the proxies before them also answer in plain text, so a body
that is neither is shown as it is.
*/

use crate::{
    config,
    exporter::outcome::Outcome,
    http::{ConnectOptions, HttpAnswer, HttpClient, Payload, Protocol, content_encoding, joined},
    pdata::{self, Signal},
    telemetry::Count,
};
use ::http::{HeaderMap, HeaderValue, Uri, header};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::time::{Duration, SystemTime};

/// Sends requests to one OTLP/HTTP URL.
#[derive(Debug)]
pub struct OtlpHttp {
    client: HttpClient,
    uri: Uri,
    encoding: config::Encoding,
    compression: config::Compression,
}

impl OtlpHttp {
    /// From checked settings.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub fn build(
        settings: &config::Client,
        body: config::Encoding,
        options: ConnectOptions,
    ) -> Result<Self, String> {
        let uri = Uri::try_from(&settings.url)
            .map_err(|error| format!("endpoint {:?}: {error}", settings.url))?;
        let mut headers = HeaderMap::new();
        let kind = match body {
            config::Encoding::Proto => "application/x-protobuf",
            config::Encoding::Json => "application/json",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = content_encoding(settings.compression) {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let client = HttpClient::build(&uri, settings, Protocol::OtlpHttp, headers, options)?;
        Ok(Self {
            client,
            uri,
            encoding: body,
            compression: settings.compression,
        })
    }

    /// `host:port`.
    pub fn endpoint(&self) -> &str {
        self.client.authority()
    }

    /// Makes the body of a request's pieces.
    ///
    /// # Errors
    ///
    /// When it cannot be written in the configured encoding.
    pub fn prepare(&self, chunks: &[Bytes]) -> Result<Payload, Outcome> {
        let refused = |cause: String| Outcome::Permanent { cause };
        match self.encoding {
            config::Encoding::Proto => Payload::http(chunks, self.compression),
            config::Encoding::Json => {
                let json = pdata::json::request_to_json(Signal::Traces, &joined(chunks))
                    .map_err(|error| refused(error.to_string()))?;
                Payload::http(&[json.into()], self.compression)
            }
        }
        .map_err(|error| refused(error.to_string()))
    }

    /// Sends it, to one address after the other until one takes it; each time
    /// but the first is counted in `resent`.
    pub async fn send(&self, payload: &Payload, resent: &Count) -> Outcome {
        let judge = |answer: &HttpAnswer| outcome(answer, self.endpoint(), SystemTime::now());
        let judge = |answer: &HttpAnswer| match judge(answer) {
            outcome if outcome.passes_elsewhere() => Err(outcome),
            outcome => Ok(outcome),
        };
        let result = self.client.post(&self.uri, payload, resent, judge).await;
        result.unwrap_or_else(|outcome| outcome)
    }
}

fn outcome(answer: &HttpAnswer, endpoint: &str, now: SystemTime) -> Outcome {
    let HttpAnswer { head, body, .. } = answer;
    if head.status.is_success() {
        return match media_type(&head.headers).as_deref() {
            Some("application/json") => delivered_json(body),
            None | Some("application/x-protobuf" | "application/protobuf") => {
                delivered(ExportTraceServiceResponse::decode(body.as_ref()).ok())
            }
            // A web page for people; other types, such as a plain "ok", are
            // odd but no reason to send the same spans twice.
            Some("text/html") if !body.is_empty() => Outcome::misconfigured(format!(
                "{endpoint} answered {} with text/html: is this the OTLP/HTTP port (4318)?",
                head.status.as_u16()
            )),
            Some(_) => delivered(None),
        };
    }
    Outcome::from_http(
        head.status,
        &said(&head.headers, body),
        wait(&head.headers, now),
    )
}

/// `content-type` without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let kind = kind.split(|byte| *byte == b';').next()?.trim_ascii();
    (!kind.is_empty()).then(|| String::from_utf8_lossy(kind).to_ascii_lowercase())
}

/// What an OTLP success says, if its body could be read.
pub(super) fn delivered(response: Option<ExportTraceServiceResponse>) -> Outcome {
    let partial = response
        .and_then(|response| response.partial_success)
        .unwrap_or_default();
    Outcome::Delivered {
        rejected: u64::try_from(partial.rejected_spans).unwrap_or(0),
        message: partial.error_message,
    }
}

/// The same for a JSON body. By hand, since OTLP/JSON writes an int64 as a
/// string and lets a number pass.
fn delivered_json(body: &[u8]) -> Outcome {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = body
        .get("partialSuccess")
        .unwrap_or(&serde_json::Value::Null);
    let rejected = partial.get("rejectedSpans").and_then(|n| match n.as_str() {
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

/// The message of an error's body.
fn said(headers: &HeaderMap, body: &[u8]) -> String {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], |kind| kind.as_bytes());
    let message = if kind.starts_with(b"application/x-protobuf") {
        tonic_types::Status::decode(body)
            .ok()
            .map(|status| status.message)
    } else if kind.starts_with(b"application/json") {
        serde_json::from_slice::<serde_json::Value>(body)
            .ok()
            .and_then(|status| Some(status.get("message")?.as_str()?.to_owned()))
    } else {
        None
    };
    message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| {
            let head = body.get(..body.len().min(400)).unwrap_or_default();
            String::from_utf8_lossy(head).into_owned()
        })
}

/// `Retry-After`, from now.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    wait(headers, SystemTime::now())
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use ::http::StatusCode;

    fn answer(status: u16, kind: &str, body: &[u8], retry_after: Option<&str>) -> HttpAnswer {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).unwrap();
        head.headers
            .insert(header::CONTENT_TYPE, kind.parse().unwrap());
        if let Some(value) = retry_after {
            head.headers
                .insert(header::RETRY_AFTER, value.parse().unwrap());
        }
        HttpAnswer {
            head,
            body: Bytes::copy_from_slice(body),
            trailers: None,
        }
    }

    fn cause(outcome: Outcome) -> String {
        match outcome {
            Outcome::Invalid { cause } => cause,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_700);
        for (value, expected) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(77)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("99999999999999999999999", None),
        ] {
            let got = outcome(&answer(503, "text/plain", b"", Some(value)), "e", now);
            match got {
                Outcome::Retry { after, .. } => {
                    assert_eq!(after, expected.map(Duration::from_secs), "{value}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_error_body_is_read_in_its_encoding_or_shown() {
        let status = tonic_types::Status {
            code: 3,
            message: "bad id".into(),
            details: vec![],
        };
        let now = SystemTime::now();
        let proto = answer(400, "application/x-protobuf", &status.encode_to_vec(), None);
        assert_eq!(cause(outcome(&proto, "e", now)), "HTTP 400: bad id");
        let json = answer(
            400,
            "application/json",
            br#"{"code":3,"message":"bad id"}"#,
            None,
        );
        assert_eq!(cause(outcome(&json, "e", now)), "HTTP 400: bad id");
        let text = answer(400, "text/plain", b"what is this\n", None);
        assert_eq!(cause(outcome(&text, "e", now)), "HTTP 400: what is this");
        let neither = answer(400, "application/json", b"{oops", None);
        assert_eq!(cause(outcome(&neither, "e", now)), "HTTP 400: {oops");
    }

    #[test]
    fn a_2xx_is_success_and_partial_success_is_read() {
        let now = SystemTime::now();
        let body = br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"two bad"}}"#;
        let expected = Outcome::Delivered {
            rejected: 2,
            message: "two bad".into(),
        };
        for kind in ["application/json", "Application/JSON ; charset=utf-8"] {
            assert_eq!(outcome(&answer(200, kind, body, None), "e", now), expected);
        }
        let plain = Outcome::Delivered {
            rejected: 0,
            message: String::new(),
        };
        for (status, kind, body) in [
            (200, "application/json", "{}"),
            (200, "application/x-protobuf", ""),
            (202, "text/plain; charset=utf-8", ""),
            (204, "text/html", ""),
            (200, "", "thanks"),
        ] {
            let answer = answer(status, kind, body.as_bytes(), None);
            assert_eq!(outcome(&answer, "e", now), plain, "{status} {kind}");
        }
    }

    #[test]
    fn a_2xx_with_a_web_page_is_no_delivery() {
        let page = answer(
            200,
            "text/html; charset=utf-8",
            b"<html>Welcome</html>",
            None,
        );
        let expected = Outcome::misconfigured(
            "jaeger:80 answered 200 with text/html: is this the OTLP/HTTP port (4318)?",
        );
        assert_eq!(outcome(&page, "jaeger:80", SystemTime::now()), expected);
    }
}
