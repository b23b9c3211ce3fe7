/*! Version 1 in JSON: an array of spans. */

use super::{
    ImportOptions,
    groups::{Groups, TooMuch},
    id,
    json::{Items, List, LooseTextSeed, Members, Nullable, NumberSeed, Object, TextSeed, named},
    list::ListedSpan,
    model::{Text, push},
    v1::{AnnotationV1, EndpointV1, SpanV1, V1Writer},
};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess};

const MICROSECONDS: &str = "microseconds, a whole number";

/// A span, what writes it, and the member of it that is being read.
#[derive(Default)]
pub(super) struct SpanMembers<'a> {
    span: SpanV1<'a>,
    writer: V1Writer,
    member: &'static str,
}

impl<'de> ListedSpan<'de> for SpanMembers<'de> {
    fn clear(&mut self) {
        self.span.clear();
        self.member = "";
    }

    fn fault(&mut self) -> Option<&'static str> {
        let ids = [
            (&self.span.trace_id[..], "traceId"),
            (&self.span.id[..], "id"),
        ];
        let is_zero = |(id, _): &(&[u8], _)| id.iter().all(|octet| *octet == 0);
        self.member = ids.into_iter().find(is_zero)?.1;
        Some("a span needs one other than 0")
    }

    fn add(&mut self, options: ImportOptions, groups: &mut Groups) -> Result<(), TooMuch> {
        self.writer.add(&self.span, options, groups)
    }

    fn place(&self) -> String {
        match self.member {
            "" => String::new(),
            member => format!(".{member}"),
        }
    }
}

const MEMBERS: &[&str] = &[
    "traceId",
    "id",
    "parentId",
    "name",
    "timestamp",
    "duration",
    "annotations",
    "binaryAnnotations",
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
                let short = || {
                    let low = id::exact::<8>(&digits).map(u64::from_be_bytes);
                    low.map(|low| u128::from(low).to_be_bytes())
                };
                let id = id::exact(&digits).or_else(short);
                let wrong = || A::Error::custom("not 16 or 32 hexadecimal digits");
                span.trace_id = id.ok_or_else(wrong)?;
            }
            "id" => span.id = read_id(map)?,
            "parentId" => span.parent = read_id(map)?,
            "name" => span.name = text(map)?,
            "timestamp" => span.timestamp = microseconds(map)?,
            "duration" => span.duration = microseconds(map)?,
            "annotations" => {
                span.annotations.clear();
                let mut annotations = Annotations(&mut span.annotations);
                map.next_value_seed(Nullable(List(&mut annotations)))?;
            }
            _ => {
                span.tags.clear();
                map.next_value_seed(Nullable(List(&mut BinaryAnnotations(span))))?;
            }
        }
        self.member = "";
        Ok(())
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Text<'de>, A::Error> {
    let text = map.next_value_seed(Nullable(TextSeed))?;
    Ok(text.unwrap_or_default())
}

fn microseconds<'de, A: MapAccess<'de>>(map: &mut A) -> Result<i64, A::Error> {
    let number = map.next_value_seed(Nullable(NumberSeed::new(MICROSECONDS)))?;
    Ok(number.unwrap_or(0))
}

/// Reads an id of 64 bits; none is 0.
fn read_id<'de, A: MapAccess<'de>>(map: &mut A) -> Result<[u8; 8], A::Error> {
    let digits = text(map)?;
    if digits.is_empty() {
        return Ok([0; 8]);
    }
    let id = id::exact(&digits);
    id.ok_or_else(|| A::Error::custom("not 16 hexadecimal digits"))
}

struct Annotations<'s, 'a>(&'s mut Vec<AnnotationV1<'a>>);

impl<'de> Items<'de> for Annotations<'_, 'de> {
    fn item<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let mut annotation = AnnotationV1::default();
        let item = seq.next_element_seed(Nullable(Object(&mut annotation)))?;
        if !annotation.value.is_empty() {
            push(self.0, annotation).map_err(A::Error::custom)?;
        }
        Ok(item.is_some())
    }
}

impl<'de> Members<'de> for AnnotationV1<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        match named(&["timestamp", "value", "endpoint"], &name) {
            Some("timestamp") => self.timestamp = microseconds(map)?,
            Some("value") => self.value = text(map)?,
            Some(_) => {
                map.next_value_seed(Nullable(Object(&mut self.endpoint)))?;
            }
            None => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> Members<'de> for EndpointV1<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        match named(&["serviceName", "ipv4", "ipv6", "port"], &name) {
            Some("serviceName") => self.service = text(map)?,
            Some("ipv4") => self.ipv4 = text(map)?,
            Some("ipv6") => self.ipv6 = text(map)?,
            Some(_) => {
                let port = map.next_value_seed(Nullable(NumberSeed::new("a port")))?;
                self.port = port.unwrap_or(0);
            }
            None => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct BinaryAnnotations<'s, 'a>(&'s mut SpanV1<'a>);

impl<'de> Items<'de> for BinaryAnnotations<'_, 'de> {
    fn item<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let mut annotation = BinaryAnnotation::default();
        let item = seq.next_element_seed(Nullable(Object(&mut annotation)))?;
        if item == Some(Some(())) {
            let BinaryAnnotation {
                key,
                value,
                endpoint,
            } = annotation;
            if !endpoint.service.is_empty() {
                self.0.tagged_by = endpoint.service;
            }
            push(&mut self.0.tags, (key, value)).map_err(A::Error::custom)?;
        }
        Ok(item.is_some())
    }
}

#[derive(Default)]
struct BinaryAnnotation<'a> {
    key: Text<'a>,
    value: Text<'a>,
    endpoint: EndpointV1<'a>,
}

impl<'de> Members<'de> for BinaryAnnotation<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error> {
        match named(&["key", "value", "endpoint"], &name) {
            Some("key") => self.key = text(map)?,
            Some("value") => {
                let value = map.next_value_seed(Nullable(LooseTextSeed))?;
                self.value = value.unwrap_or_default();
            }
            Some(_) => {
                map.next_value_seed(Nullable(Object(&mut self.endpoint)))?;
            }
            None => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}
