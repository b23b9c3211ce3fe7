/*!
Evaluation: reading paths, calculating, testing, and running statements.
*/

use super::{
    Arena, EvalError, State,
    compile::expression::{Argument, Call, Expression, Key, Path, Test},
    converters,
    given::Given,
    grammar::MathOp,
    paths::Field,
    value::{Index, Time, Value, compare, elements, entries},
};
use crate::pdata::wire::put_message;

/// What is read while something is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evaluation<'v> {
    pub(super) state: &'v State,
    pub(super) arena: &'v Arena,
}

impl<'v> Evaluation<'v> {
    pub(super) fn new(state: &'v State, arena: &'v Arena) -> Self {
        Self { state, arena }
    }

    /// Calls `with` what converters see of this.
    pub(super) fn given<T>(self, with: impl FnOnce(Given<'v, '_>) -> T) -> T {
        with(Given {
            state: self.state,
            arena: self.arena,
            value: &|expression| self.value(expression),
        })
    }

    pub(super) fn test(self, test: &'v Test) -> Result<bool, EvalError> {
        Ok(match test {
            Test::Literal(value) => *value,
            Test::Not(inside) => !self.test(inside)?,
            Test::And(parts) => {
                for part in parts {
                    if !self.test(part)? {
                        return Ok(false);
                    }
                }
                true
            }
            Test::Or(parts) => {
                for part in parts {
                    if self.test(part)? {
                        return Ok(true);
                    }
                }
                false
            }
            Test::Call(call) => match self.call(call)? {
                Value::Bool(value) => value,
                _ => {
                    return Err(EvalError::new(
                        "the converter of a condition must give a boolean",
                    ));
                }
            },
            Test::Compare(op, sides) => {
                let (left, right) = &**sides;
                compare(self.value(left)?, *op, self.value(right)?)
            }
        })
    }

