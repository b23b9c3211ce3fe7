//! One exporter that hangs never holds another: with a log its spans wait on
//! disk; without one they are dropped, and counted, once its share of the
//! memory is full.

use crate::{
    accounts::Auditor,
    load::Load,
    service::{Service, Setup},
    verdict::nothing_lost,
};
use std::time::{Duration, Instant};
use testkit::{Backend, Mode, Protocol, wait_for};

const GOOD: &str = "otlp_grpc/good";
const HANGING: &str = "otlp_grpc/hanging";

/// The longest that the good one may be behind, on a busy machine.
const PROMPT: Duration = Duration::from_secs(3);

fn setup(good: &Backend, hanging: &Backend) -> Setup {
    hanging.set(Mode::Hang);
    Setup {
        exporters: vec![(GOOD, good.port), (HANGING, hanging.port)],
        memory_mib: 32,
        ..Setup::unlogged(0)
    }
}

/// Waits until the good one has all that is answered so far.
fn assert_prompt(load: &Load, good: &Backend) {
    let answered = load.ledger().answered.len();
    let begun = Instant::now();
    wait_for("the spans of the good exporter", || {
        let (ledger, records) = (load.ledger(), good.records());
        let mut requests = ledger.answered[..answered].iter().rev();
        requests
            .all(|first| records.taken.contains(*first))
            .then_some(())
    });
    let took = begun.elapsed();
    assert!(
        took < PROMPT,
        "the other one got its spans only after {took:?}"
    );
}

#[test]
fn without_a_log_the_loss_is_the_hanging_ones_alone_and_is_counted() {
    let (good, hanging) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    let service = Service::start(&setup(&good, &hanging));
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(10_000.0));
    wait_for("spans dropped", || {
        (service.accounts()[HANGING].dropped["queue_full"] > 20_000).then_some(())
    });
    assert_prompt(&load, &good);
    auditor.finish();
    load.pause();
    let answered = load.ledger().answered_spans();
    let accounts = service.accounts();
    assert_eq!(
        load.ledger().refused.len(),
        0,
        "{:?}",
        load.ledger().first_refusal
    );
    assert_eq!(accounts[GOOD].dropped(), 0);
    assert_eq!(accounts[HANGING].accepted, answered);
    // What was not dropped is delivered once it no longer hangs.
    hanging.set(Mode::Take);
    nothing_lost("the good one", load, &service, &good);
    let accounts = service.accounts();
    assert_eq!(accounts[GOOD].delivered, answered);
    let account = &accounts[HANGING];
    assert_eq!(account.delivered + account.dropped["queue_full"], answered);
    assert_eq!(hanging.unique(), account.delivered);
}

#[test]
fn with_a_log_nothing_is_lost_and_the_other_is_prompt() {
    let (good, hanging) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    let service = Service::start(&Setup {
        log: Some("fsync: never"),
        ..setup(&good, &hanging)
    });
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(10_000.0));
    // More than the memory has room for.
    load.wait_answered(60_000);
    assert_prompt(&load, &good);
    load.pause();
    let answered = load.ledger().answered_spans();
    assert_eq!(
        load.ledger().refused.len(),
        0,
        "{:?}",
        load.ledger().first_refusal
    );
    hanging.set(Mode::Take);
    service.wait_delivered();
    let lost = load.ledger().lost(&hanging.records());
    assert_eq!(lost.len(), 0, "{:?}", lost.first());
    nothing_lost("with a log", load, &service, &good);
    for account in service.accounts().values() {
        assert_eq!((account.delivered, account.dropped()), (answered, 0));
    }
    auditor.finish();
}

/// Of two exporters one has the log: it loses nothing, whatever becomes of the
/// other and of the process.
#[test]
fn beside_one_without_a_log_the_one_with_it_loses_nothing() {
    let (good, hanging) = (
        Backend::counting(Protocol::Grpc),
        Backend::counting(Protocol::Grpc),
    );
    let mut service = Service::start(&Setup {
        log: Some("fsync: never"),
        not_logged: Some(HANGING),
        ..setup(&good, &hanging)
    });
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(10_000.0));
    wait_for("spans dropped", || {
        (service.accounts()[HANGING].dropped["queue_full"] > 5_000).then_some(())
    });
    assert_prompt(&load, &good);
    good.away();
    load.wait_answered(10_000);
    service.kill();
    service.restart();
    load.wait_answered(1_000);
    good.back();
    hanging.set(Mode::Take);
    nothing_lost("the one with a log", load, &service, &good);
    assert_eq!(service.accounts()[GOOD].dropped(), 0);
    assert_eq!(service.accounts()[HANGING].recovered, 0);
    auditor.finish();
}
