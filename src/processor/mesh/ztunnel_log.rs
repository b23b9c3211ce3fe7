/*!
Log records in, spans of connections out: an `ExportLogsServiceRequest` becomes
the bytes of an `ExportTraceServiceRequest`, which then goes the way of any
other.

Off the way of a span: one record at a time is decoded, so that a request of
tiny records costs no more memory than its bytes and the spans it becomes. What
a record cannot say is ignored and counted, never refused; only broken framing
around the records refuses the request, and more of them than a request may have spans.
*/

use crate::{
    mesh::{
        key,
        ztunnel::{Connection, Ignored},
    },
    pdata::{
        RequestLimits, Signal,
        wire::{self, WireType},
    },
    pipeline::{self, Converter},
};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    logs::v1::LogRecord,
    resource::v1::Resource,
};
use prost::Message;
use std::sync::Once;

/// Longer records are not decoded: ztunnel's lines have a kilobyte or two, and a
/// decoded attribute is forty times larger than its bytes may be.
const MAX_RECORD: usize = 64 << 10;

/// What of the log's resource also holds for the span. The rest describes
/// ztunnel's own pod, or the collector of its log.
const RESOURCE_KEYS: [&str; 3] = ["k8s.node.name", "k8s.cluster.name", key::CLUSTER_ID];

const RECORDS: &str = "ScopeLogs.log_records";

/// What a request of logs became.
#[derive(Debug, Default)]
pub(crate) struct ConvertedLogs {
    /// An `ExportTraceServiceRequest`; empty where there is no connection.
    pub(crate) request: Vec<u8>,
    /// Its spans.
    pub(crate) connections: u64,
    /// Records that are none.
    pub(crate) ignored: u64,
    /// Why the first of them is none.
    pub(crate) why: Option<Ignored>,
    /// How long the request may become.
    most: usize,
}

/// Broken framing.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub(crate) struct Malformed {
    place: &'static str,
    reason: wire::WireReason,
}

/// Reads `logs`, an `ExportLogsServiceRequest`.
///
/// # Errors
/// When the bytes are not protobuf of that form, as far as the records.
pub(crate) fn convert(logs: &[u8], most: usize) -> Result<ConvertedLogs, Malformed> {
    let mut out = ConvertedLogs {
        most,
        ..ConvertedLogs::default()
    };
    let mut spans = Vec::new();
    each(logs, 1, "ExportLogsServiceRequest.resource_logs", |group| {
        spans.clear();
        each(group, 2, "ResourceLogs.scope_logs", |scope| {
            each(scope, 2, RECORDS, |record| out.record(record, &mut spans))
        })?;
        if spans.is_empty() {
            return Ok(());
        }
        let mut attributes = vec![attribute(key::SERVICE_NAME, "ztunnel")];
        each(group, 1, "ResourceLogs.resource", |resource| {
            attributes.extend(kept(resource));
            Ok(())
        })?;
        let resource = Resource {
            attributes,
            ..Resource::default()
        };
        let mut resource_spans = Vec::with_capacity(spans.len() + 256);
        put(1, &resource.encode_to_vec(), &mut resource_spans);
        let mut scope_spans = Vec::with_capacity(spans.len() + 64);
        let scope = InstrumentationScope {
            name: "wayspan.ztunnel".to_owned(),
            ..InstrumentationScope::default()
        };
        put(1, &scope.encode_to_vec(), &mut scope_spans);
        scope_spans.extend_from_slice(&spans);
        put(2, &scope_spans, &mut resource_spans);
        put(1, &resource_spans, &mut out.request);
        Ok(())
    })?;
    Ok(out)
}

/// Reads ztunnel's access log in place of spans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZtunnelLog;

impl Converter for ZtunnelLog {
    fn reads(&self) -> Signal {
        Signal::Logs
    }

    fn convert(&self, request: &[u8], most: usize) -> Result<pipeline::Converted, String> {
        let converted = convert(request, most).map_err(|malformed| malformed.to_string())?;
        let why = match converted.ignored {
            0 => String::new(),
            ignored => useless(ignored, converted.why),
        };
        Ok(pipeline::Converted {
            request: converted.request,
            made: converted.connections,
            ignored: converted.ignored,
            why,
        })
    }
}

