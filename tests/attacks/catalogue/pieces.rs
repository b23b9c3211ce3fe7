//! Singular messages that come in two pieces, which a reader has to join, at each
//! level of nesting.

use super::{DEFAULT_MIB, KIB, MIB, UNDER_MANIFEST, put_ids};
use crate::{
    attack::{Attack, with_variants},
    requests::{FOUR, protobuf},
};
use testkit::wire::put_bytes;

pub fn all() -> Vec<Attack> {
    let of =
        |name: &str, text: usize, levels: usize| protobuf(name, FOUR, move || nested(text, levels));
    let mut attacks = Vec::new();
    attacks.extend(of("pieces 7.9 MiB, 29 levels", UNDER_MANIFEST, 29));
    attacks.extend(of("pieces 64 KiB, 29 levels", 64 * KIB, 29));
    for (name, text, levels) in [
        ("pieces 60 MiB, 29 levels", 60 * MIB, 29),
        ("pieces 8 MiB, 10 levels", 8 * MIB, 10),
    ] {
        let larger = of(name, text, levels).into_iter();
        attacks.extend(larger.map(|a| a.with(|its| its.request_mib = Some(DEFAULT_MIB))));
    }
    with_variants(attacks, |attack| {
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
    // Span.attributes, ScopeSpans.spans, ResourceSpans.scope_spans
    nest.wrap(&ids, 9);
    nest.wrap(&[], 2);
    nest.wrap(&[], 2);
    let mut resource = Vec::new();
    put_bytes(1, &[], &mut resource);
    nest.wrap(&resource[..0], 1);
    let mut request = Vec::with_capacity(nest.length);
    nest.before
        .iter()
        .rev()
        .for_each(|head| request.extend(head));
    request.resize(nest.length, b'x');
    request
}
