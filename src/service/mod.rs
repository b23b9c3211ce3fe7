/*!
Builds the pipelines of a checked configuration and runs them.

Threads, and what each owns:

- one **shard** per core ([`shard`]): its connections, its share of every
  pipeline's open batch. Nothing of a span is shared between shards;
- one **exporter** thread for each exporter: it compresses and delivers that
  exporter's sealed batches. None waits for another's compression;
- one **admin** thread: accepting connections and handing each to a shard that
  has time ([`admin`], [`net`](crate::net)), metrics, health. A scrape never delays a span;
- what processors do beside the items, on threads of their own: the mesh
  processors follow Kiali's configuration and watch Kubernetes
  ([`Background`](crate::processor::Background)).

Shutdown goes with the stream: stop accepting, let connections finish, seal
what is open, close the queues, deliver until the deadline, and say what became
of every span.
*/

mod admin;
mod announce;
mod files;
mod limited;
mod metrics;
mod panics;
mod receivers;
mod report;
mod run;
mod shard;

pub(crate) use report::Report;
pub(crate) use run::run;

pub(crate) use crate::net::accept::BindError;
use crate::{
    component::Config,
    config::Id,
    exporter::{BuildError, Drained, Exporter},
    net::{accept::bind, capacity::Capacity, permit::OpenConnections},
    pipeline::{Graph, LargeLane, OpenLogError},
    processor::{BackgroundError, Backgrounds, BuildContext},
    queue::log::Log,
    receiver::ListenerSettings,
    telemetry::{AcceptStats, Health, ReceiverStats, Registry, ShardLoad},
    threads::{Thread, ThreadError, on_runtime},
};
use metrics::ListenerStats;
use shard::ShardHandle;
use std::{
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::watch;

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
    listening: Vec<Listening>,
    metrics: Option<SocketAddr>,
    health: Option<SocketAddr>,
    state: Health,
    shards: Vec<ShardHandle>,
    /// Reads large requests for the shards.
    lane: (LargeLane, JoinHandle<()>),
    graph: Graph,
    listeners: Vec<ListenerStats>,
    exporters: Vec<Thread<Drained>>,
    /// Where segment logs are looked through and fetched from.
    readers: Option<Thread<()>>,
    admin: Thread<()>,
    /// What processors do beside the items.
    background: Vec<JoinHandle<()>>,
    drain_timeout: Duration,
    signals: Signals,
}

