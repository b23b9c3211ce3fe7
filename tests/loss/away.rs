//! A backend that is away: memory stays bounded, the rest waits on disk, and
//! all of it arrives when the backend is back.

use crate::{
    accounts::Auditor,
    load::{Load, SPANS},
    service::{Service, Setup},
    verdict::nothing_lost,
};
use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{Backend, Protocol, wait_for};

/// What a route keeps in memory, in MiB.
const ROUTE_MIB: u64 = 24;

/// What comes on top: bodies and batches under way, what is being sent and
/// read, and an allocator that gives memory back late.
const BESIDES_MIB: u64 = 72;

/// How long the backend is away.
fn outage() -> Duration {
    match env::var_os("WAYSPAN_LONG") {
        Some(_) => Duration::from_secs(60),
        None => Duration::from_secs(8),
    }
}

#[test]
fn memory_is_bounded_while_the_backend_is_away_and_all_arrives_after() {
    let backend = Backend::counting(Protocol::Grpc);
    let mut service = Service::start(&Setup::logged(backend.port));
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(10_000.0));
    load.wait_answered(10_000);
    let before = service.resident_mib();
    backend.away();
    let mut most = 0;
    let begun = Instant::now();
    // At least so long, and until more is held than memory is to have.
    while begun.elapsed() < outage() || service.count("wayspan_log_bytes") < 64e6 {
        most = most.max(service.resident_mib());
        sleep(Duration::from_millis(50));
    }
    println!("  resident: {before} MiB before, at most {most} MiB while the backend was away");
    assert!(
        most <= before + ROUTE_MIB + BESIDES_MIB,
        "{most} MiB, and {before} MiB before"
    );
    // A crash in the midst of it, and another while the backlog is delivered.
    service.kill();
    service.restart();
    load.wait_answered(1_000);
    backend.back();
    let goal = backend.unique() + 20_000;
    wait_for("a part of the backlog", || {
        (backend.unique() > goal).then_some(())
    });
    service.kill();
    service.restart();
    load.wait_answered(1_000);
    nothing_lost("backend away", load, &service, &backend);
    auditor.finish();
    // What was delivered does not stay on disk.
    service.wait_metric("wayspan_log_bytes", |bytes| bytes < 40e6);
}

/// Spans of this run that memory has are sent beside those of the earlier run
/// on disk; what is on disk of this run comes after them.
#[test]
fn what_waits_on_disk_is_delivered_oldest_first() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut service = Service::start(&Setup::logged(backend.port));
    let load = Load::start(service.ports[0], Some(20_000.0));
    load.wait_answered(20_000);
    load.pause();
    let old = load.ledger().answered.clone();
    service.kill();
    service.restart();
    service.wait_recovered();
    load.go_on();
    load.wait_answered(80_000);
    load.pause();
    let in_memory = service.account().held["memory"];
    backend.back();
    let newer = wait_for("the older spans", || {
        let records = backend.records();
        let arrived = old.iter().all(|first| records.taken.contains(*first));
        arrived.then(|| records.taken.unique - (old.len() * SPANS) as u64)
    });
    println!("  with the last older span, {newer} newer ones had come, of {in_memory} in memory");
    // Several batches are under way at once, and come in any order.
    assert!(newer <= in_memory + 20_000, "{newer} of {in_memory}");
    nothing_lost("oldest first", load, &service, &backend);
}

/// Only where `max_elapsed_time` says so: retries go on forever otherwise.
#[test]
fn what_is_given_up_is_counted_and_does_not_come_after_a_restart() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut setup = Setup::logged(backend.port);
    setup.retry_for = "500ms";
    let mut service = Service::start(&setup);
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(2_000);
    load.pause();
    service.wait_delivered();
    let answered = load.finish().answered_spans();
    let account = service.account();
    assert_eq!(account.accepted, answered);
    assert_eq!(account.dropped["gave_up"], answered, "{account:?}");
    service.kill();
    service.restart();
    backend.back();
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(1_000);
    load.pause();
    service.wait_delivered();
    let account = service.account();
    assert_eq!(
        (account.recovered, account.dropped()),
        (0, 0),
        "{account:?}"
    );
    assert_eq!(
        backend.records().taken.received,
        load.ledger().answered_spans()
    );
}
