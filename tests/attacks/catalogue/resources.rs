//! Resources that would be written again for each of their scopes, or for each
//! batch that their spans fill; and many of them.

use super::{KIB, MIB, put_attribute, put_ids, request};
use crate::{
    attack::{Attack, with_variants},
    requests::{FOUR, protobuf},
};
use testkit::wire::{put_bytes, put_message};

pub fn all() -> Vec<Attack> {
    let scopes =
        |name, resource, scopes| protobuf(name, FOUR, move || many_scopes(resource, scopes));
    let spans =
        |name, resource, scope| protobuf(name, FOUR, move || many_spans(resource, scope, 60_000));
    let attacks = [
        scopes("resource 1 MiB, 3000 scopes", MIB, 3000),
        scopes("resource 512 KiB, 2000 scopes", 512 * KIB, 2000),
        scopes("resource 4 MiB, 4000 scopes", 4 * MIB, 4000),
        scopes("resource 1 KiB, 60000 scopes", KIB, 60_000),
        spans("resource 4 MiB, 60000 spans", 4 * MIB, 0),
        spans("scope 4 MiB, 60000 spans", 0, 4 * MIB),
        protobuf("100000 resources", FOUR, || many_resources(100_000)),
    ];
    with_variants(attacks.concat(), |attack| {
        attack.name == "resource 1 MiB, 3000 scopes grpc/zstd"
    })
}

fn put_large(bytes: usize, out: &mut Vec<u8>) {
    put_attribute(1, "large", &vec![b'x'; bytes], out);
}

/// One span in each of many scopes, which all have this resource.
fn many_scopes(resource: usize, scopes: usize) -> Vec<u8> {
    let put_scopes = |out: &mut Vec<u8>| {
        for n in 0..scopes {
            put_message(2, out, |out| {
                let name = format!("scope-{n}");
                put_message(1, out, |scope| put_bytes(1, name.as_bytes(), scope));
                put_message(2, out, put_ids);
            });
        }
    };
    request(|out| put_large(resource, out), put_scopes)
}

/// A resource or a scope that is larger than a batch, so that each span fills one.
fn many_spans(resource: usize, scope: usize, spans: usize) -> Vec<u8> {
    let put_scope = |out: &mut Vec<u8>| {
        put_message(2, out, |out| {
            put_message(1, out, |out| put_bytes(1, &vec![b'x'; scope], out));
            for _ in 0..spans {
                put_message(2, out, put_ids);
            }
        });
    };
    request(|out| put_large(resource, out), put_scope)
}

/// No two resources are the same.
fn many_resources(count: usize) -> Vec<u8> {
    let mut request = Vec::new();
    for n in 0..count {
        put_message(1, &mut request, |out| {
            put_message(1, out, |out| {
                put_attribute(1, "n", n.to_string().as_bytes(), out)
            });
            put_message(2, out, |out| put_message(2, out, put_ids));
        });
    }
    request
}
