/*! Version 2 in JSON: an array of spans. */

use super::{
    ImportOptions,
    groups::{Groups, TooMuch},
    id,
    json::{Items, List, Members, Nullable, NumberSeed, Object, TextSeed, named},
    list::ListedSpan,
    model::{Address, Annotation, Endpoint, Kind, SpanV2, Text, push},
    v2::V2Writer,
};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess};

const MICROSECONDS: &str = "microseconds, a whole number";

/// A span, what writes it, and the member of it that is being read.
#[derive(Default)]
pub(super) struct SpanMembers<'a> {
    span: SpanV2<'a>,
    writer: V2Writer,
    member: &'static str,
    /// The member of an endpoint.
    within: &'static str,
}

impl<'de> ListedSpan<'de> for SpanMembers<'de> {
    fn clear(&mut self) {
        self.span.clear();
        (self.member, self.within) = ("", "");
    }

    fn fault(&mut self) -> Option<&'static str> {
        if self.span.id != [0; 8] {
            return None;
        }
        self.member = "id";
        Some("a span needs an id other than 0")
    }

    fn add(&mut self, options: ImportOptions, groups: &mut Groups) -> Result<(), TooMuch> {
        self.writer.add(&self.span, options, groups)
    }

    fn place(&self) -> String {
        let steps = [self.member, self.within].into_iter();
        let steps = steps.filter(|step| !step.is_empty());
        steps.map(|step| format!(".{step}")).collect()
    }
}

const MEMBERS: &[&str] = &[
    "traceId",
    "id",
    "parentId",
    "name",
    "kind",
    "timestamp",
    "duration",
    "localEndpoint",
    "remoteEndpoint",
    "annotations",
    "tags",
];

impl<'de> Members<'de> for SpanMembers<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        let Some(name) = named(MEMBERS, &name) else {
            return map.next_value::<IgnoredAny>().map(drop);
        };
        self.member = name;
        let span = &mut self.span;
        match name {
            "traceId" => {
                let digits = map.next_value_seed(TextSeed)?;
                let id = id::trace_id(&digits);
                span.trace_id =
                    id.ok_or_else(|| A::Error::custom("not 128 bits in hexadecimal"))?;
            }
            "id" => span.id = read_id(map)?,
            "parentId" => span.parent = read_id(map)?,
            "name" => span.name = map.next_value_seed(Nullable(TextSeed))?.unwrap_or_default(),
            "kind" => {
                let kind = map.next_value_seed(Nullable(TextSeed))?.unwrap_or_default();
                span.kind = match &*kind {
                    b"CLIENT" => Kind::Client,
                    b"SERVER" => Kind::Server,
                    b"PRODUCER" => Kind::Producer,
                    b"CONSUMER" => Kind::Consumer,
                    _ => Kind::Undetermined,
                };
            }
            "timestamp" => {
                let timestamp = map.next_value_seed(Nullable(NumberSeed::new(MICROSECONDS)))?;
                span.timestamp = timestamp.filter(|microseconds| *microseconds > 0);
            }
            "duration" => {
                let duration = map.next_value_seed(Nullable(NumberSeed::new(MICROSECONDS)))?;
                span.duration = duration.unwrap_or(0);
            }
            "localEndpoint" => {
                let endpoint = &mut span.local;
                let within = &mut self.within;
                let mut members = EndpointMembers { endpoint, within };
                map.next_value_seed(Nullable(Object(&mut members)))?;
            }
            "remoteEndpoint" => {
                let endpoint = &mut span.remote;
                let within = &mut self.within;
                let mut members = EndpointMembers { endpoint, within };
                map.next_value_seed(Nullable(Object(&mut members)))?;
            }
            "annotations" => {
                span.annotations.clear();
                let mut annotations = Annotations(&mut span.annotations);
                map.next_value_seed(Nullable(List(&mut annotations)))?;
            }
            _ => {
                let mut tags = Tags(&mut span.tags);
                map.next_value_seed(Nullable(Object(&mut tags)))?;
            }
        }
        self.member = "";
        Ok(())
    }
}

/// Reads an id of up to 64 bits; none is 0.
fn read_id<'de, A: MapAccess<'de>>(map: &mut A) -> Result<[u8; 8], A::Error> {
    let digits = map.next_value_seed(Nullable(TextSeed))?.unwrap_or_default();
    if digits.is_empty() {
        return Ok([0; 8]);
    }
    let id = id::hex_u64(&digits).map(u64::to_be_bytes);
    id.ok_or_else(|| A::Error::custom("not 64 bits in hexadecimal"))
}

struct EndpointMembers<'e, 'a> {
    endpoint: &'e mut Endpoint<'a>,
    within: &'e mut &'static str,
}

impl<'de> Members<'de> for EndpointMembers<'_, 'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        let Some(name) = named(&["serviceName", "ipv4", "ipv6", "port"], &name) else {
            return map.next_value::<IgnoredAny>().map(drop);
        };
        *self.within = name;
        match name {
            "serviceName" => {
                let service = map.next_value_seed(Nullable(TextSeed))?;
                self.endpoint.service = service.unwrap_or_default();
            }
            "ipv4" => self.endpoint.ipv4 = read_address(map)?,
            "ipv6" => self.endpoint.ipv6 = read_address(map)?,
            _ => {
                const PORT: &str = "a port, a whole number up to 65535";
                let port = map.next_value_seed(Nullable(NumberSeed::new(PORT)))?;
                self.endpoint.port = port.unwrap_or(0);
            }
        }
        *self.within = "";
        Ok(())
    }
}

fn read_address<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Address<'static>, A::Error> {
    let text = map.next_value_seed(Nullable(TextSeed))?.unwrap_or_default();
    if text.is_empty() {
        return Ok(Address::None);
    }
    let text = std::str::from_utf8(&text).unwrap_or_default();
    let ip = text.parse().map(Address::Ip);
    ip.map_err(|_| A::Error::custom("not an IP address"))
}

struct Annotations<'s, 'a>(&'s mut Vec<Annotation<'a>>);

impl<'de> Items<'de> for Annotations<'_, 'de> {
    fn item<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let mut annotation = Annotation::default();
        let item = seq.next_element_seed(Nullable(Object(&mut annotation)))?;
        if item == Some(Some(())) && annotation.timestamp == 0 {
            return Err(A::Error::custom("an annotation needs a timestamp"));
        }
        if item == Some(Some(())) {
            push(self.0, annotation).map_err(A::Error::custom)?;
        }
        Ok(item.is_some())
    }
}

impl<'de> Members<'de> for Annotation<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        match named(&["timestamp", "value"], &name) {
            Some("timestamp") => {
                let timestamp = map.next_value_seed(Nullable(NumberSeed::new(MICROSECONDS)))?;
                self.timestamp = timestamp.unwrap_or(0);
            }
            Some(_) => self.value = map.next_value_seed(Nullable(TextSeed))?.unwrap_or_default(),
            None => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct Tags<'s, 'a>(&'s mut Vec<(Text<'a>, Text<'a>)>);

impl<'de> Members<'de> for Tags<'_, 'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        let value = map.next_value_seed(Nullable(TextSeed))?;
        push(self.0, (name, value.unwrap_or_default())).map_err(A::Error::custom)
    }
}
