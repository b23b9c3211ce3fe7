/*! Version 2 in protobuf: a `ListOfSpans` of `zipkin.proto3`. */

use super::span::{Encoder, Endpoint, ZipkinSpan};
use crate::pdata::wire::{self, put_bytes, put_message, put_nonempty, put_nonzero64};
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
    put_nonempty(2, span.parent, out);
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
    put_nonempty(5, span.name.as_bytes(), out);
    // The start is rounded, and all else is cut, as the Collector does.
    put_nonzero64(6, span.start.saturating_add(500) / 1000, out);
    put_number(7, span.duration / 1000, out);
    put_endpoint(8, span.local.as_ref(), out);
    put_endpoint(9, span.remote.as_ref(), out);
    for (time, text) in span.annotations() {
        put_message(10, out, |out| {
            put_nonzero64(1, time / 1000, out);
            put_nonempty(2, text.as_bytes(), out);
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
        put_nonempty(1, endpoint.service.as_bytes(), out);
        match endpoint.ip {
            Some(IpAddr::V4(ip)) => put_bytes(2, &ip.octets(), out),
            Some(IpAddr::V6(ip)) => put_bytes(3, &ip.octets(), out),
            None => {}
        }
        put_number(4, endpoint.port.into(), out);
    });
}

/// Appends a varint, unless it is 0.
fn put_number(number: u32, value: u64, out: &mut Vec<u8>) {
    if value > 0 {
        wire::put_number(number, value, out);
    }
}
