//! A name with several addresses: all get load, none holds the others up, and
//! what DNS says is followed.

use crate::support::*;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tonic::Status;
use wayspan::pdata::Signal::Traces;
use wayspan::{
    backoff::Growth,
    exporter::ConfiguredExporter,
    exporter::{Outcome, Sender, otlp::OtlpGrpc},
    http::Balancer,
    http::ConnectOptions,
    pdata::Signal,
    telemetry::Count,
};

const HOUR: Duration = Duration::from_secs(3600);

/// One request at a time; who waits for a backoff waits for an hour.
fn impatient() -> ConfiguredExporter {
    let mut settings = named();
    settings.queue.consumers = 1;
    settings.retry.initial_interval = HOUR;
    settings.retry.max_interval = HOUR;
    settings
}

async fn refusing() -> SocketAddr {
    let (listener, address) = listen().await;
    drop(listener);
    address
}

async fn servers<const N: usize>() -> ([SocketAddr; N], [Log; N]) {
    let mut addresses = Vec::new();
    let mut logs = Vec::new();
    for _ in 0..N {
        let (address, log) = grpc_server(|_, _| Reply::Ok).await;
        addresses.push(address);
        logs.push(log);
    }
    (addresses.try_into().unwrap(), logs.try_into().unwrap())
}

/// Pushes one batch after the other, each when the one before was sent, and
/// says how many spans there were.
async fn push_until(running: &Running, done: impl Fn() -> bool) -> u64 {
    let mut pushed = 0;
    while !done() {
        running.push(batch(pushed..pushed + 1));
        pushed += 1;
        let stats = Arc::clone(&running.stats);
        until(|| stats.items[Traces].sent.get() == pushed).await;
    }
    pushed
}

#[tokio::test]
async fn all_addresses_take_turns() {
    let (addresses, logs) = servers::<3>().await;
    let running = Running::start_with(&impatient(), Arc::new(Names::new(&addresses)));
    let pushed = push_until(&running, || logs.iter().all(|log| log.len() > 0)).await;
    let before: Vec<usize> = logs.iter().map(Log::len).collect();
    for id in pushed..pushed + 30 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (pushed + 30, 0)
    );
    for (log, before) in logs.iter().zip(before) {
        assert_eq!(log.len() - before, 10);
    }
}

#[tokio::test]
async fn whatever_the_address_the_host_is_the_configured_one() {
    for http2 in [true, false] {
        let address = raw_server(http2, move |request| {
            let head = request.head;
            let named = match http2 {
                true => head.uri.authority().unwrap().as_str().to_owned(),
                false => head.headers["host"].to_str().unwrap().to_owned(),
            };
            match (named.as_str(), http2) {
                ("backend.test:4317", true) => Raw::grpc_ok(),
                ("backend.test:4317", false) => Raw::http(200, &[], ""),
                _ => Raw::http(421, &[], named),
            }
        })
        .await;
        let settings = match http2 {
            true => named(),
            false => settings(over_http(client("http://backend.test:4317"))),
        };
        let running = Running::start_with(&settings, Arc::new(Names::new(&[address])));
        running.push(batch(0..5));
        let (_, stats) = running.finish().await;
        assert_eq!(stats.items[Traces].sent.get(), 5, "http2: {http2}");
    }
}

#[tokio::test]
async fn with_pick_first_one_gets_all_until_it_is_gone() {
    let ([first, second], [_, second_log]) = servers::<2>().await;
    let (listener, gone) = listen().await;
    drop(listener);
    let mut settings = impatient();
    change(&mut settings, |client| {
        client.balancer = Balancer::PickFirst
    });
    let names = Names::new(&[gone, first, second]);
    let running = Running::start_with(&settings, Arc::new(names));
    for id in 0..20 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (20, 0)
    );
    assert_eq!(second_log.len(), 0);
}

#[tokio::test]
async fn an_address_that_refuses_holds_nothing_up() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[refusing().await, address, refusing().await]);
    let running = Running::start_with(&impatient(), Arc::new(names));
    for id in 0..20 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..20).collect::<Vec<_>>());
    assert_eq!((stats.retries.get(), stats.outage.since()), (0, None));
}

#[tokio::test]
async fn an_address_that_takes_connections_and_never_speaks_holds_nothing_up() {
    let (silent, silent_address) = listen().await;
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[silent_address, address]);
    let running = Running::start_with(&impatient(), Arc::new(names));
    for id in 0..20 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    drop(silent);
    assert_eq!(log.accepted(), (0..20).collect::<Vec<_>>());
    assert_eq!(stats.retries.get(), 0);
}

#[tokio::test]
async fn what_hangs_at_one_address_is_sent_to_the_next() {
    let (hanging, hung) = grpc_server(|_, _| Reply::Hang).await;
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let mut settings = impatient();
    settings.timeout = Duration::from_secs(2);
    let names = Names::new(&[hanging, address]);
    let running = Running::start_with(&settings, Arc::new(names));
    let pushed = push_until(&running, || hung.len() > 0).await;
    for id in pushed..pushed + 20 {
        running.push(batch(id..id + 1));
    }
    let (_, stats) = running.finish().await;
    assert_eq!(log.accepted(), (0..pushed + 20).collect::<Vec<_>>());
    // Set aside after the first: one request has waited, and was sent again.
    assert_eq!((hung.len(), stats.retries.get()), (1, 1));
}

