//! Logs and metrics over the segment log: what holds for spans holds for them.

use crate::{
    accounts::Auditor,
    kill::{RATE, assert_few_twice, kill_often},
    load::Load,
    service::{Service, Setup},
    verdict::nothing_lost,
};
use testkit::{Backend, Protocol, Signal};

fn kills_lose_nothing(signal: Signal, protocol: Protocol) {
    let backend = Backend::counting(protocol);
    let mut setup = Setup {
        signal,
        ..Setup::logged(backend.port)
    };
    if protocol == Protocol::Http {
        setup.exporters[0].0 = "otlp_http";
    }
    let mut service = Service::start(&setup);
    let auditor = Auditor::watch(service.metrics);
    let port = match protocol {
        Protocol::Grpc => service.grpc,
        Protocol::Http => service.http,
    };
    let load = Load::sending(signal, protocol, port, Some(RATE / 2.0));
    load.wait_answered(1);
    kill_often(&mut service, 5);
    load.wait_answered(1);
    let what = format!("kills, {} over {protocol:?}", signal.plural());
    let verdict = nothing_lost(&what, load, &service, &backend);
    assert_few_twice(&verdict, 5);
    auditor.finish();
}

#[test]
fn kills_lose_no_log_record() {
    kills_lose_nothing(Signal::Logs, Protocol::Grpc);
}

#[test]
fn kills_lose_no_metric_point() {
    kills_lose_nothing(Signal::Metrics, Protocol::Grpc);
}

#[test]
fn kills_over_http_lose_no_log_record() {
    kills_lose_nothing(Signal::Logs, Protocol::Http);
}

#[test]
fn what_is_left_of_every_signal_is_delivered_after_a_kill() {
    for signal in Signal::ALL {
        let backend = Backend::counting(Protocol::Grpc);
        backend.away();
        let setup = Setup {
            signal,
            ..Setup::logged(backend.port)
        };
        let mut service = Service::start(&setup);
        let load = Load::sending(signal, Protocol::Grpc, service.grpc, Some(RATE));
        load.wait_answered(2_000);
        load.pause();
        let left = load.ledger().answered_spans();
        service.kill();
        service.restart();
        service.wait_recovered();
        assert_eq!(service.account().recovered, left, "{signal:?}");
        backend.back();
        nothing_lost(&format!("left of {signal:?}"), load, &service, &backend);
        assert_eq!(backend.records().taken.received, left, "each once");
    }
}
