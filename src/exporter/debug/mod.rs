/*!
`debug`: shows what would be exported, on standard error.

Three levels, as in the Collector: a line per batch, a line per span, or
everything. For people, not for load: batches are decoded into structs here.
Control characters in names and values are escaped, so that a span can neither
break a line nor talk to the terminal. A standard error that is gone costs the
text and nothing else.
*/

use crate::{
    config::Verbosity,
    exporter::{Outcome, Sender},
    http::joined,
    pdata::Signal,
    telemetry::Count,
};
use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    trace::v1::{
        ResourceSpans, Span,
        span::{Event, Link, SpanKind},
        status::StatusCode,
    },
};
use prost::Message;
use std::{
    fmt,
    io::{self, BufWriter, Write},
    time::{Duration, UNIX_EPOCH},
};

/// Prints batches.
#[derive(Debug)]
pub struct Debug {
    verbosity: Verbosity,
}

impl Debug {
    /// Prints as much as asked.
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity }
    }
}

impl Sender for Debug {
    type Request = Bytes;

    fn endpoint(&self) -> &str {
        "stderr"
    }

    fn prepare(&self, _: Signal, chunks: &[Bytes]) -> Result<Bytes, Outcome> {
        Ok(joined(chunks))
    }

    async fn send(&self, bytes: &Bytes, _: &Count) -> Outcome {
        let request = match ExportTraceServiceRequest::decode(bytes.clone()) {
            Ok(request) => request,
            Err(error) => {
                return Outcome::Permanent {
                    cause: error.to_string(),
                };
            }
        };
        let mut out = BufWriter::new(io::stderr().lock());
        let written = write(&mut out, &request, bytes.len(), self.verbosity);
        // What cannot be written to standard error cannot be told anywhere.
        let _ = written.and_then(|()| out.flush());
        // Do not let the writer's drop try again.
        let _ = out.into_parts();
        Outcome::Delivered {
            rejected: 0,
            message: String::new(),
        }
    }
}

/// Writes a batch of `bytes` bytes.
fn write(
    out: &mut dyn Write,
    request: &ExportTraceServiceRequest,
    bytes: usize,
    verbosity: Verbosity,
) -> io::Result<()> {
    let resources = &request.resource_spans;
    let spans: usize = resources
        .iter()
        .flat_map(|r| &r.scope_spans)
        .map(|scope| scope.spans.len())
        .sum();
    writeln!(
        out,
        "traces: {spans} spans, {} resources, {bytes} bytes",
        resources.len()
    )?;
    for (number, resource) in resources.iter().enumerate() {
        match verbosity {
            Verbosity::Basic => {}
            Verbosity::Normal => lines(out, resource)?,
            Verbosity::Detailed => everything(out, number, resource)?,
        }
    }
    Ok(())
}

