//! A resource that would be written again for each of its scopes, or for each
//! batch that its spans fill.

use super::{KIB, MIB, put_attribute, put_ids, request};
use crate::{
    attack::{Attack, with_variants},
    requests::{FOUR, protobuf},
};
use testkit::wire::{put_bytes, put_message};

pub fn all() -> Vec<Attack> {
    let of = |name: &str, resource: usize, scopes: usize| {
        protobuf(name, FOUR, move || many_scopes(resource, scopes))
    };
    let mut attacks = Vec::new();
    attacks.extend(of("resource 1 MiB, 3000 scopes", MIB, 3000));
    attacks.extend(of("resource 512 KiB, 2000 scopes", 512 * KIB, 2000));
    attacks.extend(of("resource 4 MiB, 4000 scopes", 4 * MIB, 4000));
    attacks.extend(of("resource 1 KiB, 60000 scopes", KIB, 60_000));
    attacks.extend(protobuf("resource 4 MiB, 60000 spans", FOUR, || {
        one_scope(4 * MIB, 60_000)
    }));
    with_variants(attacks, |attack| {
        attack.name == "resource 1 MiB, 3000 scopes grpc/zstd"
    })
}

fn put_large(bytes: usize, out: &mut Vec<u8>) {
    put_attribute(1, "large", &vec![b'x'; bytes], out);
}

/// One span in each of many scopes, which all have this resource.
fn many_scopes(resource: usize, scopes: usize) -> Vec<u8> {
    request(
        |out| put_large(resource, out),
        |out| {
            for n in 0..scopes {
                put_message(2, out, |out| {
                    let name = format!("scope-{n}");
                    put_message(1, out, |scope| put_bytes(1, name.as_bytes(), scope));
                    put_message(2, out, put_ids);
                });
            }
        },
    )
}

/// A resource that is larger than a batch, so that each span fills one.
fn one_scope(resource: usize, spans: usize) -> Vec<u8> {
    request(
        |out| put_large(resource, out),
        |out| {
            put_message(2, out, |out| {
                for _ in 0..spans {
                    put_message(2, out, put_ids);
                }
            });
        },
    )
}