/// Says what log records were not of use, the first time in the log too.
fn useless(ignored: u64, why: Option<Ignored>) -> String {
    let why = why.map(|why| why.to_string()).unwrap_or_default();
    let message = format!("{ignored} log record(s) ignored; the first: {why}");
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            "{message}. Only completed connections in ztunnel's access log become spans: \
             let the sender of these logs send nothing else here. \
             wayspan_logs_ignored_records counts from now on, without a line in the log"
        );
    });
    message
}

impl ConvertedLogs {
    /// Appends a record's span, as a field of `ScopeSpans`.
    fn record(&mut self, record: &[u8], spans: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.connections + self.ignored >= RequestLimits::MOST.entries as u64 {
            return Err(Malformed {
                place: RECORDS,
                reason: wire::WireReason::TooMany(RequestLimits::MOST.entries),
            });
        }
        // The spans of one resource are copied once more.
        if self.request.len() + 2 * spans.len() > self.most {
            return Err(Malformed {
                place: RECORDS,
                reason: wire::WireReason::TooMany((self.connections + self.ignored) as usize),
            });
        }
        match connection(record) {
            Ok(connection) => {
                put(2, &connection.span().encode_to_vec(), spans);
                self.connections += 1;
            }
            Err(why) => {
                self.ignored += 1;
                self.why.get_or_insert(why);
            }
        }
        Ok(())
    }
}

fn connection(record: &[u8]) -> Result<Connection, Ignored> {
    if record.len() > MAX_RECORD {
        return Err(Ignored::Unreadable);
    }
    let record = LogRecord::decode(record).map_err(|_| Ignored::Unreadable)?;
    Connection::of(&record)
}

fn kept(resource: &[u8]) -> Vec<KeyValue> {
    let resource = Some(resource)
        .filter(|bytes| bytes.len() <= MAX_RECORD)
        .and_then(|bytes| Resource::decode(bytes).ok())
        .unwrap_or_default();
    let is_kept = |kv: &KeyValue| RESOURCE_KEYS.contains(&kv.key.as_str());
    resource.attributes.into_iter().filter(is_kept).collect()
}