/// A line per span.
fn lines(out: &mut dyn Write, resource: &ResourceSpans) -> io::Result<()> {
    let service = resource
        .resource
        .iter()
        .flat_map(|resource| &resource.attributes)
        .find(|attribute| attribute.key == "service.name")
        .and_then(|attribute| attribute.value.as_ref());
    for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
        let took = Duration::from_nanos(
            span.end_time_unix_nano
                .saturating_sub(span.start_time_unix_nano),
        );
        match service {
            Some(service) => write!(out, "{}", Plain(service))?,
            None => write!(out, "(no service.name)")?,
        }
        let (name, trace, id) = (Clean(&span.name), Hex(&span.trace_id), Hex(&span.span_id));
        write!(out, ": {name} {trace} {id} {took:?}")?;
        for attribute in &span.attributes {
            write!(out, " {}=", Clean(&attribute.key))?;
            if let Some(value) = &attribute.value {
                write!(out, "{}", Plain(value))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Everything, in the Collector's order and words.
fn everything(out: &mut dyn Write, number: usize, spans: &ResourceSpans) -> io::Result<()> {
    writeln!(out, "ResourceSpans #{number}")?;
    writeln!(out, "Resource SchemaURL: {}", Clean(&spans.schema_url))?;
    if let Some(resource) = &spans.resource {
        attributes(out, "Resource attributes:", "     ", &resource.attributes)?;
        dropped(out, "", resource.dropped_attributes_count)?;
    }
    for (number, scope_spans) in spans.scope_spans.iter().enumerate() {
        writeln!(out, "ScopeSpans #{number}")?;
        writeln!(
            out,
            "ScopeSpans SchemaURL: {}",
            Clean(&scope_spans.schema_url)
        )?;
        scope(out, scope_spans.scope.as_ref())?;
        for (number, one) in scope_spans.spans.iter().enumerate() {
            writeln!(out, "Span #{number}")?;
            span(out, one)?;
        }
    }
    Ok(())
}

fn scope(out: &mut dyn Write, scope: Option<&InstrumentationScope>) -> io::Result<()> {
    let Some(scope) = scope else {
        return writeln!(out, "InstrumentationScope");
    };
    writeln!(
        out,
        "InstrumentationScope {} {}",
        Clean(&scope.name),
        Clean(&scope.version)
    )?;
    attributes(
        out,
        "InstrumentationScope attributes:",
        "     ",
        &scope.attributes,
    )?;
    dropped(out, "", scope.dropped_attributes_count)
}

fn span(out: &mut dyn Write, span: &Span) -> io::Result<()> {
    let kind = match SpanKind::try_from(span.kind) {
        Ok(SpanKind::Unspecified) => "Unspecified",
        Ok(SpanKind::Internal) => "Internal",
        Ok(SpanKind::Server) => "Server",
        Ok(SpanKind::Client) => "Client",
        Ok(SpanKind::Producer) => "Producer",
        Ok(SpanKind::Consumer) => "Consumer",
        Err(_) => "Unknown",
    };
    let status = span.status.clone().unwrap_or_default();
    let code = match StatusCode::try_from(status.code) {
        Ok(StatusCode::Unset) => "Unset",
        Ok(StatusCode::Ok) => "Ok",
        Ok(StatusCode::Error) => "Error",
        Err(_) => "Unknown",
    };
    writeln!(out, "    Trace ID       : {}", Hex(&span.trace_id))?;
    writeln!(out, "    Parent ID      : {}", Hex(&span.parent_span_id))?;
    writeln!(out, "    ID             : {}", Hex(&span.span_id))?;
    writeln!(out, "    Name           : {}", Clean(&span.name))?;
    writeln!(out, "    Kind           : {kind}")?;
    if !span.trace_state.is_empty() {
        writeln!(out, "    TraceState     : {}", Clean(&span.trace_state))?;
    }
    if span.flags != 0 {
        writeln!(out, "    Flags          : {:#x}", span.flags)?;
    }
    writeln!(
        out,
        "    Start time     : {}",
        At(span.start_time_unix_nano)
    )?;
    writeln!(out, "    End time       : {}", At(span.end_time_unix_nano))?;
    writeln!(out, "    Status code    : {code}")?;
    writeln!(out, "    Status message : {}", Clean(&status.message))?;
    for (what, count) in [
        ("attributes", span.dropped_attributes_count),
        ("events", span.dropped_events_count),
        ("links", span.dropped_links_count),
    ] {
        if count > 0 {
            writeln!(out, "    Dropped {what}: {count}")?;
        }
    }
    attributes(out, "Attributes:", "     ", &span.attributes)?;
    if !span.events.is_empty() {
        writeln!(out, "Events:")?;
    }
    for (number, event) in span.events.iter().enumerate() {
        write_event(out, number, event)?;
    }
    if !span.links.is_empty() {
        writeln!(out, "Links:")?;
    }
    for (number, link) in span.links.iter().enumerate() {
        write_link(out, number, link)?;
    }
    Ok(())
}

fn write_event(out: &mut dyn Write, number: usize, event: &Event) -> io::Result<()> {
    writeln!(out, "SpanEvent #{number}")?;
    writeln!(out, "     -> Name: {}", Clean(&event.name))?;
    writeln!(out, "     -> Timestamp: {}", At(event.time_unix_nano))?;
    dropped(out, "     -> ", event.dropped_attributes_count)?;
    attributes(out, "     -> Attributes:", "          ", &event.attributes)
}

fn write_link(out: &mut dyn Write, number: usize, link: &Link) -> io::Result<()> {
    writeln!(out, "SpanLink #{number}")?;
    writeln!(out, "     -> Trace ID: {}", Hex(&link.trace_id))?;
    writeln!(out, "     -> ID: {}", Hex(&link.span_id))?;
    writeln!(out, "     -> TraceState: {}", Clean(&link.trace_state))?;
    if link.flags != 0 {
        writeln!(out, "     -> Flags: {:#x}", link.flags)?;
    }
    dropped(out, "     -> ", link.dropped_attributes_count)?;
    attributes(out, "     -> Attributes:", "          ", &link.attributes)
}

fn dropped(out: &mut dyn Write, indent: &str, count: u32) -> io::Result<()> {
    match count {
        0 => Ok(()),
        count => writeln!(out, "{indent}DroppedAttributesCount: {count}"),
    }
}

fn attributes(
    out: &mut dyn Write,
    title: &str,
    indent: &str,
    attributes: &[KeyValue],
) -> io::Result<()> {
    if !attributes.is_empty() {
        writeln!(out, "{title}")?;
    }
    for attribute in attributes {
        let value = Typed(attribute.value.as_ref());
        writeln!(out, "{indent}-> {}: {value}", Clean(&attribute.key))?;
    }
    Ok(())
}

/// Text with control characters escaped.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => fmt::Write::write_char(f, c),
        })
    }
}

