/*! Arguments against parameters, and what a function says of its literals. */

use super::{
    Compiler,
    expression::{Argument, Call, Expression, Literal},
};
use crate::{
    ottl::{
        Arena, ParseError,
        calls::{self, Called, Function, Parameter, Type},
        glob::glob,
        grammar::{self, Value, ValueKind},
    },
    regexp::Pattern,
};

impl Compiler {
    pub(super) fn arguments(
        self,
        function: &'static Function,
        tree: &grammar::Call,
    ) -> Result<Box<[Option<Argument>]>, ParseError> {
        let parameters = function.parameters;
        let required = parameters.iter().filter(|p| !p.is_optional).count();
        let given = tree.arguments.len();
        let wrong = |message: String| ParseError::new(tree.at, tree.name.len(), message);
        if !(required..=parameters.len()).contains(&given) {
            let expected = match required == parameters.len() {
                true => required.to_string(),
                false => format!("{required} to {}", parameters.len()),
            };
            let names: Vec<_> = parameters.iter().map(|p| p.name).collect();
            return Err(wrong(format!(
                "{} takes {expected} arguments, not {given}",
                tree.name
            ))
            .help(format!("{}({})", tree.name, names.join(", "))));
        }
        let mut arguments: Vec<Option<Argument>> = parameters.iter().map(|_| None).collect();
        let mut is_named = false;
        for (i, argument) in tree.arguments.iter().enumerate() {
            let position = match &argument.name {
                None if is_named => {
                    let at = (argument.value.at, argument.value.width);
                    return Err(ParseError::new(
                        at.0,
                        at.1,
                        "an argument without a name behind one with a name",
                    ));
                }
                None => i,
                Some((at, name)) => {
                    is_named = true;
                    let is_it = |p: &Parameter| {
                        p.name.replace('_', "") == name.replace('_', "").to_lowercase()
                    };
                    parameters.iter().position(is_it).ok_or_else(|| {
                        let names: Vec<_> = parameters.iter().map(|p| p.name).collect();
                        let message = format!("{} has no parameter {name}", tree.name);
                        ParseError::new(*at, name.len(), message)
                            .help(format!("it has {}", names.join(", ")))
                    })?
                }
            };
            // The number of arguments was checked, so that the position exists.
            let (Some(parameter), Some(slot)) =
                (parameters.get(position), arguments.get_mut(position))
            else {
                continue;
            };
            *slot = Some(self.argument(parameter, &argument.value)?);
        }
        let is_missing =
            |(p, given): (&Parameter, &Option<Argument>)| !p.is_optional && given.is_none();
        if let Some((p, _)) = parameters
            .iter()
            .zip(&arguments)
            .find(|(p, a)| is_missing((p, a)))
        {
            return Err(wrong(format!(
                "{} lacks the argument {}",
                tree.name, p.name
            )));
        }
        Ok(arguments.into())
    }

    fn argument(self, parameter: &Parameter, tree: &Value) -> Result<Argument, ParseError> {
        let must = |what: &str| {
            let message = format!("{} must be {what}", parameter.name);
            ParseError::new(tree.at, tree.width, message)
        };
        let list = |of: fn(&ValueKind) -> bool, what: &str| match &tree.kind {
            ValueKind::List(values) if values.iter().all(|v| of(&v.kind)) => Ok(values),
            _ => Err(must(what)),
        };
        let takes = parameter.takes;
        Ok(match takes {
            Type::Path | Type::MapPath => match &tree.kind {
                ValueKind::Path(path) => Argument::Path(self.path(path)?),
                _ => return Err(must("a path")),
            },
            Type::Text if !matches!(tree.kind, ValueKind::String(_)) => {
                return Err(must("a text in double quotes"));
            }
            Type::Number if !matches!(tree.kind, ValueKind::Int(_)) => {
                return Err(must("a whole number, not negative"));
            }
            Type::Truth if !matches!(tree.kind, ValueKind::Bool(_)) => {
                return Err(must("true or false"));
            }
            Type::Strings | Type::StringLikes | Type::Anys | Type::Texts => {
                let values = match takes {
                    Type::Texts => list(
                        |kind| matches!(kind, ValueKind::String(_)),
                        "a list of texts",
                    )?,
                    _ => list(|_| true, "a list, in brackets")?,
                };
                let element = match takes {
                    Type::Strings => Type::String,
                    Type::StringLikes => Type::StringLike,
                    _ => Type::Any,
                };
                let values = values
                    .iter()
                    .map(|value| self.typed(element, parameter, value));
                Argument::List(values.collect::<Result<_, _>>()?)
            }
            Type::Function => {
                let (ValueKind::Function(name) | ValueKind::Enum(name)) = &tree.kind else {
                    return Err(must("the name of a function"));
                };
                let function = calls::function(name)
                    .filter(|f| !f.is_editor())
                    .ok_or_else(|| {
                        ParseError::new(tree.at, tree.width, format!("there is no function {name}"))
                    })?;
                match function.parameters {
                    [
                        Parameter {
                            takes: Type::String,
                            ..
                        },
                    ] => Argument::Function(function),
                    _ => return Err(must("a function of one string, such as SHA256")),
                }
            }
            takes => Argument::Value(self.typed(takes, parameter, tree)?),
        })
    }

