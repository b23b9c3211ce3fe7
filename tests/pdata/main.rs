/*!
Property tests of `wayspan::pdata`, with prost and opentelemetry-proto as the
oracle: over generated requests, over requests captured from real Envoys, over
odd but valid encodings of both, and over damaged bytes.

`WAYSPAN_LONG=n` runs n times as many cases.
*/
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accept;
mod bounds;
mod canon;
mod changes;
mod child;
mod edit;
mod generate;
mod items;
mod json;
mod nesting;
mod odd;
mod oracle;
mod signals;
mod split;
mod view;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use proptest::test_runner::Config;
use std::path::Path;

/// A proptest configuration of `cases`, times `WAYSPAN_LONG`.
fn cases(cases: u32) -> Config {
    Config {
        cases: cases * long(),
        failure_persistence: None,
        ..Config::default()
    }
}

fn long() -> u32 {
    std::env::var("WAYSPAN_LONG")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1)
}

/// Every captured request.
fn fixtures() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_dir() {
            files.extend(
                std::fs::read_dir(folder)
                    .unwrap()
                    .map(|file| file.unwrap().path()),
            );
        }
    }
    files.sort();
    let bodies: Vec<_> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "pb"))
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    assert!(bodies.len() >= 100, "the captured requests are missing");
    bodies
}