    pub(super) fn value(self, expression: &'v Expression) -> Result<Value<'v>, EvalError> {
        match expression {
            Expression::Literal(literal) => Ok(literal.value()),
            Expression::Path(path) => self.path(path),
            Expression::Call(call) => self.call(call),
            Expression::List(values) => {
                let list = self.arena.build(|out| {
                    for value in values {
                        let value = self.value(value)?;
                        put_checked(1, out, |out| value.encode(out))?;
                    }
                    Ok(())
                })?;
                Ok(Value::List(list))
            }
            Expression::Map(fields) => {
                let map = self.arena.build(|out| {
                    for (key, value) in fields {
                        let value = self.value(value)?;
                        let payload = self.arena.build(|out| value.encode(out))?;
                        super::value::put_entry(key.as_bytes(), payload, out);
                    }
                    Ok(())
                })?;
                Ok(Value::Map(map))
            }
            Expression::Math(op, sides) => {
                let (left, right) = &**sides;
                calculate(self.value(left)?, *op, self.value(right)?)
            }
            Expression::Negative(of) => match self.value(of)? {
                Value::Int(n) => Ok(Value::Int(n.wrapping_neg())),
                Value::Double(n) => Ok(Value::Double(-n)),
                _ => Err(EvalError::new("only numbers have a negative")),
            },
        }
    }

    pub(super) fn call(self, call: &'v Call) -> Result<Value<'v>, EvalError> {
        let mut value = self.given(|given| converters::call(call, given))?;
        for key in &call.keys {
            value = match (self.index(key)?, value) {
                (Index::Str(key), Value::Map(map)) => {
                    let mut entries = entries(map);
                    let found = entries.find(|(name, _)| *name == key.as_bytes());
                    let (_, payload) = found.ok_or(EvalError::new("the map lacks the key"))?;
                    Value::of(payload)
                }
                (Index::Str(key), Value::Attributes(record)) => Value::of(
                    record
                        .get(key)
                        .ok_or(EvalError::new("the map lacks the key"))?,
                ),
                (Index::Int(n), Value::List(list)) => Value::of(element(list, n)?),
                _ => return Err(EvalError::new("a value of this type has no such index")),
            };
        }
        Ok(value)
    }

    pub(super) fn index(self, key: &'v Key) -> Result<Index<'v>, EvalError> {
        Ok(match key {
            Key::Str(text) => Index::Str(text),
            Key::Int(n) => Index::Int(*n),
            Key::Value(value) => match self.value(value)? {
                Value::Str(text) => Index::Str(text),
                Value::Int(n) => Index::Int(n),
                _ => return Err(EvalError::new("an index must be a string or an integer")),
            },
        })
    }

    pub(super) fn path(self, path: &'v Path) -> Result<Value<'v>, EvalError> {
        let (first, rest) = match path.keys.split_first() {
            None => return self.state.get(path.field, None, self.arena),
            Some((first, rest)) => (self.index(first)?, rest),
        };
        if path.field == Field::TraceState {
            return self.state.get(path.field, Some(first), self.arena);
        }
        let Index::Str(key) = first else {
            return Err(EvalError::new("the index of a map must be a string"));
        };
        let Some(mut payload) = self.state.record(path.field.owner()).get(key) else {
            return Ok(Value::Nil);
        };
        for key in rest {
            payload = match (Value::of(payload), self.index(key)?) {
                (Value::Map(map), Index::Str(key)) => {
                    let mut entries = entries(map);
                    match entries.find(|(name, _)| *name == key.as_bytes()) {
                        Some((_, payload)) => payload,
                        None => return Ok(Value::Nil),
                    }
                }
                (Value::List(list), Index::Int(n)) => element(list, n)?,
                _ => return Err(EvalError::new("a value of this type has no such index")),
            };
        }
        Ok(Value::of(payload))
    }

    /// The value of argument `i`; None where it is not given.
    pub(super) fn argument(self, call: &'v Call, i: usize) -> Result<Option<Value<'v>>, EvalError> {
        match call.arguments.get(i) {
            Some(Some(Argument::Value(value))) => self.value(value).map(Some),
            Some(Some(Argument::Path(path))) => self.path(path).map(Some),
            _ => Ok(None),
        }
    }

    /// The value of argument `i`, which is given.
    pub(super) fn required(self, call: &'v Call, i: usize) -> Result<Value<'v>, EvalError> {
        Ok(self.argument(call, i)?.unwrap_or(Value::Nil))
    }

    pub(super) fn string(self, call: &'v Call, i: usize) -> Result<&'v str, EvalError> {
        self.required(call, i)?.string()
    }
}

/// Appends a message whose payload `write` appends, unless that fails.
fn put_checked(
    number: u32,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), EvalError>,
) -> Result<(), EvalError> {
    let mut result = Ok(());
    put_message(number, out, |out| result = write(out));
    result
}

fn element(list: &[u8], n: i64) -> Result<&[u8], EvalError> {
    let at = usize::try_from(n).ok();
    let found = at.and_then(|at| elements(list).nth(at));
    found.ok_or(EvalError::new("the index is out of bounds"))
}

fn calculate<'v>(left: Value<'_>, op: MathOp, right: Value<'_>) -> Result<Value<'v>, EvalError> {
    const BY_ZERO: EvalError = EvalError::new("division by zero");
    let ints = |a: i64, b: i64| {
        Ok(Value::Int(match op {
            MathOp::Add => a.wrapping_add(b),
            MathOp::Sub => a.wrapping_sub(b),
            MathOp::Mul => a.wrapping_mul(b),
            MathOp::Div if b == 0 => return Err(BY_ZERO),
            MathOp::Div => a.wrapping_div(b),
        }))
    };
    let doubles = |a: f64, b: f64| {
        Ok(Value::Double(match op {
            MathOp::Add => a + b,
            MathOp::Sub => a - b,
            MathOp::Mul => a * b,
            MathOp::Div if b == 0.0 => return Err(BY_ZERO),
            MathOp::Div => a / b,
        }))
    };
    match (left, op, right) {
        (Value::Int(a), _, Value::Int(b)) => ints(a, b),
        (Value::Int(a), _, Value::Double(b)) => doubles(a as f64, b),
        (Value::Double(a), _, Value::Int(b)) => doubles(a, b as f64),
        (Value::Double(a), _, Value::Double(b)) => doubles(a, b),
        (Value::Time(a), MathOp::Add, Value::Duration(b))
        | (Value::Duration(b), MathOp::Add, Value::Time(a)) => Ok(Value::Time(Time {
            nanos: a.nanos.wrapping_add(b),
            ..a
        })),
        (Value::Time(a), MathOp::Sub, Value::Duration(b)) => Ok(Value::Time(Time {
            nanos: a.nanos.wrapping_sub(b),
            ..a
        })),
        (Value::Time(a), MathOp::Sub, Value::Time(b)) => {
            Ok(Value::Duration(a.nanos.saturating_sub(b.nanos)))
        }
        (Value::Duration(a), MathOp::Add, Value::Duration(b)) => {
            Ok(Value::Duration(a.wrapping_add(b)))
        }
        (Value::Duration(a), MathOp::Sub, Value::Duration(b)) => {
            Ok(Value::Duration(a.wrapping_sub(b)))
        }
        _ => Err(EvalError::new(
            "values of these types cannot be calculated with",
        )),
    }
}
