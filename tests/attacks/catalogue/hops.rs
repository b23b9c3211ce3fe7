//! A resource that takes long to read or to copy, under spans that each come from
//! another hop, so that nothing decided for one serves the next.

use super::{MIB, put_attribute, put_ids, request};
use crate::{
    attack::{Attack, with_variants},
    requests::{FOUR, protobuf},
};
use testkit::wire::put_message;

pub fn all() -> Vec<Attack> {
    let tiny = |name, attributes, hops| {
        protobuf(name, FOUR, move || {
            hops_under(hops, |out| {
                for _ in 0..attributes {
                    put_attribute(1, "a", b"", out);
                }
            })
        })
    };
    let large = protobuf("attribute of 1 MiB, 3000 hops", FOUR, || {
        hops_under(3000, |out| put_attribute(1, "large", &vec![b'x'; MIB], out))
    });
    let attacks = [
        tiny("400000 attributes, 500 hops", 400_000, 500),
        tiny("400000 attributes, 2000 hops", 400_000, 2000),
        tiny("20000 attributes, 20000 hops", 20_000, 20_000),
        large,
    ];
    with_variants(attacks.concat(), |attack| {
        attack.name == "400000 attributes, 500 hops grpc/zstd"
    })
}

/// A span of each hop, below a resource with what `attributes` writes.
fn hops_under(hops: usize, attributes: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let put_spans = |out: &mut Vec<u8>| {
        for hop in 0..hops {
            put_message(2, out, |span| {
                put_ids(span);
                let node = format!("waypoint~10.0.0.1~w-{hop}.shop~shop.svc.cluster.local");
                put_attribute(9, "node_id", node.as_bytes(), span);
                let cluster = format!("inbound-vip|80|http|s{hop}.shop.svc.cluster.local;");
                put_attribute(9, "upstream_cluster.name", cluster.as_bytes(), span);
            });
        }
    };
    request(attributes, |out| put_message(2, out, put_spans))
}
