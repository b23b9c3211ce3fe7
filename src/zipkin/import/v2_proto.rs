/*! Version 2 in protobuf: a `ListOfSpans` of `zipkin.proto3`. */

use super::{
    ImportOptions,
    groups::Groups,
    model::{Address, Annotation, Endpoint, Kind, SpanV2, Text, push},
    v2::V2Writer,
};
use crate::{
    pdata::wire::{WireFields, WireValue},
    zipkin::ZipkinError,
};
use std::borrow::Cow;

/// Reads all spans of the body into the groups.
pub(super) fn read(
    body: &[u8],
    options: ImportOptions,
    groups: &mut Groups,
) -> Result<(), ZipkinError> {
    let mut span = SpanV2::default();
    let mut writer = V2Writer::default();
    let mut index = 0;
    let read = each_field(body, |number, value| {
        let (1, WireValue::Len(payload)) = (number, value) else {
            return Ok(());
        };
        span.clear();
        read_span(payload, &mut span)?;
        let added = writer.add(&span, options, groups);
        added.map_err(|error| format!(": {error}"))?;
        index += 1;
        Ok(())
    });
    read.map_err(|reason| ZipkinError::of_span(index, reason))
}

/// Gives each field of a message to `take`, to the end of the message.
fn each_field<'a>(
    message: &'a [u8],
    mut take: impl FnMut(u32, WireValue<'a>) -> Result<(), String>,
) -> Result<(), String> {
    let mut end = 0;
    for field in WireFields::new(message) {
        take(field.number, field.value)?;
        end = field.end();
    }
    match end == message.len() {
        true => Ok(()),
        false => Err(format!(
            ": not protobuf of zipkin.proto3: damaged at octet {end} of {}",
            message.len()
        )),
    }
}

fn read_span<'a>(payload: &'a [u8], span: &mut SpanV2<'a>) -> Result<(), String> {
    // Absent, it is 0 here: protobuf does not tell these apart.
    span.timestamp = Some(0);
    let mut has_id = false;
    each_field(payload, |number, value| {
        match (number, value) {
            (1, WireValue::Len(id)) => span.trace_id = trace_id(id)?,
            (2, WireValue::Len([])) => span.parent = [0; 8],
            (2, WireValue::Len(id)) => span.parent = span_id(id, "parent_id")?,
            (3, WireValue::Len(id)) => {
                span.id = span_id(id, "id")?;
                has_id = true;
            }
            (4, WireValue::Varint(kind)) => {
                span.kind = match kind {
                    1 => Kind::Client,
                    2 => Kind::Server,
                    3 => Kind::Producer,
                    4 => Kind::Consumer,
                    _ => Kind::Undetermined,
                };
            }
            (5, WireValue::Len(name)) => span.name = Cow::Borrowed(name),
            (6, WireValue::Fixed64(timestamp)) => span.timestamp = Some(timestamp),
            (7, WireValue::Varint(duration)) => span.duration = duration,
            (8, WireValue::Len(endpoint)) => read_endpoint(endpoint, &mut span.local)?,
            (9, WireValue::Len(endpoint)) => read_endpoint(endpoint, &mut span.remote)?,
            (10, WireValue::Len(annotation)) => {
                let annotation = read_annotation(annotation)?;
                push(&mut span.annotations, annotation).map_err(too_many("annotations"))?;
            }
            (11, WireValue::Len(tag)) => {
                push(&mut span.tags, read_tag(tag)?).map_err(too_many("tags"))?;
            }
            _ => {}
        }
        Ok(())
    })?;
    match has_id {
        true => Ok(()),
        false => Err(".id: a span needs one".to_owned()),
    }
}

fn too_many(member: &'static str) -> impl Fn(&'static str) -> String {
    move |reason| format!(".{member}: {reason}")
}

/// Returns a trace id of 64 or 128 bits, padded.
fn trace_id(id: &[u8]) -> Result<[u8; 16], String> {
    let mut padded = [0; 16];
    match id.len() {
        8 | 16 => {
            let from = 16 - id.len();
            padded
                .iter_mut()
                .skip(from)
                .zip(id)
                .for_each(|(to, from)| *to = *from);
            Ok(padded)
        }
        length => Err(format!(".trace_id: {length} octets where 16 should be")),
    }
}

fn span_id(id: &[u8], member: &str) -> Result<[u8; 8], String> {
    let length = id.len();
    let wrong = |_| format!(".{member}: {length} octets where 8 should be");
    id.try_into().map_err(wrong)
}

fn read_endpoint<'a>(payload: &'a [u8], endpoint: &mut Endpoint<'a>) -> Result<(), String> {
    each_field(payload, |number, value| {
        match (number, value) {
            (1, WireValue::Len(service)) => endpoint.service = Cow::Borrowed(service),
            (2, WireValue::Len(octets)) => endpoint.ipv4 = address(octets),
            (3, WireValue::Len(octets)) => endpoint.ipv6 = address(octets),
            // A port has sixteen bits, whatever more there is.
            (4, WireValue::Varint(port)) => endpoint.port = port as u16,
            _ => {}
        }
        Ok(())
    })
}

fn address(octets: &[u8]) -> Address<'_> {
    if octets.is_empty() {
        return Address::None;
    }
    let ipv4 = <[u8; 4]>::try_from(octets).map(|octets| Address::Ip(octets.into()));
    let ipv6 = <[u8; 16]>::try_from(octets).map(|octets| Address::Ip(octets.into()));
    ipv4.or(ipv6).unwrap_or(Address::Odd(octets))
}

fn read_annotation(payload: &[u8]) -> Result<Annotation<'_>, String> {
    let mut annotation = Annotation::default();
    each_field(payload, |number, value| {
        match (number, value) {
            (1, WireValue::Fixed64(timestamp)) => annotation.timestamp = timestamp,
            (2, WireValue::Len(value)) => annotation.value = Cow::Borrowed(value),
            _ => {}
        }
        Ok(())
    })?;
    Ok(annotation)
}

fn read_tag(payload: &[u8]) -> Result<(Text<'_>, Text<'_>), String> {
    let mut tag = (Cow::default(), Cow::default());
    each_field(payload, |number, value| {
        match (number, value) {
            (1, WireValue::Len(name)) => tag.0 = Cow::Borrowed(name),
            (2, WireValue::Len(value)) => tag.1 = Cow::Borrowed(value),
            _ => {}
        }
        Ok(())
    })?;
    Ok(tag)
}
