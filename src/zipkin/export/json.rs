/*! Version 2 in JSON. */

use super::{
    span::{Encoder, Endpoint, ZipkinSpan},
    value::put_json_text,
};
use crate::pdata::number::ShowHex;
use std::io::Write;

/// A JSON array that is being written.
pub(super) struct Json<'o> {
    pub(super) out: &'o mut Vec<u8>,
    /// Where the array begins.
    pub(super) begin: usize,
}

impl Encoder for Json<'_> {
    fn put(&mut self, span: &ZipkinSpan<'_>) {
        if self.out.len() > self.begin + 1 {
            self.out.push(b',');
        }
        // Writing to a vector does not fail.
        let _ = put_span(span, self.out);
    }
}

fn put_span(span: &ZipkinSpan<'_>, out: &mut Vec<u8>) -> std::io::Result<()> {
    // A trace id of 64 bits has as many digits.
    let trace_id = match span.trace_id.split_first_chunk::<8>() {
        Some(([0, 0, 0, 0, 0, 0, 0, 0], low)) => low,
        _ => span.trace_id,
    };
    write!(
        out,
        r#"{{"traceId":"{}","id":"{}""#,
        ShowHex(trace_id),
        ShowHex(span.id)
    )?;
    if !span.parent.is_empty() {
        write!(out, r#","parentId":"{}""#, ShowHex(span.parent))?;
    }
    if !span.name.is_empty() {
        out.extend_from_slice(br#","name":"#);
        put_json_text(&span.name.to_lowercase(), out);
    }
    let kind = match span.kind {
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => "",
    };
    if !kind.is_empty() {
        write!(out, r#","kind":"{kind}""#)?;
    }
    if span.start > 0 {
        write!(out, r#","timestamp":{}"#, rounded(span.start))?;
    }
    if span.duration > 0 {
        // What takes less than a microsecond takes one.
        write!(out, r#","duration":{}"#, rounded(span.duration).max(1))?;
    }
    put_endpoint("localEndpoint", span.local.as_ref(), out)?;
    put_endpoint("remoteEndpoint", span.remote.as_ref(), out)?;
    for (number, (time, text)) in span.annotations().enumerate() {
        out.extend_from_slice(if number == 0 {
            br#","annotations":["#
        } else {
            b","
        });
        write!(out, r#"{{"timestamp":{},"value":"#, rounded(time))?;
        put_json_text(&text, out);
        out.push(b'}');
    }
    if span.annotations().next().is_some() {
        out.push(b']');
    }
    for (number, (name, value)) in span.tags.iter().enumerate() {
        out.extend_from_slice(if number == 0 { br#","tags":{"# } else { b"," });
        put_json_text(name, out);
        out.push(b':');
        put_json_text(&value.text(), out);
    }
    if span.tags.iter().next().is_some() {
        out.push(b'}');
    }
    out.push(b'}');
    Ok(())
}

/// Returns microseconds.
fn rounded(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_add(500) / 1000
}

fn put_endpoint(
    name: &str,
    endpoint: Option<&Endpoint<'_>>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let Some(endpoint) = endpoint else {
        return Ok(());
    };
    write!(out, r#","{name}":{{"#)?;
    let begin = out.len();
    if !endpoint.service.is_empty() {
        out.extend_from_slice(br#""serviceName":"#);
        put_json_text(&endpoint.service.to_lowercase(), out);
    }
    if let Some(ip) = endpoint.ip {
        separate(begin, out);
        let member = if ip.is_ipv6() { "ipv6" } else { "ipv4" };
        write!(out, r#""{member}":"{}""#, ip.to_canonical())?;
    }
    if endpoint.port > 0 {
        separate(begin, out);
        write!(out, r#""port":{}"#, endpoint.port)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a comma behind a member.
fn separate(begin: usize, out: &mut Vec<u8>) {
    if out.len() > begin {
        out.push(b',');
    }
}
