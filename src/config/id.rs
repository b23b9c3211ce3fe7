/*! Ids of components. */

use super::node::shorten;
use std::fmt;

/// A component id, `type` or `type/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The component's type in its current spelling (`otlp_grpc`, not `otlp`).
    pub kind: String,
    /// The part after the slash.
    pub name: Option<String>,
}

impl Id {
    /// The id of the component of this type that has no name.
    pub(crate) fn of(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: None,
        }
    }

    /// Parses `type` or `type/name`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (kind.trim(), Some(name.trim())),
            None => (text.trim(), None),
        };
        let valid_kind = kind.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
            && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let valid_name = name.is_none_or(|name| {
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control())
        });
        if valid_kind && valid_name {
            Ok(Self {
                kind: kind.to_owned(),
                name: name.map(str::to_owned),
            })
        } else {
            Err(format!(
                "\"{}\" is not an id such as otlp or otlp/name",
                shorten(text)
            ))
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{}", self.kind, name),
            None => f.write_str(&self.kind),
        }
    }
}
