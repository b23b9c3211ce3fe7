/*! A map that is put together, of which the last value of a key counts. */

use crate::ottl::{
    EvalError,
    arena::Arena,
    value::{Value, put_entry},
};
use std::collections::HashMap;

/// A map in the making.
#[derive(Default)]
pub(in crate::ottl) struct MapBuilder<'v> {
    /// Keys, and payloads of their values.
    entries: Vec<(&'v [u8], &'v [u8])>,
    places: HashMap<&'v [u8], usize>,
}

impl<'v> MapBuilder<'v> {
    pub(in crate::ottl) fn has(&self, key: &[u8]) -> bool {
        self.places.contains_key(key)
    }

    /// Sets a key to the value with this payload.
    pub(in crate::ottl) fn put(&mut self, key: &'v [u8], payload: &'v [u8]) {
        let next = self.entries.len();
        let place = *self.places.entry(key).or_insert(next);
        match self.entries.get_mut(place) {
            Some(entry) => entry.1 = payload,
            None => self.entries.push((key, payload)),
        }
    }

    /// Keys, and payloads of their values.
    pub(in crate::ottl) fn entries(&self) -> &[(&'v [u8], &'v [u8])] {
        &self.entries
    }

    /// The map, as a value.
    pub(in crate::ottl) fn build<'a>(&self, arena: &'a Arena) -> Result<Value<'a>, EvalError> {
        let map = arena.build(|out| {
            self.write(out);
            Ok(())
        })?;
        Ok(Value::Map(map))
    }

    /// Appends the payload of a `KeyValueList`.
    pub(in crate::ottl) fn write(&self, out: &mut Vec<u8>) {
        for (key, payload) in &self.entries {
            put_entry(key, payload, out);
        }
    }
}
