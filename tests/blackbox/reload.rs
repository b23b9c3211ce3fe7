//! Reading the configuration again under load: good ones are taken, bad ones refused,
//! no span is lost, and no connection ends that need not.
//!
//! 20 readings; with WAYSPAN_LONG set, 100.

use crate::spans::{good, request, span};
use prost::Message as _;
use std::{
    collections::HashSet,
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use testkit::{Backend, Grpc, Setup, Wayspan, accounts, free_port, wait_for};
use tokio::task::JoinHandle;

const SENDERS: u64 = 3;

/// Spans in a request.
const SPANS: u64 = 20;

/// A usual setup, and what is changed: YAML of receivers, exporters, the storage and
/// pipelines.
fn setup(backend: u16, change: &str) -> Setup {
    Setup::to_grpc(backend).layer(change)
}

fn turns() -> usize {
    match env::var_os("WAYSPAN_LONG") {
        Some(_) => 100,
        None => 20,
    }
}

/// Senders that go on until they are told, each on one connection.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    senders: Vec<JoinHandle<u64>>,
}

impl Load {
    async fn start(port: u16) -> Self {
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut senders = Vec::new();
        for number in 0..SENDERS {
            let mut client = Grpc::connect(port).await;
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            senders.push(tokio::spawn(async move {
                let mut n = 0;
                while !stop.load(SeqCst) {
                    // A connection that has ended fails the test here.
                    let spans = (n..n + SPANS).map(|n| span(id(number, n), "good"));
                    let message = request("orders", spans.collect()).encode_to_vec();
                    let reply = client.export(&message).await;
                    assert_eq!(reply.grpc_status(), Some(0), "{}", reply.message());
                    n += SPANS;
                    sent.fetch_add(1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                n
            }));
        }
        Self {
            stop,
            sent,
            senders,
        }
    }

    /// Waits until something was sent since now.
    fn goes_on(&self) {
        let before = self.sent.load(SeqCst);
        wait_for("senders to go on", || {
            (self.sent.load(SeqCst) > before + 10).then_some(())
        });
    }

    /// Ends it. Returns the ids that were answered.
    async fn finish(self) -> HashSet<Vec<u8>> {
        self.stop.store(true, SeqCst);
        let mut ids = HashSet::new();
        for (number, sender) in (0..).zip(self.senders) {
            let count = sender.await.expect("a sender's connection stays");
            ids.extend((0..count).map(|n| id(number, n).to_be_bytes().to_vec()));
        }
        ids
    }
}

fn id(sender: u64, n: u64) -> u64 {
    (sender + 1) << 32 | (n + 1)
}

/// The ids of all spans that came to one of these.
fn arrived(backends: &[&Backend]) -> HashSet<Vec<u8>> {
    let spans = backends.iter().flat_map(|backend| backend.spans());
    spans.map(|span| span.span_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_no_connection_ends_however_often_it_is_read_again() {
    let (first, second) = (Backend::grpc(), Backend::grpc());
    let storage = tempfile::tempdir().unwrap();
    let storage = storage.path().display();
    let log = format!(
        "extensions: {{file_storage: {{directory: '{storage}'}}}}\n\
         service: {{extensions: [health_check, zpages, file_storage]}}\n\
         exporters: {{otlp_grpc: {{sending_queue: {{storage: file_storage}}}}}}\n"
    );
    let larger = log.replace(
        "directory:",
        "max_size_mib: 200, fsync: interval, directory:",
    );
    let other = format!(
        "service: {{pipelines: {{traces: {{exporters: [otlp_grpc, otlp_grpc/other]}}, \
         traces/more: {{receivers: [otlp], exporters: [otlp_grpc/more]}}}}}}\n\
         exporters:\n  otlp_grpc/other: {{endpoint: '127.0.0.1:{0}', tls: {{insecure: true}}}}\n  \
         otlp_grpc/more: {{endpoint: '127.0.0.1:{0}', tls: {{insecure: true}}}}\n",
        second.port
    );
    let taken_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = format!(
        "receivers: {{otlp/more: {{protocols: {{grpc: {{endpoint: '{}'}}}}}}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp, otlp/more]}}}}}}\n",
        taken_port.local_addr().unwrap()
    );
    let more = format!(
        "receivers: {{otlp/more: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{}'}}}}}}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp, otlp/more]}}}}}}\n",
        free_port()
    );
    // What is written, to which backend, and whether it is good.
    let changes = [
        (first.port, "processors: {batch: {timeout: 30ms}}", true),
        (second.port, "", true),
        (
            first.port,
            "exporters: {otlp_grpc: {endpint: 'x:1'}}",
            false,
        ),
        (first.port, &*log, true),
        (second.port, &*larger, true),
        (second.port, &*occupied, false),
        (first.port, &*other, true),
        (first.port, "receivers: [", false),
        (first.port, &*more, true),
        (first.port, "", true),
    ];
    let mut wayspan = Wayspan::start(setup(first.port, ""));
    let load = Load::start(wayspan.grpc).await;
    load.goes_on();
    let (mut taken, mut refused, mut memory) = (0.0, 0.0, Vec::new());
    for turn in 0..turns() {
        let (backend, change, is_good) = changes[turn % changes.len()];
        wayspan.rewrite(setup(backend, change));
        wayspan.hang_up();
        let (result, count) = match is_good {
            true => ("taken", &mut taken),
            false => ("refused", &mut refused),
        };
        *count += 1.0;
        let counted = *count;
        let selector = format!("wayspan_config_reloads{{result=\"{result}\"}}");
        wayspan.wait_metric(&selector, |value| value == counted);
        let successful = wayspan.metric("wayspan_config_last_reload_successful");
        assert_eq!(successful, Some(f64::from(u8::from(is_good))));
        load.goes_on();
        for account in accounts::read(&wayspan.page()).values() {
            account.assert_balanced();
        }
        memory.push(wayspan.process().memory() >> 20);
    }
    assert_eq!(
        wayspan.metric("wayspan_receiver_connections"),
        Some(SENDERS as f64)
    );
    let answered = load.finish().await;
    wayspan.assert_alive();
    wayspan.stop();
    let arrived = arrived(&[&first, &second]);
    let lost: Vec<_> = answered.difference(&arrived).collect();
    assert!(lost.is_empty(), "{} of {} lost", lost.len(), answered.len());
    println!("  {} spans, memory in MiB {memory:?}", answered.len());
    let (early, late) = (memory[memory.len() / 2], memory[memory.len() - 1]);
    assert!(late <= early + 24, "memory is not flat: {memory:?} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_backend_did_not_take_goes_to_the_one_that_is_named_instead() {
    let backend = Backend::grpc();
    let mut wayspan = Wayspan::start(setup(free_port(), ""));
    let mut client = Grpc::connect(wayspan.grpc).await;
    for n in 1..=50 {
        assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
    }
    wayspan.wait_metric("otelcol_exporter_in_flight_requests", |n| n == 0.0);
    // No signal: the file alone says it.
    wayspan.rewrite(setup(backend.port, ""));
    assert_eq!(backend.wait(50).len(), 50);
    wayspan.wait_said("a file of the configuration has changed");
    wayspan.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_written_otherwise_lets_its_connections_finish() {
    let backend = Backend::grpc();
    let mut wayspan = Wayspan::start(setup(backend.port, ""));
    let (port, http) = (wayspan.grpc, wayspan.http);
    let mut client = Grpc::connect(port).await;
    let mut idle = Grpc::connect(http).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    let limit = "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 1}}}}";
    wayspan.rewrite(setup(backend.port, limit));
    wayspan.hang_up();
    wayspan.wait_metric("wayspan_config_reloads{result=\"taken\"}", |n| n == 1.0);
    // Its new connections are there from the first moment, under the new limit.
    let mut again = Grpc::connect(port).await;
    assert_eq!(again.export(&good(2)).await.grpc_status(), Some(0));
    let long = vec![0; 2 << 20];
    assert_ne!(again.export(&long).await.grpc_status(), Some(0));
    let reply = again.export(&long).await;
    assert!(reply.message().contains("1048576"), "{}", reply.message());
    wait_for("the end of the old connection", || {
        let open = wayspan.metric("wayspan_receiver_connections")?;
        (open <= 2.0).then_some(())
    });
    drop((
        client.try_send("POST", "/", &[], Vec::new()).await,
        &mut idle,
    ));
    backend.wait(2);
    wayspan.stop();
}
