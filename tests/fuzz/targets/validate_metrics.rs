//! The walk over a request of metrics: prost's accept-set and prost's reading.

use super::{
    Grammar, Target,
    signals::{agree, survive},
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

pub const TARGET: Target = Target {
    name: "validate_metrics",
    run,
    grammar: Grammar::Protobuf,
};

fn run(bytes: &[u8]) {
    agree::<ExportMetricsServiceRequest>(bytes);
    survive::<ExportMetricsServiceRequest>(bytes);
}
