/*!
The engine itself: one shard's pipelines, as `Graph` builds them, with a `mesh`
processor that does all it can, and the queue of an exporter that takes batches away
when it is asked to.
*/

use allocation_counter::{AllocationInfo, measure};
use futures_util::{FutureExt, task::noop_waker};
use std::{
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
    task::Context,
    time::Duration,
};
use wayspan::{
    component::Config,
    config::Source,
    mesh::{Aliases, Current, Knowledge, MeshSettings},
    pdata::Signal,
    pipeline::{
        Graph, Ingest, NotTaken, PreparedRequest, ProcessorFactory, Refusal, SealedBatch, Shard,
        ShardPlan, Taken, engine::Engine, gather::Gather, inlet::Inlet,
    },
    processor::mesh::MeshFactory,
    telemetry::{ReceiverStats, Registry, ShardLoad},
};

/// What a file without a `batch` processor has, and what shows sooner what would go
/// out: small batches, for which everything around an item is written again.
pub const BATCHES: [&str; 2] = [
    "{}",
    "{max_expansion: 2, send_batch_max_bytes: 4096, send_batch_size: 64}",
];
/// `max_expansion` of each.
pub const EXPANSION: [usize; 2] = [8, 2];

/// How many pipelines there are: one of each signal.
const PIPELINES: usize = Signal::ALL.len();

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 0, 7));

fn config(batch: &str) -> Config {
    let file = format!(
        "
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{mesh: {{kubernetes: off}}, batch: {batch}}}
exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:1', tls: {{insecure: true}}}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [mesh, batch], exporters: [otlp_grpc]}}
    metrics: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc]}}
    logs: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc]}}
"
    );
    wayspan::component::load(&[Source::inline(&file)]).unwrap()
}

/// What shards are made of.
pub struct Pipelines {
    graph: Graph,
    plan: Rc<ShardPlan>,
}

/// A shard that has taken nothing yet.
pub struct FreshShard<'p> {
    graph: &'p Graph,
    shard: Rc<Shard>,
    inlet: Rc<Inlet>,
}

impl Pipelines {
    pub fn new(batch: &str) -> Self {
        // Markers, and logs of ztunnel that become spans.
        let settings = MeshSettings {
            aliases: Aliases::On,
            ztunnel_connections: true,
            ..MeshSettings::default()
        };
        let current = Current::new(Knowledge::of(&settings));
        let factory: Arc<dyn ProcessorFactory> = Arc::new(MeshFactory::new(settings, current, 1));
        let registry = Registry::default();
        let graph = config(batch).graph(|_, _| Arc::clone(&factory));
        let graph = Graph::build(graph, 1, &registry).unwrap();
        let plan = Rc::new(graph.plan(0));
        Self { graph, plan }
    }

    pub fn shard(&self) -> FreshShard<'_> {
        let shard = self.plan.build(Gather::new(Duration::ZERO));
        let (stats, load) = (ReceiverStats::default(), ShardLoad::default());
        FreshShard {
            graph: &self.graph,
            inlet: Rc::new(self.plan.inlet(&shard, Some(0), stats, load)),
            shard,
        }
    }
}

impl FreshShard<'_> {
    /// Takes a request in one turn.
    pub fn take(&self, signal: Signal, request: &[u8]) -> Result<Taken, NotTaken> {
        self.inlet.take(signal, request, PEER)
    }

    /// Reads a request as the lane of large requests does; and what that took.
    pub fn prepare(
        &self,
        signal: Signal,
        request: Vec<u8>,
        memory: usize,
    ) -> (Result<PreparedRequest, Refusal>, AllocationInfo) {
        let preparation = self.inlet.preparation();
        let mut prepared = None;
        let used = measure(|| prepared = Some(preparation.prepare(signal, request, memory)));
        (prepared.unwrap(), used)
    }

    /// Takes what was read, turn by turn.
    pub fn take_prepared(&self, request: PreparedRequest) -> Result<Taken, Refusal> {
        let mut taking = Rc::clone(&self.inlet).take_prepared(request, PEER);
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            if let std::task::Poll::Ready(taken) = taking.poll_unpin(&mut cx) {
                return taken;
            }
        }
    }

    /// Seals all that is open; what goes out.
    pub fn batches(&self) -> Vec<Arc<SealedBatch>> {
        let mut batches = Vec::new();
        let queue = &self.graph.exporters[0].queue;
        loop {
            // What finds no room in the queue comes after what was taken from there.
            for at in 0..PIPELINES {
                self.shard.with(at, Engine::flush).unwrap();
            }
            let before = batches.len();
            while let Some(Some(queued)) = queue.pop().now_or_never() {
                let items = u64::from(queued.batch.items);
                queued.route.account.answered(items, 0);
                queued.settle();
                batches.push(queued.batch);
            }
            if batches.len() == before {
                return batches;
            }
        }
    }
}
