//! The walk over a request: prost's accept-set and prost's reading.

use super::{
    Grammar, Target,
    oracle::{agree, survive},
};

pub const TARGET: Target = Target {
    name: "validate",
    run,
    grammar: Grammar::Protobuf,
};

fn run(bytes: &[u8]) {
    agree(bytes);
    survive(bytes);
}
