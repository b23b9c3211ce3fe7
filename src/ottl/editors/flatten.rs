/*!
`flatten`: what is in maps and lists within a map becomes entries of it, whose keys are the paths to them.

The odd corners are the Collector's: within a list that is in a list no point stands before the number.
*/

use super::set;
use crate::ottl::{
    Arena, EvalError, State,
    arena::TOO_MUCH,
    compile::expression::{Call, Path},
    converters::MapBuilder,
    eval::Evaluation,
    value::{Value, each_entry, elements, entries, text_of},
};
use std::collections::HashMap;

pub(super) fn flatten(
    call: &Call,
    target: &Path,
    state: &mut State,
    arena: &Arena,
) -> Result<(), EvalError> {
    let mut flat = Flat {
        map: MapBuilder::default(),
        depth: call.number(2).unwrap_or(i64::MAX),
        repeats: (call.truth(3) == Some(true)).then(HashMap::new),
        arena,
    };
    let map = Evaluation::new(state, arena)
        .path(target)?
        .map()?
        .detach(arena)?;
    let prefix = match call.text(1) {
        None | Some("") => "",
        Some(prefix) => flat.joined(&[prefix, "."])?,
    };
    each_entry(map, |key, payload| {
        flat.value(prefix, text_of(key), payload, 0)
    })?;
    let flat = flat.map.build(arena)?;
    set(target, flat, state, arena)
}

/// What was flattened so far.
struct Flat<'v> {
    map: MapBuilder<'v>,
    /// So deep lists and maps are flattened.
    depth: i64,
    /// How often a key came again, where each gets a key of its own.
    repeats: Option<HashMap<&'v str, usize>>,
    arena: &'v Arena,
}

impl<'v> Flat<'v> {
    fn joined(&self, parts: &[&str]) -> Result<&'v str, EvalError> {
        self.arena.build_text(|out| {
            out.extend(parts.iter().copied());
            match out.len() > self.arena.left() {
                true => Err(TOO_MUCH),
                false => Ok(()),
            }
        })
    }

    /// Takes the value with this payload, whose key is `key` behind `prefix`.
    fn value(
        &mut self,
        prefix: &str,
        key: &str,
        payload: &'v [u8],
        depth: i64,
    ) -> Result<(), EvalError> {
        match Value::of(payload) {
            Value::Map(map) if depth < self.depth => {
                // No point stands behind a path of nothing.
                let point = if prefix.is_empty() && key.is_empty() {
                    ""
                } else {
                    "."
                };
                let prefix = self.joined(&[prefix, key, point])?;
                self.entries(prefix, map, depth + 1)
            }
            Value::List(list) if depth < self.depth => {
                for (i, payload) in elements(list).enumerate() {
                    let number = i.to_string();
                    let inside = depth + 1 < self.depth;
                    match Value::of(payload) {
                        Value::Map(map) if inside => {
                            let prefix = self.joined(&[prefix, key, ".", &number, "."])?;
                            self.entries(prefix, map, depth + 2)?;
                        }
                        Value::List(list) if inside => {
                            let prefix = self.joined(&[prefix, key, ".", &number])?;
                            for (i, payload) in elements(list).enumerate() {
                                self.value(prefix, &i.to_string(), payload, depth + 3)?;
                            }
                        }
                        _ if self.repeats.is_some() => self.put(&[prefix, key], payload)?,
                        _ => self.put(&[prefix, key, ".", &number], payload)?,
                    }
                }
                Ok(())
            }
            _ => self.put(&[prefix, key], payload),
        }
    }

    fn entries(&mut self, prefix: &str, map: &'v [u8], depth: i64) -> Result<(), EvalError> {
        entries(map).try_for_each(|(key, payload)| self.value(prefix, text_of(key), payload, depth))
    }

    fn put(&mut self, key: &[&str], payload: &'v [u8]) -> Result<(), EvalError> {
        let key = self.joined(key)?;
        let Some(repeats) = &mut self.repeats else {
            self.map.put(key.as_bytes(), payload);
            return Ok(());
        };
        if !self.map.has(key.as_bytes()) {
            repeats.insert(key, 0);
            self.map.put(key.as_bytes(), payload);
            return Ok(());
        }
        let count = repeats.entry(key).or_default();
        let number = count.to_string();
        *count += 1;
        let key = self.joined(&[key, ".", &number])?;
        self.map.put(key.as_bytes(), payload);
        Ok(())
    }
}
