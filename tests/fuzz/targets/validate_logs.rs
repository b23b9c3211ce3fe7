//! The walk over a request of logs: prost's accept-set and prost's reading.

use super::{
    Grammar, Target,
    signals::{agree, survive},
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

pub const TARGET: Target = Target {
    name: "validate_logs",
    run,
    grammar: Grammar::Protobuf,
};

fn run(bytes: &[u8]) {
    agree::<ExportLogsServiceRequest>(bytes);
    survive::<ExportLogsServiceRequest>(bytes);
}
