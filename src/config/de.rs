/*!
Reading a located tree into the raw types, through serde.

A deserializer of our own, because it must say where: an unknown key is reported
at the key, with the nearest valid one, and skipped; a bad value is reported at
the value, and its [`Field`] is left empty. So one pass finds every mistake.
The raw types all tell serde `deny_unknown_fields`; their list of keys is what
unknown keys are held against.
*/

use super::{
    diagnostic::{Diagnostic, Report, Spot, did_you_mean, nearest},
    node::{Node, Resolved, Value, shorten},
    secrecy,
};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess,
    Visitor,
};
use std::{fmt, marker::PhantomData};

/// Reads `node`, found at `path`, reporting what is wrong with it. None when it
/// is not even of the right shape. `used`: some pipeline uses it, so that keys
/// without effect are worth a word.
pub(super) fn read<'de, T: Deserialize<'de>>(
    node: &'de Node,
    path: &str,
    used: bool,
    report: &'de Report,
) -> Option<T> {
    let de = De {
        node,
        path: path.to_owned(),
        used,
        report,
    };
    match T::deserialize(de.clone()) {
        Ok(value) => Some(value),
        Err(error) => {
            de.settle(error);
            None
        }
    }
}

/// A key of a raw type: absent, without a value, or with one.
#[derive(Debug)]
pub(super) struct Field<T> {
    /// Where it is written, if it is.
    pub(super) spot: Option<Spot>,
    /// Its value, if that could be read.
    pub(super) value: Option<T>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self {
            spot: None,
            value: None,
        }
    }
}

impl<T> Field<T> {
    /// The value, or `default` where the key is absent, null or bad.
    pub(super) fn or(self, default: T) -> T {
        self.value.unwrap_or(default)
    }

    pub(super) fn as_ref(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

/// As [`Field`], but present even when null, as `grpc:` without settings is.
#[derive(Debug)]
pub(super) struct Section<T> {
    pub(super) spot: Option<Spot>,
    pub(super) value: Option<T>,
}

impl<T> Default for Section<T> {
    fn default() -> Self {
        Self {
            spot: None,
            value: None,
        }
    }
}

/// A section with a short form: a word for all of it, or its keys.
#[derive(Debug)]
pub(super) enum Switchable<W, T> {
    Word(W),
    Keys(T),
}

/// A key of the Collector's that changes nothing here: accepted with a warning.
#[derive(Debug, Default)]
pub(super) struct Ignored;

/// A key of the Collector's that wayspan does not honour and must not ignore.
#[derive(Debug, Default)]
pub(super) struct Refused;

const FIELD: &str = "$field";
const SECTION: &str = "$section";
const IGNORED: &str = "$ignored";
const REFUSED: &str = "$refused";
const SWITCHABLE: &str = "$switchable";

/// Why a value was not produced.
#[derive(Debug)]
pub(super) enum Error {
    /// Said by serde or by a type; its place is known to whoever asked.
    Said(String),
    /// Already in the report.
    Reported,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(message) => f.write_str(message),
            Self::Reported => f.write_str("invalid configuration"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Said(message.to_string())
    }
}

#[derive(Clone, Debug)]
struct De<'de> {
    node: &'de Node,
    path: String,
    used: bool,
    report: &'de Report,
}

impl<'de> De<'de> {
    fn child(&self, key: impl fmt::Display, node: &'de Node) -> Self {
        Self {
            node,
            path: join(&self.path, key),
            ..*self
        }
    }

    /// Puts an error that has no place yet at this value.
    fn settle(&self, error: Error) -> Error {
        if let Error::Said(message) = error {
            // serde quotes what it did not expect.
            let message = match message.split_once(", expected ") {
                Some((_, what)) if secrecy::is_secret(&self.path) => format!("expected {what}"),
                _ => message,
            };
            let message = format!("{}: {message}", self.path);
            self.report.error(Diagnostic::at(self.node.place, message));
        }
        Error::Reported
    }

    fn expected(&self, what: &str) -> Error {
        let found = match &self.node.value {
            Value::Scalar(_) if secrecy::is_secret(&self.path) => "a text".to_owned(),
            _ => self.node.describe(),
        };
        Error::Said(format!("expected {what}, found {found}"))
    }

    /// The value as text, when it is a scalar.
    fn text(&self) -> Option<&'de str> {
        match (&self.node.original, &self.node.value) {
            (Some(original), _) => Some(original),
            (None, Value::Scalar(scalar)) => Some(&scalar.text),
            _ => None,
        }
    }

    /// What the text means where a number or a boolean is wanted, quoted or not.
    fn resolved(&self) -> Resolved {
        match &self.node.value {
            Value::Scalar(scalar) => super::node::Scalar::plain(scalar.text.trim()).resolve(),
            _ => Resolved::Text,
        }
    }

