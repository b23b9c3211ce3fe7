/*!
Comparing, as the Collector does: nothing is equal to nil but nil, integers and doubles are compared as numbers, and values of
other types differ, which makes `!=` true and everything else false.
*/

use super::{Value, elements, entries};
use crate::ottl::grammar::CompareOp;
use std::cmp::Ordering;

/// Whether `left op right` holds.
pub(in crate::ottl) fn compare(left: Value<'_>, op: CompareOp, right: Value<'_>) -> bool {
    use Value::*;
    let order = match (left, right) {
        (Nil, Nil) => Some(Ordering::Equal),
        (Bool(a), Bool(b)) => Some(a.cmp(&b)),
        (Int(a), Int(b)) => Some(a.cmp(&b)),
        (Int(a), Double(b)) => return ordered(op, (a as f64).partial_cmp(&b)),
        (Double(a), Int(b)) => return ordered(op, a.partial_cmp(&(b as f64))),
        (Double(a), Double(b)) => return ordered(op, a.partial_cmp(&b)),
        (Str(a), Str(b)) => Some(a.cmp(b)),
        (Bytes(a), Bytes(b)) => Some(a.cmp(b)),
        (Time(a), Time(b)) => Some(a.nanos.cmp(&b.nanos)),
        (Duration(a), Duration(b)) => Some(a.cmp(&b)),
        _ => {
            return match op {
                CompareOp::Eq => is_equal(left, right),
                CompareOp::Ne => !is_equal(left, right),
                _ => false,
            };
        }
    };
    ordered(op, order)
}

/// Without an order, as of a NaN, only `!=` holds.
fn ordered(op: CompareOp, order: Option<Ordering>) -> bool {
    match (op, order) {
        (CompareOp::Ne, None) => true,
        (_, None) => false,
        (CompareOp::Eq, Some(order)) => order.is_eq(),
        (CompareOp::Ne, Some(order)) => order.is_ne(),
        (CompareOp::Lt, Some(order)) => order.is_lt(),
        (CompareOp::Le, Some(order)) => order.is_le(),
        (CompareOp::Ge, Some(order)) => order.is_ge(),
        (CompareOp::Gt, Some(order)) => order.is_gt(),
    }
}

/// Equality of what has no order, element by element, in which an integer is no double.
fn is_equal(left: Value<'_>, right: Value<'_>) -> bool {
    use Value::*;
    match (left, right) {
        (TraceId(a), TraceId(b)) => a == b,
        (SpanId(a), SpanId(b)) => a == b,
        (Status(a), Status(b)) => a == b,
        (List(a), List(b)) => lists_are_equal(a, b),
        (Map(a), Map(b)) => maps_are_equal(entries(a), entries(b)),
        (Map(a), Attributes(b)) => maps_are_equal(entries(a), b.attributes()),
        (Attributes(a), Map(b)) => maps_are_equal(a.attributes(), entries(b)),
        (Attributes(a), Attributes(b)) => maps_are_equal(a.attributes(), b.attributes()),
        _ => false,
    }
}

fn payloads_are_equal(a: &[u8], b: &[u8]) -> bool {
    use Value::*;
    match (Value::of(a), Value::of(b)) {
        (Nil, Nil) => true,
        (Bool(a), Bool(b)) => a == b,
        (Int(a), Int(b)) => a == b,
        (Double(a), Double(b)) => a == b,
        (Str(a), Str(b)) => a == b,
        (Bytes(a), Bytes(b)) => a == b,
        (a, b) => is_equal(a, b),
    }
}

fn lists_are_equal(a: &[u8], b: &[u8]) -> bool {
    let (mut a, mut b) = (elements(a), elements(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if payloads_are_equal(a, b) => {}
            _ => return false,
        }
    }
}

/// Whether each key of one has an equal value in the other, in any order.
fn maps_are_equal<'a>(
    a: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    b: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> bool {
    let mut a: Vec<_> = a.collect();
    let mut b: Vec<_> = b.collect();
    a.sort_by_key(|(key, _)| *key);
    b.sort_by_key(|(key, _)| *key);
    let pairs = || a.iter().zip(&b);
    a.len() == b.len() && pairs().all(|(a, b)| a.0 == b.0 && payloads_are_equal(a.1, b.1))
}
