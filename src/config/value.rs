/*!
Values of keys: from a node of the tree to what a key wants.
*/

use super::{
    diagnostic::{Spot, did_you_mean},
    node::{Node, NodeValue, Resolved, Scalar},
    reading::Reading,
    scalar, secrecy,
};
use std::{fmt, time::Duration};

/// A type that a key's value may have.
pub(crate) trait ValueType: Sized {
    /// What the tables of the documentation call the type.
    fn kind() -> String;

    /// A text with commas is a list of these, as the Collector's lists of texts are.
    const IS_SEPARATED_BY_COMMAS: bool = false;

    /// Reads the value.
    ///
    /// # Errors
    /// What is wrong with it, without its key.
    fn read(at: &At<'_>) -> Result<Self, String>;

    /// The value as it would be written in a file.
    fn show(&self) -> String {
        String::new()
    }
}

/// A value with the words that a file may have for it.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// Words and what each means. `true`, `false` and the empty text may stand
    /// beside another word for the same, which the documentation shows alone:
    /// YAML 1.1 turns `on` into `true`, and so do the templates that speak it.
    const WORDS: &'static [(&'static str, Self)];

    /// The words that the documentation shows.
    fn documented() -> impl Iterator<Item = (&'static str, Self)> {
        let alone = |(word, _): &(&str, Self)| !matches!(*word, "true" | "false" | "");
        Self::WORDS.iter().copied().filter(alone)
    }
}

/// A key's value, if it has one, and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Field<T> {
    /// Where the key is written, if it is.
    pub(crate) spot: Option<Spot>,
    /// Its value, unless the key is absent, null or bad.
    pub(crate) value: Option<T>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self {
            spot: None,
            value: None,
        }
    }
}

impl Field<String> {
    /// The text, unless it is empty: a variable that is not set may stand there.
    pub(crate) fn given(&self) -> Option<&str> {
        self.value.as_deref().filter(|text| !text.is_empty())
    }

    /// As [`Self::given`], without spaces around it.
    pub(crate) fn trimmed(&self) -> Option<&str> {
        let text = self.value.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty())
    }
}

/// A node, and what is said about it.
pub(crate) struct At<'n> {
    pub(super) node: &'n Node,
    pub(super) path: &'n str,
    pub(super) cx: &'n Reading<'n>,
}

impl At<'_> {
    pub(super) fn expected(&self, what: &str) -> String {
        let found = match &self.node.value {
            NodeValue::Scalar(_) if secrecy::is_secret(self.path) => "a text".to_owned(),
            _ => self.node.describe(),
        };
        format!("expected {what}, found {found}")
    }

    /// The value as text, when it is a scalar.
    fn text(&self) -> Option<&str> {
        match (&self.node.original, &self.node.value) {
            (Some(original), _) => Some(original),
            (None, NodeValue::Scalar(scalar)) => Some(&scalar.text),
            _ => None,
        }
    }

    /// What the text means where a number or a boolean is wanted, quoted or not.
    fn resolved(&self) -> Resolved {
        match &self.node.value {
            NodeValue::Scalar(scalar) => Scalar::plain(scalar.text.trim()).resolve(),
            _ => Resolved::Text,
        }
    }
}

/// Reads the value of a key at `path`. A bad one is reported and left out.
pub(super) fn field<T: ValueType>(node: &Node, path: &str, cx: &Reading<'_>) -> Field<T> {
    let spot = Some(cx.report().spot(node.place, path));
    if node.is_null() {
        return Field { spot, value: None };
    }
    let value = T::read(&At { node, path, cx });
    let value = value.map_err(|message| cx.error(spot, &message)).ok();
    Field { spot, value }
}

impl<W: Word> ValueType for W {
    fn kind() -> String {
        let words = Self::documented().map(|(word, _)| format!("`{word}`"));
        words.collect::<Vec<_>>().join(", ")
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        let text = at.text().map(str::trim);
        // The Collector reads most of its words in any case.
        let is_it = |word: &str| text.is_some_and(|text| text.eq_ignore_ascii_case(word));
        if let Some((_, value)) = Self::WORDS.iter().find(|(word, _)| is_it(word)) {
            return Ok(*value);
        }
        let words: Vec<&str> = Self::WORDS.iter().map(|(word, _)| *word).collect();
        let hint = at
            .text()
            .map(|t| did_you_mean(t, &words))
            .unwrap_or_default();
        let quoted = words.iter().map(|w| if w.is_empty() { "\"\"" } else { w });
        let valid = quoted.collect::<Vec<_>>().join(", ");
        Err(at.expected(&format!("one of {valid}")) + &hint)
    }

    fn show(&self) -> String {
        let found = Self::documented().find(|(_, value)| value == self);
        found.map_or("", |(word, _)| word).to_owned()
    }
}

impl ValueType for String {
    const IS_SEPARATED_BY_COMMAS: bool = true;

    fn kind() -> String {
        "text".to_owned()
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        let text = at.text().map(str::to_owned);
        text.ok_or_else(|| at.expected("a string"))
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl ValueType for bool {
    fn kind() -> String {
        "boolean".to_owned()
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        match at.resolved() {
            Resolved::Bool(value) => Ok(value),
            _ => Err(at.expected("true or false")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl ValueType for f64 {
    fn kind() -> String {
        "number".to_owned()
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        match at.resolved() {
            Resolved::Float(value) => Ok(value),
            #[allow(clippy::cast_precision_loss)]
            Resolved::Integer(value) => Ok(value as f64),
            _ => Err(at.expected("a number")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl ValueType for $type {
            fn kind() -> String {
                "integer".to_owned()
            }

            fn read(at: &At<'_>) -> Result<Self, String> {
                let Resolved::Integer(integer) = at.resolved() else {
                    return Err(at.expected("a whole number"));
                };
                Self::try_from(integer).map_err(|_| {
                    format!("{integer} is out of range: {} to {}", Self::MIN, Self::MAX)
                })
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

integers! { u16 u32 u64 i64 }

impl ValueType for Duration {
    fn kind() -> String {
        "duration".to_owned()
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        let text = at.text().ok_or_else(|| at.expected("a string"))?;
        scalar::duration(text.trim())
    }

    fn show(&self) -> String {
        scalar::show_duration(*self)
    }
}

impl<T: ValueType> ValueType for Vec<Field<T>> {
    fn kind() -> String {
        format!("list: {}", T::kind())
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        let separate;
        let items = match &at.node.value {
            NodeValue::List(items) => items,
            // A variable has no other way to hold several. A secret is never cut.
            NodeValue::Scalar(scalar)
                if T::IS_SEPARATED_BY_COMMAS
                    && scalar.resolve() == Resolved::Text
                    && !secrecy::is_secret(at.path) =>
            {
                let texts = scalar.text.split(',').map(str::trim);
                let item = |text: &str| Scalar {
                    text: text.to_owned(),
                    plain: false,
                };
                let nodes = texts.filter(|text| !text.is_empty()).map(item);
                separate = nodes
                    .map(|item| Node::new(at.node.place, NodeValue::Scalar(item)))
                    .collect();
                &separate
            }
            _ => return Err(at.expected("a list")),
        };
        let items = items.iter().enumerate();
        Ok(items
            .map(|(i, item)| field(item, &join(at.path, i), at.cx))
            .collect())
    }
}

/// The path of `key` below `path`.
pub(super) fn join(path: &str, key: impl fmt::Display) -> String {
    match path {
        "" => key.to_string(),
        path => format!("{path}.{key}"),
    }
}
