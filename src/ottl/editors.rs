/*!
What editors do.

An editor of a map edits the attributes of a message, or a map inside an attribute: that is taken out, edited in the
same way, and set again.
*/

mod flatten;
mod lists;
mod nested;
mod replace;
mod span_name;

use super::{
    Arena, EvalError, State,
    calls::Called,
    compile::expression::{Argument, Call, Path},
    converters::pattern,
    eval::Evaluation,
    paths::Field,
    record::Record,
    value::{Index, Value, check_depth, entries, text_of},
};
use crate::pdata::{AnyValue, text::put_text};
use nested::set_indexed;
pub(super) use span_name::is_known_version;
use std::collections::HashMap;

/// So many keys are looked up one by one. More are in a table first: a span may have a million.
const FEW: usize = 32;

const NO_TARGET: EvalError = EvalError::new("the target is no path");

/// Runs an editor.
pub(super) fn run(call: &Call, state: &mut State, arena: &Arena) -> Result<(), EvalError> {
    if call.function.is == Called::SetSemconvSpanName {
        return span_name::set(call.text(1), state, arena);
    }
    let Some(Some(Argument::Path(target))) = call.arguments.first() else {
        return Err(NO_TARGET);
    };
    let with = Evaluation::new(state, arena);
    match call.function.is {
        Called::Set => {
            let value = with.required(call, 1)?;
            if value.is_nil() {
                return Ok(());
            }
            let value = value.detach(arena)?;
            check_depth(value)?;
            set(target, value, state, arena)
        }
        Called::Append => lists::append(call, target, state, arena),
        Called::DeleteIndex => lists::delete_index(call, target, state, arena),
        Called::Flatten => flatten::flatten(call, target, state, arena),
        Called::StringifyAll => edit(target, state, arena, |map| stringify(map, arena)),
        Called::DeleteKey => {
            let key = arena.text(with.string(call, 1)?)?;
            edit(target, state, arena, |map| {
                map.remove(key);
                Ok(())
            })
        }
        Called::DeleteMatchingKeys | Called::KeepMatchingKeys => {
            let keeps = call.function.is == Called::KeepMatchingKeys;
            let pattern = pattern(call, || with.string(call, 1))?;
            edit(target, state, arena, |map| {
                map.retain(|key, _| pattern.is_match(text_of(key)) == keeps);
                Ok(())
            })
        }
        Called::KeepKeys => keep_keys(call, target, state, arena),
        Called::TruncateAll => {
            let limit = usize::try_from(call.number(1).unwrap_or_default()).unwrap_or(usize::MAX);
            let is_safe = call.truth(2) != Some(false);
            edit(target, state, arena, |map| {
                truncate(map, limit, is_safe, arena)
            })
        }
        Called::Limit => limit(call, target, state, arena),
        Called::MergeMaps => merge(call, target, state, arena),
        _ => replace::run(call, target, state, arena),
    }
}

/// Sets a path to a value, which was taken out of the item.
fn set(path: &Path, value: Value<'_>, state: &mut State, arena: &Arena) -> Result<(), EvalError> {
    let Some((first, rest)) = path.keys.split_first() else {
        return state.set(path.field, None, value, arena);
    };
    let with = Evaluation::new(state, arena);
    let first = with.index(first)?.detach(arena)?;
    if path.field == Field::TraceState {
        return state.set(path.field, Some(first), value, arena);
    }
    let Index::Str(key) = first else {
        return Err(EvalError::new("the index of a map must be a string"));
    };
    let owner = path.field.owner();
    if rest.is_empty() {
        return state.record_mut(owner).put(key, |out| value.encode(out));
    }
    let indexes = rest.iter().map(|key| with.index(key)?.detach(arena));
    let indexes = indexes.collect::<Result<Vec<_>, EvalError>>()?;
    let old = with.state.record(owner).get(key).unwrap_or_default();
    let new = arena.build(|out| set_indexed(old, &indexes, value, arena, out))?;
    check_depth(Value::of(new))?;
    state.record_mut(owner).put(key, |out| {
        out.extend_from_slice(new);
        Ok(())
    })
}

/// Edits the map at a path.
fn edit(
    path: &Path,
    state: &mut State,
    arena: &Arena,
    edit: impl FnOnce(&mut Record) -> Result<(), EvalError>,
) -> Result<(), EvalError> {
    if path.keys.is_empty() && matches!(path.field, Field::Attributes(_) | Field::Cache) {
        return edit(state.record_mut(path.field.owner()));
    }
    let value = Evaluation::new(state, arena)
        .path(path)?
        .map()?
        .detach(arena)?;
    let Value::Map(map) = value else {
        return Err(NO_TARGET);
    };
    state.nested.load(map);
    edit(&mut state.nested)?;
    let edited = arena.build(|out| {
        state.nested.write(out);
        Ok(())
    })?;
    set(path, Value::Map(edited), state, arena)
}

