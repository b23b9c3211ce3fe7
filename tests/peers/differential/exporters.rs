//! The exporters that cases may have: where each is sent to, and how what it
//! sent is read.

use super::fields::{self, Fields};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use std::{fs, path::Path};

/// The kinds, told by the beginning of an id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OtlpGrpc,
    OtlpHttp,
    Zipkin,
    File,
}

impl Kind {
    pub fn of(id: &str) -> Self {
        match id.split_once('/').map_or(id, |(kind, _)| kind) {
            "otlp" | "otlp_grpc" => Self::OtlpGrpc,
            "otlphttp" | "otlp_http" => Self::OtlpHttp,
            "zipkin" => Self::Zipkin,
            "file" => Self::File,
            other => panic!("the tables know no exporter {other}"),
        }
    }
}

/// The spans of bodies of Zipkin's second version, in JSON.
pub fn zipkin(bodies: &[bytes::Bytes]) -> Vec<Fields> {
    let mut all = Vec::new();
    for body in bodies {
        // The Collector writes no spans as null.
        let spans: Option<Vec<Value>> = serde_json::from_slice(body).unwrap_or_else(|e| {
            panic!("{e}: {}", String::from_utf8_lossy(body));
        });
        all.extend(spans.iter().flatten().map(Fields::of_json));
    }
    all
}

/// The spans of a file, which has a request of JSON a line, or requests each
/// behind its length where it is protobuf or compressed.
pub fn file(path: &Path) -> Vec<Fields> {
    let bytes = fs::read(path).unwrap_or_default();
    let mut all = Vec::new();
    let mut add = |message: &[u8]| {
        let request = match message.first() {
            Some(b'{') => serde_json::from_slice(message).unwrap(),
            _ => ExportTraceServiceRequest::decode(message).unwrap(),
        };
        all.extend(fields::spans(&request.resource_spans));
    };
    if bytes.first() == Some(&b'{') {
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.filter(|line| !line.is_empty()).for_each(add);
        return all;
    }
    let mut rest = &bytes[..];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (message, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        match message.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            true => add(&zstd::decode_all(message).unwrap()),
            false => add(message),
        }
        rest = after;
    }
    all
}