fn attribute(key: &str, text: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(text.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// Calls `found` with every message in field `number`, and looks at the framing
/// of the rest.
fn each(
    message: &[u8],
    number: u32,
    place: &'static str,
    mut found: impl FnMut(&[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let wrong = |reason| Malformed { place, reason };
    let mut at = 0;
    while at < message.len() {
        let (tag, value) = wire::tag(message, at).map_err(wrong)?;
        if tag.number != number {
            at = wire::skip(message, value, tag, wire::MAX_DEPTH).map_err(wrong)?;
            continue;
        }
        if tag.wire != WireType::Len {
            return Err(wrong(wire::WireReason::WrongWireType {
                found: tag.wire,
                expected: WireType::Len,
            }));
        }
        let (start, end) = wire::len_delimited(message, value).map_err(wrong)?;
        found(message.get(start..end).unwrap_or_default())?;
        at = end;
    }
    Ok(())
}

fn put(number: u32, message: &[u8], out: &mut Vec<u8>) {
    wire::put_varint(u64::from(number << 3 | 2), out);
    wire::put_varint(message.len() as u64, out);
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use opentelemetry_proto::tonic::{
        collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
        logs::v1::{ResourceLogs, ScopeLogs},
    };
    use proptest::prelude::*;

    const LINE: &str = "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
        src.addr=10.244.3.9:52462 src.workload=\"shell-6d8bcd654d-t88gp\" src.namespace=\"default\" \
        dst.addr=10.244.3.8:8080 direction=\"outbound\" bytes_sent=1 bytes_recv=2 duration=\"5ms\"";

    fn record(body: &str) -> LogRecord {
        LogRecord {
            body: Some(AnyValue {
                value: Some(any_value::Value::StringValue(body.to_owned())),
            }),
            ..LogRecord::default()
        }
    }

    fn request(groups: &[&[&str]]) -> ExportLogsServiceRequest {
        let group = |bodies: &&[&str]| ResourceLogs {
            resource: Some(Resource {
                attributes: vec![
                    attribute("k8s.node.name", "n1"),
                    attribute("k8s.pod.name", "ztunnel-x7k2p"),
                    attribute("service.name", "filelog"),
                ],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: bodies.iter().map(|body| record(body)).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        };
        ExportLogsServiceRequest {
            resource_logs: groups.iter().map(group).collect(),
        }
    }

    #[test]
    fn connections_become_spans_and_the_rest_is_counted() {
        let logs = request(&[&[LINE, "hello"], &["hello"], &[LINE]]);
        let converted = convert(&logs.encode_to_vec(), usize::MAX).unwrap();
        assert_eq!((converted.connections, converted.ignored), (2, 2));
        assert_eq!(converted.why, Some(Ignored::Other));
        let spans = ExportTraceServiceRequest::decode(&converted.request[..]).unwrap();
        assert_eq!(spans.resource_spans.len(), 2);
        for group in &spans.resource_spans {
            let resource = group.resource.as_ref().unwrap();
            assert_eq!(
                resource.attributes,
                [
                    attribute("service.name", "ztunnel"),
                    attribute("k8s.node.name", "n1"),
                ]
            );
            assert_eq!(group.scope_spans[0].spans.len(), 1);
        }
        let first = &spans.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(
            first, &spans.resource_spans[1].scope_spans[0].spans[0],
            "the same line is the same span"
        );
    }

    /// Two bytes make a record: without a limit a small request, compressed,
    /// would keep a shard from everybody else for seconds.
    #[test]
    fn there_is_a_limit_of_records() {
        let with = |records: usize| {
            let (mut group, mut all) = (Vec::new(), Vec::new());
            put(2, &[18, 0].repeat(records), &mut group);
            // Spread over groups: the limit is the request's.
            put(1, &group, &mut all);
            put(1, &group, &mut all);
            convert(&all, usize::MAX)
        };
        let most = with(RequestLimits::MOST.entries / 2).unwrap();
        assert_eq!(most.ignored, RequestLimits::MOST.entries as u64);
        let error = with(RequestLimits::MOST.entries / 2 + 1)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "ScopeLogs.log_records: more than 1048576 in one request; send fewer at a time"
        );
    }

    #[test]
    fn empty_requests_become_nothing() {
        for groups in [&[][..], &[&[][..]], &[&["hello"][..]]] {
            let converted = convert(&request(groups).encode_to_vec(), usize::MAX).unwrap();
            assert_eq!(converted.request, b"");
        }
    }

    #[test]
    fn broken_framing_is_named_and_a_broken_record_ignored() {
        let whole = request(&[&[LINE]]).encode_to_vec();
        let error = convert(&whole[..whole.len() - 3], usize::MAX)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("ExportLogsServiceRequest.resource_logs: length"),
            "{error}"
        );
        let error = convert(&[0x08, 1], usize::MAX).unwrap_err().to_string();
        assert!(error.contains("a varint where"), "{error}");

        let nested = |payload: &[u8]| {
            let (mut scope, mut group, mut all) = (Vec::new(), Vec::new(), Vec::new());
            put(2, payload, &mut scope);
            put(2, &scope, &mut group);
            put(1, &group, &mut all);
            convert(&all, usize::MAX).unwrap()
        };
        let long = record(&format!("{LINE} {}", "x".repeat(MAX_RECORD))).encode_to_vec();
        for payload in [&[0xff_u8, 0xff][..], &long] {
            let converted = nested(payload);
            assert_eq!((converted.connections, converted.ignored), (0, 1));
            assert_eq!(converted.why, Some(Ignored::Unreadable));
        }
    }

    proptest! {
        #[test]
        fn damaged_requests_never_panic(cut in 0usize..600, at in 0usize..600, byte: u8) {
            let mut bytes = request(&[&[LINE, "x"], &[LINE]]).encode_to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Ok(converted) = convert(&bytes, usize::MAX) {
                prop_assert!(ExportTraceServiceRequest::decode(&converted.request[..]).is_ok());
            }
        }
    }
}