    /// A whole number between `least` and `most`.
    fn integer(&self, least: i128, most: i128) -> Result<i128, Error> {
        match self.resolved() {
            Resolved::Integer(integer) if (least..=most).contains(&integer) => Ok(integer),
            Resolved::Integer(integer) => Err(Error::Said(format!(
                "{integer} is out of range: {least} to {most}"
            ))),
            _ => Err(self.expected("a whole number")),
        }
    }

    fn struct_map(&self, fields: &'static [&'static str]) -> Result<Keys<'de>, Error> {
        let mut keys = self.keys()?;
        keys.entries.retain(|(key, node)| {
            let known = fields.contains(&key.as_str());
            if !known {
                self.report
                    .error(unknown_key(key, node, &self.path, fields));
            }
            known
        });
        Ok(keys)
    }

    fn keys(&self) -> Result<Keys<'de>, Error> {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.iter().rev().collect(),
            _ if self.node.is_null() => Vec::new(),
            _ => return Err(self.expected("a map")),
        };
        Ok(Keys {
            de: self.clone(),
            entries,
            value: None,
        })
    }

    fn items(&self) -> Result<Items<'de>, Error> {
        let items: &[Node] = match &self.node.value {
            Value::List(items) => items,
            _ if self.node.is_null() => &[],
            _ => return Err(self.expected("a list")),
        };
        Ok(Items {
            de: self.clone(),
            items: items.iter().enumerate(),
        })
    }
}

fn join(path: &str, key: impl fmt::Display) -> String {
    if path.is_empty() {
        key.to_string()
    } else {
        format!("{path}.{key}")
    }
}

/// The finding for a key that is not among `valid`.
pub(super) fn unknown_key(key: &str, node: &Node, path: &str, valid: &[&str]) -> Diagnostic {
    let shown = shorten(key);
    let place = if path.is_empty() {
        "at the top level".to_owned()
    } else {
        format!("in {path}")
    };
    let hint = did_you_mean(key, valid);
    // What was meant may have been a secret.
    let hides = nearest(key, valid).is_none_or(secrecy::hides);
    Diagnostic::at_key(node.place, format!("unknown key \"{shown}\" {place}{hint}"))
        .hiding_value(hides)
        .help(format!("valid keys: {}", valid.join(", ")))
}

/// Runs a visitor with an error placed at this value.
macro_rules! placed {
    ($self:ident, $result:expr) => {{
        let at = $self.clone();
        let visited = move || -> Result<V::Value, Error> { $result };
        visited().map_err(|error| at.settle(error))
    }};
}

macro_rules! integers {
    ($($method:ident $type:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            placed!(self, {
                let (least, most) = (i128::from($type::MIN), i128::from($type::MAX));
                let integer = self.integer(least, most)?;
                // In range, so never the default.
                visitor.$visit($type::try_from(integer).unwrap_or_default())
            })
        }
    )*};
}

