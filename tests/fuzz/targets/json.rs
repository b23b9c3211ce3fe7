//! OTLP/JSON in: what is read can enter, and is the same once written and read
//! again; the derives of opentelemetry-proto, where they read it, agree.

use super::{Grammar, Target, oracle::{keys, same}};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest as Request,
};
use prost::Message as _;
use wayspan::pdata::{
    Index, Signal, admit,
    json::{logs_from_json, request_from_json, request_to_json},
};

pub const TARGET: Target = Target {
    name: "json",
    run,
    grammar: Grammar::Text,
};

fn run(bytes: &[u8]) {
    if let Ok(read) = logs_from_json(bytes) {
        let logs = ExportLogsServiceRequest::decode(&read[..]);
        // Text that is not Unicode is replaced later, record by record.
        assert!(logs.is_ok() || read.iter().any(|byte| *byte >= 0x80));
    }
    let read = match request_from_json(bytes) {
        Ok(read) => read,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, &read, &keys().0, &mut index).expect("what is read can enter");
    let model = Request::decode(&admitted.bytes[..]).expect("what entered can be decoded");
    let written = request_to_json(&admitted.bytes).expect("what entered can be written");
    let again = request_from_json(&written).expect("what was written can be read");
    same(&Request::decode(&again[..]).unwrap(), &model);
    if let Ok(theirs) = serde_json::from_slice::<Request>(&written) {
        same(&theirs, &model);
    }
}
