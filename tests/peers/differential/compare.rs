//! What two products made of the same requests, held against each other.

use super::{answers::Answer, fields::Fields};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// So many spans or answers are shown of a case.
const SHOWN: usize = 4;

/// What differs between the Collector and wayspan, in words; empty where nothing does.
pub fn differences(arrived: &[Vec<Fields>; 2], answers: [&[Answer]; 2]) -> String {
    let mut out = String::new();
    let unlike = answers[0].iter().zip(answers[1]).enumerate();
    let unlike: Vec<_> = unlike.filter(|(_, (one, other))| one != other).collect();
    for (n, (collector, wayspan)) in unlike.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "  request {n}: the Collector answers {collector}, wayspan {wayspan}"
        );
    }
    let (only_collector, only_wayspan) = unmatched(arrived);
    if only_collector.len() + only_wayspan.len() > 0 {
        let _ = writeln!(
            out,
            "  {} of {} spans only behind the Collector, {} of {} only behind wayspan",
            only_collector.len(),
            arrived[0].len(),
            only_wayspan.len(),
            arrived[1].len()
        );
    }
    let mut twins: BTreeMap<_, Vec<&Fields>> = BTreeMap::new();
    for fields in only_wayspan {
        twins.entry(fields.id()).or_default().push(fields);
    }
    for fields in only_collector.into_iter().take(SHOWN) {
        let twin = twins.get_mut(&fields.id()).and_then(Vec::pop);
        show(fields, twin, &mut out);
    }
    let left = twins.into_values().flatten();
    for fields in left.take(SHOWN) {
        let _ = writeln!(out, "  only behind wayspan: span {:?}", fields.0);
    }
    out
}

/// The spans that the other side lacks.
fn unmatched(arrived: &[Vec<Fields>; 2]) -> (Vec<&Fields>, Vec<&Fields>) {
    let mut counts: BTreeMap<&Fields, i64> = BTreeMap::new();
    for (fields, step) in arrived.iter().zip([1, -1]) {
        for fields in fields {
            *counts.entry(fields).or_default() += step;
        }
    }
    let of = |sign: i64| {
        let its = counts.iter().filter(move |(_, count)| **count * sign > 0);
        its.flat_map(|(fields, count)| std::iter::repeat_n(*fields, count.unsigned_abs() as usize))
            .collect()
    };
    (of(1), of(-1))
}

/// The fields in which a span and its twin differ.
fn show(fields: &Fields, twin: Option<&Fields>, out: &mut String) {
    let [trace, span] = fields.id().map(|id| id.map_or("", String::as_str));
    let _ = writeln!(out, "  span {trace} {span}:");
    let Some(twin) = twin else {
        let _ = writeln!(out, "    only behind the Collector: {:?}", fields.0);
        return;
    };
    let paths = fields.0.keys().chain(twin.0.keys());
    let paths: BTreeSet<_> = paths.collect();
    for path in paths {
        let [one, other] = [fields, twin].map(|side| side.0.get(path).map_or("-", |v| v));
        if one != other {
            let _ = writeln!(out, "    {path}: the Collector {one}, wayspan {other}");
        }
    }
}
