/*! What wayspan says of itself as a whole: attributes that its metrics and logs have. */

use crate::{
    pdata::wire::{put_bytes, put_fixed64, put_message, put_number},
    random,
};
use rand::Rng as _;
use std::{collections::BTreeMap, fmt, sync::LazyLock};

/// The attribute that tells this process from all others.
pub(super) const INSTANCE: &str = "service.instance.id";

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum ResourceValue {
    /// A text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Double(f64),
}

impl From<&str> for ResourceValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for ResourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
        }
    }
}

/// `service.telemetry.resource`: attributes by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource(pub(super) BTreeMap<String, ResourceValue>);

impl Default for Resource {
    /// Name, version, and an id that no other process has.
    fn default() -> Self {
        let defaults = [
            ("service.name", "wayspan"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            (INSTANCE, INSTANCE_ID.as_str()),
        ];
        let defaults = defaults.map(|(name, value)| (name.to_owned(), value.into()));
        Self(BTreeMap::from(defaults))
    }
}

/// A random UUID (version 4).
static INSTANCE_ID: LazyLock<String> = LazyLock::new(|| random::uuid(4, random::rng().random()));

impl Resource {
    /// The attributes, by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &ResourceValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The id of this process among all collectors; empty where the file takes it away.
    pub(super) fn instance_id(&self) -> String {
        let id = self.0.get(INSTANCE);
        id.map(ResourceValue::to_string).unwrap_or_default()
    }

    /// The attributes, encoded as the payload of a resource.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            put_message(1, &mut out, |pair| {
                put_bytes(1, name.as_bytes(), pair);
                put_message(2, pair, |any| match value {
                    ResourceValue::Text(text) => put_bytes(1, text.as_bytes(), any),
                    ResourceValue::Bool(value) => put_number(2, u64::from(*value), any),
                    ResourceValue::Int(value) => put_number(3, value.cast_unsigned(), any),
                    ResourceValue::Double(value) => put_fixed64(4, value.to_bits(), any),
                });
            });
        }
        out
    }

    /// The attributes as JSON has them.
    pub(super) fn json(&self) -> serde_json::Value {
        let json = |value: &ResourceValue| match value {
            ResourceValue::Text(text) => text.as_str().into(),
            ResourceValue::Bool(value) => (*value).into(),
            ResourceValue::Int(value) => (*value).into(),
            ResourceValue::Double(value) => (*value).into(),
        };
        let pairs = self.0.iter();
        let pairs = pairs.map(|(name, value)| (name.clone(), json(value)));
        pairs.collect::<serde_json::Map<_, _>>().into()
    }
}
