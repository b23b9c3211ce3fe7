/*!
A shard: one thread, one single-threaded runtime, its connections and its part
of every pipeline.

A request is read, validated, edited and appended to the open batch without
leaving the thread and without a lock: [`Gate`] borrows the pipelines for the
length of one synchronous call. The only clock is that of the oldest open
batch.
*/

use super::{
    StartError, Thread,
    commit::Commits,
    gather,
    listen::Listener,
    logs, on_runtime,
    pipeline::{Exit, Outlet, Pipeline, Stage},
    pulse::Pulse,
    recorder::Recorder,
};
use crate::{
    config::{Config, Id, ProcessorKind},
    extension::health_check::Health,
    mesh::{Current, ztunnel::Ignored},
    pdata::{Fault, Keys, split},
    processor::{Processor, mesh::Mesh},
    queue::{Budget, log::Log, purse},
    receiver::{self, Answer, Endpoint, Ingest, Leaving, Ticket},
    telemetry::{PipelineStats, ProcessorStats, ReceiverStats},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    future,
    net::{IpAddr, SocketAddr, TcpStream as StdStream},
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc, watch},
    task::{JoinError, JoinSet},
    time,
};

/// How long a sender that is told to try again should wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often a batch that found a queue full tries again.
const BACKLOG_INTERVAL: Duration = Duration::from_millis(20);

/// How long connections may take at shutdown, at most, to finish what they are
/// sending.
const CONNECTION_GRACE: Duration = Duration::from_secs(5);

/// A connection on its way to a shard.
#[derive(Debug)]
pub struct Connection {
    /// Index of the listener that accepted it.
    pub listener: usize,
    /// The socket, in no runtime's reactor.
    pub socket: StdStream,
    /// Who is at the other end.
    pub peer: SocketAddr,
}

/// What a shard is asked to do.
#[derive(Debug)]
enum Errand {
    Serve(Connection),
    /// Let so many connections finish and go.
    LetGo(usize),
}

/// Where a shard takes connections.
#[derive(Clone, Debug)]
pub struct Entrance {
    sender: mpsc::UnboundedSender<Errand>,
    connections: Arc<AtomicUsize>,
    pulse: Pulse,
}

impl Entrance {
    /// Connections the shard has.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Gives the shard a connection. One that is shutting down drops it.
    pub fn give(&self, connection: Connection) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        if self.sender.send(Errand::Serve(connection)).is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How busy the shard is.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Asks so many connections to finish what is under way and go, so that
    /// their senders come back and are placed anew.
    pub fn let_go(&self, connections: usize) {
        // A shard that is shutting down lets all of them go.
        let _ = self.sender.send(Errand::LetGo(connections));
    }
}

/// Everything a shard's thread builds itself from.
pub struct Build {
    /// The whole configuration.
    pub config: Config,
    /// All listeners; a connection names its own by index.
    pub listeners: Vec<Listener>,
    /// Per pipeline, the way to each of its exporters.
    pub exits: Vec<Vec<Exit>>,
    /// Per pipeline, its segment log and how long senders wait for it.
    pub logs: Vec<Option<(Log, Duration)>>,
    /// Bytes held after sealing.
    pub budget: Budget,
    /// Counters per listener.
    pub receiver_stats: Vec<ReceiverStats>,
    /// Counters per pipeline.
    pub pipeline_stats: Vec<PipelineStats>,
    /// Counters per pipeline and processor.
    pub stage_stats: Vec<Vec<ProcessorStats>>,
    /// What each `mesh` processor's decisions rest on.
    pub knowledge: BTreeMap<Id, Current>,
    /// Told if the thread dies.
    pub health: Health,
    /// Tells others how busy it is.
    pub pulse: Pulse,
}

/// A running shard.
#[derive(Debug)]
pub struct ShardHandle {
    entrance: Entrance,
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
        let (sender, errands) = mpsc::unbounded_channel();
        let entrance = Entrance {
            sender,
            connections: Arc::default(),
            pulse: build.pulse.clone(),
        };
        let count = Arc::clone(&entrance.connections);
        let (name, health) = (format!("shard-{at}"), build.health.clone());
        let (pulse, most) = (build.pulse.clone(), build.config.gather);
        let prepare = |builder: &mut _| gather::install(builder, pulse, most);
        let thread = on_runtime(name, health, prepare, move || {
            run(build, errands, count, stop, deadline)
        })?;
        Ok(Self { entrance, thread })
    }

    /// Where it takes connections.
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Waits for its end.
    pub fn join(self) {
        // That it died was told when it did.
        let _ = self.thread.join();
    }
}

/// The pipelines of one shard, the bell that starts their clock, and the turns
/// of its segment logs.
struct Gate {
    pipelines: RefCell<Vec<Pipeline>>,
    opened: Notify,
    commits: Option<Commits>,
}

