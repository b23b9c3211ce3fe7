/*!
A capture, read: one request of traces in protobuf, with or without the frame of a gRPC
message, or requests in JSON, one a line or a single one.

A capture is bounded, and so is what its spans become: decoded, they are many times as
large as their bytes.
*/

use crate::{
    mesh::model::{self, Span},
    pdata::{Index, Keys, Signal, admit, json::request_from_json},
};
use anyhow::{Context as _, bail, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The most bytes of a capture.
const MOST_BYTES: u64 = 8 << 20;
/// The most spans of a capture.
const MOST_SPANS: usize = 10_000;
/// Begins a gRPC message: whether it is compressed, and its length.
const FRAME: usize = 5;

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let input: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path)?),
    };
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= MOST_BYTES,
        "it is larger than {} MiB: cut out the spans that are meant",
        MOST_BYTES >> 20
    );
    Ok(bytes)
}

/// Returns the spans of a capture, in order.
pub(super) fn spans(capture: &[u8]) -> anyhow::Result<Vec<Span>> {
    let mut all = Vec::new();
    for request in requests(capture)? {
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, &request, &Keys::default(), &mut index)?;
        ensure!(
            all.len() + index.items.len() <= MOST_SPANS,
            "it has more than {MOST_SPANS} spans: cut out those that are meant"
        );
        let decoded = ExportTraceServiceRequest::decode(&*admitted.bytes)?;
        all.extend(model::spans(&decoded));
    }
    ensure!(!all.is_empty(), "it has no spans");
    Ok(all)
}

/// Returns the requests of a capture as protobuf.
fn requests(capture: &[u8]) -> anyhow::Result<Vec<Cow<'_, [u8]>>> {
    let from_json = |text: &[u8]| request_from_json(Signal::Traces, text).map(Cow::Owned);
    let text = capture.trim_ascii();
    if !text.starts_with(b"{") {
        return Ok(vec![Cow::Borrowed(message(capture)?)]);
    }
    let whole = match from_json(text) {
        Ok(request) => return Ok(vec![request]),
        Err(error) => error,
    };
    // A protobuf request begins with a line feed, and its first length may be a brace.
    if let Ok(request) = message(capture)
        && ExportTraceServiceRequest::decode(request).is_ok()
    {
        return Ok(vec![Cow::Borrowed(request)]);
    }
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty());
    let lines: Vec<_> = lines.collect();
    if lines.len() == 1 || lines.iter().any(|(_, line)| !line.starts_with(b"{")) {
        bail!("it is no request of traces in JSON: {whole}");
    }
    lines
        .into_iter()
        .map(|(at, line)| from_json(line).with_context(|| format!("line {}", at + 1)))
        .collect()
}

/// Returns a request without the frame that gRPC puts before it.
fn message(capture: &[u8]) -> anyhow::Result<&[u8]> {
    let Some((frame, message)) = capture.split_first_chunk::<FRAME>() else {
        return Ok(capture);
    };
    let [compressed, length @ ..] = *frame;
    let is_framed = usize::try_from(u32::from_be_bytes(length)) == Ok(message.len());
    match compressed {
        0 if is_framed => Ok(message),
        1 if is_framed => bail!("it is compressed: capture it where it is not, or inflate it"),
        _ if capture.starts_with(&[0x1f, 0x8b]) => bail!("it is compressed: gunzip it"),
        _ => Ok(capture),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::{self, ResourceSpans, ScopeSpans};

    fn request(names: &[&str]) -> Vec<u8> {
        let span = |name: &&str| v1::Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: (*name).to_owned(),
            ..v1::Span::default()
        };
        let scope = ScopeSpans {
            spans: names.iter().map(span).collect(),
            ..ScopeSpans::default()
        };
        let resource_spans = vec![ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn json(name: &str) -> String {
        let ids = r#""traceId":"01010101010101010101010101010101","spanId":"0202020202020202""#;
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},"name":"{name}"}}]}}]}}]}}"#
        )
    }

    fn names(capture: &[u8]) -> Result<Vec<String>, String> {
        let spans = spans(capture).map_err(|error| format!("{error:#}"))?;
        Ok(spans.into_iter().map(|span| span.name).collect())
    }

    #[test]
    fn every_form_of_a_capture_is_read() {
        let plain = request(&["a", "b"]);
        let mut framed = vec![0];
        framed.extend(u32::try_from(plain.len()).unwrap().to_be_bytes());
        framed.extend(&plain);
        // The length that reads as an opening brace.
        let mut brace = (0..100).map(|n| request(&[&"n".repeat(n)]));
        let brace = brace.find(|bytes| bytes.starts_with(b"\n{"));
        for (capture, want) in [
            (plain, vec!["a", "b"]),
            (framed, vec!["a", "b"]),
            (json("j").into_bytes(), vec!["j"]),
            (format!("\n  {}\n", json("j")).into_bytes(), vec!["j"]),
            (
                format!("{}\n\n{}\n", json("j"), json("k")).into_bytes(),
                vec!["j", "k"],
            ),
        ] {
            assert_eq!(names(&capture).unwrap(), want);
        }
        assert_eq!(names(&brace.unwrap()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_capture_is_refused_with_its_reason() {
        for (capture, said) in [
            (&b""[..], "it has no spans"),
            (b"hello", "at"),
            (b"{\"resourceSpans\": 1}", "no request of traces in JSON"),
            (b"{}\n{\"resourceSpans\": 1}", "line 2"),
            (b"{}", "it has no spans"),
            (b"\x1f\x8b\x08\0\0\0\0\0", "gunzip"),
            (b"\x01\0\0\0\x01x", "compressed"),
        ] {
            let error = names(capture).unwrap_err();
            assert!(error.contains(said), "{capture:?}: {error}");
        }
        let many = request(&vec![""; MOST_SPANS + 1]);
        assert!(names(&many).unwrap_err().contains("more than 10000"));
    }
}
