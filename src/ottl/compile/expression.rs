/*! What is run: expressions, tests, calls. */

use crate::{
    ottl::{
        calls::Function,
        grammar::{CompareOp, MathOp},
        paths::Field,
        value::Value,
    },
    regexp::Pattern,
};

/// A statement, ready to run.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(in crate::ottl) editor: Call,
    pub(in crate::ottl) condition: Test,
}

/// A condition, ready to run.
#[derive(Debug)]
pub(crate) struct Condition(pub(in crate::ottl) Test);

/// A value that is known from the beginning.
#[derive(Clone, Debug)]
pub(in crate::ottl) enum Literal {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    List(Box<[u8]>),
    Map(Box<[u8]>),
}

impl Literal {
    pub(in crate::ottl) fn of(value: Value<'_>) -> Self {
        match value {
            Value::Bool(b) => Self::Bool(b),
            Value::Int(n) => Self::Int(n),
            Value::Double(n) => Self::Double(n),
            Value::Str(text) => Self::Str(text.into()),
            Value::Bytes(bytes) => Self::Bytes(bytes.into()),
            Value::List(list) => Self::List(list.into()),
            Value::Map(map) => Self::Map(map.into()),
            _ => Self::Nil,
        }
    }

    pub(in crate::ottl) fn value(&self) -> Value<'_> {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(b) => Value::Bool(*b),
            Self::Int(n) => Value::Int(*n),
            Self::Double(n) => Value::Double(*n),
            Self::Str(text) => Value::Str(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::List(list) => Value::List(list),
            Self::Map(map) => Value::Map(map),
        }
    }
}

#[derive(Debug)]
pub(in crate::ottl) enum Expression {
    Literal(Literal),
    Path(Path),
    Call(Box<Call>),
    List(Vec<Expression>),
    Map(Vec<(Box<str>, Expression)>),
    Math(MathOp, Box<(Expression, Expression)>),
    Negative(Box<Expression>),
}

impl Expression {
    pub(in crate::ottl) fn literal(&self) -> Option<&Literal> {
        match self {
            Self::Literal(literal) => Some(literal),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(in crate::ottl) struct Path {
    pub(in crate::ottl) field: Field,
    pub(in crate::ottl) keys: Box<[Key]>,
}

#[derive(Debug)]
pub(in crate::ottl) enum Key {
    Str(Box<str>),
    Int(i64),
    Value(Expression),
}

#[derive(Debug)]
pub(in crate::ottl) enum Test {
    Literal(bool),
    Or(Box<[Test]>),
    And(Box<[Test]>),
    Not(Box<Test>),
    Call(Box<Call>),
    Compare(CompareOp, Box<(Expression, Expression)>),
}

#[derive(Debug)]
pub(in crate::ottl) struct Call {
    pub(in crate::ottl) function: &'static Function,
    /// One for each parameter; None: an optional one that is not given.
    pub(in crate::ottl) arguments: Box<[Option<Argument>]>,
    /// The pattern among the arguments, where it is a literal.
    pub(in crate::ottl) pattern: Option<Pattern>,
    pub(in crate::ottl) keys: Box<[Key]>,
}

#[derive(Debug)]
pub(in crate::ottl) enum Argument {
    Value(Expression),
    Path(Path),
    List(Box<[Expression]>),
    Function(&'static Function),
}

/// What a program sets and calls.
#[derive(Debug)]
pub(in crate::ottl) enum Part<'p> {
    Sets(&'p Path),
    Calls(&'static Function),
}

impl Test {
    /// Tells `each` of the paths and calls inside.
    pub(in crate::ottl) fn visit<'p>(&'p self, each: &mut dyn FnMut(Part<'p>)) {
        match self {
            Self::Literal(_) => {}
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.visit(each)),
            Self::Not(inside) => inside.visit(each),
            Self::Call(call) => call.visit(each),
            Self::Compare(_, sides) => {
                sides.0.visit(each);
                sides.1.visit(each);
            }
        }
    }
}

impl Call {
    pub(in crate::ottl) fn visit<'p>(&'p self, each: &mut dyn FnMut(Part<'p>)) {
        each(Part::Calls(self.function));
        for argument in self.arguments.iter().flatten() {
            match argument {
                Argument::Value(value) => value.visit(each),
                Argument::Path(path) => {
                    each(Part::Sets(path));
                    visit_keys(&path.keys, each);
                }
                Argument::List(values) => values.iter().for_each(|value| value.visit(each)),
                Argument::Function(function) => each(Part::Calls(function)),
            }
        }
        visit_keys(&self.keys, each);
    }
}

impl Expression {
    fn visit<'p>(&'p self, each: &mut dyn FnMut(Part<'p>)) {
        match self {
            Self::Literal(_) => {}
            Self::Path(path) => visit_keys(&path.keys, each),
            Self::Call(call) => call.visit(each),
            Self::List(values) => values.iter().for_each(|value| value.visit(each)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(each)),
            Self::Math(_, sides) => {
                sides.0.visit(each);
                sides.1.visit(each);
            }
            Self::Negative(of) => of.visit(each),
        }
    }
}

fn visit_keys<'p>(keys: &'p [Key], each: &mut dyn FnMut(Part<'p>)) {
    for key in keys {
        if let Key::Value(value) = key {
            value.visit(each);
        }
    }
}