impl Gate {
    /// The next moment [`Gate::turn`] has something to do.
    fn deadline(&self) -> Option<Instant> {
        let pipelines = self.pipelines.borrow();
        let backlog = pipelines.iter().any(Pipeline::has_backlog);
        let retry = backlog.then(|| Instant::now() + BACKLOG_INTERVAL);
        pipelines
            .iter()
            .filter_map(Pipeline::deadline)
            .chain(retry)
            .min()
    }

    fn turn(&self) {
        let now = Instant::now();
        self.pipelines
            .borrow_mut()
            .iter_mut()
            .for_each(|pipeline| pipeline.turn(now));
    }

    /// Seals batches as they come of age, forever.
    async fn keep_time(&self) {
        loop {
            match self.deadline() {
                Some(deadline) => {
                    time::sleep_until(deadline.into()).await;
                    self.turn();
                }
                None => self.opened.notified().await,
            }
        }
    }

    /// Commits to the segment logs, forever.
    async fn commit(&self) {
        match &self.commits {
            Some(commits) => commits.run(&self.pipelines).await,
            None => future::pending().await,
        }
    }

    /// Seals everything and waits for room in the queues, until the deadline.
    async fn flush(&self, deadline: &watch::Receiver<Option<Instant>>) {
        for pipeline in &mut *self.pipelines.borrow_mut() {
            pipeline.flush();
            pipeline.commit();
        }
        loop {
            self.turn();
            let waiting = self.pipelines.borrow().iter().any(Pipeline::has_backlog);
            let over = deadline
                .borrow()
                .is_some_and(|deadline| deadline <= Instant::now());
            if !waiting || over {
                let mut pipelines = self.pipelines.borrow_mut();
                return pipelines.iter_mut().for_each(Pipeline::give_up);
            }
            time::sleep(BACKLOG_INTERVAL).await;
        }
    }
}

/// A listener's way into its pipelines.
struct Inlet {
    gate: Rc<Gate>,
    /// Indices of the pipelines that have the receiver.
    pipelines: Vec<usize>,
    /// Those of them that make spans of ztunnel's access log.
    of_logs: Vec<usize>,
    stats: ReceiverStats,
    pulse: Pulse,
}

impl Inlet {
    /// Says what was wrong with the spans that were dropped; the first time in
    /// the log too, since Envoy does not look at a partial success.
    fn faulty(&self, rejected: u64, fault: Fault) -> String {
        let message = format!("{rejected} span(s) dropped; the first: {fault}");
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                "{message}; wayspan_rejected_spans counts these from now on, without a line in \
                 the log"
            );
        });
        message
    }

    /// Says what log records were not of use, the first time in the log too.
    fn useless(&self, ignored: u64, why: Option<Ignored>) -> String {
        let why = why.map(|why| why.to_string()).unwrap_or_default();
        let message = format!("{ignored} log record(s) ignored; the first: {why}");
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                "{message}. Only completed connections in ztunnel's access log become spans: \
                 let the sender of these logs send nothing else here. \
                 wayspan_logs_ignored_records counts from now on, without a line in the log"
            );
        });
        message
    }

    /// Takes a request into some of the pipelines, whole or not at all.
    fn take(&self, request: &[u8], peer: IpAddr, into: &[usize]) -> Answer {
        self.pulse.request();
        // Old Envoys send empty requests, which need no room.
        if request.is_empty() {
            return Answer::Accepted;
        }
        let mut pipelines = self.gate.pipelines.borrow_mut();
        let busy = |at: &usize| pipelines[*at].busy().map(|why| (*at, why));
        if let Some((at, why)) = into.iter().find_map(busy) {
            let spans = split::count_spans(request) as u64;
            self.stats.refused_spans.add(spans);
            pipelines[at].refused(spans);
            return Answer::Busy {
                retry_after: RETRY_AFTER,
                message: why.to_owned(),
            };
        }
        let mut opened = false;
        let mut first = None;
        for at in into {
            // Every pipeline sees the same bytes, so only the first can refuse.
            match pipelines[*at].take(request, peer) {
                Ok(taken) => {
                    opened |= taken.opened;
                    first.get_or_insert(taken);
                }
                Err(malformed) => return Answer::Malformed(malformed.to_string()),
            }
        }
        if opened {
            self.gate.opened.notify_one();
        }
        if let Some(commits) = &self.gate.commits
            && into.iter().any(|at| pipelines[*at].recorder().is_some())
        {
            commits.took();
        }
        let taken = first.unwrap_or_default();
        self.stats.accepted_spans.add(taken.accepted);
        match taken.fault {
            None => Answer::Accepted,
            Some(fault) => {
                self.stats.refused_spans.add(taken.rejected);
                Answer::Partial {
                    rejected: taken.rejected,
                    message: self.faulty(taken.rejected, fault),
                }
            }
        }
    }
}

