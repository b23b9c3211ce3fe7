/*! A span as Zipkin has it, read from OTLP where it lies. */

use super::{
    tags::{GroupTags, Tags},
    value::object,
};
use crate::{
    pdata::{message::Message, number::ShowHex},
    zipkin::names,
};
use std::{borrow::Cow, net::IpAddr};

/// Writes spans one after the other.
pub(super) trait Encoder {
    /// Appends a span.
    fn put(&mut self, span: &ZipkinSpan<'_>);
}

/// A span of version 2.
#[derive(Debug)]
pub(super) struct ZipkinSpan<'a> {
    pub(super) trace_id: &'a [u8],
    pub(super) id: &'a [u8],
    /// Empty for a root.
    pub(super) parent: &'a [u8],
    pub(super) name: &'a str,
    /// As OTLP numbers them; 0: none that Zipkin has.
    pub(super) kind: u64,
    /// Nanoseconds since 1970; 0: there is none.
    pub(super) start: u64,
    /// Nanoseconds.
    pub(super) duration: u64,
    pub(super) local: Option<Endpoint<'a>>,
    pub(super) remote: Option<Endpoint<'a>>,
    pub(super) tags: Tags<'a>,
    span: Message<'a>,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) service: Cow<'a, str>,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
}

/// Spans that began within the first second of 1970 had no time.
const FIRST_SECOND: u64 = 1_000_000_000;

/// In nanoseconds.
const MICROSECOND: u64 = 1000;

const INTERNAL: u64 = 1;

impl<'a> ZipkinSpan<'a> {
    /// Reads a span with its tags. None: it has no ids.
    pub(super) fn new(
        group: &GroupTags<'a>,
        span: Message<'a>,
        mut tags: Tags<'a>,
    ) -> Option<Self> {
        let is_id = |id: &[u8], length: usize| id.len() == length && id.iter().any(|b| *b != 0);
        let (trace_id, id) = (span.bytes(1), span.bytes(2));
        if !is_id(trace_id, 16) || !is_id(id, 8) {
            return None;
        }
        let parent = Some(span.bytes(4)).filter(|parent| is_id(parent, 8));
        if !span.text(3).is_empty() {
            tags.set(names::TRACE_STATE, span.text(3));
        }
        let kind = span.number(6);
        if kind == INTERNAL {
            tags.set(names::SPAN_KIND, "internal");
        }
        let service = group.service.clone();
        let local = take_endpoint(&mut tags, service, names::LOCAL_ADDRESS, names::LOCAL_PORT);
        let peer = tags.take(names::PEER_SERVICE);
        let peer = peer.or_else(|| tags.take("peer.service"));
        let peer = peer.unwrap_or_default();
        let remote = take_endpoint(&mut tags, peer, names::PEER_ADDRESS, names::PEER_PORT);
        put_status(span.message(15), &mut tags);
        for (number, link) in span.messages(13).enumerate() {
            tags.set(format!("{}{number}", names::LINK), link_text(link));
        }
        let (start, end) = (span.number(7), span.number(8));
        Some(Self {
            trace_id,
            id,
            parent: parent.unwrap_or_default(),
            name: span.text(5),
            kind: if (2..=5).contains(&kind) { kind } else { 0 },
            start: Some(start).filter(|at| *at >= FIRST_SECOND).unwrap_or(0),
            duration: end.saturating_sub(start),
            local,
            remote,
            tags,
            span,
        })
    }

    /// Iterates over annotations: times in nanoseconds, and texts. One without a time
    /// has that of the span's beginning, since readers refuse a list with a 0.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (u64, Cow<'a, str>)> {
        let earliest = self.start.max(MICROSECOND);
        let events = self.span.messages(11);
        events.map(move |event| {
            let time = Some(event.number(1)).filter(|time| *time >= MICROSECOND);
            (time.unwrap_or(earliest), event_text(event))
        })
    }
}

/// Takes what tags tell of an endpoint.
fn take_endpoint<'a>(
    tags: &mut Tags<'a>,
    service: Cow<'a, str>,
    address: &str,
    port: &str,
) -> Option<Endpoint<'a>> {
    let ip = tags.take(address).and_then(|text| text.parse().ok());
    let port = tags.take(port).map_or(0, |text| port_of(&text));
    (!service.is_empty() || ip.is_some()).then_some(Endpoint { service, ip, port })
}

/// Returns a port; the largest for numbers beyond it, 0 for anything else.
fn port_of(text: &str) -> u16 {
    let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_number => port,
        _ if is_number => u16::MAX,
        _ => 0,
    }
}

fn put_status<'a>(status: Message<'a>, tags: &mut Tags<'a>) {
    let code = status.number(3);
    match code {
        2 => tags.set(names::ERROR, "true"),
        // Zipkin takes any span with this tag for a failure.
        _ => drop(tags.take(names::ERROR)),
    }
    if code == 0 {
        return;
    }
    tags.set(
        names::STATUS_CODE,
        match code {
            1 => "STATUS_CODE_OK",
            2 => "STATUS_CODE_ERROR",
            _ => "",
        },
    );
    if !status.text(2).is_empty() {
        tags.set(names::STATUS_DESCRIPTION, status.text(2));
    }
}

/// Returns the text of an event: its name, with attributes in JSON if it has any.
fn event_text(event: Message<'_>) -> Cow<'_, str> {
    let (name, dropped) = (event.text(2), event.number(4));
    if dropped == 0 && event.attributes(3).next().is_none() {
        return name.into();
    }
    format!("{name}|{}|{dropped}", object(event.attributes(3))).into()
}

/// Returns the text of a link.
fn link_text(link: Message<'_>) -> String {
    let json = object(link.attributes(4));
    let (state, dropped) = (link.text(3), link.number(5));
    format!(
        "{}|{}|{state}|{json}|{dropped}",
        hex_or_nothing(link.bytes(1)),
        hex_or_nothing(link.bytes(2)),
    )
}

/// Returns an id in hexadecimal digits, nothing for one of zeros.
fn hex_or_nothing(id: &[u8]) -> String {
    match id.iter().all(|octet| *octet == 0) {
        true => String::new(),
        false => ShowHex(id).to_string(),
    }
}
