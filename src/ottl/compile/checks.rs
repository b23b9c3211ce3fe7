/*! What a function says of the literals among its arguments. */

use super::expression::{Argument, Call, Expression, Literal};
use crate::{
    ottl::{
        ParseError,
        calls::Called,
        converters::{Decoder, Network, check_format, check_location},
        editors::is_known_version,
        glob::glob,
        grammar,
        value::Value,
    },
    regexp::Pattern,
};

impl Call {
    /// Checks the literals, and compiles the pattern among them.
    pub(super) fn checked(mut self, tree: &grammar::Call) -> Result<Self, ParseError> {
        if let Err((i, message)) = self.literals() {
            return Err(self.wrong(i, message, tree));
        }
        let (at, is_glob) = match self.function.is {
            Called::IsMatch
            | Called::ExtractPatterns
            | Called::DeleteMatchingKeys
            | Called::KeepMatchingKeys
            | Called::ReplacePattern => (1, false),
            Called::ReplaceAllPatterns => (2, false),
            Called::ReplaceMatch | Called::ReplaceAllMatches => (1, true),
            _ => return Ok(self),
        };
        if let Some(text) = self.text(at) {
            let compiled = match is_glob {
                true => glob(text),
                false => Pattern::new(text),
            };
            let wrong =
                |message| self.wrong(at, format!("the pattern is not valid: {message}"), tree);
            self.pattern = Some(compiled.map_err(wrong)?);
        }
        Ok(self)
    }

    /// The error about argument `i`.
    fn wrong(&self, i: usize, message: String, tree: &grammar::Call) -> ParseError {
        let name = self.function.parameters.get(i).map_or("", |p| p.name);
        let named = |a: &&grammar::Argument| a.name.as_ref().is_some_and(|(_, n)| n == name);
        let argument = tree.arguments.iter().find(named).or(tree.arguments.get(i));
        let (at, width) =
            argument.map_or((tree.at, tree.name.len()), |a| (a.value.at, a.value.width));
        ParseError::new(at, width, message)
    }

    /// Says which argument is wrong, and what is wrong about it.
    fn literals(&self) -> Result<(), (usize, String)> {
        match self.function.is {
            Called::ConvertCase => self.one_of(1, &["lower", "upper", "snake", "camel"]),
            Called::MergeMaps => self.one_of(2, &["insert", "update", "upsert"]),
            Called::ReplaceAllPatterns => self.one_of(1, &["key", "value"]),
            Called::Sort => self.one_of(1, &["asc", "desc"]),
            Called::Limit => {
                let keys = self.list(2).map_or(0, <[_]>::len) as u64;
                let limit = u64::try_from(self.number(1).unwrap_or_default());
                check(!limit.is_ok_and(|limit| limit < keys), 1, || {
                    format!("the limit is less than the {keys} keys that are kept first")
                })
            }
            Called::Coalesce => {
                let is_any = self.list(0).is_none_or(|values| !values.is_empty());
                check(is_any, 0, || "no values".to_owned())
            }
            Called::Append => {
                let is_any = (1..=2).any(|i| matches!(self.arguments.get(i), Some(Some(_))));
                check(is_any, 0, || {
                    "nothing is appended: give a value, or values".to_owned()
                })
            }
            Called::Flatten => check(self.number(2) != Some(0), 2, || {
                "the depth is 1 at least".to_owned()
            }),
            Called::SetSemconvSpanName => {
                check(self.text(0).is_none_or(is_known_version), 0, || {
                    "no version of the semantic conventions from 1.37 on".to_owned()
                })?;
                check(self.text(1) != Some(""), 1, || {
                    "the name of an attribute is empty".to_owned()
                })
            }
            Called::ParseKeyValue | Called::ToKeyValueString => {
                let (one, other) = (self.text(1).unwrap_or("="), self.text(2).unwrap_or(" "));
                check(!one.is_empty(), 1, || "the delimiter is empty".to_owned())?;
                check(!other.is_empty() && one != other, 2, || {
                    "the delimiter of pairs is empty, or that of their parts".to_owned()
                })
            }
            Called::FormatTime => {
                check_format(self.text(1).unwrap_or_default()).map_err(|e| (1, e))
            }
            Called::Time => {
                check_format(self.text(1).unwrap_or_default()).map_err(|e| (1, e))?;
                check_location(self.text(2).unwrap_or_default(), "").map_err(|e| (2, e))?;
                check_location("", self.text(3).unwrap_or_default()).map_err(|e| (3, e))
            }
            Called::Decode => check(
                self.text(1)
                    .is_none_or(|name| Decoder::named(name).is_some()),
                1,
                || format!("no encoding is called so: there are {}", Decoder::NAMES),
            ),
            Called::IsInCidr => {
                let is_wrong = |network: &Expression| match network.literal().map(Literal::value) {
                    Some(Value::Str(text)) => Network::parse(text).is_none(),
                    _ => false,
                };
                let is_any_wrong = self
                    .list(1)
                    .is_some_and(|networks| networks.iter().any(is_wrong));
                check(!is_any_wrong, 1, || {
                    "a network is written 10.0.0.0/8".to_owned()
                })
            }
            Called::TraceId => self.id_of(16),
            Called::SpanId => self.id_of(8),
            _ => Ok(()),
        }
    }

    fn one_of(&self, i: usize, valid: &[&str]) -> Result<(), (usize, String)> {
        match self.text(i) {
            Some(text) if !valid.contains(&text) => {
                Err((i, format!("\"{text}\" is not one of {}", valid.join(", "))))
            }
            _ => Ok(()),
        }
    }

    fn id_of(&self, bytes: usize) -> Result<(), (usize, String)> {
        let len = match self.literal(0) {
            Some(Literal::Bytes(id)) => Some(id.len()),
            Some(Literal::Str(text)) => Some(text.len()),
            _ => None,
        };
        check(
            len.is_none_or(|len| len == bytes || len == 2 * bytes),
            0,
            || format!("the id has {bytes} bytes, or {} digits", 2 * bytes),
        )
    }

    /// The values of an argument that is a list written out.
    fn list(&self, i: usize) -> Option<&[Expression]> {
        match self.arguments.get(i)? {
            Some(Argument::List(values)) => Some(values),
            _ => None,
        }
    }

    fn literal(&self, i: usize) -> Option<&Literal> {
        match self.arguments.get(i)? {
            Some(Argument::Value(value)) => value.literal(),
            _ => None,
        }
    }

    /// The text of an argument that is a literal.
    pub(in crate::ottl) fn text(&self, i: usize) -> Option<&str> {
        match self.literal(i)? {
            Literal::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an argument that is a literal.
    pub(in crate::ottl) fn number(&self, i: usize) -> Option<i64> {
        match self.literal(i)? {
            Literal::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The truth of an argument that is a literal.
    pub(in crate::ottl) fn truth(&self, i: usize) -> Option<bool> {
        match self.literal(i)? {
            Literal::Bool(b) => Some(*b),
            _ => None,
        }
    }
}

fn check(
    is_right: bool,
    i: usize,
    message: impl FnOnce() -> String,
) -> Result<(), (usize, String)> {
    match is_right {
        true => Ok(()),
        false => Err((i, message())),
    }
}
