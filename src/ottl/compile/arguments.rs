/*! Arguments against parameters. */

use super::{
    Compiler,
    expression::{Argument, Expression, Literal},
};
use crate::ottl::{
    Arena, EvalError, ParseError,
    calls::{self, Function, Parameter, Type},
    grammar::{self, Value, ValueKind},
    value::has_maps,
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
            Type::List => literal.list().and_then(without_maps).err(),
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
}

/// A list that is written out has no maps where one of an attribute may have them.
fn without_maps(list: &[u8]) -> Result<(), EvalError> {
    match has_maps(list) {
        true => Err(EvalError::new(
            "a list with a map in it must come from an attribute",
        )),
        false => Ok(()),
    }
}
