/*! What the head and the body of an answer over HTTP say, whatever was exported. */

use http::{HeaderMap, header};
use prost::Message;
use std::time::{Duration, SystemTime};

/// Returns `content-type` without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let kind = kind.split(|byte| *byte == b';').next()?.trim_ascii();
    (!kind.is_empty()).then(|| String::from_utf8_lossy(kind).to_ascii_lowercase())
}

/// Reads the message of an error's body.
pub(super) fn said(headers: &HeaderMap, body: &[u8]) -> String {
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

/// Reads `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or(Duration::ZERO))
}
