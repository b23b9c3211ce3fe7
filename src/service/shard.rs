/*!
A shard: one thread, one single-threaded runtime, its connections and its part
of every pipeline.

A request is read, validated, edited and appended to the open batch without
leaving the thread and without a lock: [`Shard`] borrows the pipelines for the
length of one synchronous call. The only clock is that of the oldest open
batch.
*/

use super::{StartError, Thread, meters::StageStats, on_runtime, receivers::Listener};
use crate::{
    config::{Config, Id, ProcessorKind},
    extension::health_check::Health,
    mesh::Current,
    net::{
        admission::Admission,
        closing::Leaving,
        handover::{ShardCommand, ShardInbox, ShardSender},
    },
    pdata::{Keys, Signal},
    pipeline::{
        Processor,
        commit::Commits,
        engine::{Engine, Stage},
        gather,
        inlet::Inlet,
        outlet::{ExporterRoute, Outlet},
        recorder::Recorder,
        shard::Shard,
    },
    processor::mesh::Mesh,
    queue::{Budget, log::Log, purse},
    receiver::otlp::{self, Endpoint},
    telemetry::{PipelineStats, ReceiverStats, ShardLoad},
};
use std::{
    collections::BTreeMap,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::watch,
    task::{JoinError, JoinSet},
    time,
};

/// How long connections may take at shutdown, at most, to finish what they are
/// sending.
const CONNECTION_GRACE: Duration = Duration::from_secs(5);

/// Everything a shard's thread builds itself from.
pub struct Build {
    /// The whole configuration.
    pub config: Config,
    /// All listeners; a connection names its own by index.
    pub listeners: Vec<Listener>,
    /// Per pipeline, the way to each of its exporters.
    pub exits: Vec<Vec<ExporterRoute>>,
    /// Per pipeline, its segment log and how long senders wait for it.
    pub logs: Vec<Option<(Log, Duration)>>,
    /// Bytes held after sealing.
    pub budget: Budget,
    /// Counters per listener.
    pub receiver_stats: Vec<ReceiverStats>,
    /// Counters per pipeline.
    pub pipeline_stats: Vec<PipelineStats>,
    /// Counters per pipeline and processor.
    pub stage_stats: Vec<Vec<StageStats>>,
    /// What each `mesh` processor's decisions rest on.
    pub knowledge: BTreeMap<Id, Current>,
    /// Told if the thread dies.
    pub health: Health,
    /// Tells others how busy it is.
    pub load: ShardLoad,
}

/// A running shard.
#[derive(Debug)]
pub struct ShardHandle {
    sender: ShardSender,
    thread: Thread<()>,
}

impl ShardHandle {
    /// Starts the thread of shard number `at`.
    pub fn start(
        at: usize,
        build: Build,
        stop: watch::Receiver<bool>,
        deadline: watch::Receiver<Option<Instant>>,
    ) -> Result<Self, StartError> {
        let (sender, inbox) = ShardSender::new(build.load.clone());
        let (name, health) = (format!("shard-{at}"), build.health.clone());
        let (load, most) = (build.load.clone(), build.config.gather);
        let prepare = |builder: &mut _| gather::install(builder, load, most);
        let thread = on_runtime(name, health, prepare, move || {
            run(build, inbox, stop, deadline)
        })?;
        Ok(Self { sender, thread })
    }

    /// Returns where it takes connections.
    pub fn sender(&self) -> ShardSender {
        self.sender.clone()
    }

    /// Waits for its end.
    pub fn join(self) {
        // That it died was told when it did.
        let _ = self.thread.join();
    }
}

