/*! When two attribute values are the same. */

use crate::pdata::{AnyValue, KeyValue, view::messages, wire::MAX_DEPTH};

/// Returns true if both have the same type and value. Maps are the same in any order.
pub(super) fn equal(one: AnyValue<'_>, other: AnyValue<'_>) -> bool {
    equal_below(one, other, MAX_DEPTH)
}

fn equal_below(one: AnyValue<'_>, other: AnyValue<'_>, depth: u32) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return false;
    };
    match (one, other) {
        (AnyValue::Array(one), AnyValue::Array(other)) => {
            let (mut one, mut other) = (messages(one, 1), messages(other, 1));
            loop {
                match (one.next(), other.next()) {
                    (None, None) => return true,
                    (Some(one), Some(other)) => {
                        if !equal_below(AnyValue::new(one), AnyValue::new(other), below) {
                            return false;
                        }
                    }
                    _ => return false,
                }
            }
        }
        (AnyValue::KvList(one), AnyValue::KvList(other)) => {
            let pairs = |list| {
                let mut pairs: Vec<_> = messages(list, 1).map(KeyValue::new).collect();
                pairs.sort_by_key(|pair| pair.key);
                pairs
            };
            let (one, other) = (pairs(one), pairs(other));
            let mut both = one.iter().zip(&other);
            one.len() == other.len()
                && both.all(|(one, other)| {
                    one.key == other.key && equal_below(one.value, other.value, below)
                })
        }
        (one, other) => one == other,
    }
}
