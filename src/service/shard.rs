/*!
A shard's thread: one single-threaded runtime, its connections and its part of
every pipeline.

A request is read, validated, edited and appended to the open batch without
leaving the thread and without a lock: `pipeline::Shard` borrows the pipelines
for the length of one synchronous call. The only clock is that of the oldest
open batch.

When the configuration is read again, the thread builds the new pipelines beside the
old ([`Pipelines`]). Connections of listeners that stay send into the new ones from
their next request on; those of other listeners finish. The old pipelines end once
nothing comes into them any more and all that they have is on its way.
*/

use super::{
    fetched::{Fetched, FetchedSources, ShardSource},
    receivers::Listener,
    running::{CONNECTION_GRACE, Running, Served},
};
use crate::{
    net::{
        admission::Admission,
        closing::CloseOrder,
        handover::{AcceptedConnection, ConnectionGuard, ShardCommand, ShardInbox, ShardSender},
    },
    pipeline::{Intake, LargeLane, ShardPlan, Waiter, gather::Gather},
    queue::Budget,
    receiver::{self, Endpoint, Scratch},
    telemetry::{Health, Pulse, ReceiverStats, ShardLoad},
    threads::{Thread, ThreadError, die, on_runtime},
};
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
    task::{AbortHandle, JoinSet},
    time,
};

/// Everything a shard's thread builds itself from.
pub(crate) struct Build {
    /// Its part of the graph.
    pub(crate) pipelines: Pipelines,
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

/// The pipelines of one generation of the configuration on one shard, and what leads
/// into them.
pub(crate) struct Pipelines {
    /// What they are built from.
    pub(crate) plan: ShardPlan,
    /// All listeners.
    pub(crate) listeners: Vec<ShardListener>,
    /// All that is fetched.
    pub(crate) sources: Vec<ShardSource>,
    /// How long the shard may gather requests.
    pub(crate) gather: Duration,
    /// Dropped once requests go into these.
    pub(crate) begun: Option<Sender<Infallible>>,
    /// Dropped once those before them have ended.
    pub(crate) before_ended: Option<Sender<Infallible>>,
}

/// A listener, as a shard sees it.
pub(crate) struct ShardListener {
    /// What connections name it by.
    pub(crate) key: usize,
    /// Index of the receiver in the configuration.
    pub(crate) receiver: usize,
    /// What it is.
    pub(crate) listener: Listener,
    /// The shard's counters.
    pub(crate) stats: ReceiverStats,
}

/// A running shard.
#[derive(Debug)]
pub(crate) struct ShardHandle {
    sender: ShardSender,
    pipelines: UnboundedSender<Pipelines>,
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
        let (pipelines, next) = unbounded_channel();
        let (name, health) = (format!("shard-{at}"), build.health.clone());
        let pulse = Pulse::default();
        health.watch(&name, pulse.clone());
        let gather = Gather::new(build.pipelines.gather);
        let (load, hooks) = (build.load.clone(), Arc::clone(&gather));
        let prepare = move |builder: &mut _| hooks.install(builder, load);
        let thread = on_runtime(name, health, prepare, move || {
            run(at, build, (gather, pulse), (inbox, next), stop, deadline)
        })?;
        Ok(Self {
            sender,
            pipelines,
            thread,
        })
    }

    /// Returns where it takes connections.
    pub(crate) fn sender(&self) -> ShardSender {
        self.sender.clone()
    }

    /// Gives it other pipelines. A shard that has ended drops them.
    pub(crate) fn replace(&self, pipelines: Pipelines) {
        let _ = self.pipelines.send(pipelines);
    }

    /// Waits for its end.
    pub(crate) fn join(self) {
        // That it died was told when it did.
        let _ = self.thread.join();
    }
}

/// What all generations of a shard's pipelines have in common.
struct Common {
    gather: Arc<Gather>,
    load: ShardLoad,
    closing: Rc<CloseOrder>,
    scratch: Rc<Scratch>,
    deadline: watch::Receiver<Option<Instant>>,
}

impl Common {
    fn serve(&self, of: ShardListener, running: &mut Running) -> Served {
        let inlet = running.inlet(of.receiver, Waiter::Sender, &of.stats, &self.load);
        let intake = Rc::new(Intake::new(inlet));
        let ingest = Rc::clone(&intake);
        Served {
            intake,
            stop: watch::channel(false).0,
            endpoint: Rc::new(Endpoint {
                protocol: of.listener.settings.protocol,
                tls: of.listener.tls,
                admission: of.listener.auth.map(Admission::new),
                ingest,
                closing: Rc::clone(&self.closing),
                scratch: Rc::clone(&self.scratch),
                stats: of.stats,
            }),
        }
    }

    /// Fetches from `sources` into `running`. Returns what is over.
    fn fetch(
        &self,
        sources: Vec<ShardSource>,
        running: &mut Running,
        fetched: &mut FetchedSources,
    ) -> Vec<Fetched> {
        fetched.replace(sources, |of| {
            running.inlet(of.receiver, Waiter::Source, &of.stats, &self.load)
        })
    }