/// An address that is listened on.
struct Listening {
    receiver: Id,
    settings: ListenerSettings,
    /// The real port where 0 was asked.
    address: SocketAddr,
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
pub(crate) fn start(config: &Config) -> Result<Service, StartError> {
    let shard_count = config.shards.unwrap_or_else(available_cores).max(1);
    let registry = Arc::new(Registry::new(config.telemetry.type_suffix));
    let state = Health::default();

    // Everything that can fail for the operator's reasons comes first.
    let receivers = receivers::bind_receivers(config)?;
    let metrics = config
        .telemetry
        .metrics
        .map(|at| bind(at, "metrics"))
        .transpose()?;
    let health = (config.health_check.as_ref())
        .map(|check| admin::bind_health(check, &state))
        .transpose()?;
    let zpages = config.zpages.map(|at| bind(at, "zpages")).transpose()?;
    let exporters: Vec<Exporter> = config
        .exporters
        .iter()
        .map(Exporter::build)
        .collect::<Result<_, _>>()?;

    let mut backgrounds = Backgrounds::default();
    let settings = config.graph(|processor| {
        processor.settings.build(&mut BuildContext {
            id: &processor.id,
            shards: shard_count,
            backgrounds: &mut backgrounds,
        })
    });
    backgrounds.prepare(&registry, &state)?;
    let mut graph = Graph::build(settings, shard_count, &registry)?;
    let listeners = listener_stats(config, &receivers, shard_count);
    metrics::register(&registry, &graph, &listeners);
    let limited: Vec<_> = listeners.iter().flat_map(ListenerStats::limited).collect();
    limited::register(&registry, limited.clone());
    show_logs(&graph, &state);

    let (stop, stop_seen) = watch::channel(false);
    let (deadline, deadline_seen) = watch::channel(None);
    let (end, end_seen) = watch::channel(false);

    let (lane, lane_thread) = LargeLane::start(&graph.memory, state.clone())?;
    let shards = (0..shard_count)
        .map(|at| {
            let of_shard = receivers.iter().zip(&listeners);
            let build = shard::Build {
                plan: graph.plan(at),
                listeners: of_shard
                    .map(|(bound, stats)| (bound.listener.clone(), stats.shards[at].clone()))
                    .collect(),
                gather: config.gather,
                health: state.clone(),
                load: ShardLoad::default(),
                bodies: graph.memory.bodies.clone(),
                shards: shard_count,
                lane: lane.clone(),
            };
            ShardHandle::start(at, build, stop_seen.clone(), deadline_seen.clone())
        })
        .collect::<Result<Vec<_>, _>>()?;

    let exporter_threads = (exporters.into_iter().zip(&graph.exporters))
        .map(|(exporter, node)| {
            let (queue, stats) = (Arc::clone(&node.queue), Arc::clone(&node.stats));
            let deadline = deadline_seen.clone();
            on_runtime(
                node.id.to_string(),
                state.clone(),
                |_| {},
                move || exporter.run(queue, stats, deadline),
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    let feeders = graph.feeders(&stop_seen);
    let readers = match feeders.is_empty() {
        true => None,
        false => Some(on_runtime(
            "log-readers",
            state.clone(),
            |_| {},
            move || async move {
                futures_util::future::join_all(feeders).await;
            },
        )?),
    };

    let listening = receivers
        .iter()
        .map(|bound| Listening {
            receiver: config.receivers[bound.listener.receiver].id.clone(),
            settings: bound.listener.settings.clone(),
            address: bound.address,
        })
        .collect();
    let metrics_address = metrics.as_ref().map(|(_, address)| *address);
    let health_address = health.as_ref().map(|(_, address)| *address);
    let capacity = files::capacity(config);
    let connections = OpenConnections::default();
    metrics::connections(&registry, &connections, capacity);
    let admin_thread = {
        let accepting = listeners.iter().map(|stats| stats.accept.clone());
        let admin = admin::Admin {
            receivers: receivers.into_iter().zip(accepting).collect(),
            capacity: Capacity::new(capacity, connections),
            shards: shards.iter().map(ShardHandle::sender).collect(),
            metrics: metrics.map(|(socket, _)| (socket, Arc::clone(&registry))),
            health: health.map(|(page, _)| page),
            zpages: zpages.map(|(socket, _)| (socket, graph.routes(), limited)),
            stop: stop_seen,
            end: end_seen.clone(),
        };
        on_runtime("admin", state.clone(), |_| {}, move || admin.run())?
    };

    let background = backgrounds.start(&registry, &state, &end_seen)?;

    state.ready();
    Ok(Service {
        listening,
        metrics: metrics_address,
        health: health_address,
        state,
        shards,
        lane: (lane, lane_thread),
        graph,
        listeners,
        exporters: exporter_threads,
        readers,
        admin: admin_thread,
        background,
        drain_timeout: config.drain_timeout,
        signals: Signals {
            stop,
            deadline: Arc::new(deadline),
            end,
        },
    })
}

impl Service {
    /// The address of the first OTLP/gRPC listener.
    pub(crate) fn grpc_address(&self) -> Option<SocketAddr> {
        let is_grpc = |l: &&Listening| l.settings.transport == "grpc";
        self.listening.iter().find(is_grpc).map(|l| l.address)
    }

    /// Drains and stops: see the module's prologue. Blocks.
    pub(crate) fn shutdown(self) -> Report {
        self.state.stopping();
        // A second signal may have set it already, and must keep the last word.
        let deadline = Instant::now() + self.drain_timeout;
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
        for exporter in &self.graph.exporters {
            exporter.queue.close();
        }
        for exporter in self.exporters {
            // What it could not deliver is in the accounts.
            let _ = exporter.join();
        }
        if let Some(readers) = self.readers {
            let _ = readers.join();
        }
        self.graph.close_logs();
        self.signals.end.send_replace(true);
        let _ = self.admin.join();
        for thread in self.background {
            let _ = thread.join();
        }
        Report::of(&self.graph, &self.listeners)
    }

    /// How it is.
    pub(crate) fn health(&self) -> Health {
        self.state.clone()
    }

    /// Lets another thread cut the drain short.
    fn deadline(&self) -> Arc<watch::Sender<Option<Instant>>> {
        Arc::clone(&self.signals.deadline)
    }
}

/// Counters for each listener and shard.
fn listener_stats(
    config: &Config,
    bound: &[receivers::Bound],
    shards: usize,
) -> Vec<ListenerStats> {
    let stats = |bound: &receivers::Bound| ListenerStats {
        receiver: config.receivers[bound.listener.receiver].id.clone(),
        index: bound.listener.receiver,
        transport: bound.listener.settings.transport,
        shards: (0..shards).map(|_| ReceiverStats::default()).collect(),
        accept: AcceptStats::default(),
    };
    bound.iter().map(stats).collect()
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
