/*!
A batch on paper: a line per batch, a line per item, or everything.

All is read from the request's bytes, item by item: what is printed needs no more
memory than the request itself.
*/

use super::{
    fields::write_fields,
    message::Message,
    span::{write_attributes, write_dropped, write_span},
    text::{Clean, Hex, Plain},
};
use crate::{
    exporter::debug::Verbosity,
    pdata::{AnyValue, Signal, schema::SchemaMessage, split},
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Writes a request of `bytes` bytes.
pub(super) fn write_request(
    out: &mut dyn Write,
    signal: Signal,
    request: &[u8],
    bytes: usize,
    verbosity: Verbosity,
) -> io::Result<()> {
    let items = split::count(signal, request);
    let item = signal.item();
    let resources = Message(request).messages(1).count();
    writeln!(
        out,
        "{signal}: {items} {item}s, {resources} resources, {bytes} bytes"
    )?;
    for (number, group) in Message(request).messages(1).enumerate() {
        match verbosity {
            Verbosity::Basic => {}
            Verbosity::Normal => write_lines(out, signal, group)?,
            Verbosity::Detailed => write_everything(out, signal, number, group)?,
        }
    }
    Ok(())
}

/// Writes a line per span, metric or log record.
fn write_lines(out: &mut dyn Write, signal: Signal, group: Message<'_>) -> io::Result<()> {
    let service = (group.message(1).attributes(1))
        .find(|attribute| attribute.key == "service.name")
        .map(|attribute| attribute.value)
        .filter(|value| *value != AnyValue::Empty);
    for item in group.messages(2).flat_map(|scope| scope.messages(2)) {
        match service {
            Some(service) => write!(out, "{}: ", Plain(service))?,
            None => write!(out, "(no service.name): ")?,
        }
        match signal {
            Signal::Traces => write_span_line(out, item)?,
            Signal::Metrics => {
                let (name, unit) = (Clean(item.text(1)), Clean(item.text(3)));
                let points: usize = [5, 7, 9, 10, 11]
                    .into_iter()
                    .flat_map(|kind| item.messages(kind))
                    .map(|data| data.messages(1).count())
                    .sum();
                write!(out, "{name} {unit} {points} data points")?;
            }
            Signal::Logs => {
                let body = item.any(5);
                write!(out, "{} {}", Clean(item.text(3)), Plain(body))?;
                for attribute in item.attributes(6) {
                    let (key, value) = (Clean(attribute.key), Plain(attribute.value));
                    write!(out, " {key}={value}")?;
                }
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_span_line(out: &mut dyn Write, span: Message<'_>) -> io::Result<()> {
    let (start, end) = (span.number(7), span.number(8));
    let took = Duration::from_nanos(end.saturating_sub(start));
    let (name, trace, id) = (Clean(span.text(5)), Hex(span.bytes(1)), Hex(span.bytes(2)));
    write!(out, "{name} {trace} {id} {took:?}")?;
    for attribute in span.attributes(9) {
        let (key, value) = (Clean(attribute.key), Plain(attribute.value));
        write!(out, " {key}={value}")?;
    }
    Ok(())
}

/// Writes everything, in the Collector's order and words.
fn write_everything(
    out: &mut dyn Write,
    signal: Signal,
    number: usize,
    group: Message<'_>,
) -> io::Result<()> {
    let (groups, scopes, item) = match signal {
        Signal::Traces => ("ResourceSpans", "ScopeSpans", "Span"),
        Signal::Metrics => ("ResourceMetrics", "ScopeMetrics", "Metric"),
        Signal::Logs => ("ResourceLogs", "ScopeLogs", "LogRecord"),
    };
    writeln!(out, "{groups} #{number}")?;
    writeln!(out, "Resource SchemaURL: {}", Clean(group.text(3)))?;
    let resource = group.message(1);
    let attributes = resource.attributes(1);
    write_attributes(out, "Resource attributes:", "     ", attributes)?;
    write_dropped(out, "", resource.number(2))?;
    for (number, scope) in group.messages(2).enumerate() {
        writeln!(out, "{scopes} #{number}")?;
        writeln!(out, "{scopes} SchemaURL: {}", Clean(scope.text(3)))?;
        write_scope(out, scope.messages(1).next())?;
        for (number, one) in scope.messages(2).enumerate() {
            writeln!(out, "{item} #{number}")?;
            match signal {
                Signal::Traces => write_span(out, one)?,
                Signal::Metrics => write_fields(out, SchemaMessage::Metric, one, 4)?,
                Signal::Logs => write_fields(out, SchemaMessage::LogRecord, one, 4)?,
            }
        }
    }
    Ok(())
}

fn write_scope(out: &mut dyn Write, scope: Option<Message<'_>>) -> io::Result<()> {
    let Some(scope) = scope else {
        return writeln!(out, "InstrumentationScope");
    };
    let (name, version) = (Clean(scope.text(1)), Clean(scope.text(2)));
    writeln!(out, "InstrumentationScope {name} {version}")?;
    let title = "InstrumentationScope attributes:";
    write_attributes(out, title, "     ", scope.attributes(3))?;
    write_dropped(out, "", scope.number(4))
}
