/*! Version 2 in protobuf: a `ListOfSpans` of `zipkin.proto3`. */

use super::span::{Encoder, Endpoint, ZipkinSpan};
use crate::pdata::wire::{WireType, put_bytes, put_message, put_tag, put_varint};
use std::net::IpAddr;

/// A list that is being written.
pub(super) struct Proto<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

impl Encoder for Proto<'_> {
    fn put(&mut self, span: &ZipkinSpan<'_>) {
        put_message(1, self.out, |out| put_span(span, out));
    }
}

fn put_span(span: &ZipkinSpan<'_>, out: &mut Vec<u8>) {
    put_bytes(1, span.trace_id, out);
    if !span.parent.is_empty() {
        put_bytes(2, span.parent, out);
    }
    put_bytes(3, span.id, out);
    // The kinds of OTLP, in Zipkin's numbers.
    let kind = match span.kind {
        3 => 1,
        2 => 2,
        4 => 3,
        5 => 4,
        _ => 0,
    };
    put_number(4, kind, out);
    put_text(5, span.name, out);
    // The start is rounded, and all else is cut, as the Collector does.
    put_fixed64(6, span.start.saturating_add(500) / 1000, out);
    put_number(7, span.duration / 1000, out);
    put_endpoint(8, span.local.as_ref(), out);
    put_endpoint(9, span.remote.as_ref(), out);
    for (time, text) in span.annotations() {
        put_message(10, out, |out| {
            put_fixed64(1, time / 1000, out);
            put_text(2, &text, out);
        });
    }
    for (name, value) in span.tags.iter() {
        put_message(11, out, |out| {
            put_bytes(1, name.as_bytes(), out);
            put_bytes(2, value.text().as_bytes(), out);
        });
    }
}

fn put_endpoint(number: u32, endpoint: Option<&Endpoint<'_>>, out: &mut Vec<u8>) {
    let Some(endpoint) = endpoint else { return };
    put_message(number, out, |out| {
        put_text(1, &endpoint.service, out);
        match endpoint.ip {
            Some(IpAddr::V4(ip)) => put_bytes(2, &ip.octets(), out),
            Some(IpAddr::V6(ip)) => put_bytes(3, &ip.octets(), out),
            None => {}
        }
        put_number(4, endpoint.port.into(), out);
    });
}

fn put_text(number: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        put_bytes(number, text.as_bytes(), out);
    }
}

fn put_number(number: u32, value: u64, out: &mut Vec<u8>) {
    if value > 0 {
        put_tag(number, WireType::Varint, out);
        put_varint(value, out);
    }
}

fn put_fixed64(number: u32, value: u64, out: &mut Vec<u8>) {
    if value > 0 {
        put_tag(number, WireType::Fixed64, out);
        out.extend_from_slice(&value.to_le_bytes());
    }
}
