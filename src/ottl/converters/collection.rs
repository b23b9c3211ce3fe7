/*! Lists and maps: counted, searched, sorted, and one made of the other. */

use super::{MapBuilder, OTHER, key_value};
use crate::{
    ottl::{
        EvalError,
        calls::Called,
        compile::expression::{Call, Expression},
        given::Given,
        grammar::CompareOp,
        value::{Value, compare, each_entry, elements, entries},
    },
    pdata::{
        AnyValue,
        text::put_text,
        wire::{put_bytes, put_message},
    },
};

pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let int = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let first = with.required(call, 0)?;
    Ok(match call.function.is {
        Called::Len => match first {
            Value::Str(text) => int(text.len()),
            Value::Bytes(bytes) => int(bytes.len()),
            Value::List(list) => int(elements(list).count()),
            Value::Map(map) => int(entries(map).count()),
            Value::Attributes(record) => int(record.len()),
            Value::Messages(record, number) => int(record.fields(number).count()),
            _ => return Err(EvalError::new("a value of this type has no length")),
        },
        Called::Index => match (first, with.required(call, 1)?) {
            (Value::Str(text), Value::Str(part)) => text.find(part).map_or(Value::Int(-1), int),
            (Value::Str(_), _) => return Err(EvalError::new("the value must be a string")),
            (list, value) => {
                let mut elements = elements(list.list()?);
                let is_it = |element| compare(Value::of(element), CompareOp::Eq, value);
                elements.position(is_it).map_or(Value::Int(-1), int)
            }
        },
        Called::ContainsValue => {
            let (list, value) = (first.list()?, with.required(call, 1)?);
            let is_it = |element| compare(Value::of(element), CompareOp::Eq, value);
            Value::Bool(elements(list).any(is_it))
        }
        Called::Keys => Value::List(with.arena.build(|out| {
            each_entry(first.map()?, |key, _| {
                put_message(1, out, |out| put_bytes(1, key, out));
                Ok(())
            })
        })?),
        Called::Values => Value::List(with.arena.build(|out| {
            each_entry(first.map()?, |_, payload| {
                put_bytes(1, payload, out);
                Ok(())
            })
        })?),
        Called::Sort => sort(first, call.text(1) == Some("desc"), with)?,
        Called::SliceToMap => {
            let path = |i: usize| {
                call.arguments
                    .get(i)?
                    .as_ref()
                    .map(|_| with.values(call, i))
            };
            slice_to_map(first.list()?, path(1), path(2), with)?
        }
        Called::ToKeyValueString => {
            let delimiters = (call.text(1).unwrap_or("="), call.text(2).unwrap_or(" "));
            key_value::write(
                first.map()?,
                delimiters,
                call.truth(3) == Some(true),
                with.arena,
            )?
        }
        _ => return Err(OTHER),
    })
}

/// What elements are sorted by.
enum Order<'v> {
    Ints,
    Doubles,
    Texts(Vec<&'v str>),
}

/// Sorts numbers as numbers, and simple values of which one is a text as texts. A list with other values is left as it is.
fn sort<'v>(list: Value<'v>, descends: bool, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let Value::List(list) = list else {
        return Err(EvalError::new("only lists can be sorted"));
    };
    let mut all: Vec<(&[u8], usize)> = elements(list).zip(0..).collect();
    let Some(order) = order(&all, with)? else {
        return Ok(Value::List(list));
    };
    let double = |payload: &[u8]| match Value::of(payload) {
        Value::Int(n) => n as f64,
        Value::Double(n) => n,
        _ => 0.0,
    };
    let int = |payload: &[u8]| match Value::of(payload) {
        Value::Int(n) => n,
        _ => 0,
    };
    let compare = |a: &(&[u8], usize), b: &(&[u8], usize)| match &order {
        Order::Ints => int(a.0).cmp(&int(b.0)),
        // Go puts what is no number first.
        Order::Doubles => {
            let (a, b) = (double(a.0), double(b.0));
            let nan_first = b.is_nan().cmp(&a.is_nan());
            a.partial_cmp(&b).unwrap_or(nan_first)
        }
        Order::Texts(texts) => texts.get(a.1).cmp(&texts.get(b.1)),
    };
    all.sort_by(|a, b| match descends {
        false => compare(a, b),
        true => compare(b, a),
    });
    let sorted = with.arena.build(|out| {
        all.iter()
            .for_each(|(payload, _)| put_bytes(1, payload, out));
        Ok(())
    })?;
    Ok(Value::List(sorted))
}

/// None: a value of the list has no order.
fn order<'v>(
    all: &[(&'v [u8], usize)],
    with: Given<'v, '_>,
) -> Result<Option<Order<'v>>, EvalError> {
    let (mut doubles, mut texts) = (0, 0);
    for (payload, _) in all {
        match Value::of(payload) {
            Value::Int(_) => {}
            Value::Double(_) => doubles += 1,
            Value::Str(_) | Value::Bool(_) | Value::Nil => texts += 1,
            _ => return Ok(None),
        }
    }
    Ok(Some(match (texts, doubles) {
        (0, 0) => Order::Ints,
        (0, _) => Order::Doubles,
        _ => {
            let text = |(payload, _): &(&'v [u8], usize)| match Value::of(payload) {
                Value::Str(text) => Ok(text),
                _ => with.arena.build_text(|out| {
                    put_text(AnyValue::new(payload), out);
                    Ok(())
                }),
            };
            Order::Texts(all.iter().map(text).collect::<Result<_, _>>()?)
        }
    }))
}

/// A map of the elements of a list: their keys are at a path within each, or their numbers; so are their values, or they are the
/// elements.
fn slice_to_map<'v>(
    list: &'v [u8],
    key_path: Option<&'v [Expression]>,
    value_path: Option<&'v [Expression]>,
    with: Given<'v, '_>,
) -> Result<Value<'v>, EvalError> {
    let mut map = MapBuilder::default();
    for (i, element) in elements(list).enumerate() {
        let inside = |path: &'v [Expression]| at_path(element, path);
        let key = match key_path.map(inside).transpose()?.map(Value::of) {
            None => with.arena.text(&i.to_string())?,
            Some(Value::Str(key)) => key,
            Some(_) => return Err(EvalError::new("the key of an element is no string")),
        };
        let payload = value_path.map_or(Ok(element), inside)?;
        map.put(key.as_bytes(), payload);
    }
    map.build(with.arena)
}

/// The payload at a path of keys within a map.
fn at_path<'v>(element: &'v [u8], path: &[Expression]) -> Result<&'v [u8], EvalError> {
    if path.is_empty() {
        return Err(EvalError::new("a path has one key at least"));
    }
    path.iter().try_fold(element, |payload, key| {
        let (Value::Map(map), Some(Value::Str(key))) =
            (Value::of(payload), key.literal().map(|key| key.value()))
        else {
            return Err(EvalError::new("an element is no map"));
        };
        let found = entries(map).find(|(name, _)| *name == key.as_bytes());
        found
            .map(|(_, payload)| payload)
            .ok_or(EvalError::new("an element lacks the path"))
    })
}
