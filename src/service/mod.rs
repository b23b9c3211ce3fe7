/*!
Builds the pipelines of a checked configuration and runs them.

Threads, and what each owns:

- one **shard** per core ([`shard`]): its connections, its share of every
  pipeline's open batch. Nothing of a span is shared between shards;
- one **exporter** thread for each exporter: it compresses and delivers that
  exporter's sealed batches. None waits for another's compression;
- one **admin** thread: accepting connections and handing each to a shard that
  has time ([`admin`], [`net`](crate::net)), metrics, health. A scrape never delays a span;
- a thread for each reader of wayspan's own metrics that pushes ([`pushes`]);
- one thread for all **connectors** that make requests of what they see ([`connectors`]), with its
  share of every pipeline, where the file has some;
- what processors do beside the items, on threads of their own: the mesh
  processors follow Kiali's configuration and watch Kubernetes
  ([`Background`](crate::processor::Background)).

The threads of shards, the admin thread and the connections live as long as the
process. All that follows from the configuration is a generation ([`generation`]): the
first is built at the start, and another beside it whenever the configuration is read
again ([`reload`]).

Shutdown goes with the stream: stop accepting, let connections finish, seal
what is open, let connectors make their last requests, close the queues, deliver until the deadline, and say what became
of every span.
*/

mod admin;
mod announce;
mod connectors;
mod exporters;
mod fetched;
mod files;
mod follow;
mod generation;
mod limited;
mod logs;
mod metrics;
mod panics;
mod pushes;
mod receivers;
mod reload;
mod report;
mod run;
mod running;
mod shard;
mod sources;

pub(crate) use report::Report;
pub(crate) use run::run;

