/*! Editors of lists. */

use super::set;
use crate::{
    ottl::{
        Arena, EvalError, State,
        compile::expression::{Argument, Call, Expression, Literal, Path},
        eval::Evaluation,
        value::{Value, elements, has_maps},
    },
    pdata::wire::put_bytes,
};

/// Sets the target to a list of what it was, or of its elements, and of the values.
pub(super) fn append(
    call: &Call,
    target: &Path,
    state: &mut State,
    arena: &Arena,
) -> Result<(), EvalError> {
    let with = Evaluation::new(state, arena);
    let list = arena.build(|out| {
        match with.path(target)? {
            Value::Nil => {}
            Value::List(list) => out.extend_from_slice(list),
            other => put_element(other, arena, out)?,
        }
        let values = match call.arguments.get(2) {
            Some(Some(Argument::List(values))) => &values[..],
            _ => &[],
        };
        let single = match call.arguments.get(1) {
            Some(Some(Argument::Value(value))) => Some(value),
            _ => None,
        };
        for expression in single.into_iter().chain(values) {
            let value = with.value(expression)?;
            // Of lists only those are taken that are written out.
            let is_written = matches!(
                expression,
                Expression::List(_) | Expression::Literal(Literal::List(_))
            );
            match value {
                Value::List(list) if !is_written || has_maps(list) => {
                    return Err(EvalError::new("such a list cannot be appended"));
                }
                value => put_element(value, arena, out)?,
            }
        }
        Ok(())
    })?;
    set(target, Value::List(list), state, arena)
}

fn put_element(value: Value<'_>, arena: &Arena, out: &mut Vec<u8>) -> Result<(), EvalError> {
    if matches!(value, Value::Map(_) | Value::Attributes(_)) {
        return Err(EvalError::new("a map cannot be appended"));
    }
    put_bytes(1, arena.build(|out| value.encode(out))?, out);
    Ok(())
}

/// Takes one element, or those up to an end, out of a list.
pub(super) fn delete_index(
    call: &Call,
    target: &Path,
    state: &mut State,
    arena: &Arena,
) -> Result<(), EvalError> {
    const OUT_OF_BOUNDS: EvalError = EvalError::new("the indexes are out of bounds");
    let with = Evaluation::new(state, arena);
    let list = with.path(target)?.list()?;
    let start = with.required(call, 1)?.int()?;
    let end = match with.argument(call, 2)? {
        Some(end) => end.int()?,
        None => start.checked_add(1).ok_or(OUT_OF_BOUNDS)?,
    };
    let count = i64::try_from(elements(list).count()).unwrap_or(i64::MAX);
    let is_all = start == 0 && end == count;
    let is_within = (0..count).contains(&start) && (start..=count).contains(&end);
    if !is_all && !is_within {
        return Err(OUT_OF_BOUNDS);
    }
    let left = arena.build(|out| {
        for (payload, i) in elements(list).zip(0..) {
            if !(start..end).contains(&i) {
                put_bytes(1, payload, out);
            }
        }
        Ok(())
    })?;
    set(target, Value::List(left), state, arena)
}
