/*!
What both JSON readers are made of: objects read member by member, lists item by item,
and scalars, each of which may be `null`.

As in Go, names of members are found in any case, and of a member that comes twice the
last counts.
*/

use super::model::Text;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{fmt, marker::PhantomData};

/// An object that is read member by member.
pub(super) trait Members<'de> {
    /// Reads the value of the member `name`.
    fn member<A: MapAccess<'de>>(&mut self, name: Text<'de>, map: &mut A) -> Result<(), A::Error>;
}

/// A list that is read item by item.
pub(super) trait Items<'de> {
    /// Reads the next item. False: there is none.
    fn item<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error>;
}

/// Returns which of `names` is meant.
pub(super) fn named(names: &[&'static str], name: &[u8]) -> Option<&'static str> {
    let exact = names.iter().find(|known| known.as_bytes() == name);
    let similar = || {
        let mut known = names.iter();
        known.find(|known| known.as_bytes().eq_ignore_ascii_case(name))
    };
    exact.or_else(similar).copied()
}

/// Reads what `S` reads, or `null` as None.
pub(super) struct Nullable<S>(pub(super) S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// Reads an object into its [`Members`].
pub(super) struct Object<'t, T>(pub(super) &'t mut T);

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(TextSeed)? {
            self.0.member(name, &mut map)?;
        }
        Ok(())
    }
}

/// Reads an array into its [`Items`].
pub(super) struct List<'t, T>(pub(super) &'t mut T);

impl<'de, T: Items<'de>> DeserializeSeed<'de> for List<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Items<'de>> Visitor<'de> for List<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.0.item(&mut seq)? {}
        Ok(())
    }
}

/// Reads text, which need not be Unicode.
pub(super) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        // As bytes, the parser does not insist on Unicode.
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Text<'de>, E> {
        Ok(Text::Borrowed(text))
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Text<'de>, E> {
        Ok(Text::Owned(text.to_vec()))
    }
}

/// Reads text, or what a boolean or a number is in text.
pub(super) struct LooseTextSeed;

impl<'de> DeserializeSeed<'de> for LooseTextSeed {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LooseTextSeed {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Borrowed(text.as_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Owned(text.as_bytes().to_vec()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Text<'de>, E> {
        Ok(Text::Borrowed(if value { b"true" } else { b"false" }))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Text<'de>, E> {
        Ok(Text::Owned(value.to_string().into_bytes()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Text<'de>, E> {
        Ok(Text::Owned(value.to_string().into_bytes()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Text<'de>, E> {
        Ok(Text::Owned(value.to_string().into_bytes()))
    }
}

/// Reads a whole number of the type `N`; `what` it is.
pub(super) struct NumberSeed<N> {
    what: &'static str,
    of: PhantomData<N>,
}

impl<N> NumberSeed<N> {
    pub(super) fn new(what: &'static str) -> Self {
        let of = PhantomData;
        Self { what, of }
    }
}

impl<'de, N: TryFrom<u64> + TryFrom<i64>> DeserializeSeed<'de> for NumberSeed<N> {
    type Value = N;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<N, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl<'de, N: TryFrom<u64> + TryFrom<i64>> Visitor<'de> for NumberSeed<N> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<N, E> {
        let found = serde::de::Unexpected::Unsigned(value);
        N::try_from(value).map_err(|_| E::invalid_value(found, &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<N, E> {
        let found = serde::de::Unexpected::Signed(value);
        N::try_from(value).map_err(|_| E::invalid_value(found, &self))
    }
}
