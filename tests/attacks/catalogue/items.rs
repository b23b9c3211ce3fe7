//! Requests that are much work: many items, and much that has to be looked at,
//! rewritten or kept.

use super::{MIB, UNDER_DEFAULT, UNDER_MANIFEST, larger, put_ids, request};
use crate::{
    attack::{Attack, with_variants},
    requests::{Carrier, Coding, FOUR, FRESH, ONE, PROTOBUF, Way, bombs, protobuf},
};
use testkit::wire::{put_bytes, put_message, put_number};

/// Nothing is made small here: as much as the wire takes.
const PLAIN: &[Way] = &[
    Way::new(Carrier::Grpc, Coding::Plain),
    Way::new(Carrier::Http1, Coding::Plain),
];

pub fn all() -> Vec<Attack> {
    let empty = || empty_spans(MIB);
    let attacks = [
        protobuf("1 Mi empty spans, one connection", ONE, empty),
        protobuf("1 Mi empty spans, four connections", FOUR, empty),
        protobuf("1 Mi empty spans, new connections", FRESH, empty),
        protobuf("250000 valid spans", FOUR, || valid_spans(250_000)),
        protobuf("one span of 7.9 MiB", FOUR, || named(b'x', UNDER_MANIFEST)),
        protobuf("a span of 900000 attributes", FOUR, || attributes(900_000)),
        protobuf("1 Mi unknown fields, scattered", FOUR, || scattered(MIB)),
        protobuf("unknown field 7.9 MiB", FOUR, || unknown(UNDER_MANIFEST)),
        protobuf("bad UTF-8 7.9 MiB", FOUR, || named(0xff, UNDER_MANIFEST)),
        larger(protobuf("unknown field 64 MiB", ONE, || {
            unknown(UNDER_DEFAULT)
        })),
        larger(protobuf("bad UTF-8 20 MiB", FOUR, || named(0xff, 20 * MIB))),
        bombs("valid spans", FOUR, PLAIN, PROTOBUF, || valid_spans(100)),
    ];
    with_variants(attacks.concat(), |attack| {
        let chosen = [
            "250000 valid spans grpc/zstd",
            "bad UTF-8 7.9 MiB grpc/zstd",
        ];
        chosen.contains(&&*attack.name)
    })
}

/// Each is two bytes, and an entry in an index.
pub fn empty_spans(count: usize) -> Vec<u8> {
    spans(|out| (0..count).for_each(|_| put_bytes(2, &[], out)))
}

fn valid_spans(count: usize) -> Vec<u8> {
    spans(|out| (0..count).for_each(|_| put_message(2, out, put_ids)))
}

/// A field that no version of OTLP has.
fn unknown(bytes: usize) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(99, &vec![7; bytes], &mut request);
    request
}

/// A span with this name. One that is no UTF-8 takes three times its bytes once it
/// is.
fn named(byte: u8, bytes: usize) -> Vec<u8> {
    let name = vec![byte; bytes];
    one_span(|span| put_bytes(5, &name, span))
}

/// A span with so many attributes without a name or a value.
fn attributes(count: usize) -> Vec<u8> {
    one_span(|span| (0..count).for_each(|_| put_bytes(9, &[0x12, 0], span)))
}

/// A span whose known field is there again and again, among others, so that it is
/// written anew.
fn scattered(count: usize) -> Vec<u8> {
    one_span(|span| {
        for _ in 0..count {
            put_number(99, 0, span);
            put_number(6, 1, span);
        }
    })
}

fn one_span(fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    spans(|out| {
        put_message(2, out, |span| {
            put_ids(span);
            fields(span);
        });
    })
}

/// A request with what `put_spans` writes into its one scope.
fn spans(put_spans: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    request(|_| {}, |out| put_message(2, out, put_spans))
}
