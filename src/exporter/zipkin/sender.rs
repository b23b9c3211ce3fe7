/*! Making a list of spans of a batch, and posting it. */

use super::{Zipkin, ZipkinFormat};
use crate::{
    exporter::{
        Outcome, Sender,
        http::{WrongPort, media_type, post, refused},
    },
    http::{ClientProtocol, ConnectOptions, HttpAnswer, HttpClient, Payload, joined},
    pdata::Signal,
    telemetry::Count,
    zipkin::{write_json, write_proto},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};
use std::time::SystemTime;

/// Posts lists of spans to one URL.
#[derive(Debug)]
pub struct ZipkinSender {
    settings: Zipkin,
    uri: Uri,
    client: HttpClient,
}

/// A list, and how many spans of the batch are not in it for want of ids.
#[derive(Clone, Debug)]
pub struct ZipkinRequest {
    payload: Payload,
    without_ids: u64,
}

impl ZipkinSender {
    /// Builds from checked settings.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub fn build(settings: &Zipkin, options: ConnectOptions) -> Result<Self, String> {
        let url = &settings.client.url;
        let uri = Uri::try_from(url).map_err(|error| format!("endpoint {url:?}: {error}"))?;
        let kind = match settings.format {
            ZipkinFormat::Json => "application/json",
            ZipkinFormat::Proto => "application/x-protobuf",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(coding) = settings.client.compression.content_encoding() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let protocol = ClientProtocol::Zipkin;
        let client = HttpClient::build(&uri, &settings.client, protocol, headers, options)?;
        Ok(Self {
            settings: settings.clone(),
            uri,
            client,
        })
    }
}

impl Sender for ZipkinSender {
    type Request = ZipkinRequest;

    fn endpoint(&self) -> &str {
        self.client.authority()
    }

    fn prepare(&self, _: Signal, chunks: &[Bytes]) -> Result<ZipkinRequest, Outcome> {
        let Zipkin {
            client,
            format,
            options,
        } = &self.settings;
        let request = joined(chunks);
        let mut list = Vec::with_capacity(request.len());
        let without_ids = match format {
            ZipkinFormat::Json => write_json(&request, options, &mut list),
            ZipkinFormat::Proto => write_proto(&request, options, &mut list),
        };
        let payload = Payload::http(&[list.into()], client.compressor());
        let payload = payload.map_err(|error| Outcome::Permanent {
            cause: error.to_string(),
        })?;
        Ok(ZipkinRequest {
            payload,
            without_ids,
        })
    }

    async fn send(&self, request: &ZipkinRequest, resent: &Count) -> Outcome {
        let authority = self.client.authority();
        let judge = |answer: &HttpAnswer| outcome(answer, request.without_ids, authority);
        post(&self.client, &self.uri, &request.payload, resent, judge).await
    }
}

/// Decides what an answer means.
fn outcome(received: &HttpAnswer, without_ids: u64, authority: &str) -> Outcome {
    let HttpAnswer { head, body, .. } = received;
    if !head.status.is_success() {
        let port = WrongPort {
            path: "that of Zipkin's spans (/api/v2/spans)".to_owned(),
            port: "the one of Zipkin (9411)",
        };
        return refused(received, &port, SystemTime::now());
    }
    if media_type(&head.headers).as_deref() == Some("text/html") && !body.is_empty() {
        return Outcome::misconfigured(format!(
            "{authority} answered {} with text/html: is the URL's path /api/v2/spans?",
            head.status.as_u16()
        ));
    }
    let message = match without_ids {
        0 => String::new(),
        _ => "Zipkin has no spans without ids".to_owned(),
    };
    Outcome::Delivered {
        rejected: without_ids,
        message,
    }
}