impl<'de> Deserializer<'de> for De<'de> {
    type Error = Error;

    integers! {
        deserialize_u8 u8 visit_u8
        deserialize_u16 u16 visit_u16
        deserialize_u32 u32 visit_u32
        deserialize_u64 u64 visit_u64
        deserialize_i8 i8 visit_i8
        deserialize_i16 i16 visit_i16
        deserialize_i32 i32 visit_i32
        deserialize_i64 i64 visit_i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        placed!(
            self,
            match &self.node.value {
                Value::List(_) => visitor.visit_seq(self.items()?),
                Value::Map(_) => visitor.visit_map(self.keys()?),
                Value::Scalar(scalar) => match scalar.resolve() {
                    Resolved::Null => visitor.visit_unit(),
                    Resolved::Bool(value) => visitor.visit_bool(value),
                    Resolved::Float(value) => visitor.visit_f64(value),
                    Resolved::Integer(value) => visitor.visit_i128(value),
                    Resolved::Text => visitor.visit_borrowed_str(&scalar.text),
                },
            }
        )
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        placed!(
            self,
            match self.resolved() {
                Resolved::Bool(value) => visitor.visit_bool(value),
                _ => Err(self.expected("true or false")),
            }
        )
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        placed!(
            self,
            match self.resolved() {
                Resolved::Float(value) => visitor.visit_f64(value),
                #[allow(clippy::cast_precision_loss)]
                Resolved::Integer(value) => visitor.visit_f64(value as f64),
                _ => Err(self.expected("a number")),
            }
        )
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        placed!(
            self,
            match self.text() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => Err(self.expected("a string")),
            }
        )
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let null = self.node.is_null();
        let spot = |de: &Self| de.report.spot(de.node.place, &de.path);
        match name {
            FIELD | SECTION => {
                let empty = name == FIELD && null;
                visitor.visit_seq(Spotted {
                    de: self,
                    empty,
                    spot_read: false,
                })
            }
            IGNORED | REFUSED if null => visitor.visit_unit(),
            IGNORED => {
                if self.used {
                    self.report
                        .warn_at(spot(&self), "has no effect in wayspan; ignored");
                }
                visitor.visit_unit()
            }
            REFUSED => {
                if self.used {
                    let message = format!("{}: not supported by wayspan yet; remove it", self.path);
                    self.report
                        .error(Diagnostic::at_key(self.node.place, message));
                }
                visitor.visit_unit()
            }
            SWITCHABLE if matches!(self.node.value, Value::Scalar(_)) => visitor.visit_some(self),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        placed!(
            self,
            self.items().and_then(|items| visitor.visit_seq(items))
        )
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        placed!(self, self.keys().and_then(|keys| visitor.visit_map(keys)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        placed!(
            self,
            self.struct_map(fields)
                .and_then(|keys| visitor.visit_map(keys))
        )
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        placed!(
            self,
            match self.text().map(str::trim) {
                Some(text) if variants.contains(&text) => {
                    visitor.visit_enum(text.into_deserializer())
                }
                _ => {
                    let hint = self
                        .text()
                        .map(|t| did_you_mean(t, variants))
                        .unwrap_or_default();
                    let valid = variants
                        .iter()
                        .map(|v| if v.is_empty() { "\"\"" } else { v });
                    let valid = valid.collect::<Vec<_>>().join(", ");
                    Err(self.expected(&format!("one of {valid}")))
                        .map_err(|error| Error::Said(format!("{error}{hint}")))
                }
            }
        )
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

/// The entries of a map, last first.
struct Keys<'de> {
    de: De<'de>,
    entries: Vec<&'de (String, Node)>,
    value: Option<&'de (String, Node)>,
}

impl<'de> MapAccess<'de> for Keys<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.value = self.entries.pop();
        match self.value {
            Some((key, _)) => seed.deserialize(key.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, node)) = self.value.take() else {
            return Err(Error::Said("a value was read before its key".to_owned()));
        };
        let child = self.de.child(key, node);
        seed.deserialize(child.clone())
            .map_err(|error| child.settle(error))
    }
}

struct Items<'de> {
    de: De<'de>,
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some((i, node)) = self.items.next() else {
            return Ok(None);
        };
        let child = self.de.child(i, node);
        seed.deserialize(child.clone())
            .map(Some)
            .map_err(|error| child.settle(error))
    }
}

/// A [`Field`] or [`Section`] as a sequence: the number of its spot, then its
/// value unless it has none.
struct Spotted<'de> {
    de: De<'de>,
    empty: bool,
    spot_read: bool,
}

impl<'de> SeqAccess<'de> for Spotted<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if !self.spot_read {
            self.spot_read = true;
            let spot = self.de.report.spot(self.de.node.place, &self.de.path);
            return seed
                .deserialize(spot.number().into_deserializer())
                .map(Some);
        }
        if self.empty {
            return Ok(None);
        }
        let at = self.de.clone();
        seed.deserialize(self.de.clone())
            .map(Some)
            .map_err(|error| at.settle(error))
    }
}

/// Reads a [`Field`] or a [`Section`]. A bad value has been reported by then
/// and reading goes on without it.
struct SpottedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpottedVisitor<T> {
    type Value = (Option<Spot>, Option<T>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let spot = seq.next_element()?.map(Spot::from_number);
        Ok((spot, seq.next_element().unwrap_or(None)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (spot, value) =
            deserializer.deserialize_newtype_struct(FIELD, SpottedVisitor(PhantomData))?;
        Ok(Self { spot, value })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (spot, value) =
            deserializer.deserialize_newtype_struct(SECTION, SpottedVisitor(PhantomData))?;
        Ok(Self { spot, value })
    }
}

struct UnitVisitor;

impl<'de> Visitor<'de> for UnitVisitor {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

struct SwitchableVisitor<W, T>(PhantomData<(W, T)>);

impl<'de, W: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for SwitchableVisitor<W, T> {
    type Value = Switchable<W, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word or a map")
    }

    fn visit_some<D: Deserializer<'de>>(self, word: D) -> Result<Self::Value, D::Error> {
        W::deserialize(word).map(Switchable::Word)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, keys: D) -> Result<Self::Value, D::Error> {
        T::deserialize(keys).map(Switchable::Keys)
    }
}

impl<'de, W: Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for Switchable<W, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SWITCHABLE, SwitchableVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_newtype_struct(IGNORED, UnitVisitor)
            .map(|()| Self)
    }
}

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_newtype_struct(REFUSED, UnitVisitor)
            .map(|()| Self)
    }
}