#[tokio::test]
async fn an_address_that_says_not_now_is_set_aside_and_comes_back() {
    let (busy, busy_log) = grpc_server(|number, _| match number {
        0..3 => Reply::Status(Status::unavailable("shutting down")),
        _ => Reply::Ok,
    })
    .await;
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[busy, address]);
    let mut settings = named();
    settings.queue.consumers = 1;
    let running = Running::start_with(&settings, Arc::new(names));
    let pushed = push_until(&running, || busy_log.len() > 5).await;
    let (_, stats) = running.finish().await;
    let mut accepted = [log.accepted(), busy_log.accepted()].concat();
    accepted.sort_unstable();
    assert_eq!(accepted, (0..pushed).collect::<Vec<_>>());
    assert_eq!((stats.retries.get(), stats.outage.since()), (3, None));
}

#[tokio::test]
async fn only_when_all_addresses_fail_does_a_batch_wait() {
    let script = |number, _: &_| match number {
        0 => Reply::Status(Status::unavailable("not yet")),
        _ => Reply::Ok,
    };
    let (first, first_log) = grpc_server(script).await;
    let (second, second_log) = grpc_server(script).await;
    let mut settings = named();
    settings.queue.consumers = 1;
    settings.retry.initial_interval = Duration::from_millis(100);
    settings.retry.max_interval = Duration::from_millis(100);
    let running = Running::start_with(&settings, Arc::new(Names::new(&[first, second])));
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(stats.items[Traces].sent.get(), 5);
    let mut asked: Vec<_> = [first_log.all(), second_log.all()].concat();
    asked.sort_by_key(|got| got.at);
    assert_eq!(asked.len(), 3);
    assert!(asked[2].at - asked[1].at >= Duration::from_millis(100));
}

#[tokio::test]
async fn replicas_that_are_replaced_are_found() {
    let ([first], [first_log]) = servers::<1>().await;
    let (other, other_log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[first]);
    let running = Running::start_with(&named(), Arc::new(names.clone()));
    running.push(batch(0..5));
    let stats = Arc::clone(&running.stats);
    until(|| stats.items[Traces].sent.get() == 5).await;
    assert_eq!((first_log.len(), names.asked()), (1, 1));
    // The first Pod goes away, and its address with it.
    let gone = refusing().await;
    names.set(Some(&[gone]));
    drop(running);
    let running = Running::start_with(&named(), Arc::new(names.clone()));
    running.push(batch(5..10));
    let stats = Arc::clone(&running.stats);
    until(|| stats.outage.since().is_some()).await;
    names.set(Some(&[other]));
    let (_, stats) = running.finish().await;
    assert_eq!(
        (stats.items[Traces].sent.get(), other_log.accepted().len()),
        (5, 5)
    );
}

#[tokio::test]
async fn a_name_unknown_at_first_is_asked_again() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[]);
    names.set(None);
    let running = Running::start_with(&named(), Arc::new(names.clone()));
    running.push(batch(0..5));
    let stats = Arc::clone(&running.stats);
    until(|| stats.outage.since().is_some()).await;
    names.set(Some(&[address]));
    running.finish().await;
    assert_eq!(log.accepted().len(), 5);
}

/// A client that asks for the name at each request.
fn curious(names: &Names) -> OtlpGrpc {
    let options = ConnectOptions {
        resolver: Arc::new(names.clone()),
        refresh: Duration::ZERO,
        backoff: Growth {
            first: HOUR,
            longest: HOUR,
            ..options(HOUR).backoff
        },
        ..options(HOUR)
    };
    OtlpGrpc::build(&client("http://backend.test:4317"), options).unwrap()
}

async fn send(grpc: &OtlpGrpc) -> bool {
    let payload = grpc.prepare(Signal::Traces, &batch(0..3).chunks).unwrap();
    let outcome = limit(grpc.send(&payload, &Count::default())).await;
    matches!(outcome, Outcome::Delivered { .. })
}

#[tokio::test]
async fn an_address_that_is_gone_answers_what_it_has_and_gets_no_more() {
    let (reached, arrived) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let (listener, old) = listen().await;
    let serve = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2_server(socket).await;
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        reached.send(()).unwrap();
        let more = async {
            // Never answered.
            let mut held = Vec::new();
            while let Some(Ok(request)) = connection.accept().await {
                held.push(request);
            }
        };
        let answer = async {
            released.await.unwrap();
            let response = http::Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", "0");
            let response = response.body(()).unwrap();
            respond.send_response(response, true).unwrap();
        };
        // The client closes the connection once the first is answered.
        tokio::join!(more, answer);
    });
    let (new, new_log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[old]);
    let grpc = curious(&names);
    let first = send(&grpc);
    let others = async {
        arrived.await.unwrap();
        names.set(Some(&[new]));
        limit(async {
            while new_log.len() == 0 {
                let before = names.asked();
                let request = send(&grpc);
                // May still go to the old address, which does not answer.
                let _ = tokio::time::timeout(Duration::from_millis(20), request).await;
                assert!(names.asked() > before);
            }
        })
        .await;
        for _ in 0..10 {
            assert!(send(&grpc).await);
        }
        release.send(()).unwrap();
    };
    let (delivered, ()) = tokio::join!(first, others);
    assert!(delivered, "what was under way is answered");
    limit(serve).await.unwrap();
}

#[tokio::test]
async fn without_dns_the_addresses_known_stay_in_use() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let names = Names::new(&[address]);
    let grpc = curious(&names);
    let said = Said::default();
    let _recording = said.record();
    assert!(send(&grpc).await);
    let mut sent = 1;
    for answer in [None, Some(&[][..]), Some(&[address][..])] {
        names.set(answer);
        let before = names.asked();
        // Asking happens beside the request that notices.
        while names.asked() < before + 3 {
            assert!(send(&grpc).await);
            sent += 1;
        }
    }
    assert_eq!(log.accepted().len(), 3 * sent);
    // Once for the outage, not once for each answer, and once for its end.
    for words in ["cannot be resolved any more", "resolves again"] {
        assert_eq!(said.text().matches(words).count(), 1, "{}", said.text());
    }
}
