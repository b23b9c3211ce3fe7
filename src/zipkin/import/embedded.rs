/*!
Events and links with attributes, which exporters write as text: `name|{JSON}|dropped`
and `trace id|span id|trace state|{JSON}|dropped`.
*/

use super::{
    attribute::{Value, put_attribute},
    id,
};
use crate::pdata::wire::{put_nonempty, put_number};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Appends the name of an event, and its attributes if it has any. What is not in the
/// form is the name.
pub(super) fn put_event(text: &[u8], out: &mut Vec<u8>) {
    let mut parts = text.splitn(2, |octet| *octet == b'|');
    let name = parts.next().unwrap_or_default();
    let Some((json, dropped)) = parts.next().and_then(split_last) else {
        return put_nonempty(2, name, out);
    };
    let before = out.len();
    put_nonempty(2, name, out);
    if put_attributes(3, json, dropped, 4, out).is_none() {
        out.truncate(before);
        put_nonempty(2, text, out);
    }
}

/// What the text of a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkText {
    /// A link, which was appended.
    Link,
    /// Too little to be one.
    Short,
    /// Something else.
    Other,
}

/// Appends the fields of a link, if the text is one.
pub(super) fn put_link(text: &[u8], out: &mut Vec<u8>) -> LinkText {
    let mut parts = text.splitn(4, |octet| *octet == b'|');
    let [trace, span, state] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let Some((json, dropped)) = parts.next().and_then(split_last) else {
        return LinkText::Short;
    };
    let before = out.len();
    let link = (|| {
        put_id::<16>(1, trace, out)?;
        put_id::<8>(2, span, out)?;
        put_nonempty(3, state, out);
        put_attributes(4, json, dropped, 5, out)
    })();
    match link {
        Some(()) => LinkText::Link,
        None => {
            out.truncate(before);
            LinkText::Other
        }
    }
}

/// Splits what is behind the last bar off.
fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let bar = text.iter().rposition(|octet| *octet == b'|')?;
    Some((text.get(..bar)?, text.get(bar + 1..)?))
}

/// Appends an id, which may be in quotes or missing.
fn put_id<const N: usize>(number: u32, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let quoted = text
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let digits = quoted.unwrap_or(text);
    if !digits.is_empty() {
        put_nonempty(number, &id::exact::<N>(digits)?, out);
    }
    Some(())
}

/// Appends attributes, and the number of those that were dropped.
fn put_attributes(
    number: u32,
    json: &[u8],
    dropped: &[u8],
    dropped_number: u32,
    out: &mut Vec<u8>,
) -> Option<()> {
    let is_number = !dropped.is_empty() && dropped.iter().all(u8::is_ascii_digit);
    let dropped: u32 = is_number
        .then(|| std::str::from_utf8(dropped).ok()?.parse().ok())
        .flatten()?;
    let mut parser = serde_json::Deserializer::from_slice(json);
    let attributes = JsonAttributes { number, out };
    parser.deserialize_option(attributes).ok()?;
    parser.end().ok()?;
    if dropped > 0 {
        put_number(dropped_number, dropped.into(), out);
    }
    Some(())
}

/// Reads an object, each of whose simple values is an attribute.
struct JsonAttributes<'a> {
    number: u32,
    out: &'a mut Vec<u8>,
}

impl<'de> Visitor<'de> for JsonAttributes<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let attribute = JsonValue {
                number: self.number,
                key: key.as_bytes(),
                out: &mut *self.out,
            };
            map.next_value_seed(attribute)?;
        }
        Ok(())
    }
}

/// Reads a value and appends its attribute, if it is a simple one.
struct JsonValue<'a> {
    number: u32,
    key: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl JsonValue<'_> {
    fn put(self, value: Value<'_>) {
        put_attribute(self.number, self.key, value, self.out);
    }
}

impl<'de> DeserializeSeed<'de> for JsonValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.put(Value::Text(text.as_bytes()));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(Value::Bool(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    // Exporters write whole numbers of either kind alike, and have them pass
    // through a double.
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        self.put(match value.fract() == 0.0 {
            true if (-BEYOND..BEYOND).contains(&value) => Value::Int(value as i64),
            true => Value::Int(i64::MIN),
            false => Value::Double(value),
        });
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