    /// Compiles a value of which a literal must have the right type.
    fn typed(
        self,
        takes: Type,
        parameter: &Parameter,
        tree: &Value,
    ) -> Result<Expression, ParseError> {
        let value = self.value(tree)?;
        let Some(literal) = value.literal().map(Literal::value) else {
            return Ok(value);
        };
        let mut arena = Arena::default();
        arena.reset(1 << 20);
        let fits = match takes {
            Type::String => literal.string().err(),
            Type::StringLike => literal.string_like(&arena).err(),
            Type::Int => literal.int().err(),
            Type::IntLike => literal.int_like().err(),
            Type::DoubleLike => literal.double_like().err(),
            Type::BoolLike => literal.bool_like().err(),
            Type::BytesLike => literal.bytes_like(&arena).err(),
            Type::Double => literal.double().err(),
            Type::Bool => literal.bool().err(),
            Type::Map => literal.map().err(),
            Type::List => literal.list().err(),
            Type::Time => literal.time().err(),
            Type::Duration => literal.duration().err(),
            _ => None,
        };
        match fits {
            None => Ok(value),
            Some(error) => {
                let message = format!("{}: {error}", parameter.name);
                Err(ParseError::new(tree.at, tree.width, message))
            }
        }
    }

    /// Checks what a function demands of its literals.
    pub(super) fn checked(self, mut call: Call, tree: &grammar::Call) -> Result<Call, ParseError> {
        let place = |i: usize| {
            let name = call.function.parameters.get(i).map_or("", |p| p.name);
            let named = |a: &&grammar::Argument| a.name.as_ref().is_some_and(|(_, n)| n == name);
            let argument = tree.arguments.iter().find(named).or(tree.arguments.get(i));
            argument.map_or((tree.at, tree.name.len()), |a| (a.value.at, a.value.width))
        };
        let wrong = |i: usize, message: String| {
            let (at, width) = place(i);
            Err(ParseError::new(at, width, message))
        };
        let one_of = |i: usize, valid: &[&str]| match call.text(i) {
            Some(text) if !valid.contains(&text) => {
                wrong(i, format!("\"{text}\" is not one of {}", valid.join(", ")))
            }
            _ => Ok(()),
        };
        match call.function.is {
            Called::ConvertCase => one_of(1, &["lower", "upper", "snake", "camel"])?,
            Called::MergeMaps => one_of(2, &["insert", "update", "upsert"])?,
            Called::ReplaceAllPatterns => one_of(1, &["key", "value"])?,
            Called::Limit => {
                let keys = match call.arguments.get(2) {
                    Some(Some(Argument::List(keys))) => keys.len() as u64,
                    _ => 0,
                };
                if u64::try_from(call.number(1).unwrap_or_default()).is_ok_and(|limit| limit < keys)
                {
                    wrong(
                        1,
                        format!("the limit is less than the {keys} keys that are kept first"),
                    )?;
                }
            }
            Called::Coalesce => {
                if matches!(call.arguments.first(), Some(Some(Argument::List(values))) if values.is_empty())
                {
                    wrong(0, "no values".to_owned())?;
                }
            }
            Called::TraceId | Called::SpanId => {
                let wanted = if call.function.is == Called::TraceId {
                    16
                } else {
                    8
                };
                let len = match call.literal(0) {
                    Some(Literal::Bytes(bytes)) => Some(bytes.len()),
                    Some(Literal::Str(text)) => Some(text.len()),
                    _ => None,
                };
                if len.is_some_and(|len| len != wanted && len != 2 * wanted) {
                    wrong(
                        0,
                        format!("the id has {wanted} bytes, or {} digits", 2 * wanted),
                    )?;
                }
            }
            _ => {}
        }
        let (at, is_glob) = match call.function.is {
            Called::IsMatch
            | Called::ExtractPatterns
            | Called::DeleteMatchingKeys
            | Called::KeepMatchingKeys
            | Called::ReplacePattern => (1, false),
            Called::ReplaceAllPatterns => (2, false),
            Called::ReplaceMatch | Called::ReplaceAllMatches => (1, true),
            _ => return Ok(call),
        };
        if let Some(text) = call.text(at) {
            let compiled = match is_glob {
                true => glob(text),
                false => Pattern::new(text),
            };
            match compiled {
                Ok(pattern) => call.pattern = Some(pattern),
                Err(message) => wrong(at, format!("the pattern is not valid: {message}"))?,
            }
        }
        Ok(call)
    }
}

impl Call {
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
