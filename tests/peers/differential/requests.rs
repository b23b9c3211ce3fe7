//! Sets of requests by the names that tables have for them.

use super::{generated, odd};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::fs;

/// The requests of all of these sets.
pub fn named(sets: &[String]) -> Vec<ExportTraceServiceRequest> {
    sets.iter().flat_map(|set| named_set(set)).collect()
}

fn named_set(set: &str) -> Vec<ExportTraceServiceRequest> {
    match set {
        "captured" => captured(),
        "generated" => generated::requests(1, 40),
        "many" => generated::requests(2, 200),
        "one" => vec![odd::one()],
        "odd" => odd::requests(),
        "twice" => odd::keys_twice(),
        "faulty ids" => odd::faulty_ids(),
        "sampled" => odd::sampled(),
        other => panic!("no set of requests is called {other:?}"),
    }
}

/// What real Envoys sent: some of each folder.
fn captured() -> Vec<ExportTraceServiceRequest> {
    let root = testkit::root().join("tests/fixtures");
    let folders = fs::read_dir(root).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let mut all = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let some = files.iter().step_by(4);
        all.extend(
            some.map(|file| ExportTraceServiceRequest::decode(&*fs::read(file).unwrap()).unwrap()),
        );
    }
    assert!(all.len() > 20, "the captured requests are missing");
    all
}
