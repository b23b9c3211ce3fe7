/*!
A shard's thread: one single-threaded runtime, its connections and its part of
every pipeline.

A request is read, validated, edited and appended to the open batch without
leaving the thread and without a lock: `pipeline::Shard` borrows the pipelines
for the length of one synchronous call. The only clock is that of the oldest
open batch.
*/

use super::receivers::Listener;
use crate::{
    net::{
        admission::Admission,
        closing::CloseOrder,
        handover::{ShardCommand, ShardInbox, ShardSender},
    },
    pipeline::{LargeLane, ShardPlan, gather::Gather},
    queue::Budget,
    receiver::{self, Endpoint, Scratch},
    telemetry::{Health, Pulse, ReceiverStats, ShardLoad},
    threads::{Thread, ThreadError, on_runtime},
};
use std::{
    collections::HashMap,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::watch,
    task::{AbortHandle, JoinError, JoinSet},
    time,
};

/// How long connections may take at shutdown, at most, to finish what they are
/// sending.
const CONNECTION_GRACE: Duration = Duration::from_secs(5);

/// Everything a shard's thread builds itself from.
pub(crate) struct Build {
    /// Its part of the graph.
    pub(crate) plan: ShardPlan,
    /// All listeners, with the shard's counters; a connection names its own by
    /// index.
    pub(crate) listeners: Vec<(Listener, ReceiverStats)>,
    /// How long it may gather requests.
    pub(crate) gather: Duration,
    /// Turns red if the thread dies.
    pub(crate) health: Health,
    /// Tells others how busy it is.
    pub(crate) load: ShardLoad,
    /// Memory that all shards have for bodies that have come in part.
    pub(crate) bodies: Budget,
    /// How many shards there are.
    pub(crate) shards: usize,
    /// Where requests are read that are too long for one turn.
    pub(crate) lane: LargeLane,
}

/// A running shard.
#[derive(Debug)]
pub(crate) struct ShardHandle {
    sender: ShardSender,
    thread: Thread<()>,
}

impl ShardHandle {
    /// Starts the thread of shard number `at`.
    pub(crate) fn start(
        at: usize,
        build: Build,
        stop: watch::Receiver<bool>,
        deadline: watch::Receiver<Option<Instant>>,
    ) -> Result<Self, ThreadError> {
        let (sender, inbox) = ShardSender::new(build.load.clone());
        let (name, health) = (format!("shard-{at}"), build.health.clone());
        let pulse = Pulse::default();
        health.watch(&name, pulse.clone());
        let gather = Gather::new(build.gather);
        let (load, hooks) = (build.load.clone(), Arc::clone(&gather));
        let prepare = move |builder: &mut _| hooks.install(builder, load);
        let thread = on_runtime(name, health, prepare, move || {
            run(build, (gather, pulse), inbox, stop, deadline)
        })?;
        Ok(Self { sender, thread })
    }

    /// Returns where it takes connections.
    pub(crate) fn sender(&self) -> ShardSender {
        self.sender.clone()
    }

    /// Waits for its end.
    pub(crate) fn join(self) {
        // That it died was told when it did.
        let _ = self.thread.join();
    }
}

async fn run(
    build: Build,
    (gather, pulse): (Arc<Gather>, Pulse),
    mut inbox: ShardInbox,
    mut stop: watch::Receiver<bool>,
    deadline: watch::Receiver<Option<Instant>>,
) {
    build.load.begin();
    tokio::task::spawn_local(pulse.keep());
    let plan = Rc::new(build.plan);
    let shard = plan.build(gather);
    let closing = Rc::<CloseOrder>::default();
    let scratch = Rc::new(Scratch::new(&build.bodies, build.shards, build.lane));
    let endpoint = |(listener, stats): (Listener, ReceiverStats)| {
        let load = build.load.clone();
        let inlet = plan.inlet(&shard, listener.receiver, stats.clone(), load);
        Rc::new(Endpoint {
            protocol: listener.settings.protocol,
            tls: listener.tls,
            admission: listener.auth.map(Admission::new),
            ingest: Rc::new(inlet),
            closing: Rc::clone(&closing),
            scratch: Rc::clone(&scratch),
            stats,
        })
    };
    let endpoints: Vec<_> = build.listeners.into_iter().map(endpoint).collect();
    // Polled here and not as a task of its own: if it panicked there, batches
    // would stay open and nobody would know.
    let mut clock = pin!(shard.keep_time());
    // A task of its own, since only those wait for a whole turn.
    let mut committer = {
        let shard = Rc::clone(&shard);
        tokio::task::spawn_local(async move { shard.commit().await })
    };
    let shutdown = stop.clone();
    // Each task ends with the number of its connection.
    let (mut open, mut closers) = (JoinSet::new(), HashMap::<u64, AbortHandle>::new());
    loop {
        tokio::select! {
            command = inbox.next() => {
                let connection = match command {
                    Some(ShardCommand::Serve(connection)) => connection,
                    Some(ShardCommand::CloseConnections(count)) => {
                        closing.give(count);
                        continue;
                    }
                    Some(ShardCommand::CloseNow(number)) => {
                        if let Some(closer) = closers.remove(&number) {
                            closer.abort();
                        }
                        continue;
                    }
                    None => break,
                };
                let (proof, number) = (connection.permit.proof(), connection.permit.number());
                let counted = (inbox.guard(), connection.permit);
                let Ok(socket) = TcpStream::from_std(connection.socket) else { continue };
                let endpoint = Rc::clone(&endpoints[connection.listener]);
                let shutdown = shutdown.clone();
                closers.insert(number, open.spawn_local(async move {
                    receiver::serve(endpoint, socket, connection.peer, proof, shutdown).await;
                    drop(counted);
                    number
                }));
            }
            Some(ended) = open.join_next() => {
                // One that was told to close was removed then.
                if let Ok(number) = ended {
                    closers.remove(&number);
                }
            }
            () = &mut clock => {}
            Err(ended) = &mut committer => die(ended),
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    inbox.close();
    // Batches go on being sealed meanwhile: a sender that never ends its
    // request must not keep what others have sent from being delivered.
    tokio::select! {
        () = async { while open.join_next().await.is_some() {} } => {}
        () = &mut clock => {}
        Err(ended) = &mut committer => die(ended),
        () = grace_over(deadline.clone()) => {
            tracing::warn!("{} connection(s) cut off in the middle of a request", open.len());
            open.shutdown().await;
        }
    }
    shard.flush(&deadline).await;
    committer.abort();
}

/// Goes on with the panic that a task of this thread ended with.
fn die(ended: JoinError) {
    if ended.is_panic() {
        std::panic::resume_unwind(ended.into_panic());
    }
}

/// Waits until connections have had their time: [`CONNECTION_GRACE`], or half
/// of what is left until the drain's deadline, which a second signal moves.
async fn grace_over(mut deadline: watch::Receiver<Option<Instant>>) {
    let begun = Instant::now();
    loop {
        let end = deadline
            .borrow_and_update()
            .map(|end| end.saturating_duration_since(begun) / 2);
        let grace = end.map_or(CONNECTION_GRACE, |half| half.min(CONNECTION_GRACE));
        tokio::select! {
            () = time::sleep_until((begun + grace).into()) => return,
            Ok(()) = deadline.changed() => {}
        }
    }
}
