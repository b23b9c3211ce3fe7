/*! A batch on paper: a line per batch, a line per item, or everything. */

use super::{
    fields::write_fields,
    pieces::Pieces,
    span::{write_attributes, write_dropped, write_span},
    text::{Clean, Plain, shortened},
};
use crate::{
    exporter::debug::Verbosity,
    pdata::{
        AnyValue, Signal,
        message::{Message, text_of},
        number::ShowHex,
        schema::SchemaMessage,
    },
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Writes a request.
pub(super) fn write_request(
    out: &mut dyn Write,
    signal: Signal,
    request: Pieces<'_>,
    verbosity: Verbosity,
) -> io::Result<()> {
    let scopes = request.all(1).flat_map(|group| group.all(2));
    let items: usize = scopes.map(|scope| count(signal, scope)).sum();
    let (item, bytes) = (signal.item(), request.len());
    let resources = request.all(1).count();
    writeln!(
        out,
        "{signal}: {items} {item}s, {resources} resources, {bytes} bytes"
    )?;
    for (number, group) in request.all(1).enumerate() {
        match verbosity {
            Verbosity::Basic => {}
            Verbosity::Normal => write_lines(out, signal, group)?,
            Verbosity::Detailed => write_everything(out, signal, number, group)?,
        }
    }
    Ok(())
}

/// Returns how many spans, data points or log records a scope has.
fn count(signal: Signal, scope: Pieces<'_>) -> usize {
    let items = scope.all(2);
    match signal {
        Signal::Traces | Signal::Logs => items.count(),
        Signal::Metrics => items.map(|item| points(Message(&item.joined()))).sum(),
    }
}

/// Returns how many data points a metric has.
fn points(metric: Message<'_>) -> usize {
    let kinds = [5, 7, 9, 10, 11].into_iter();
    let data = kinds.flat_map(|kind| metric.messages(kind));
    data.map(|data| data.messages(1).count()).sum()
}

/// Writes a line per span, metric or log record.
fn write_lines(out: &mut dyn Write, signal: Signal, group: Pieces<'_>) -> io::Result<()> {
    let resource = group.first(1);
    let service = (Message(&resource).attributes(1))
        .find(|attribute| attribute.key == "service.name")
        .map(|attribute| attribute.value)
        .filter(|value| *value != AnyValue::Empty);
    let service = match service {
        // It stands in every line, so a long one must not.
        Some(service) => shortened(Plain(service)),
        None => "(no service.name)".to_owned(),
    };
    for item in group.all(2).flat_map(|scope| scope.all(2)) {
        let item = item.joined();
        let item = Message(&item);
        write!(out, "{service}: ")?;
        match signal {
            Signal::Traces => write_span_line(out, item)?,
            Signal::Metrics => {
                let (name, unit) = (Clean(item.text(1)), Clean(item.text(3)));
                write!(out, "{name} {unit} {} data points", points(item))?;
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
    let (name, trace, id) = (
        Clean(span.text(5)),
        ShowHex(span.bytes(1)),
        ShowHex(span.bytes(2)),
    );
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
    group: Pieces<'_>,
) -> io::Result<()> {
    let (groups, scopes, item) = match signal {
        Signal::Traces => ("ResourceSpans", "ScopeSpans", "Span"),
        Signal::Metrics => ("ResourceMetrics", "ScopeMetrics", "Metric"),
        Signal::Logs => ("ResourceLogs", "ScopeLogs", "LogRecord"),
    };
    writeln!(out, "{groups} #{number}")?;
    writeln!(
        out,
        "Resource SchemaURL: {}",
        Clean(text_of(&group.first(3)))
    )?;
    let resource = group.first(1);
    let resource = Message(&resource);
    let attributes = resource.attributes(1);
    write_attributes(out, "Resource attributes:", "     ", attributes)?;
    write_dropped(out, "", resource.number(2))?;
    for (number, scope) in group.all(2).enumerate() {
        writeln!(out, "{scopes} #{number}")?;
        writeln!(
            out,
            "{scopes} SchemaURL: {}",
            Clean(text_of(&scope.first(3)))
        )?;
        write_scope(out, scope.all(1).next())?;
        for (number, one) in scope.all(2).enumerate() {
            let one = one.joined();
            let one = Message(&one);
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

fn write_scope(out: &mut dyn Write, scope: Option<Pieces<'_>>) -> io::Result<()> {
    let Some(scope) = scope else {
        return writeln!(out, "InstrumentationScope");
    };
    let scope = scope.joined();
    let scope = Message(&scope);
    let (name, version) = (Clean(scope.text(1)), Clean(scope.text(2)));
    writeln!(out, "InstrumentationScope {name} {version}")?;
    let title = "InstrumentationScope attributes:";
    write_attributes(out, title, "     ", scope.attributes(3))?;
    write_dropped(out, "", scope.number(4))
}
