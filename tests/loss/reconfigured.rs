//! Other starts on the same log. With another configuration: what an exporter
//! was to get waits for it while it is not configured, and is nobody else's. At
//! the same time: refused.

use crate::{
    load::Load,
    service::{Service, Setup},
    verdict::nothing_lost,
};
use tempfile::TempDir;
use testkit::{Backend, Protocol};

const FIRST: &str = "otlp_grpc/first";
const SECOND: &str = "otlp_grpc/second";

#[test]
fn an_exporter_that_is_back_gets_what_it_was_to_get() {
    let (first, second) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    first.away();
    let to_first = Setup {
        exporters: vec![(FIRST, first.port)],
        ..Setup::logged(0)
    };
    let to_second = Setup {
        exporters: vec![(SECOND, second.port)],
        ..Setup::logged(0)
    };
    let mut service = Service::start(&to_first);
    let load = Load::start(service.ports[0], Some(10_000.0));
    load.wait_answered(5_000);
    load.pause();
    let left = load.ledger().answered_spans();
    service.kill();

    service.configure(&to_second);
    service.restart();
    service.wait_said(FIRST);
    let other = Load::start(service.ports[0], Some(10_000.0));
    other.wait_answered(5_000);
    nothing_lost("to the second alone", other, &service, &second);
    assert_eq!(service.accounts()[SECOND].recovered, 0);
    service.kill();

    service.configure(&to_first);
    service.restart();
    first.back();
    nothing_lost("to the first again", load, &service, &first);
    assert_eq!(first.records().taken.received, left, "each once");
}

#[test]
fn an_exporter_that_is_new_gets_what_is_new() {
    let (first, second) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    first.away();
    let mut setup = Setup {
        exporters: vec![(FIRST, first.port)],
        ..Setup::logged(0)
    };
    let mut service = Service::start(&setup);
    let load = Load::start(service.ports[0], Some(10_000.0));
    load.wait_answered(5_000);
    load.pause();
    let left = load.ledger().answered_spans();
    service.kill();
    setup.exporters.push((SECOND, second.port));
    service.configure(&setup);
    service.restart();
    load.go_on();
    load.wait_answered(5_000);
    load.pause();
    let new = load.ledger().answered_spans() - left;
    first.back();
    nothing_lost("to both", load, &service, &first);
    assert_eq!(second.records().taken.received, new);
}

/// As in a rolling update on one volume: the first goes on, undisturbed.
#[test]
fn a_second_process_is_not_let_in() {
    let backend = Backend::counting(Protocol::Grpc);
    let dir = TempDir::new().unwrap();
    let setup = Setup {
        directory: Some(dir.path().join("log")),
        ..Setup::logged(backend.port)
    };
    let service = Service::start(&setup);
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(1_000);
    let mut second = Service::new(&setup);
    second.spawn();
    let (code, said) = second.wait_end();
    assert_eq!(code, Some(1), "{said}");
    let directory = dir.path().display().to_string();
    assert!(
        said.contains(&directory) && said.contains("another"),
        "{said}"
    );
    load.wait_answered(1_000);
    let verdict = nothing_lost("beside a second process", load, &service, &backend);
    assert_eq!(verdict.unanswered, 0);
}
