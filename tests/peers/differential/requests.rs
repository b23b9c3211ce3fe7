//! Sets of requests by the names that tables have for them.

use super::{generated, odd};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use std::fs;

/// What is sent.
#[derive(Clone)]
pub enum Request {
    Otlp(ExportTraceServiceRequest),
    /// A body as it is, in JSON, with its path.
    Json(&'static str, String),
}

/// The requests of all of these sets.
pub fn named(sets: &[String]) -> Vec<Request> {
    sets.iter().flat_map(|set| named_set(set)).collect()
}

fn named_set(set: &str) -> Vec<Request> {
    let otlp = match set {
        "captured" => captured(),
        "generated" => generated::requests(1, 24),
        "few" => generated::requests(3, 8),
        "one" => vec![odd::one()],
        "odd" => odd::requests(),
        "twice" => odd::keys_twice(),
        "faulty ids" => odd::faulty_ids(),
        "sampled" => odd::sampled(),
        other => match other.strip_prefix("zipkin ") {
            Some(file) => return zipkin(file),
            None => panic!("no set of requests is called {other:?}"),
        },
    };
    otlp.into_iter().map(Request::Otlp).collect()
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
            .filter(|file| file.extension().is_some_and(|of| of == "pb"))
            .collect();
        files.sort();
        let some = files.iter().step_by(7);
        all.extend(
            some.map(|file| ExportTraceServiceRequest::decode(&*fs::read(file).unwrap()).unwrap()),
        );
    }
    assert!(all.len() > 10, "the captured requests are missing");
    all
}

/// Bodies of Zipkin's: each element of the file's list is one.
fn zipkin(file: &str) -> Vec<Request> {
    let path = match file.starts_with("v1") {
        true => "/api/v1/spans",
        false => "/api/v2/spans",
    };
    let text = super::table::text(&format!("zipkin/{file}.json"));
    let bodies: Vec<Value> = serde_json::from_str(&text).unwrap();
    let request = |body: &Value| Request::Json(path, body.to_string());
    bodies.iter().map(request).collect()
}
