/*! A span with all that it has, in the Collector's order and words. */

use super::text::{Clean, Timestamp, Typed};
use crate::pdata::{KeyValue, message::Message, number::ShowHex};
use std::io::{self, Write};

const KINDS: [&str; 6] = [
    "Unspecified",
    "Internal",
    "Server",
    "Client",
    "Producer",
    "Consumer",
];
const STATUS_CODES: [&str; 3] = ["Unset", "Ok", "Error"];

/// Writes one span.
pub(super) fn write_span(out: &mut dyn Write, span: Message<'_>) -> io::Result<()> {
    let status = span.message(15);
    let (kind, code) = (
        named(&KINDS, span.number(6)),
        named(&STATUS_CODES, status.number(3)),
    );
    writeln!(out, "    Trace ID       : {}", ShowHex(span.bytes(1)))?;
    writeln!(out, "    Parent ID      : {}", ShowHex(span.bytes(4)))?;
    writeln!(out, "    ID             : {}", ShowHex(span.bytes(2)))?;
    writeln!(out, "    Name           : {}", Clean(span.text(5)))?;
    writeln!(out, "    Kind           : {kind}")?;
    if !span.text(3).is_empty() {
        writeln!(out, "    TraceState     : {}", Clean(span.text(3)))?;
    }
    if span.number(16) != 0 {
        writeln!(out, "    Flags          : {:#x}", span.number(16))?;
    }
    writeln!(out, "    Start time     : {}", Timestamp(span.number(7)))?;
    writeln!(out, "    End time       : {}", Timestamp(span.number(8)))?;
    writeln!(out, "    Status code    : {code}")?;
    writeln!(out, "    Status message : {}", Clean(status.text(2)))?;
    for (what, count) in [
        ("attributes", span.number(10)),
        ("events", span.number(12)),
        ("links", span.number(14)),
    ] {
        if count > 0 {
            writeln!(out, "    Dropped {what}: {count}")?;
        }
    }
    write_attributes(out, "Attributes:", "     ", span.attributes(9))?;
    for (number, event) in span.messages(11).enumerate() {
        if number == 0 {
            writeln!(out, "Events:")?;
        }
        write_event(out, number, event)?;
    }
    for (number, link) in span.messages(13).enumerate() {
        if number == 0 {
            writeln!(out, "Links:")?;
        }
        write_link(out, number, link)?;
    }
    Ok(())
}

fn write_event(out: &mut dyn Write, number: usize, event: Message<'_>) -> io::Result<()> {
    writeln!(out, "SpanEvent #{number}")?;
    writeln!(out, "     -> Name: {}", Clean(event.text(2)))?;
    writeln!(out, "     -> Timestamp: {}", Timestamp(event.number(1)))?;
    write_dropped(out, "     -> ", event.number(4))?;
    write_attributes(
        out,
        "     -> Attributes:",
        "          ",
        event.attributes(3),
    )
}

fn write_link(out: &mut dyn Write, number: usize, link: Message<'_>) -> io::Result<()> {
    writeln!(out, "SpanLink #{number}")?;
    writeln!(out, "     -> Trace ID: {}", ShowHex(link.bytes(1)))?;
    writeln!(out, "     -> ID: {}", ShowHex(link.bytes(2)))?;
    writeln!(out, "     -> TraceState: {}", Clean(link.text(3)))?;
    if link.number(6) != 0 {
        writeln!(out, "     -> Flags: {:#x}", link.number(6))?;
    }
    write_dropped(out, "     -> ", link.number(5))?;
    write_attributes(out, "     -> Attributes:", "          ", link.attributes(4))
}

/// Writes a title and a line for each attribute; nothing if there are none.
pub(super) fn write_attributes<'a>(
    out: &mut dyn Write,
    title: &str,
    indent: &str,
    attributes: impl Iterator<Item = KeyValue<'a>>,
) -> io::Result<()> {
    for (number, attribute) in attributes.enumerate() {
        if number == 0 {
            writeln!(out, "{title}")?;
        }
        let (key, value) = (Clean(attribute.key), Typed::new(attribute.value));
        writeln!(out, "{indent}-> {key}: {value}")?;
    }
    Ok(())
}

/// Writes how many attributes the sender dropped, if any.
pub(super) fn write_dropped(out: &mut dyn Write, indent: &str, count: u64) -> io::Result<()> {
    match count {
        0 => Ok(()),
        count => writeln!(out, "{indent}DroppedAttributesCount: {count}"),
    }
}

/// Returns the name of an enum's value.
fn named(names: &[&'static str], value: u64) -> &'static str {
    let name = usize::try_from(value).ok().and_then(|at| names.get(at));
    name.copied().unwrap_or("Unknown")
}
