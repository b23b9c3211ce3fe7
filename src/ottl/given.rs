/*! What converters are given: arguments, evaluated when they are asked for. */

use super::{
    Arena, EvalError, State,
    compile::expression::{Argument, Call, Expression},
    value::Value,
};

/// Evaluates an expression.
type Evaluate<'v, 'a> = &'a dyn Fn(&'v Expression) -> Result<Value<'v>, EvalError>;

/// What converters are given.
#[derive(Clone, Copy)]
pub(super) struct Given<'v, 'a> {
    pub(super) state: &'v State,
    pub(super) arena: &'v Arena,
    pub(super) value: Evaluate<'v, 'a>,
}

impl<'v> Given<'v, '_> {
    /// The value of argument `i`; None where it is not given.
    pub(super) fn argument(self, call: &'v Call, i: usize) -> Result<Option<Value<'v>>, EvalError> {
        match call.arguments.get(i) {
            Some(Some(Argument::Value(value))) => (self.value)(value).map(Some),
            _ => Ok(None),
        }
    }

    /// The value of argument `i`, which is given.
    pub(super) fn required(self, call: &'v Call, i: usize) -> Result<Value<'v>, EvalError> {
        Ok(self.argument(call, i)?.unwrap_or(Value::Nil))
    }

    /// The values of argument `i`, a list written out.
    pub(super) fn values(self, call: &'v Call, i: usize) -> &'v [Expression] {
        match call.arguments.get(i) {
            Some(Some(Argument::List(values))) => values,
            _ => &[],
        }
    }

    pub(super) fn string(self, call: &'v Call, i: usize) -> Result<&'v str, EvalError> {
        self.required(call, i)?.string()
    }
}
