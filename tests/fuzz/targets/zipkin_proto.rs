//! Zipkin's lists in protobuf: as those in JSON.

use super::{Grammar, Target, zipkin_json::check};
use wayspan::zipkin::ZipkinFormat;

pub const TARGET: Target = Target {
    name: "zipkin_proto",
    run: |bytes| check(ZipkinFormat::V2Proto, bytes),
    grammar: Grammar::Protobuf,
};
