/*!
A connection, as one line of ztunnel's access log reports it.
*/

use super::{FieldValue, Fields};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The message with which ztunnel reports a connection that ended, well or not.
const COMPLETE: &str = "connection complete";

/// The node of the connection that wrote the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The source's.
    Outbound,
    /// The destination's.
    Inbound,
}

/// A trace that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Its id.
    pub(crate) trace_id: [u8; 16],
    /// A span of it; zero where only the trace is named.
    pub(crate) span_id: [u8; 8],
}

/// Why a log record is not a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Some other log.
    #[error("it is no line of ztunnel's access log")]
    Other,
    /// `connection opened` and the like: another line follows, or nobody knew whose it was.
    #[error("it does not report a completed connection")]
    NotComplete,
    /// A field that every line has.
    #[error("it is an access log line without a usable {0}")]
    Without(&'static str),
    /// Not protobuf, not UTF-8, or longer than any line of ztunnel's.
    #[error("it cannot be read")]
    Unreadable,
}

/// One completed connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The side that reports it.
    pub(crate) direction: Direction,
    /// When it ended, in nanoseconds since 1970.
    pub(crate) end: u64,
    /// How long it was.
    pub(crate) duration: Duration,
    /// Why it failed, in ztunnel's words.
    pub(crate) error: Option<String>,
    /// A trace that the line names.
    pub(crate) linked: Option<Linked>,
    /// ztunnel's own fields, those above included.
    pub(crate) fields: BTreeMap<String, FieldValue>,
}

impl Connection {
    /// Reads a log record.
    ///
    /// # Errors
    /// Why it is not a connection.
    pub fn of(record: &LogRecord) -> Result<Self, Ignored> {
        let fields = Fields::of(record);
        let direction = match fields.text("direction") {
            Some("outbound") => Direction::Outbound,
            Some("inbound") => Direction::Inbound,
            _ => return Err(Ignored::Other),
        };
        let sides = ["src.addr", "dst.addr", "src.workload", "dst.workload"];
        if sides.iter().all(|name| fields.text(name).is_none()) {
            return Err(Ignored::Other);
        }
        if fields.text("message").is_some_and(|said| said != COMPLETE) {
            return Err(Ignored::NotComplete);
        }
        let own = match direction {
            Direction::Outbound => "src.workload",
            Direction::Inbound => "dst.workload",
        };
        if fields.text(own).is_none() {
            return Err(Ignored::Without(own));
        }
        let duration = fields
            .get("duration")
            .and_then(duration)
            .ok_or(Ignored::Without("duration"))?;
        let end = end(record, &fields).ok_or(Ignored::Without("time"))?;
        Ok(Self {
            direction,
            end,
            duration,
            error: fields.text("error").map(str::to_owned),
            linked: linked(record, &fields),
            fields: fields
                .into_inner()
                .into_iter()
                .filter(|(name, _)| is_ztunnels(name))
                .collect(),
        })
    }
}

/// Returns true if a field is ztunnel's, and not the log collector's. What
/// later releases say about either side comes along.
fn is_ztunnels(name: &str) -> bool {
    name.starts_with("src.")
        || name.starts_with("dst.")
        || matches!(
            name,
            "direction" | "bytes_sent" | "bytes_recv" | "duration" | "error"
        )
}

/// `13ms`, as ztunnel writes it; a bare number is milliseconds as well.
fn duration(value: &FieldValue) -> Option<Duration> {
    let text = match value {
        FieldValue::Int(millis) => return u64::try_from(*millis).ok().map(Duration::from_millis),
        FieldValue::Text(text) => text.trim(),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let scale = match unit.trim() {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
}

/// Returns the record's time, else the line's own, else when it was first seen.
fn end(record: &LogRecord, fields: &Fields) -> Option<u64> {
    let written = || {
        let time = humantime::parse_rfc3339(fields.text("time")?).ok()?;
        u64::try_from(since_1970(time)?.as_nanos()).ok()
    };
    Some(record.time_unix_nano)
        .filter(|&time| time > 0)
        .or_else(written)
        .or(Some(record.observed_time_unix_nano))
        .filter(|&time| time > 0)
}

fn since_1970(time: SystemTime) -> Option<Duration> {
    time.duration_since(UNIX_EPOCH).ok()
}

fn linked(record: &LogRecord, fields: &Fields) -> Option<Linked> {
    let known = |trace: Option<[u8; 16]>, span: Option<[u8; 8]>| {
        Some(Linked {
            trace_id: trace.filter(|id| *id != [0; 16])?,
            span_id: span.unwrap_or_default(),
        })
    };
    let field = |name| fields.text(name);
    let of_record = known(
        record.trace_id.as_slice().try_into().ok(),
        record.span_id.as_slice().try_into().ok(),
    );
    let of_parent = || {
        // W3C: version-trace-parent-flags.
        let mut parts = field("traceparent")?.split('-').skip(1);
        known(parts.next().and_then(hex), parts.next().and_then(hex))
    };
    // ztunnel shows the trace of a tunnel as `id`.
    let of_fields = || {
        let trace = ["trace_id", "traceid", "id"].into_iter().find_map(field)?;
        known(hex(trace), field("span_id").and_then(hex))
    };
    of_record.or_else(of_parent).or_else(of_fields)
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in out.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}
