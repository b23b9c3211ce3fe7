/*!
OTLP over HTTP: one POST, protobuf or JSON.

The specification's "OTLP/HTTP": a 2xx is success, its body may tell of a
partial one, an error's body is a `google.rpc.Status` in the request's content
type. A web server or a proxy's login page also answers 200, in HTML, which is no
success. Backends and the proxies before them also answer in plain text, so an
error's body that is in none of OTLP's content types is shown as it is.
*/

use super::{OtlpRequest, answer};
use crate::{
    exporter::otlp::Encoding,
    exporter::{
        Outcome, Sender,
        http::{WrongPort, media_type, post, refused},
    },
    http::{ClientProtocol, ConnectOptions, HttpAnswer, HttpClient, Payload, joined},
    http::{ClientSettings, Compressor},
    pdata::{Signal, json},
    telemetry::Count,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};
use std::{sync::Arc, time::SystemTime};

/// Sends requests to the OTLP/HTTP URLs of one backend.
#[derive(Debug)]
pub struct OtlpHttp {
    targets: Vec<Target>,
    encoding: Encoding,
    compressor: Compressor,
}

/// Where one signal goes.
#[derive(Debug)]
struct Target {
    signal: Signal,
    uri: Uri,
    /// Shared with the signals that go to the same host.
    client: Arc<HttpClient>,
}

impl OtlpHttp {
    /// Builds from checked settings. `url` has the whole URL of each signal that
    /// is exported.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub fn build(
        settings: &ClientSettings,
        url: impl Fn(Signal) -> Option<String>,
        encoding: Encoding,
        options: ConnectOptions,
    ) -> Result<Self, String> {
        let kind = match encoding {
            Encoding::Proto => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = settings.compression.content_encoding() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let mut targets: Vec<Target> = Vec::new();
        for signal in Signal::ALL {
            let Some(url) = url(signal) else { continue };
            let uri = Uri::try_from(&url).map_err(|error| format!("endpoint {url:?}: {error}"))?;
            let same_host = |known: &&Target| {
                known.uri.scheme() == uri.scheme() && known.uri.authority() == uri.authority()
            };
            let client = match targets.iter().find(same_host) {
                Some(known) => Arc::clone(&known.client),
                None => Arc::new(HttpClient::build(
                    &uri,
                    settings,
                    ClientProtocol::OtlpHttp,
                    headers.clone(),
                    options.clone(),
                )?),
            };
            targets.push(Target {
                signal,
                uri,
                client,
            });
        }
        Ok(Self {
            targets,
            encoding,
            compressor: settings.compressor(),
        })
    }

    fn target(&self, signal: Signal) -> Option<&Target> {
        self.targets.iter().find(|target| target.signal == signal)
    }
}

impl Sender for OtlpHttp {
    type Request = OtlpRequest;

    fn endpoint(&self) -> &str {
        let target = self.targets.first();
        target.map_or("", |target| target.client.authority())
    }

    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<OtlpRequest, Outcome> {
        let refused = |cause: String| Outcome::Permanent { cause };
        let payload = match self.encoding {
            Encoding::Proto => Payload::http(chunks, self.compressor),
            Encoding::Json => {
                let json = json::request_to_json(signal, &joined(chunks))
                    .map_err(|error| refused(error.to_string()))?;
                Payload::http(&[json.into()], self.compressor)
            }
        };
        let payload = payload.map_err(|error| refused(error.to_string()))?;
        Ok(OtlpRequest { signal, payload })
    }

    async fn send(&self, request: &OtlpRequest, resent: &Count) -> Outcome {
        let signal = request.signal;
        let Some(Target { uri, client, .. }) = self.target(signal) else {
            let cause = format!("no endpoint for {signal}: set endpoint, or {signal}_endpoint");
            return Outcome::Permanent { cause };
        };
        let judge =
            |answer: &HttpAnswer| outcome(signal, answer, client.authority(), SystemTime::now());
        post(client, uri, &request.payload, resent, judge).await
    }
}

/// Decides what an answer means.
fn outcome(signal: Signal, received: &HttpAnswer, endpoint: &str, now: SystemTime) -> Outcome {
    let HttpAnswer { head, body, .. } = received;
    if head.status.is_success() {
        return match media_type(&head.headers).as_deref() {
            Some("application/json") => answer::delivered_json(signal, body),
            None | Some("application/x-protobuf" | "application/protobuf") => {
                answer::delivered_proto(body)
            }
            // A web page for people; other types, such as a plain "ok", are
            // odd but no reason to send the same spans twice.
            Some("text/html") if !body.is_empty() => Outcome::misconfigured(format!(
                "{endpoint} answered {} with text/html: is this the OTLP/HTTP port (4318)?",
                head.status.as_u16()
            )),
            Some(_) => answer::delivered(),
        };
    }
    let port = WrongPort {
        path: format!("the one of OTLP/HTTP {signal} (/v1/{signal})"),
        port: "the OTLP/HTTP one (4318)",
    };
    refused(received, &port, now)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use http::StatusCode;
    use prost::Message;
    use std::time::Duration;

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
            let got = outcome(
                Signal::Traces,
                &answer(503, "text/plain", b"", Some(value)),
                "e",
                now,
            );
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
        assert_eq!(
            cause(outcome(Signal::Traces, &proto, "e", now)),
            "HTTP 400: bad id"
        );
        let json = answer(
            400,
            "application/json",
            br#"{"code":3,"message":"bad id"}"#,
            None,
        );
        assert_eq!(
            cause(outcome(Signal::Traces, &json, "e", now)),
            "HTTP 400: bad id"
        );
        let text = answer(400, "text/plain", b"what is this\n", None);
        assert_eq!(
            cause(outcome(Signal::Traces, &text, "e", now)),
            "HTTP 400: what is this"
        );
        let neither = answer(400, "application/json", b"{oops", None);
        assert_eq!(
            cause(outcome(Signal::Traces, &neither, "e", now)),
            "HTTP 400: {oops"
        );
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
            assert_eq!(
                outcome(Signal::Traces, &answer(200, kind, body, None), "e", now),
                expected
            );
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
            assert_eq!(
                outcome(Signal::Traces, &answer, "e", now),
                plain,
                "{status} {kind}"
            );
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
        assert_eq!(
            outcome(Signal::Traces, &page, "jaeger:80", SystemTime::now()),
            expected
        );
    }
}
