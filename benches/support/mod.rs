/*!
The engine itself, for benches and for the tests that count allocations: one
pipeline with a `mesh` processor and one exporter's queue, as `Graph` builds it,
and requests captured from real meshes.
*/

use futures_util::FutureExt;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use wayspan::{
    component::Config,
    config::Source,
    mesh::{
        Current, Directory, Knowledge, MeshSettings,
        directory::{AppLabels, NamespaceRecord, PodRecord, ServiceRecord},
    },
    pdata::{Edits, Index, Keys, Signal},
    pipeline::{
        Decision, Graph, Ingest, Processor, ProcessorFactory, ProcessorInstance, QueuedBatch,
        Resources, SealedBatch, Shard, ShardPlan, Span, gather::Gather, inlet::Inlet,
    },
    processor::mesh::MeshFactory,
    queue::SizedQueue,
    telemetry::{ReceiverStats, Registry, ShardLoad},
};

/// Who sends: a Pod, where Kubernetes is watched.
pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 0, 7));

/// A pipeline as a file without settings has it, to a backend that is never
/// asked: batches are taken from the queue.
const CONFIG: &str = "
receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}
processors: {mesh: {kubernetes: off}}
exporters: {otlp_grpc: {endpoint: '127.0.0.1:1', tls: {insecure: true}}}
service: {pipelines: {traces: {receivers: [otlp], processors: [mesh], exporters: [otlp_grpc]}}}
";

