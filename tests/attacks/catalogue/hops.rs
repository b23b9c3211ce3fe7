//! A resource that takes long to read, under spans that each come from another
//! hop, so that nothing decided for one serves the next.

use super::{put_attribute, put_ids, request};
use crate::{
    attack::{Attack, with_variants},
    requests::{FOUR, protobuf},
};
use testkit::wire::put_message;

pub fn all() -> Vec<Attack> {
    let of = |name: &str, attributes: usize, hops: usize| {
        protobuf(name, FOUR, move || hops_of(attributes, hops))
    };
    let mut attacks = Vec::new();
    attacks.extend(of("400000 attributes, 500 hops", 400_000, 500));
    attacks.extend(of("400000 attributes, 2000 hops", 400_000, 2000));
    attacks.extend(of("20000 attributes, 20000 hops", 20_000, 20_000));
    with_variants(attacks, |attack| {
        attack.name == "400000 attributes, 500 hops grpc/zstd"
    })
}

/// A resource of so many tiny attributes, and a span of each hop.
fn hops_of(attributes: usize, hops: usize) -> Vec<u8> {
    request(
        |out| {
            for _ in 0..attributes {
                put_attribute(1, "a", b"", out);
            }
        },
        |out| {
            put_message(2, out, |out| {
                for hop in 0..hops {
                    put_message(2, out, |span| {
                        put_ids(span);
                        let node = format!("waypoint~10.0.0.1~w-{hop}.shop~shop.svc.cluster.local");
                        put_attribute(9, "node_id", node.as_bytes(), span);
                        let cluster = format!("inbound-vip|80|http|s{hop}.shop.svc.cluster.local;");
                        put_attribute(9, "upstream_cluster.name", cluster.as_bytes(), span);
                    });
                }
            });
        },
    )
}
