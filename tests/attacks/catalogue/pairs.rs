//! Two attacks at once.

use super::{half_sent, heads, hops, items, json, pieces, resources};
use crate::attack::Attack;

pub fn all() -> Vec<Attack> {
    let kinds = [
        resources::all(),
        items::all(),
        pieces::all(),
        half_sent::all(),
        hops::all(),
        heads::all(),
        json::all(),
    ];
    let of = |kind: usize, word: &str| {
        let found = kinds[kind].iter().find(|attack| attack.name.contains(word));
        found.expect("an attack of this name").clone()
    };
    let mut pairs = vec![
        of(0, "1 MiB, 3000").beside(&of(1, "Mi empty spans, four")),
        of(2, "7.9 MiB, 29").beside(&of(3, "streams")),
        of(4, "500 hops").beside(&of(5, "literals")),
        of(6, "90000 spans").beside(&of(1, "bad UTF-8 7.9")),
    ];
    // The first of each kind beside that of each other.
    for (at, kind) in kinds.iter().enumerate() {
        for other in &kinds[at + 1..] {
            pairs.push(kind[0].beside(&other[0]).long());
        }
    }
    pairs
}
