//! A disk that is full, read-only, broken or slow: what is answered is held in
//! memory as far as the memory limit goes, then senders are refused and told
//! when to try again; a log line and metrics say so; and it comes back by itself.

use crate::{
    accounts::Auditor,
    load::Load,
    mount::Mount,
    service::{Service, Setup},
    verdict::nothing_lost,
};
use testkit::{Backend, PATIENCE, Protocol, wait_for};

const RATE: f64 = 20_000.0;

fn on(mount: &Mount, backend: &Backend) -> Setup {
    Setup {
        directory: Some(mount.path().join("log")),
        memory_mib: 64,
        log: Some("fsync: never, timeout: 300ms"),
        ..Setup::logged(backend.port)
    }
}

/// Waits until the log does not work, and the memory is full as well.
fn wait_refused(service: &Service, load: &Load) {
    service.wait_metric("wayspan_log_healthy", |healthy| healthy == 0.0);
    load.wait_refused();
    let ledger = load.ledger();
    let refusal = ledger.first_refusal.as_deref();
    assert_eq!(
        ledger.unhinted, 0,
        "not told when to try again: {refusal:?}"
    );
}

#[test]
fn full_and_with_space_again() {
    let mount = Mount::tmpfs(40);
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let service = Service::start(&on(&mount, &backend));
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(RATE));
    wait_refused(&service, &load);
    service.wait_said("No space left on device");
    let account = service.account();
    let metric = |name| service.count(name);
    println!(
        "  when refused: {account:?}; unlogged {}, failed {}",
        metric("wayspan_log_unlogged_spans"),
        metric("wayspan_log_failed_spans")
    );
    assert!(metric("wayspan_log_unlogged_spans") + metric("wayspan_log_failed_spans") > 0.0);
    // Memory has taken over with more than the 24 MiB that it has beside a log
    // that works: a span has some 1260 bytes.
    assert!(account.held["memory"] > 21_000, "{account:?}");
    // Space, and a backend that takes what memory has.
    mount.resize(400);
    service.wait_metric("wayspan_log_healthy", |healthy| healthy == 1.0);
    service.wait_said("again");
    backend.back();
    load.wait_answered(20_000);
    // It is the log again that holds what cannot be sent.
    backend.away();
    let before = service.count("wayspan_log_unlogged_spans");
    load.wait_answered(20_000);
    assert_eq!(service.count("wayspan_log_unlogged_spans"), before);
    backend.back();
    nothing_lost("disk full", load, &service, &backend);
    assert_eq!(service.count("wayspan_log_damaged_records"), 0.0);
    auditor.finish();
}

#[test]
fn full_and_emptied_by_what_is_delivered() {
    let mount = Mount::tmpfs(40);
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut service = Service::start(&on(&mount, &backend));
    let load = Load::start(service.ports[0], Some(RATE));
    wait_refused(&service, &load);
    backend.back();
    service.wait_metric("wayspan_log_healthy", |healthy| healthy == 1.0);
    load.wait_answered(10_000);
    load.pause();
    service.wait_delivered();
    // What was half written when the disk was full does no harm to a restart.
    load.go_on();
    load.wait_answered(10_000);
    service.kill();
    service.restart();
    load.wait_answered(1_000);
    nothing_lost("disk full, emptied", load, &service, &backend);
    assert_eq!(service.count("wayspan_log_damaged_records"), 0.0);
}

/// The limit of the log's own size is as good as a full disk.
#[test]
fn at_its_size_limit_and_below_it_again() {
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let service = Service::start(&Setup {
        log: Some("fsync: never, max_size_mib: 64"),
        memory_mib: 64,
        ..Setup::logged(backend.port)
    });
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(2.0 * RATE));
    wait_refused(&service, &load);
    service.wait_said("max_size_mib");
    assert!(service.count("wayspan_log_bytes") <= f64::from(64 << 20));
    backend.back();
    service.wait_metric("wayspan_log_healthy", |healthy| healthy == 1.0);
    load.wait_answered(10_000);
    nothing_lost("size limit", load, &service, &backend);
    auditor.finish();
}

#[test]
fn read_only_at_the_start_is_an_error_and_writable_again_delivers() {
    let mount = Mount::tmpfs(200);
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut service = Service::start(&on(&mount, &backend));
    let load = Load::start(service.ports[0], Some(RATE));
    load.wait_answered(20_000);
    service.kill();
    mount.read_only(true);
    let process = service.spawn();
    assert!(!process.wait_end(PATIENCE).success());
    let (_, said) = service.wait_end();
    let directory = mount.path().display().to_string();
    assert!(
        said.contains("file_storage") && said.contains(&directory),
        "{said}"
    );
    mount.read_only(false);
    service.restart();
    backend.back();
    load.wait_answered(1_000);
    nothing_lost("read-only at the start", load, &service, &backend);
}

#[test]
fn broken_under_load() {
    let mount = Mount::ext4(200);
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut service = Service::start(&on(&mount, &backend));
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(RATE));
    load.wait_answered(20_000);
    mount.break_down();
    wait_refused(&service, &load);
    service.wait_said("Read-only file system");
    // While the process lives nothing is lost: what memory has, and what the
    // file system still reads.
    backend.back();
    nothing_lost("disk broken", load, &service, &backend);
    auditor.finish();
    service.terminate();
    let (code, said) = service.wait_end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn too_slow_and_fast_again() {
    let mut mount = Mount::ext4(200);
    let backend = Backend::counting(Protocol::Grpc);
    let service = Service::start(&on(&mount, &backend));
    let auditor = Auditor::watch(service.metrics);
    let load = Load::start(service.ports[0], Some(5_000.0));
    load.wait_answered(5_000);
    mount.freeze();
    service.wait_metric("wayspan_log_late", |late| late > 0.0);
    // Senders are answered and spans delivered all the same.
    load.wait_answered(10_000);
    let goal = backend.unique() + 5_000;
    wait_for("spans at the backend", || {
        (backend.unique() > goal).then_some(())
    });
    mount.thaw();
    let late = service.count("wayspan_log_late");
    load.wait_answered(10_000);
    let unlogged = service.count("wayspan_log_unlogged_spans");
    load.wait_answered(10_000);
    assert_eq!(service.count("wayspan_log_unlogged_spans"), unlogged);
    println!("  late {late} times, {unlogged} spans in memory only");
    let verdict = nothing_lost("disk slow", load, &service, &backend);
    assert_eq!(verdict.refused, 0);
    assert_eq!(verdict.twice, 0);
    auditor.finish();
}