pub(crate) use crate::net::listen::BindError;
use crate::{
    component::Config,
    exporter::BuildError,
    net::{capacity::Capacity, listen::bind, permit::OpenConnections},
    pipeline::{Graph, LargeLane, OpenLogError},
    processor::BackgroundError,
    queue::log::Log,
    telemetry::{Health, Registry, ShardLoad, process},
    threads::{Thread, ThreadError, on_runtime},
};
use admin::{ListenerCommand, Shown};
use arc_swap::ArcSwap;
use exporters::ExporterContext;
use generation::{Generation, Next};
use pushes::{Pushes, RunningPushes};
use reload::Reloads;
use shard::ShardHandle;
use std::{
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc::UnboundedSender, watch};

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An exporter could not be built.
    #[error(transparent)]
    Exporter(#[from] BuildError),
    /// A receiver's certificates or users could not be taken in.
    #[error("{what}: {message}")]
    Receiver {
        /// Which receiver.
        what: String,
        /// What is wrong, and with which file.
        message: String,
    },
    /// A reader of own metrics cannot push.
    #[error("own metrics: {0}")]
    OwnMetrics(String),
    /// A segment log could not be opened.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// What a processor needs beside the items cannot be had.
    #[error(transparent)]
    Processor(#[from] BackgroundError),
    /// The system refused a thread or a runtime.
    #[error(transparent)]
    Thread(#[from] ThreadError),
}

/// A running service. Dropping it without [`Service::shutdown`] leaves its
/// threads running.
pub(crate) struct Service {
    metrics: Vec<SocketAddr>,
    pushes: RunningPushes,
    health: Option<SocketAddr>,
    state: Health,
    shards: Vec<ShardHandle>,
    /// Reads large requests for the shards.
    lane: (LargeLane, JoinHandle<()>),
    admin: Thread<()>,
    /// Where the admin thread hears of listeners.
    listeners: UnboundedSender<ListenerCommand>,
    shown: Arc<Shown>,
    /// What follows from the configuration.
    current: Generation,
    /// What is left of earlier generations.
    endings: Vec<JoinHandle<()>>,
    reloads: Reloads,
    exporters: ExporterContext,
    signals: Signals,
}

/// How the threads are told to stop.
#[derive(Debug)]
struct Signals {
    /// Connections finish, nothing new is accepted.
    stop: watch::Sender<bool>,
    /// When undelivered spans are given up.
    deadline: Arc<watch::Sender<Option<Instant>>>,
    /// The admin thread ends.
    end: watch::Sender<bool>,
}

/// Starts everything `config` describes.
///
/// # Errors
///
/// When an address cannot be bound, a certificate cannot be read, or the
/// system refuses a thread. Nothing is left running then but threads that end
/// by themselves.
pub(crate) fn start(config: Config) -> Result<Service, StartError> {
    let shard_count = config.shards.unwrap_or_else(available_cores).max(1);
    let state = Health::default();
    let process = Arc::new(Registry::default());
    let reloads = Reloads::default();

    // Everything that can fail for the operator's reasons comes first.
    let next = Next::build(config, shard_count, None, &state)?;
    let config = &next.config;
    let pushes = Pushes::build(config)?;
    let (mut metrics, mut metrics_addresses) = (Vec::new(), Vec::new());
    for (at, style) in &config.telemetry.metrics {
        let (socket, address) = bind(*at, "metrics")?;
        metrics.push((socket, style.clone()));
        metrics_addresses.push(address);
    }
    let health = (config.health_check.as_ref())
        .map(|check| admin::bind_health(check, &state))
        .transpose()?;
    let zpages = config.zpages.map(|at| bind(at, "zpages")).transpose()?;

    let (stop, stop_seen) = watch::channel(false);
    let (deadline, deadline_seen) = watch::channel(None);
    let (end, end_seen) = watch::channel(false);
    let memory = &next.graph.memory;
    let (lane, lane_thread) = LargeLane::start(memory, state.clone())?;
    let shards = (0..shard_count)
        .map(|at| {
            let build = shard::Build {
                pipelines: next.of_shard(at, None, None),
                health: state.clone(),
                load: ShardLoad::default(),
                bodies: memory.bodies.clone(),
                shards: shard_count,
                lane: lane.clone(),
            };
            ShardHandle::start(at, build, stop_seen.clone(), deadline_seen.clone())
        })
        .collect::<Result<Vec<_>, _>>()?;

    let health_address = health.as_ref().map(|(_, address)| *address);
    let capacity = files::capacity(config);
    let connections = OpenConnections::default();
    metrics::connections(&process, &connections, capacity);
    process::register(&process);
    reloads.register(&process);
    let shown = Arc::new(Shown {
        resource: config.telemetry.resource.clone(),
        process,
        background: ArcSwap::new(Arc::clone(&next.background_registry)),
        pipelines: ArcSwap::new(Arc::clone(&next.registry)),
        about: ArcSwap::from_pointee(next.about()),
    });
    let (commands, listeners) = tokio::sync::mpsc::unbounded_channel();
    let admin = admin::Admin {
        listeners,
        capacity: Capacity::new(capacity, connections),
        shards: shards.iter().map(ShardHandle::sender).collect(),
        metrics,
        health: health.map(|(page, _)| page),
        zpages: zpages.map(|(socket, _)| socket),
        shown: Arc::clone(&shown),
        stop: stop_seen,
        end: end_seen,
    };
    let admin = on_runtime("admin", state.clone(), |_| {}, move || admin.run())?;
    let pushes = pushes.start(&shown, &state)?;
    let exporters = ExporterContext {
        health: state.clone(),
        deadline: deadline_seen,
    };
    let mut failed = Vec::new();
    let current = next.begin(None, &exporters, &commands, &mut failed);
    if let Some(error) = failed.pop() {
        return Err(error);
    }
    state.ready();
    Ok(Service {
        metrics: metrics_addresses,
        pushes,
        health: health_address,
        state,
        shards,
        lane: (lane, lane_thread),
        admin,
        listeners: commands,
        shown,
        current,
        endings: Vec::new(),
        reloads,
        exporters,
        signals: Signals {
            stop,
            deadline: Arc::new(deadline),
            end,
        },
    })
}

impl Service {
    /// The address of the first OTLP/gRPC listener, if it is one of TCP.
    pub(crate) fn grpc_address(&self) -> Option<SocketAddr> {
        let mut bound = self.current.listeners.iter();
        let grpc = bound.find(|bound| bound.listener.settings.transport == "grpc");
        grpc.and_then(|bound| bound.address.tcp())
    }

    /// Drains and stops: see the module's prologue. Blocks.
    pub(crate) fn shutdown(self) -> Report {
        self.state.stopping();
        // A second signal may have set it already, and must keep the last word.
        let deadline = Instant::now() + self.current.config.drain_timeout;
        self.signals.deadline.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(deadline);
            first
        });
        self.signals.stop.send_replace(true);
        self.shards.into_iter().for_each(ShardHandle::join);
        let (lane, lane_thread) = self.lane;
        lane.close();
        let _ = lane_thread.join();
        for ending in self.endings {
            let _ = ending.join();
        }
        let report = self.current.shutdown(self.exporters.deadline);
        self.pushes.end();
        self.signals.end.send_replace(true);
        let _ = self.admin.join();
        report
    }

    /// How it is.
    pub(crate) fn health(&self) -> Health {
        self.state.clone()
    }

    /// How long the drain may take.
    fn drain_timeout(&self) -> Duration {
        self.current.config.drain_timeout
    }

    /// Lets another thread cut the drain short.
    fn deadline(&self) -> Arc<watch::Sender<Option<Instant>>> {
        Arc::clone(&self.signals.deadline)
    }
}

/// Shows on the health page how each segment log fares.
fn show_logs(graph: &Graph, health: &Health) {
    let logs = graph.pipelines.iter().filter_map(|pipeline| {
        let log = pipeline.log.as_ref()?;
        Some((log.log.clone(), pipeline.id.to_string()))
    });
    let logs: Vec<_> = logs.collect();
    if logs.is_empty() {
        return;
    }
    health.detail("segmentLog", move || {
        let state = |(log, pipeline): &(Log, String)| {
            let state = match log.status().degraded {
                None => "works".to_owned(),
                Some(trouble) => format!(
                    "does not work for {} s: {}",
                    trouble.since.elapsed().as_secs(),
                    trouble.reason
                ),
            };
            (pipeline.clone(), serde_json::Value::from(state))
        };
        let states = logs.iter().map(state);
        states.collect::<serde_json::Map<_, _>>().into()
    });
}

/// The cores this process may use, cgroup quotas included.
fn available_cores() -> usize {
    thread::available_parallelism().map_or(1, |n| n.get())
}