/// Bytes in hexadecimal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Nanoseconds since 1970 as a date.
struct At(u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 2^64 ns end in the year 2554, which both types hold.
        humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(self.0)).fmt(f)
    }
}

/// A value without its type.
struct Plain<'a>(&'a AnyValue);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.value {
            Some(Value::StringValue(text)) => Clean(text).fmt(f),
            Some(Value::BoolValue(value)) => value.fmt(f),
            Some(Value::IntValue(value)) => value.fmt(f),
            Some(Value::DoubleValue(value)) => value.fmt(f),
            _ => Typed(Some(self.0)).fmt(f),
        }
    }
}

/// A value with its type, as the Collector writes it: `Str(x)`.
struct Typed<'a>(Option<&'a AnyValue>);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.and_then(|value| value.value.as_ref()) {
            None => f.write_str("Empty()"),
            Some(Value::StringValue(text)) => write!(f, "Str({})", Clean(text)),
            Some(Value::BoolValue(value)) => write!(f, "Bool({value})"),
            Some(Value::IntValue(value)) => write!(f, "Int({value})"),
            Some(Value::DoubleValue(value)) => write!(f, "Double({value})"),
            Some(Value::BytesValue(bytes)) => write!(f, "Bytes({})", Hex(bytes)),
            Some(Value::StringValueStrindex(index)) => write!(f, "StrIndex({index})"),
            Some(Value::ArrayValue(array)) => {
                f.write_str("Slice([")?;
                for (number, value) in array.values.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", Typed(Some(value)))?;
                }
                f.write_str("])")
            }
            Some(Value::KvlistValue(list)) => {
                f.write_str("Map({")?;
                for (number, pair) in list.values.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(
                        f,
                        "{comma}{}: {}",
                        Clean(&pair.key),
                        Typed(pair.value.as_ref())
                    )?;
                }
                f.write_str("})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use opentelemetry_proto::tonic::{
        common::v1::{ArrayValue, KeyValueList},
        resource::v1::Resource,
        trace::v1::{ScopeSpans, Status},
    };

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn pair(key: &str, value: Option<AnyValue>) -> KeyValue {
        KeyValue {
            key: key.into(),
            value,
            ..Default::default()
        }
    }

    fn text(key: &str, value: &str) -> KeyValue {
        pair(key, Some(any(Value::StringValue(value.into()))))
    }

    fn request() -> ExportTraceServiceRequest {
        let every = vec![
            text("s", "a\nb\u{1b}[31m"),
            pair("b", Some(any(Value::BoolValue(true)))),
            pair("i", Some(any(Value::IntValue(-5)))),
            pair("d", Some(any(Value::DoubleValue(1.5)))),
            pair("y", Some(any(Value::BytesValue(vec![1, 0xab])))),
            pair(
                "a",
                Some(any(Value::ArrayValue(ArrayValue {
                    values: vec![any(Value::IntValue(1)), AnyValue { value: None }],
                }))),
            ),
            pair(
                "m",
                Some(any(Value::KvlistValue(KeyValueList {
                    values: vec![text("k", "v")],
                }))),
            ),
            pair("n", None),
        ];
        let span = Span {
            trace_id: vec![0x11; 16],
            span_id: vec![0x22; 8],
            parent_span_id: vec![0x33; 8],
            name: "GET /".into(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: 1_000_000_000,
            end_time_unix_nano: 1_002_500_000,
            attributes: every,
            events: vec![Event {
                name: "retry".into(),
                time_unix_nano: u64::MAX,
                attributes: vec![text("why", "503")],
                ..Default::default()
            }],
            links: vec![Link {
                trace_id: vec![0x44; 16],
                span_id: vec![0x55; 8],
                attributes: vec![text("from", "queue")],
                ..Default::default()
            }],
            status: Some(Status {
                message: "boom".into(),
                code: StatusCode::Error.into(),
            }),
            ..Default::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![text("service.name", "reviews")],
                    ..Default::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans: vec![span],
                    ..Default::default()
                }],
                ..Default::default()
            }],
        }
    }

    fn shown(verbosity: Verbosity) -> String {
        let mut out = Vec::new();
        write(&mut out, &request(), 321, verbosity).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn basic_is_a_line_per_batch() {
        assert_eq!(
            shown(Verbosity::Basic),
            "traces: 1 spans, 1 resources, 321 bytes\n"
        );
    }

    #[test]
    fn normal_is_a_line_per_span() {
        let shown = shown(Verbosity::Normal);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 2);
        let (trace, span) = ("11".repeat(16), "22".repeat(8));
        assert!(lines[1].starts_with(&format!("reviews: GET / {trace} {span} 2.5ms s=a\\nb")));
        assert!(lines[1].ends_with(
            "b=true i=-5 d=1.5 y=Bytes(01ab) a=Slice([Int(1), Empty()]) m=Map({k: Str(v)}) n="
        ));
    }

    #[test]
    fn detailed_shows_every_kind_of_value_events_and_links() {
        let shown = shown(Verbosity::Detailed);
        for line in [
            "ResourceSpans #0",
            "     -> service.name: Str(reviews)",
            "    Parent ID      : 3333333333333333",
            "    Kind           : Server",
            "    Start time     : 1970-01-01T00:00:01.000000000Z",
            "    Status code    : Error",
            "    Status message : boom",
            "     -> s: Str(a\\nb\\u{1b}[31m)",
            "     -> b: Bool(true)",
            "     -> i: Int(-5)",
            "     -> d: Double(1.5)",
            "     -> y: Bytes(01ab)",
            "     -> a: Slice([Int(1), Empty()])",
            "     -> m: Map({k: Str(v)})",
            "     -> n: Empty()",
            "     -> Timestamp: 2554-07-21T23:34:33.709551615Z",
            "          -> why: Str(503)",
            "SpanLink #0",
            "          -> from: Str(queue)",
        ] {
            assert!(shown.lines().any(|l| l == line), "no {line:?} in\n{shown}");
        }
    }

    #[test]
    fn a_broken_output_is_an_error_not_a_panic() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        assert!(write(&mut Broken, &request(), 1, Verbosity::Detailed).is_err());
    }
}
