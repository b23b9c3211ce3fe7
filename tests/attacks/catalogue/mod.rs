//! The attacks, by kind, and what their requests are made of.

pub mod codings;
pub mod connections;
pub mod half_sent;
pub mod heads;
pub mod hops;
pub mod items;
pub mod json;
pub mod pairs;
pub mod passwords;
pub mod pieces;
pub mod resources;
pub mod small;
pub mod zipkin;

use crate::attack::Attack;
use testkit::{
    frames,
    wire::{put_bytes, put_message},
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// Just under the largest request of the manifest, and of the defaults.
const UNDER_MANIFEST: usize = 8 * MIB - 64 * KIB;
const UNDER_DEFAULT: usize = 64 * MIB - 64 * KIB;
/// The largest request by default, in MiB.
const DEFAULT_MIB: u64 = 64;

/// The same where requests may be as large as by default.
fn larger(attacks: Vec<Attack>) -> Vec<Attack> {
    let larger = |attack: Attack| attack.with(|its| its.request_mib = Some(DEFAULT_MIB));
    attacks.into_iter().map(larger).collect()
}

/// What a client of HTTP/2 says first: it has room for all answers.
fn preface() -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend(frames::http2(SETTINGS, 0, 0, &[]));
    preface.extend(frames::http2(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]));
    preface
}

/// A request of one resource, with what `resource` and `scopes` write.
fn request(resource: impl FnOnce(&mut Vec<u8>), scopes: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut request = Vec::new();
    put_message(1, &mut request, |out| {
        put_message(1, out, resource);
        scopes(out);
    });
    request
}

/// The fields of a valid span, without a name.
fn put_ids(out: &mut Vec<u8>) {
    put_bytes(1, &[7; 16], out);
    put_bytes(2, &[9; 8], out);
}

/// A `KeyValue` with a text.
fn put_attribute(number: u32, key: &str, value: &[u8], out: &mut Vec<u8>) {
    put_message(number, out, |attribute| {
        put_bytes(1, key.as_bytes(), attribute);
        put_message(2, attribute, |any| put_bytes(1, value, any));
    });
}