async fn run(
    build: Build,
    mut inbox: ShardInbox,
    mut stop: watch::Receiver<bool>,
    deadline: watch::Receiver<Option<Instant>>,
) {
    build.load.begin();
    purse::open(&build.budget);
    let patience = build.logs.iter().flatten().map(|(_, patience)| *patience);
    let commits = patience.min().map(Commits::new);
    let build = Rc::new(build);
    let pipelines = pipelines(&build, commits.as_ref());
    let anew = {
        let build = Rc::clone(&build);
        move |pipeline| processors(&build, pipeline)
    };
    let shard = Rc::new(Shard::new(pipelines, commits, anew));
    let leaving = Rc::<Leaving>::default();
    let endpoints = endpoints(&build, &shard, &leaving);
    // Polled here and not as a task of its own: if it panicked there, batches
    // would stay open and nobody would know.
    let mut clock = pin!(shard.keep_time());
    // A task of its own, since only those wait for a whole turn.
    let mut committer = {
        let shard = Rc::clone(&shard);
        tokio::task::spawn_local(async move { shard.commit().await })
    };
    let shutdown = stop.clone();
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            command = inbox.next() => {
                let connection = match command {
                    Some(ShardCommand::Serve(connection)) => connection,
                    Some(ShardCommand::CloseConnections(count)) => {
                        leaving.order(count);
                        continue;
                    }
                    None => break,
                };
                let guard = inbox.guard();
                let Ok(socket) = TcpStream::from_std(connection.socket) else { continue };
                let endpoint = Rc::clone(&endpoints[connection.listener]);
                let shutdown = shutdown.clone();
                open.spawn_local(async move {
                    otlp::serve(endpoint, socket, connection.peer, shutdown).await;
                    drop(guard);
                });
            }
            Some(_) = open.join_next() => {}
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

fn pipelines(build: &Build, commits: Option<&Commits>) -> Vec<Engine> {
    let of = |at: usize| {
        let (pipeline, stats) = (&build.config.pipelines[at], &build.pipeline_stats[at]);
        let log = build.logs[at].as_ref().zip(commits);
        let recorder = log.map(|((log, _), commits)| {
            let lane = log.new_lane(commits.written());
            Recorder::new(log.clone(), lane, stats.log.unlogged.clone())
        });
        let outlet = Outlet::new(
            Signal::Traces,
            build.exits[at].clone(),
            build.budget.clone(),
            recorder,
        );
        let (keys, stages) = processors(build, at);
        Engine::new(&pipeline.batch, keys, stages, outlet, stats.clone())
    };
    (0..build.config.pipelines.len()).map(of).collect()
}

/// The processors of a pipeline, knowing nothing yet, and the keys they read.
fn processors(build: &Build, pipeline: usize) -> (Keys, Vec<Stage>) {
    let mut keys = Keys::default();
    let processors = build.config.pipelines[pipeline].processors.iter();
    let stages = processors
        .zip(&build.stage_stats[pipeline])
        .map(|(processor, stats)| {
            let processor: Box<dyn Processor> = match &processor.kind {
                ProcessorKind::Mesh(settings) => {
                    let current = &build.knowledge[&processor.id];
                    let mesh = Mesh::new(settings, current, &mut keys);
                    Box::new(mesh.counting(stats.mesh.clone()))
                }
            };
            Stage {
                processor,
                stats: stats.items.clone(),
            }
        });
    let stages = stages.collect();
    (keys, stages)
}

/// Whether one of its processors makes spans of ztunnel's access log.
fn takes_logs(pipeline: &crate::config::Pipeline) -> bool {
    pipeline
        .processors
        .iter()
        .any(|processor| match &processor.kind {
            ProcessorKind::Mesh(settings) => settings.ztunnel_connections,
        })
}

fn endpoints(build: &Build, shard: &Rc<Shard>, leaving: &Rc<Leaving>) -> Vec<Rc<Endpoint>> {
    let all = build.listeners.iter().zip(&build.receiver_stats);
    all.map(|(listener, stats)| {
        let with_receiver =
            |pipeline: &crate::config::Pipeline| pipeline.receivers.contains(&listener.receiver);
        let all = &build.config.pipelines;
        let pipelines: Vec<_> = (0..all.len())
            .filter(|at| with_receiver(&all[*at]))
            .collect();
        let of_logs = pipelines.iter().copied().filter(|at| takes_logs(&all[*at]));
        Rc::new(Endpoint {
            protocol: listener.protocol.clone(),
            tls: listener.tls.clone(),
            admission: listener.auth.clone().map(Admission::new),
            ingest: Rc::new(Inlet {
                shard: Rc::clone(shard),
                of_logs: of_logs.collect(),
                pipelines,
                stats: stats.clone(),
                load: build.load.clone(),
            }),
            leaving: Rc::clone(leaving),
            stats: stats.clone(),
        })
    })
    .collect()
}
