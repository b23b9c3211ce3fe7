//! kill -9 at random moments under load, with the segment log on: a crash of
//! the process loses nothing that was answered, whatever `fsync` says.

use crate::{
    accounts::Auditor,
    load::Load,
    service::{Service, Setup, moment},
    verdict::{Verdict, nothing_lost},
};
use std::{thread::sleep, time::Duration};
use testkit::{Backend, Mode, Protocol};

pub const RATE: f64 = 10_000.0;

/// A kill makes sent again what was under way to the backend, or had been
/// taken a moment before: far less than what a second brings.
pub fn assert_few_twice(verdict: &Verdict, kills: u64) {
    assert!(verdict.twice <= kills * RATE as u64, "{verdict}");
}

/// Kills and starts the service so many times under load.
pub fn kill_often(service: &mut Service, times: u32) {
    for _ in 0..times {
        sleep(moment(50, 600));
        service.kill();
        service.restart();
    }
}

#[test]
fn twenty_kills_lose_nothing() {
    let backend = Backend::counting(Protocol::Grpc);
    let mut setup = Setup::logged(backend.port);
    let mut service = Service::start(&setup);
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(RATE));
    load.wait_answered(1);
    kill_often(&mut service, 16);
    setup.log = Some("fsync: always");
    service.configure(&setup);
    kill_often(&mut service, 4);
    // The last run brings back what the one before left, and says so.
    load.wait_answered(1);
    let verdict = nothing_lost("twenty kills", load, &service, &backend);
    assert_few_twice(&verdict, 20);
    auditor.finish();
}

#[test]
fn kills_over_http_lose_nothing() {
    let backend = Backend::counting(Protocol::Grpc);
    let mut service = Service::start(&Setup::logged(backend.port));
    let load = Load::speaking(Protocol::Http, service.http, Some(RATE / 2.0));
    load.wait_answered(1);
    kill_often(&mut service, 5);
    load.wait_answered(1);
    let verdict = nothing_lost("kills, over HTTP", load, &service, &backend);
    assert_few_twice(&verdict, 5);
}

#[test]
fn kills_with_two_pipelines_of_which_one_is_slow_lose_nothing() {
    let (fast, slow) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    slow.set(Mode::Slow(Duration::from_millis(300)));
    let setup = Setup {
        exporters: vec![("otlp_grpc/fast", fast.port), ("otlp_grpc/slow", slow.port)],
        apart: true,
        ..Setup::logged(0)
    };
    let mut service = Service::start(&setup);
    let loads = [0, 1].map(|at| Load::start(service.ports[at], Some(RATE / 2.0)));
    loads.iter().for_each(|load| load.wait_answered(1));
    kill_often(&mut service, 5);
    loads.iter().for_each(|load| load.wait_answered(1));
    loads.iter().for_each(Load::pause);
    let [to_fast, to_slow] = loads;
    nothing_lost("kills, fast pipeline", to_fast, &service, &fast);
    nothing_lost("kills, slow pipeline", to_slow, &service, &slow);
}

#[test]
fn kills_with_two_exporters_of_which_one_is_slow_lose_nothing() {
    let (fast, slow) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    slow.set(Mode::Slow(Duration::from_millis(300)));
    let setup = Setup {
        exporters: vec![("otlp_grpc/fast", fast.port), ("otlp_grpc/slow", slow.port)],
        ..Setup::logged(0)
    };
    let mut service = Service::start(&setup);
    let load = Load::start(service.ports[0], Some(RATE));
    load.wait_answered(1);
    kill_often(&mut service, 5);
    load.wait_answered(1);
    load.pause();
    service.wait_delivered();
    // Each has everything, and the slow one has cost the other nothing.
    let lost = load.ledger().lost(&slow.records());
    assert_eq!(lost.len(), 0, "at the slow one: {:?}", lost.first());
    nothing_lost("kills, two exporters", load, &service, &fast);
}

#[test]
fn a_start_delivers_what_is_left_and_says_how_much() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut service = Service::start(&Setup::logged(backend.port));
    let load = Load::start(service.ports[0], Some(RATE));
    load.wait_answered(5_000);
    load.pause();
    let left = load.ledger().answered_spans();
    service.kill();
    service.restart();
    service.wait_said(&format!("{left} spans of an earlier run are undelivered"));
    assert_eq!(
        service.account().recovered,
        left,
        "{}",
        service.process().log_tail()
    );
    backend.back();
    nothing_lost("left by a kill", load, &service, &backend);
    assert_eq!(service.account().delivered, left);
    assert_eq!(backend.records().taken.received, left, "each once");
}

/// As where something kills it again and again before it is ready.
#[test]
fn a_crash_loop_loses_nothing() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.set(Mode::Slow(Duration::from_millis(100)));
    let mut service = Service::start(&Setup::logged(backend.port));
    let load = Load::start(service.ports[0], Some(RATE));
    load.wait_answered(5_000);
    service.kill();
    for _ in 0..15 {
        service.spawn();
        sleep(moment(1, 150));
        service.kill();
    }
    service.restart();
    load.wait_answered(1);
    nothing_lost("crash loop", load, &service, &backend);
    assert_eq!(service.count("wayspan_log_damaged_records"), 0.0);
}
