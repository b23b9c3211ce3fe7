//! OTLP/JSON out: what prost decodes is written, and read back as the same.
//! Only what was validated is ever written, so that of the rest nothing is
//! asked but that it does no harm.

use super::{
    Grammar, Target,
    signals::{Model, same},
};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use wayspan::pdata::json::{request_from_json, request_to_json};

pub const TARGET: Target = Target {
    name: "json_write",
    run,
    grammar: Grammar::Protobuf,
};

fn run(bytes: &[u8]) {
    write::<ExportTraceServiceRequest>(bytes);
    write::<ExportMetricsServiceRequest>(bytes);
    write::<ExportLogsServiceRequest>(bytes);
}

fn write<M: Model>(bytes: &[u8]) {
    let written = request_to_json(M::SIGNAL, bytes);
    let Ok(model) = M::decode(bytes) else {
        return;
    };
    let written = written.expect("what prost decodes is written");
    let again = request_from_json(M::SIGNAL, &written).expect("what was written can be read");
    let again = M::decode(&again[..]).unwrap();
    // In JSON there is one NaN, so where there is any, only the text is compared.
    if written.windows(5).any(|text| text == b"\"NaN\"") {
        assert_eq!(format!("{again:?}"), format!("{model:?}"));
    } else {
        same(&again, &model);
    }
}
