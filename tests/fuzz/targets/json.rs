//! OTLP/JSON in: what is read can enter, and is the same once written and read
//! again; the derives of opentelemetry-proto, where they read it, agree.

use super::{
    Grammar, Target,
    oracle::keys,
    signals::{Model, same},
};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use wayspan::pdata::{
    Index, admit,
    json::{request_from_json, request_to_json},
};

pub const TARGET: Target = Target {
    name: "json",
    run,
    grammar: Grammar::Text,
};

fn run(bytes: &[u8]) {
    if let Some((model, written)) = read::<ExportTraceServiceRequest>(bytes)
        && let Ok(theirs) = serde_json::from_slice::<ExportTraceServiceRequest>(&written)
    {
        same(&theirs, &model);
    }
    read::<ExportMetricsServiceRequest>(bytes);
    read::<ExportLogsServiceRequest>(bytes);
}

/// What entered, and its JSON as we write it.
fn read<M: Model>(bytes: &[u8]) -> Option<(M, Vec<u8>)> {
    let read = match request_from_json(M::SIGNAL, bytes) {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let mut index = Index::default();
    let admitted = admit(M::SIGNAL, &read, &keys().0, &mut index).expect("what is read can enter");
    let model = M::decode(&admitted.bytes[..]).expect("what entered can be decoded");
    let written = request_to_json(M::SIGNAL, &admitted.bytes).expect("what entered can be written");
    let again = request_from_json(M::SIGNAL, &written).expect("what was written can be read");
    same(&M::decode(&again[..]).unwrap(), &model);
    Some((model, written))
}