    /// Lets requests into the pipelines `next`, and ends those before once nothing
    /// comes into them.
    fn replace(
        &self,
        next: Pipelines,
        running: &mut Running,
        served: &mut HashMap<usize, Served>,
        fetched: &mut FetchedSources,
    ) -> impl Future<Output = ()> + use<> {
        self.gather.set(next.gather);
        let mut new = Running::new(next.plan, &self.gather);
        let over = self.fetch(next.sources, &mut new, fetched);
        let stays: HashSet<_> = next.listeners.iter().map(|of| of.key).collect();
        let ends: Vec<_> = served.extract_if(|key, _| !stays.contains(key)).collect();
        for of in next.listeners {
            match served.get(&of.key) {
                Some(known) => {
                    let waiter = Waiter::Sender;
                    let inlet = new.inlet(of.receiver, waiter, &of.stats, &self.load);
                    known.intake.replace(inlet);
                }
                None => drop(served.insert(of.key, self.serve(of, &mut new))),
            }
        }
        for (_, ends) in &ends {
            ends.stop.send_replace(true);
        }
        drop(next.begun);
        let old = std::mem::replace(running, new);
        let ends = ends.into_iter().map(|(_, served)| served).collect();
        let (load, deadline) = (self.load.clone(), self.deadline.clone());
        async move {
            old.end(ends, over, &load, &deadline).await;
            drop(next.before_ended);
        }
    }
}

async fn run(
    at: usize,
    build: Build,
    (gather, pulse): (Arc<Gather>, Pulse),
    (mut inbox, mut next): (ShardInbox, UnboundedReceiver<Pipelines>),
    mut stop: watch::Receiver<bool>,
    deadline: watch::Receiver<Option<Instant>>,
) {
    build.load.begin();
    tokio::task::spawn_local(pulse.keep());
    let mut fetched = FetchedSources::new(at, build.lane.clone());
    let common = Common {
        gather,
        load: build.load,
        closing: Rc::default(),
        scratch: Rc::new(Scratch::new(&build.bodies, build.shards, build.lane)),
        deadline: deadline.clone(),
    };
    let mut running = Running::new(build.pipelines.plan, &common.gather);
    let mut served = HashMap::new();
    for listener in build.pipelines.listeners {
        served.insert(listener.key, common.serve(listener, &mut running));
    }
    common.fetch(build.pipelines.sources, &mut running, &mut fetched);
    // Each task ends with the number of its connection.
    let (mut open, mut closers) = (JoinSet::new(), HashMap::<u64, AbortHandle>::new());
    // Pipelines of earlier generations.
    let mut ending = JoinSet::new();
    loop {
        tokio::select! {
            command = inbox.next() => match command {
                Some(ShardCommand::Serve(connection)) => {
                    let guard = inbox.guard();
                    if let Some(served) = served.get(&connection.listener) {
                        let number = connection.permit.number();
                        let connection = serve(served, connection, guard);
                        closers.insert(number, open.spawn_local(connection));
                    }
                }
                Some(ShardCommand::CloseConnections(count)) => common.closing.give(count),
                Some(ShardCommand::CloseNow(number)) => {
                    if let Some(closer) = closers.remove(&number) {
                        closer.abort();
                    }
                }
                None => break,
            },
            Some(ended) = open.join_next() => {
                // One that was told to close was removed then.
                if let Ok(number) = ended {
                    closers.remove(&number);
                }
            }
            Some(next) = next.recv() => {
                let replaced = common.replace(next, &mut running, &mut served, &mut fetched);
                ending.spawn_local(replaced);
            }
            () = &mut running.clock => {}
            Err(ended) = &mut running.committer => die(ended),
            Some(ended) = ending.join_next() => ended.unwrap_or_else(die),
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    inbox.close();
    for served in served.values() {
        served.stop.send_replace(true);
    }
    // Batches go on being sealed meanwhile: a sender that never ends its
    // request must not keep what others have sent from being delivered.
    let finish = async {
        Fetched::end_all(fetched.into_all()).await;
        while open.join_next().await.is_some() {}
        while let Some(ended) = ending.join_next().await {
            ended.unwrap_or_else(die);
        }
    };
    tokio::select! {
        () = finish => {}
        () = &mut running.clock => {}
        Err(ended) = &mut running.committer => die(ended),
        () = grace_over(deadline.clone()) => {
            tracing::warn!("{} connection(s) cut off in the middle of a request", open.len());
            open.shutdown().await;
        }
    }
    while let Some(ended) = ending.join_next().await {
        ended.unwrap_or_else(die);
    }
    running.shard.flush(&deadline).await;
    running.committer.abort();
}

/// Serves a connection to its end; returns its number.
fn serve(
    served: &Served,
    connection: AcceptedConnection,
    guard: ConnectionGuard,
) -> impl Future<Output = u64> + use<> {
    let endpoint = Rc::clone(&served.endpoint);
    let shutdown = served.stop.subscribe();
    async move {
        let permit = connection.permit;
        let (proof, number) = (permit.proof(), permit.number());
        if let Ok(socket) = TcpStream::from_std(connection.socket) {
            receiver::serve(endpoint, socket, connection.peer, proof, shutdown).await;
        }
        drop((guard, permit));
        number
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
