//! Every way in which a backend can misbehave, one after the other under load,
//! while wayspan itself is killed and started again.

use crate::{
    accounts::Auditor,
    load::Load,
    service::{Service, Setup, moment},
    verdict::nothing_lost,
};
use std::{thread::sleep, time::Duration};
use testkit::{Backend, Mode, Protocol, wait_for};

/// Every manner but being away.
pub const MODES: [Mode; 12] = [
    Mode::Unavailable,
    Mode::Busy(None),
    Mode::Busy(Some(Duration::from_secs(1))),
    Mode::Poison(1009),
    Mode::Small(32 << 10),
    Mode::Hang,
    Mode::Reset,
    Mode::Cut,
    Mode::TakeAndCut,
    Mode::Slow(Duration::from_millis(200)),
    Mode::Partial(1013),
    Mode::Take,
];

/// Misbehaves in this way until requests have met it, and for a moment more.
pub fn misbehave(backend: &Backend, mode: Mode) {
    let before = backend.met();
    let what = format!("requests to meet {mode:?}");
    backend.set(mode);
    wait_for(&what, || (backend.met() > before).then_some(()));
    sleep(moment(300, 700));
}

fn in_turn(exporter: &'static str, protocol: Protocol) {
    let backend = Backend::counting(protocol);
    let mut setup = Setup::logged(backend.port);
    setup.exporters[0].0 = exporter;
    let mut service = Service::start(&setup);
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(1_000);
    let before = service.resident_mib();
    let mut most = 0;
    for (at, mode) in MODES.into_iter().enumerate() {
        misbehave(&backend, mode);
        most = most.max(service.resident_mib());
        if at % 3 == 2 {
            service.kill();
            service.restart();
        }
    }
    backend.away();
    sleep(moment(300, 700));
    backend.back();
    let verdict = nothing_lost(&format!("{protocol:?} in turn"), load, &service, &backend);
    println!("  resident: {before} MiB before, at most {most} MiB");
    assert!(most < before + 96, "{most} MiB, and {before} MiB before");
    assert_eq!(verdict.refused, 0, "the log has room for all");
    assert!(verdict.rejected > 0, "no span was refused");
    auditor.finish();
}

#[test]
fn of_a_grpc_backend_in_turn() {
    in_turn("otlp_grpc", Protocol::Grpc);
}

#[test]
fn of_an_http_backend_in_turn() {
    in_turn("otlp_http", Protocol::Http);
}

/// Without kills the account is exact to the span.
#[test]
fn is_accounted_for_to_the_span() {
    let backend = Backend::counting(Protocol::Grpc);
    let service = Service::start(&Setup::logged(backend.port));
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(1_000);
    for mode in [
        Mode::Poison(211),
        Mode::Partial(223),
        Mode::Small(32 << 10),
        Mode::Take,
    ] {
        misbehave(&backend, mode);
    }
    let verdict = nothing_lost("to the span", load, &service, &backend);
    let account = service.account();
    assert_eq!(account.accepted, verdict.answered);
    assert_eq!(account.delivered, verdict.taken);
    assert_eq!(account.refused, verdict.rejected);
    assert_eq!((account.dropped(), verdict.twice), (0, 0));
    assert!(verdict.rejected > 0);
    // The page for people says the same.
    let page = service.pipelines();
    let row = format!(
        "traces otlp_grpc {} 0 {} {} 0 0 0 0 0",
        verdict.answered, verdict.taken, verdict.rejected
    );
    let rows = page
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(
        rows.into_iter().any(|line| line == row),
        "{row} is not in\n{page}"
    );
}
