//! Singular messages that come in two pieces, which a reader has to join, at each
//! level of nesting.

use super::{KIB, MIB, UNDER_MANIFEST, larger, put_ids};
use crate::{
    attack::{Attack, with_variants},
    requests::{FOUR, protobuf},
};

pub fn all() -> Vec<Attack> {
    let of = |name, text, levels| protobuf(name, FOUR, move || nested(text, levels));
    let attacks = [
        of("pieces 7.9 MiB, 29 levels", UNDER_MANIFEST, 29),
        of("pieces 64 KiB, 29 levels", 64 * KIB, 29),
        larger(of("pieces 60 MiB, 29 levels", 60 * MIB, 29)),
        larger(of("pieces 8 MiB, 10 levels", 8 * MIB, 10)),
    ];
    with_variants(attacks.concat(), |attack| {
        attack.name == "pieces 7.9 MiB, 29 levels grpc/zstd"
    })
}

/// Messages around a payload, the innermost first, whose bytes are written once.
struct Nest {
    /// What stands before the payload, the outermost last.
    before: Vec<Vec<u8>>,
    length: usize,
}

impl Nest {
    /// Makes all there is the field of a message that begins with `first`.
    fn wrap(&mut self, first: &[u8], number: u8) {
        let mut head = first.to_vec();
        head.push(number << 3 | 2);
        let mut length = self.length;
        while length >= 0x80 {
            head.push(length as u8 | 0x80);
            length >>= 7;
        }
        head.push(length as u8);
        self.length += head.len();
        self.before.push(head);
    }
}

/// A span with an attribute of `levels` lists in lists around a text. Each list
/// and each value comes in two pieces, the first of them empty.
fn nested(text: usize, levels: usize) -> Vec<u8> {
    let mut nest = Nest {
        before: Vec::new(),
        length: text,
    };
    // AnyValue.string_value
    nest.wrap(&[], 1);
    for _ in 0..levels {
        // KeyValue.value, KeyValueList.values, AnyValue.kvlist_value
        nest.wrap(&[2 << 3 | 2, 0], 2);
        nest.wrap(&[], 1);
        nest.wrap(&[6 << 3 | 2, 0], 6);
    }
    nest.wrap(&[2 << 3 | 2, 0], 2);
    let mut ids = Vec::new();
    put_ids(&mut ids);
    // Span.attributes, ScopeSpans.spans, ResourceSpans.scope_spans, resource_spans
    nest.wrap(&ids, 9);
    nest.wrap(&[], 2);
    nest.wrap(&[], 2);
    nest.wrap(&[], 1);
    let mut request = Vec::with_capacity(nest.length);
    nest.before
        .iter()
        .rev()
        .for_each(|head| request.extend(head));
    request.resize(nest.length, b'x');
    request
}
