//! SIGTERM under load with a slow backend: without a log the drain delivers
//! and the last line tells; with a log what is left stays there, which is a
//! success, and the next start delivers it.

use crate::{
    load::Load,
    service::{Service, Setup},
    verdict::nothing_lost,
};
use std::time::{Duration, Instant};
use testkit::{Backend, Mode, Protocol};

const SLOW: Mode = Mode::Slow(Duration::from_millis(300));

#[test]
fn without_a_log_drains_within_the_deadline_and_tells() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.set(SLOW);
    let mut service = Service::start(&Setup::unlogged(backend.port));
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(5_000);
    let begun = Instant::now();
    service.terminate();
    let (code, said) = service.wait_end();
    let took = begun.elapsed();
    let ledger = load.finish();
    println!("  drained in {took:?}");
    assert_eq!(code, Some(0), "{said}");
    let records = backend.records();
    let lost = ledger.lost(&records);
    assert_eq!(lost.len(), 0, "{:?}\n{said}", lost.first());
    let taken = records.taken.unique;
    assert_eq!(
        taken,
        ledger.answered_spans() + ledger.arrived_unanswered(&records)
    );
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.contains(&format!(
            "accepted {taken}; otlp_grpc: delivered {taken}, failed 0"
        )),
        "{last}"
    );
}

#[test]
fn without_a_log_what_a_hanging_backend_does_not_take_is_told() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.set(Mode::Hang);
    let setup = Setup {
        drain: "2s",
        ..Setup::unlogged(backend.port)
    };
    let mut service = Service::start(&setup);
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(5_000);
    load.pause();
    let begun = Instant::now();
    service.terminate();
    let (code, said) = service.wait_end();
    assert_eq!(code, Some(1), "spans were lost: {said}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let answered = load.finish().answered_spans();
    let last = said.lines().last().unwrap_or_default();
    let told = format!(
        "accepted {answered}; otlp_grpc: delivered 0, failed {answered} ({answered} of them undelivered"
    );
    assert!(last.contains(&told), "{told} is not in {last}");
}

#[test]
fn with_a_log_what_is_left_stays_there_and_the_next_start_delivers_it() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.set(Mode::Hang);
    let mut service = Service::start(&Setup {
        drain: "1s",
        ..Setup::logged(backend.port)
    });
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(5_000);
    service.terminate();
    let (code, said) = service.wait_end();
    assert_eq!(code, Some(0), "{said}");
    load.pause();
    let last = said.lines().last().unwrap_or_default().to_owned();
    backend.set(Mode::Take);
    service.restart();
    service.wait_recovered();
    let recovered = service.account().recovered;
    assert!(
        last.contains(&format!("next start {recovered}")),
        "{recovered} recovered; {last}"
    );
    assert!(recovered >= load.ledger().answered_spans());
    nothing_lost("left by SIGTERM", load, &service, &backend);
    assert_eq!(backend.records().taken.received, recovered, "each once");
}

#[test]
fn a_second_one_ends_at_once_and_loses_nothing_with_a_log() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.set(Mode::Hang);
    let mut service = Service::start(&Setup {
        drain: "1h",
        ..Setup::logged(backend.port)
    });
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(5_000);
    service.terminate();
    service.wait_said("draining");
    let begun = Instant::now();
    service.terminate();
    let (code, said) = service.wait_end();
    let took = begun.elapsed();
    println!("  ended {took:?} after the second");
    assert_eq!(code, Some(0), "{said}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    load.pause();
    backend.set(Mode::Take);
    service.restart();
    nothing_lost("left by two SIGTERMs", load, &service, &backend);
}
