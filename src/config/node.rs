/*!
A YAML tree that remembers where everything was written.

Every later stage (merge, expand, read, check) works on this tree, so whatever
goes wrong can be shown to the operator at its line and column.
*/

use std::hash::{Hash as _, Hasher};

/// A run of characters on one line. Lines and columns count from 1, columns in
/// characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TextSpan {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) width: usize,
}

/// Where a value was written, and the key before it if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the source in the list that was loaded.
    pub(super) source: usize,
    pub(super) key: Option<TextSpan>,
    pub(crate) value: TextSpan,
}

impl Place {
    /// The start of a source: for faults of the file as a whole.
    pub(super) fn start_of(source: usize) -> Self {
        let value = TextSpan {
            line: 1,
            column: 1,
            width: 1,
        };
        Self {
            source,
            key: None,
            value,
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: NodeValue,
    /// The text of an expansion such as `${env:NAME}` that was the whole value:
    /// what a string gets, while `value` is that text read as YAML.
    pub(super) original: Option<String>,
}

impl Node {
    pub(super) fn new(place: Place, value: NodeValue) -> Self {
        Self {
            place,
            value,
            original: None,
        }
    }

    /// Returns true if this is a null, however it was spelled.
    pub(crate) fn is_null(&self) -> bool {
        match &self.value {
            NodeValue::Scalar(scalar) => scalar.resolve() == Resolved::Null,
            NodeValue::List(_) | NodeValue::Map(_) => false,
        }
    }

    /// Returns true if this is a map.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.value, NodeValue::Map(_))
    }

    /// The entries of a map; none for anything else.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            NodeValue::Scalar(_) | NodeValue::List(_) => &[],
        }
    }

    /// The text of a scalar, as written.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(scalar) if !self.is_null() => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, node)| node)
    }

    /// Hashes what is written, wherever it stands.
    pub(crate) fn hash_text(&self, hasher: &mut impl Hasher) {
        self.original.hash(hasher);
        match &self.value {
            NodeValue::Scalar(scalar) => (0, &scalar.text, scalar.plain).hash(hasher),
            NodeValue::List(items) => {
                (1, items.len()).hash(hasher);
                items.iter().for_each(|item| item.hash_text(hasher));
            }
            NodeValue::Map(entries) => {
                (2, entries.len()).hash(hasher);
                for (key, value) in entries {
                    key.hash(hasher);
                    value.hash_text(hasher);
                }
            }
        }
    }

    /// Returns true if a value in it is this text.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        match &self.value {
            NodeValue::Scalar(scalar) => scalar.text == text,
            NodeValue::List(items) => items.iter().any(|item| item.mentions(text)),
            NodeValue::Map(entries) => entries.iter().any(|(_, value)| value.mentions(text)),
        }
    }

    /// Returns true if `key` is set anywhere in it, to something other than `false`.
    pub(crate) fn sets(&self, key: &str) -> bool {
        match &self.value {
            NodeValue::Scalar(_) => false,
            NodeValue::List(items) => items.iter().any(|item| item.sets(key)),
            NodeValue::Map(entries) => entries.iter().any(|(name, value)| {
                let is_off = value.is_null() || value.text() == Some("false");
                (name == key && !is_off) || value.sets(key)
            }),
        }
    }

    /// What an operator would call this: "a map", "a number".
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            NodeValue::List(_) => "a list".to_owned(),
            NodeValue::Map(_) => "a map".to_owned(),
            NodeValue::Scalar(scalar) => match scalar.resolve() {
                Resolved::Null => "nothing".to_owned(),
                Resolved::Bool(_) | Resolved::Integer(_) | Resolved::Float(_) => {
                    format!("`{}`", scalar.text)
                }
                Resolved::Text => format!("{:?}", shorten(&scalar.text)),
            },
        }
    }
}

/// The shapes of YAML values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeValue {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A scalar as written. Its type is decided by who reads it, so that a version
/// `2.30` stays `2.30` and does not become the number 2.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(super) text: String,
    /// Written without quotes, so it may be a null, a number or a boolean.
    pub(super) plain: bool,
}

/// What a scalar is by the core schema of YAML 1.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text,
}

impl Scalar {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            plain: true,
        }
    }

    pub(super) fn resolve(&self) -> Resolved {
        if !self.plain {
            return Resolved::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" => Resolved::Bool(true),
            "false" | "False" | "FALSE" => Resolved::Bool(false),
            text => number(text),
        }
    }
}

fn number(text: &str) -> Resolved {
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| i128::from_str_radix(digits, radix).ok())
    };
    if let Some(integer) = radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .or_else(|| text.parse().ok())
    {
        return Resolved::Integer(integer);
    }
    match text.trim_start_matches(['-', '+']) {
        ".inf" | ".Inf" | ".INF" => {
            let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
            return Resolved::Float(sign * f64::INFINITY);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    // Rust's own parser also takes words such as `infinity`, which YAML does not.
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(numeric)
        && let Ok(float) = text.parse()
    {
        return Resolved::Float(float);
    }
    Resolved::Text
}

/// At most 60 characters of `text`, for messages.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, resolved) in [
            ("", Resolved::Null),
            ("~", Resolved::Null),
            ("True", Resolved::Bool(true)),
            ("yes", Resolved::Text),
            ("0x10", Resolved::Integer(16)),
            ("-3", Resolved::Integer(-3)),
            ("2.30", Resolved::Float(2.3)),
            ("1e3", Resolved::Float(1000.0)),
            ("-.inf", Resolved::Float(f64::NEG_INFINITY)),
            ("infinity", Resolved::Text),
            ("1.2.3", Resolved::Text),
            ("5s", Resolved::Text),
        ] {
            assert_eq!(Scalar::plain(text).resolve(), resolved, "{text:?}");
            let quoted = Scalar {
                text: text.to_owned(),
                plain: false,
            };
            assert_eq!(quoted.resolve(), Resolved::Text);
        }
    }
}
