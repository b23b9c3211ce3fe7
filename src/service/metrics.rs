/*!
Registers the series of a service: it describes what was built, and builds
nothing.

All series exist, with the value zero, from the first scrape; those of signals
that no pipeline carries do not exist at all.
*/

use crate::{
    config::Id,
    net::{capacity::CapacityLimits, permit::OpenConnections},
    pdata::Signal,
    pipeline::{
        DropReason, ExporterNode, Graph, NamedRoute, PipelineLog, PipelineNode, account_metrics,
    },
    queue::Budget,
    telemetry::{
        AcceptStats, Count, LimitedPeers, Metric, PipelineStats, ProcessorItems, ReceiverStats,
        Registry,
    },
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

const BATCH_METADATA_CARDINALITY: Metric = Metric::gauge(
    "otelcol_processor_batch_metadata_cardinality",
    "Distinct metadata values batched apart; always 1.",
    &["processor"],
)
.in_unit("{combination}")
.up_and_down();
const ENQUEUE_FAILED: Metric = Metric::counter(
    "otelcol_exporter_enqueue_failed_{items}",
    "Items lost because the queue was full, while other exporters of the pipeline had room.",
    &["exporter"],
);
const QUEUE_SIZE: Metric = Metric::gauge(
    "otelcol_exporter_queue_size",
    "What waits to be sent, as sizer counts it: batches by default.",
    &["exporter", "data_type"],
)
.in_unit("{batch}");
const QUEUE_CAPACITY: Metric = Metric::gauge(
    "otelcol_exporter_queue_capacity",
    "How much may wait.",
    &["exporter", "data_type"],
)
.in_unit("{batch}");
const IN_FLIGHT: Metric = Metric::gauge(
    "otelcol_exporter_in_flight_requests",
    "Requests sent and not answered.",
    &["exporter", "data_type"],
)
.in_unit("{request}")
.up_and_down();
const EXPORTER_UP: Metric = Metric::gauge(
    "wayspan_exporter_up",
    "1 while the backend answers or has not been asked; 0 from the first failure of an outage \
     until it does.",
    &["exporter"],
);
const HELD_BYTES: Metric = Metric::gauge(
    "wayspan_held_bytes",
    "Bytes of bodies under way, open batches, and sealed batches not yet delivered.",
    &[],
);
const HELD_BYTES_LIMIT: Metric = Metric::gauge(
    "wayspan_held_bytes_limit",
    "Bytes at which senders are refused.",
    &[],
)
.in_unit("By");
const CONNECTIONS: Metric = Metric::gauge(
    "wayspan_receiver_connections",
    "Open connections of all receivers.",
    &[],
);
const CONNECTIONS_LIMIT: Metric = Metric::gauge(
    "wayspan_receiver_connections_limit",
    "Connections that there may be: of all receivers together, or of one peer's address.",
    &["of"],
);
const UNREAD_LANES: Metric = Metric::gauge(
    "wayspan_log_unread_lanes",
    "Parts of an earlier run's log that were not looked through yet: what they have is in no \
     account.",
    &["pipeline"],
);

/// The counters of one listener, a set for each shard.
#[derive(Clone)]
pub(crate) struct ListenerStats {
    /// The receiver's id.
    pub(crate) receiver: Id,
    /// Its index in the configuration.
    pub(crate) index: usize,
    /// `grpc` or `http`.
    pub(crate) transport: &'static str,
    /// The counters, by shard.
    pub(crate) shards: Vec<ReceiverStats>,
    /// What is counted where connections are accepted.
    pub(crate) accept: AcceptStats,
}

impl ListenerStats {
    /// Whom it refused something, a table for each thread.
    pub(crate) fn limited(&self) -> impl Iterator<Item = LimitedPeers> {
        let of_shards = self.shards.iter().map(|stats| stats.limited.clone());
        of_shards.chain([self.accept.limited.clone()])
    }
}

/// Registers everything that `graph` and the listeners count.
pub(crate) fn register(registry: &Registry, graph: &Graph, listeners: &[ListenerStats]) {
    budget(registry, &graph.memory.accepted);
    for listener in listeners {
        receiver(registry, graph, listener);
    }
    for pipeline in &graph.pipelines {
        batch(registry, pipeline);
        stages(registry, pipeline);
        if let Some(log) = &pipeline.log {
            segment_log(registry, pipeline, log);
        }
    }
    let routes = graph.routes();
    for node in &graph.exporters {
        let id = node.id.to_string();
        let of_exporter = routes.iter().filter(|named| named.exporter == id);
        exporter(registry, node, &of_exporter.cloned().collect::<Vec<_>>());
    }
    account_metrics::register(registry, &routes);
    for node in &graph.connectors {
        node.connector.register(registry, &node.id.to_string());
    }
}

fn budget(registry: &Registry, budget: &Budget) {
    let (held, limit) = (budget.clone(), budget.limit());
    registry.gauge(&HELD_BYTES, &[], move || held.held() as u64);
    registry.gauge(&HELD_BYTES_LIMIT, &[], move || limit as u64);
}

/// Registers how many connections there are and may be.
pub(super) fn connections(registry: &Registry, open: &OpenConnections, limits: CapacityLimits) {
    let open = open.clone();
    registry.gauge(&CONNECTIONS, &[], move || open.get() as u64);
    for (of, limit) in [("all", limits.all), ("peer", limits.per_peer)] {
        registry.gauge(&CONNECTIONS_LIMIT, &[of], move || limit as u64);
    }
}

fn receiver(registry: &Registry, graph: &Graph, listener: &ListenerStats) {
    let id = listener.receiver.to_string();
    let labels = [id.as_str(), listener.transport];
    registry.counters(&labels, &listener.shards);
    registry.counters(&labels, listener.shards.iter().map(|stats| &stats.refused));
    registry.counters(&labels, listener.shards.iter().map(|stats| &stats.ended));
    registry.counters(&labels, [&listener.accept]);
    for signal in Signal::ALL {
        let takes = |pipeline: &PipelineNode| {
            pipeline.signal == signal && pipeline.receivers.contains(&listener.index)
        };
        if graph.pipelines.iter().any(takes) {
            let items = listener.shards.iter().map(|stats| &stats.items[signal]);
            registry.counters_of(signal, &labels, items);
        }
    }
}

fn batch(registry: &Registry, pipeline: &PipelineNode) {
    let signal = pipeline.signal;
    let id = pipeline.batch.id.to_string();
    let labels = [id.as_str()];
    let stats = &pipeline.stats;
    registry.counters_of(signal, &labels, stats.iter().map(|stats| &stats.batch));
    let passing = |id: &str, items: fn(&PipelineStats) -> &Count| {
        let items = stats.iter().map(|s| ProcessorItems::passing(items(s)));
        let items: Vec<_> = items.collect();
        registry.counters(&[id, signal.as_str()], &items);
    };
    if let Some(limiter) = pipeline.memory_limiter.as_ref().map(Id::to_string) {
        let limiters = stats.iter().map(|stats| &stats.limiter);
        registry.counters_of(signal, &[&limiter], limiters);
        passing(&limiter, |stats| &stats.limiter.accepted);
    }
    passing(&id, |stats| &stats.batch.batched);
    registry.gauge(&BATCH_METADATA_CARDINALITY, &labels, || 1_u64);
}

fn stages(registry: &Registry, pipeline: &PipelineNode) {
    for stage in &pipeline.stages {
        let id = stage.id.to_string();
        let items: Vec<_> = stage.stats.iter().map(|stats| stats.items()).collect();
        registry.counters(&[&id, pipeline.signal.as_str()], &items);
        stage.factory.register(registry, &id);
    }
}

fn segment_log(registry: &Registry, pipeline: &PipelineNode, log: &PipelineLog) {
    let id = pipeline.id.to_string();
    let stats = pipeline.stats.iter().map(|stats| &stats.log);
    registry.counters_of(pipeline.signal, &[&id], stats);
    log.log.register(registry, &id, pipeline.signal);
    let unread = Arc::clone(&log.unread);
    registry.gauge(&UNREAD_LANES, &[&id], move || unread.load(Relaxed) as u64);
}

fn exporter(registry: &Registry, node: &ExporterNode, routes: &[NamedRoute]) {
    let id = node.id.to_string();
    registry.counters(&[&id], [&*node.stats]);
    let outage = node.stats.outage.clone();
    registry.gauge(&EXPORTER_UP, &[&id], move || {
        u64::from(outage.since().is_none())
    });
    for signal in Signal::ALL {
        let carries = |named: &&NamedRoute| named.route.signal == signal;
        let routes: Vec<_> = routes.iter().filter(carries).cloned().collect();
        if !routes.is_empty() {
            exported(registry, node, signal, routes);
        }
    }
}

fn exported(registry: &Registry, node: &ExporterNode, signal: Signal, routes: Vec<NamedRoute>) {
    let id = node.id.to_string();
    let items = &node.stats.items[signal];
    registry.counters_of(signal, &[&id], [items]);
    registry.counter(&ENQUEUE_FAILED.of(signal), &[&id], move || {
        let full = |named: &NamedRoute| {
            named.route.account.balance().dropped[DropReason::QueueFull as usize]
        };
        routes.iter().map(full).sum::<u64>()
    });
    let labels = [id.as_str(), signal.as_str()];
    let (waiting, room) = (Arc::clone(&node.queue), node.queue.limit());
    registry.gauge(&QUEUE_SIZE, &labels, move || waiting.len() as u64);
    registry.gauge(&QUEUE_CAPACITY, &labels, move || room as u64);
    let (started, ended) = (items.requests_started.clone(), items.requests_ended.clone());
    registry.gauge(&IN_FLIGHT, &labels, move || {
        // Read in this order, the difference is never negative.
        let ended = ended.get();
        started.get().saturating_sub(ended)
    });
}