/// The captured requests of a folder below `tests/fixtures`.
pub fn captured(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The limits of a batch as a file without settings has them.
pub fn batch() -> wayspan::pipeline::BatchSettings {
    let config: Config = wayspan::component::load(&[Source::inline(CONFIG)]).unwrap();
    config.pipelines[0].batch.clone()
}

/// One shard of a service, without its threads and sockets.
pub struct Engine {
    #[allow(dead_code, reason = "for seal")]
    shard: Rc<Shard>,
    inlet: Inlet,
    queue: Arc<SizedQueue<QueuedBatch>>,
    factory: Arc<dyn ProcessorFactory>,
    _graph: Graph,
}

impl Engine {
    /// Default settings, as when no file is given.
    pub fn new() -> Self {
        Self::with(&MeshSettings::default())
    }

    /// With these settings of the mesh processor.
    pub fn with(settings: &MeshSettings) -> Self {
        Self::knowing(settings, Knowledge::of(settings))
    }

    /// The same where Kubernetes is watched: a thousand Pods and Services, the
    /// sender's among them.
    pub fn watching() -> Self {
        let labels = |app: String| Arc::new([("app".to_owned(), app)].into());
        let pods = (0..1000u16).map(|n| PodRecord {
            namespace: "bookinfo".to_owned(),
            name: format!("app-{n}-x"),
            addresses: vec![match n {
                0 => PEER,
                n => IpAddr::from([10, 245, n.to_be_bytes()[0], n.to_be_bytes()[1]]),
            }],
            labels: labels(format!("App-{n}")),
            ..PodRecord::default()
        });
        let services = (0..1000).map(|n| ServiceRecord {
            namespace: "bookinfo".to_owned(),
            name: format!("app-{n}"),
            selector: labels(format!("App-{n}")),
            ..ServiceRecord::default()
        });
        let namespaces: [NamespaceRecord; 0] = [];
        let directory = Directory::build(pods, services, namespaces, &AppLabels::default());
        let settings = MeshSettings::default();
        let knowledge = Knowledge {
            directory: Arc::new(directory),
            ..Knowledge::of(&settings)
        };
        Self::knowing(&settings, knowledge)
    }

    fn knowing(settings: &MeshSettings, knowledge: Knowledge) -> Self {
        let config: Config = wayspan::component::load(&[Source::inline(CONFIG)]).unwrap();
        let current = Current::new(knowledge);
        let factory: Arc<dyn ProcessorFactory> =
            Arc::new(MeshFactory::new(settings.clone(), current, 1));
        let registry = Registry::default();
        let graph = Graph::build(config.graph(|_, _| Arc::clone(&factory)), 1, &registry).unwrap();
        Self::around(graph, factory)
    }

    /// With one processor of this kind, which has these keys.
    #[allow(dead_code, reason = "for the tests that count allocations")]
    pub fn listing(processor: &str, keys: &str) -> Self {
        let file = CONFIG.replace("mesh: {kubernetes: off}", &format!("{processor}: {keys}"));
        let file = file.replace("[mesh]", &format!("[{processor}]"));
        let config: Config = wayspan::component::load(&[Source::inline(&file)]).unwrap();
        let processor = &config.pipelines[0].processors[0];
        let factory = processor.factory(Signal::Traces, 1);
        let registry = Registry::default();
        let graph = Graph::build(config.graph(|_, _| Arc::clone(&factory)), 1, &registry).unwrap();
        Self::around(graph, factory)
    }

    fn around(graph: Graph, factory: Arc<dyn ProcessorFactory>) -> Self {
        let plan: Rc<ShardPlan> = Rc::new(graph.plan(0));
        let shard = plan.build(Gather::new(Duration::ZERO));
        let load = ShardLoad::default();
        Self {
            inlet: plan.inlet(&shard, Some(0), ReceiverStats::default(), load),
            shard,
            queue: Arc::clone(&graph.exporters[0].queue),
            factory,
            _graph: graph,
        }
    }

    /// A processor of its own, and the keys it reads.
    pub fn processor(&self) -> (Box<dyn Processor>, Keys) {
        let mut keys = Keys::default();
        match self.factory.instance(0, &mut keys) {
            ProcessorInstance::Items(processor) => (processor, keys),
            ProcessorInstance::Requests(_) => panic!("the processor writes whole requests"),
        }
    }

    /// What makes the instances of its processor.
    #[allow(dead_code, reason = "for the tests that count allocations")]
    pub fn factory(&self) -> &dyn ProcessorFactory {
        &*self.factory
    }

    /// Takes a whole request.
    pub fn take(&self, request: &[u8]) {
        self.inlet.take(Signal::Traces, request, PEER).unwrap();
    }

    /// The next batch that was sealed, if one was.
    pub fn sealed(&self) -> Option<Arc<SealedBatch>> {
        let queued = self.queue.pop().now_or_never()??;
        // As an exporter does once the backend has taken it.
        let route = &queued.route;
        route.account.answered(u64::from(queued.batch.items), 0);
        queued.settle();
        Some(queued.batch)
    }

    /// Ends the open batch.
    #[allow(dead_code, reason = "the benches fill batches")]
    pub fn seal(&self) -> Arc<SealedBatch> {
        self.shard
            .with(0, wayspan::pipeline::engine::Engine::flush)
            .unwrap();
        self.sealed().unwrap()
    }
}

/// A `mesh` processor by itself, with the tables that it reads.
pub struct Decider {
    processor: Box<dyn Processor>,
    /// What the processor reads.
    pub keys: Keys,
    resources: Resources,
    decision: Option<Decision>,
}

impl Decider {
    /// The processor of `engine`, which has seen nothing.
    pub fn of(engine: &Engine) -> Self {
        let (processor, keys) = engine.processor();
        Self {
            processor,
            keys,
            resources: Resources::default(),
            decision: None,
        }
    }

    /// Forgets what it has decided.
    #[allow(dead_code, reason = "for the benches")]
    pub fn forget(&mut self) {
        self.processor.forget();
    }

    /// Decides about every span of a request that was indexed.
    pub fn decide(&mut self, request: &[u8], index: &Index) {
        self.processor.begin(Some(PEER));
        for group in &index.resources {
            let resource = self.resources.intern(
                group.resource.of(request),
                group.schema_url.of(request),
                group.rest.of(request),
            );
            for entry in &index.items[group.first_item as usize..group.end_item as usize] {
                let decision = self
                    .decision
                    .get_or_insert_with(|| Decision::new(resource, Edits::default()));
                decision.resource = resource;
                decision.edits.clear();
                let span = Span {
                    request,
                    index,
                    entry,
                };
                self.processor.process(&span, &mut self.resources, decision);
                std::hint::black_box(&decision);
            }
        }
    }
}
