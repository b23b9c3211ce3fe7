//! Requests that are much work: many items, and much that has to be looked at or
//! rewritten.

use super::{DEFAULT_MIB, MIB, UNDER_DEFAULT, UNDER_MANIFEST, put_ids, request};
use crate::{
    attack::{Attack, with_variants},
    requests::{Carrier, Coding, FOUR, FRESH, ONE, PROTOBUF, Way, bombs, protobuf},
};
use testkit::wire::{put_bytes, put_message};

/// Nothing is made small here: as much as the wire takes.
const PLAIN: &[Way] = &[
    Way::new(Carrier::Grpc, Coding::Plain),
    Way::new(Carrier::Http1, Coding::Plain),
];

pub fn all() -> Vec<Attack> {
    let mut attacks = Vec::new();
    attacks.extend(protobuf("1 Mi empty spans, one connection", ONE, || {
        empty_spans(MIB)
    }));
    attacks.extend(protobuf("1 Mi empty spans, four connections", FOUR, || {
        empty_spans(MIB)
    }));
    attacks.extend(protobuf("1 Mi empty spans, new connections", FRESH, || {
        empty_spans(MIB)
    }));
    attacks.extend(protobuf("250000 valid spans", FOUR, || {
        valid_spans(250_000)
    }));
    attacks.extend(protobuf("unknown field 7.9 MiB", FOUR, || {
        unknown(UNDER_MANIFEST)
    }));
    attacks.extend(protobuf("bad UTF-8 7.9 MiB", FOUR, || {
        bad_text(UNDER_MANIFEST)
    }));
    attacks.extend(larger(protobuf("unknown field 64 MiB", ONE, || {
        unknown(UNDER_DEFAULT)
    })));
    attacks.extend(larger(protobuf("bad UTF-8 20 MiB", FOUR, || {
        bad_text(20 * MIB)
    })));
    let plain = |body: fn() -> Vec<u8>| bombs("valid spans", FOUR, PLAIN, PROTOBUF, body);
    attacks.extend(plain(|| valid_spans(100)));
    with_variants(attacks, |attack| {
        [
            "250000 valid spans grpc/zstd",
            "bad UTF-8 7.9 MiB grpc/zstd",
        ]
        .contains(&&*attack.name)
    })
}

/// The same where requests may be as large as by default.
fn larger(attacks: Vec<Attack>) -> impl Iterator<Item = Attack> {
    let larger = |attack: Attack| attack.with(|its| its.request_mib = Some(DEFAULT_MIB));
    attacks.into_iter().map(larger)
}

/// Each is two bytes, and an entry in an index.
pub fn empty_spans(count: usize) -> Vec<u8> {
    request(
        |_| {},
        |out| {
            put_message(2, out, |out| {
                for _ in 0..count {
                    put_bytes(2, &[], out);
                }
            });
        },
    )
}

fn valid_spans(count: usize) -> Vec<u8> {
    request(
        |_| {},
        |out| {
            put_message(2, out, |out| {
                for _ in 0..count {
                    put_message(2, out, put_ids);
                }
            });
        },
    )
}

/// A field that no version of OTLP has.
fn unknown(bytes: usize) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(99, &vec![7; bytes], &mut request);
    request
}

/// A span whose name takes three times its bytes once it is UTF-8.
fn bad_text(bytes: usize) -> Vec<u8> {
    let name = vec![0xff; bytes];
    request(
        |_| {},
        |out| {
            put_message(2, out, |out| {
                put_message(2, out, |span| {
                    put_ids(span);
                    put_bytes(5, &name, span);
                });
            });
        },
    )
}