fn keep_keys(
    call: &Call,
    target: &Path,
    state: &mut State,
    arena: &Arena,
) -> Result<(), EvalError> {
    let Some(Some(Argument::List(keys))) = call.arguments.get(1) else {
        return Ok(());
    };
    let literals = keys.iter().all(|key| key.literal().is_some());
    let with = Evaluation::new(state, arena);
    // Keys that are known need no list of their own.
    let taken: Vec<&str> = match literals {
        true => Vec::new(),
        false => {
            let keys = keys
                .iter()
                .map(|key| arena.text(with.value(key)?.string()?));
            keys.collect::<Result<_, _>>()?
        }
    };
    let is_literal = |key: &[u8]| {
        let mut keys = keys.iter().filter_map(|key| key.literal());
        keys.any(|literal| matches!(literal.value(), Value::Str(text) if text.as_bytes() == key))
    };
    edit(target, state, arena, |map| {
        map.retain(|key, _| match literals {
            true => is_literal(key),
            false => taken.iter().any(|taken| taken.as_bytes() == key),
        });
        Ok(())
    })
}

/// Cuts strings to so many bytes; `is_safe`: at the beginning of a letter.
fn truncate(map: &mut Record, limit: usize, is_safe: bool, arena: &Arena) -> Result<(), EvalError> {
    for at in 0..map.len() {
        let payload = map.value_at(at).unwrap_or_default();
        if payload.len() <= limit {
            continue;
        }
        let text = match Value::of(payload) {
            Value::Str(text) if text.len() > limit => text,
            _ => continue,
        };
        let cut = match is_safe {
            true => {
                let mut end = limit;
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                arena.text(text.get(..end).unwrap_or_default())?
            }
            false => arena.text(&String::from_utf8_lossy(
                text.as_bytes().get(..limit).unwrap_or_default(),
            ))?,
        };
        map.put_at(at, |out| Value::Str(cut).encode(out))?;
    }
    Ok(())
}

/// Makes all values texts.
fn stringify(map: &mut Record, arena: &Arena) -> Result<(), EvalError> {
    for at in 0..map.len() {
        let payload = map.value_at(at).unwrap_or_default();
        if matches!(Value::of(payload), Value::Str(_)) {
            continue;
        }
        let text = arena.build_text(|out| {
            put_text(AnyValue::new(payload), out);
            Ok(())
        })?;
        map.put_at(at, |out| Value::Str(text).encode(out))?;
    }
    Ok(())
}

/// Keeps so many attributes, those named first.
fn limit(call: &Call, target: &Path, state: &mut State, arena: &Arena) -> Result<(), EvalError> {
    let limit = usize::try_from(call.number(1).unwrap_or_default()).unwrap_or(usize::MAX);
    let Some(Some(Argument::List(keys))) = call.arguments.get(2) else {
        return Ok(());
    };
    let named = |key: &[u8]| {
        let mut keys = keys.iter().filter_map(|key| key.literal());
        keys.any(|literal| matches!(literal.value(), Value::Str(text) if text.as_bytes() == key))
    };
    edit(target, state, arena, |map| {
        if map.len() <= limit {
            return Ok(());
        }
        let texts = keys.iter().filter_map(|key| key.literal());
        let is_there =
            |value: Value<'_>| matches!(value, Value::Str(text) if map.get(text).is_some());
        let mut count = texts.filter(|literal| is_there(literal.value())).count();
        map.retain(|key, _| {
            if named(key) {
                return true;
            }
            let keeps = count < limit;
            count += usize::from(keeps);
            keeps
        });
        Ok(())
    })
}

fn merge(call: &Call, target: &Path, state: &mut State, arena: &Arena) -> Result<(), EvalError> {
    let source = Evaluation::new(state, arena)
        .required(call, 1)?
        .map()?
        .detach(arena)?;
    let Value::Map(source) = source else {
        return Ok(());
    };
    let strategy = call.text(2);
    edit(target, state, arena, |map| {
        let mut places = match entries(source).nth(FEW) {
            Some(_) => Some(places(map, arena)?),
            None => None,
        };
        for (key, payload) in entries(source) {
            check_depth(Value::of(payload))?;
            let place = match &places {
                Some(places) => places.get(key).copied(),
                None => map.position(key),
            };
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(payload);
                Ok::<_, EvalError>(())
            };
            match place {
                Some(at) if strategy != Some("insert") => map.put_at(at, write)?,
                None if strategy != Some("update") => {
                    if let Some(places) = &mut places {
                        places.insert(key, map.len());
                    }
                    map.push(text_of(key), write)?;
                }
                _ => {}
            }
        }
        Ok(())
    })
}

/// Where the attributes of a map are, by their keys.
fn places<'v>(map: &Record, arena: &'v Arena) -> Result<HashMap<&'v [u8], usize>, EvalError> {
    let mut places = HashMap::new();
    for (at, (key, _)) in map.attributes().enumerate() {
        places.entry(arena.bytes(key)?).or_insert(at);
    }
    Ok(places)
}