impl Ingest for Inlet {
    fn traces(&self, request: &[u8], peer: IpAddr) -> Answer {
        self.take(request, peer, &self.pipelines)
    }

    fn takes_logs(&self) -> bool {
        !self.of_logs.is_empty()
    }

    fn ticket(&self) -> Option<Ticket> {
        self.gate.commits.as_ref()?.ticket()
    }

    fn poll_stored(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
        match &self.gate.commits {
            Some(commits) => commits.poll(ticket, cx),
            None => Poll::Ready(()),
        }
    }

    fn logs(&self, request: &[u8], peer: IpAddr) -> Answer {
        let converted = match logs::convert(request) {
            Ok(converted) => converted,
            Err(malformed) => return Answer::Malformed(malformed.to_string()),
        };
        // The ids of its spans are always good, so this is all or nothing.
        let answer = self.take(&converted.request, peer, &self.of_logs);
        if answer != Answer::Accepted {
            return answer;
        }
        self.stats.connections.add(converted.connections);
        match converted.ignored {
            0 => Answer::Accepted,
            ignored => {
                self.stats.ignored_logs.add(ignored);
                Answer::Partial {
                    rejected: ignored,
                    message: self.useless(ignored, converted.why),
                }
            }
        }
    }
}

async fn run(
    build: Build,
    mut errands: mpsc::UnboundedReceiver<Errand>,
    count: Arc<AtomicUsize>,
    mut stop: watch::Receiver<bool>,
    deadline: watch::Receiver<Option<Instant>>,
) {
    build.pulse.begin();
    purse::open(&build.budget);
    let patience = build.logs.iter().flatten().map(|(_, patience)| *patience);
    let commits = patience.min().map(Commits::new);
    let gate = Rc::new(Gate {
        pipelines: RefCell::new(pipelines(&build, commits.as_ref())),
        opened: Notify::new(),
        commits,
    });
    let leaving = Rc::<Leaving>::default();
    let endpoints = endpoints(&build, &gate, &leaving);
    // Polled here and not as a task of its own: if it panicked there, batches
    // would stay open and nobody would know.
    let mut clock = pin!(gate.keep_time());
    // A task of its own, since only those wait for a whole turn.
    let mut committer = {
        let gate = Rc::clone(&gate);
        tokio::task::spawn_local(async move { gate.commit().await })
    };
    let shutdown = stop.clone();
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            errand = errands.recv() => {
                let connection = match errand {
                    Some(Errand::Serve(connection)) => connection,
                    Some(Errand::LetGo(count)) => {
                        leaving.order(count);
                        continue;
                    }
                    None => break,
                };
                let counted = Counted(Arc::clone(&count));
                let Ok(socket) = TcpStream::from_std(connection.socket) else { continue };
                let endpoint = Rc::clone(&endpoints[connection.listener]);
                let shutdown = shutdown.clone();
                open.spawn_local(async move {
                    receiver::serve(endpoint, socket, connection.peer, shutdown).await;
                    drop(counted);
                });
            }
            Some(_) = open.join_next() => {}
            () = &mut clock => {}
            Err(ended) = &mut committer => die(ended),
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    errands.close();
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
    gate.flush(&deadline).await;
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

/// One connection in the shard's count.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pipelines(build: &Build, commits: Option<&Commits>) -> Vec<Pipeline> {
    let stats = build.pipeline_stats.iter().zip(&build.stage_stats);
    let all = build.config.pipelines.iter().zip(stats).enumerate();
    all.map(|(at, (pipeline, (stats, stage_stats)))| {
        let mut keys = Keys::default();
        let stages = pipeline
            .processors
            .iter()
            .zip(stage_stats)
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
                    stats: stats.clone(),
                }
            })
            .collect();
        let outlet = Outlet {
            exits: build.exits[at].clone(),
            budget: build.budget.clone(),
            recorder: build.logs[at]
                .as_ref()
                .zip(commits)
                .map(|((log, _), commits)| {
                    let lane = log.new_lane(commits.written());
                    Recorder::new(log.clone(), lane, stats.unlogged.clone())
                }),
        };
        Pipeline::new(&pipeline.batch, keys, stages, outlet, stats.clone())
    })
    .collect()
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

fn endpoints(build: &Build, gate: &Rc<Gate>, leaving: &Rc<Leaving>) -> Vec<Rc<Endpoint>> {
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
            admission: listener.auth.clone().map(receiver::Admission::new),
            ingest: Rc::new(Inlet {
                gate: Rc::clone(gate),
                of_logs: of_logs.collect(),
                pipelines,
                stats: stats.clone(),
                pulse: build.pulse.clone(),
            }),
            leaving: Rc::clone(leaving),
            stats: stats.clone(),
        })
    })
    .collect()
}
