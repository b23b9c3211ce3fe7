//! All of it in turn under one steady load: the account balances, nothing is
//! lost, and memory is as flat at the end as at the beginning. 20 seconds; with
//! WAYSPAN_LONG set, which `tests/run --long` does, five minutes.

use crate::{
    accounts::Auditor,
    load::Load,
    misbehaviour::{MODES, misbehave},
    service::{Service, Setup, moment},
    verdict::nothing_lost,
};
use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{Backend, Mode, Protocol};

fn duration() -> Duration {
    match env::var_os("WAYSPAN_LONG") {
        Some(_) => Duration::from_secs(300),
        None => Duration::from_secs(20),
    }
}

/// Spans a second that are answered when nobody waits.
fn full_speed(service: &Service) -> f64 {
    let load = Load::start(service.ports[0], None);
    load.wait_answered(1_000);
    let (before, begun) = (load.ledger().answered_spans(), Instant::now());
    sleep(Duration::from_secs(2));
    let answered = load.ledger().answered_spans() - before;
    let rate = answered as f64 / begun.elapsed().as_secs_f64();
    drop(load);
    service.wait_delivered();
    rate
}

#[test]
fn at_half_of_full_speed_everything_in_turn() {
    let (measured, backend) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    let mut setup = Setup::logged(measured.port);
    let mut service = Service::start(&setup);
    let rate = full_speed(&service) / 2.0;
    setup.exporters[0].1 = backend.port;
    service.configure(&setup);
    service.kill();
    service.restart();

    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(rate));
    load.wait_answered(rate as u64);
    let mut resident = Vec::new();
    let (begun, mut turns) = (Instant::now(), 0u32);
    while begun.elapsed() < duration() {
        let mode = MODES[turns as usize % MODES.len()].clone();
        misbehave(&backend, mode);
        // In the end it lives for longer: memory that leaks would show.
        let kills = begun.elapsed() < duration() * 2 / 3;
        match turns % 4 {
            1 if kills => {
                service.kill();
                service.restart();
            }
            3 => {
                backend.away();
                sleep(moment(200, 600));
                backend.back();
            }
            _ => {}
        }
        resident.push(service.resident_mib());
        turns += 1;
    }
    backend.set(Mode::Take);
    let verdict = nothing_lost("soak", load, &service, &backend);
    let scrapes = auditor.finish();
    println!(
        "  {rate:.0} spans/s, {turns} turns, {scrapes} scrapes balanced, resident {resident:?}"
    );
    assert_eq!(verdict.refused, 0, "the log has room for all");
    let most = resident.iter().max().copied().unwrap_or_default();
    assert!(most < 160, "resident memory is not flat: {resident:?} MiB");
}
