/*! Setting a value inside a list or map: what is around it is written again. */

use crate::{
    ottl::{
        Arena, EvalError,
        value::{Index, Value, elements, entries, put_entry},
    },
    pdata::wire::{put_bytes, put_message},
};

impl Index<'_> {
    /// Copies it out of the item.
    pub(super) fn detach(self, arena: &Arena) -> Result<Index<'_>, EvalError> {
        Ok(match self {
            Index::Str(text) => Index::Str(arena.text(text)?),
            Index::Int(n) => Index::Int(n),
        })
    }
}

/// Appends the value `old` (a payload) with `value` set at these indexes. What is missing on the way is made.
pub(super) fn set_indexed(
    old: &[u8],
    indexes: &[Index<'_>],
    value: Value<'_>,
    arena: &Arena,
    out: &mut Vec<u8>,
) -> Result<(), EvalError> {
    let Some((first, rest)) = indexes.split_first() else {
        return value.encode(out);
    };
    let inside = |old: &[u8]| arena.build(|out| set_indexed(old, rest, value, arena, out));
    match (Value::of(old), first) {
        (Value::Map(map), Index::Str(key)) => {
            let old = entries(map).find(|(name, _)| *name == key.as_bytes());
            let new = inside(old.map_or(&[], |(_, payload)| payload))?;
            put_message(6, out, |out| {
                let mut is_set = false;
                for (name, payload) in entries(map) {
                    let is_it = !is_set && name == key.as_bytes();
                    is_set |= is_it;
                    put_entry(name, if is_it { new } else { payload }, out);
                }
                if !is_set {
                    put_entry(key.as_bytes(), new, out);
                }
            });
        }
        (Value::List(list), Index::Int(n)) => {
            let at = usize::try_from(*n).ok();
            let old = at.and_then(|at| elements(list).nth(at));
            let new = inside(old.ok_or(EvalError::new("the index is out of bounds"))?)?;
            put_message(5, out, |out| {
                for (i, payload) in elements(list).enumerate() {
                    put_bytes(1, if Some(i) == at { new } else { payload }, out);
                }
            });
        }
        (Value::Nil, Index::Str(key)) => {
            let new = inside(&[])?;
            put_message(6, out, |out| put_entry(key.as_bytes(), new, out));
        }
        (Value::Nil, Index::Int(n)) => {
            let empty = usize::try_from(*n).unwrap_or_default();
            // An element without a value takes two bytes.
            arena.charge(empty.saturating_mul(2))?;
            let new = inside(&[])?;
            put_message(5, out, |out| {
                (0..empty).for_each(|_| put_bytes(1, &[], out));
                put_bytes(1, new, out);
            });
        }
        _ => return Err(EvalError::new("a value of this type has no such index")),
    }
    Ok(())
}
