/*!
A generation: all that follows from one reading of the configuration.

[`Next`] is built beside the generation that runs, by everything that can fail for an
operator's reasons, and touches nothing of it. [`Next::begin`] puts it in the place of
the other; from then on the other ends ([`super::reload`]).
*/

use super::{
    Report, StartError,
    admin::ListenerCommand,
    connectors::RunningConnectors,
    exporters::{Change, ExporterContext, RunningExporter},
    fetched::ShardSource,
    limited,
    logs::{self, RunningLog},
    metrics::{self, ListenerStats},
    receivers::{Bound, bind_receivers},
    shard::{Pipelines, ShardListener},
    show_logs,
    sources::{self, Sourced},
};
use crate::{
    component::{Config, Fingerprint},
    config::Id,
    connector::ConfiguredConnector,
    extension::zpages::AboutService,
    pdata::Signal,
    pipeline::{Connector, Graph, GraphSettings, ProcessorFactory},
    processor::{Backgrounds, BuildContext},
    telemetry::{Health, Registry},
};
use std::{
    convert::Infallible,
    mem,
    sync::{Arc, mpsc::Sender},
    thread::JoinHandle,
    time::Instant,
};
use tokio::sync::{mpsc::UnboundedSender, watch};

/// A generation that runs.
pub(super) struct Generation {
    /// What it was built from.
    pub(super) config: Config,
    /// The pipelines, and what is between them and the exporters.
    pub(super) graph: Graph,
    /// Where it listens.
    pub(super) listeners: Vec<Bound>,
    /// What it fetches.
    pub(super) sources: Vec<Sourced>,
    /// The exporters' threads.
    pub(super) exporters: Vec<RunningExporter>,
    /// What makes requests of what the pipelines let out.
    pub(super) connectors: RunningConnectors,
    /// The segment logs that are open.
    pub(super) logs: Vec<RunningLog>,
    /// What processors do beside the items.
    pub(super) background: RunningBackground,
    background_registry: Arc<Registry>,
    factories: Vec<Factory>,
    built_connectors: Vec<BuiltConnector>,
}

/// What processors do beside the items; by default nothing.
#[derive(Default)]
pub(super) struct RunningBackground {
    end: Option<watch::Sender<bool>>,
    threads: Vec<JoinHandle<()>>,
}

impl RunningBackground {
    fn start(
        backgrounds: Backgrounds,
        registry: &Arc<Registry>,
        health: &Health,
    ) -> Result<Self, StartError> {
        let (end, ends) = watch::channel(false);
        Ok(Self {
            threads: backgrounds.start(registry, health, &ends)?,
            end: Some(end),
        })
    }

    /// Ends it. Blocks.
    pub(super) fn end(self) {
        if let Some(end) = self.end {
            end.send_replace(true);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// What makes the instances of a processor in a pipeline. Processors of one id may
/// stand in several.
#[derive(Clone)]
struct Factory {
    id: Id,
    /// What the pipeline carries.
    signal: Signal,
    fingerprint: Fingerprint,
    factory: Arc<dyn ProcessorFactory>,
    /// Something is done for it beside the items.
    is_backed: bool,
}

/// What the instances of a connector share.
#[derive(Clone)]
struct BuiltConnector {
    id: Id,
    fingerprint: Fingerprint,
    /// None: it passes on.
    connector: Option<Arc<dyn Connector>>,
}

/// A generation that is built and does not run.
pub(super) struct Next {
    pub(super) config: Config,
    pub(super) graph: Graph,
    /// The series of its pipelines.
    pub(super) registry: Arc<Registry>,
    /// Those of what its processors do beside the items.
    pub(super) background_registry: Arc<Registry>,
    listeners: Vec<Bound>,
    sources: Vec<Sourced>,
    exporters: Change,
    /// None: the processors are those of the generation before.
    backgrounds: Option<Backgrounds>,
    factories: Vec<Factory>,
    built_connectors: Vec<BuiltConnector>,
    health: Health,
}

impl Next {
    /// Builds what `config` describes beside `before`.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound, or a file cannot be used.
    pub(super) fn build(
        config: Config,
        shards: usize,
        before: Option<&Generation>,
        health: &Health,
    ) -> Result<Self, StartError> {
        let registry = Arc::new(Registry::default());
        let bound = before.map_or(&[][..], |before| &before.listeners);
        let listeners = bind_receivers(&config, shards, bound)?;
        let fetching = before.map_or(&[][..], |before| &before.sources);
        let sources = sources::build(&config, shards, fetching)?;
        let running = before.map_or(&[][..], |before| &before.exporters);
        let exporters = Change::build(&config, running)?;

        // One thread more than shards runs pipelines: that of the connectors.
        let threads = shards + 1;
        let connectors = before.map_or(&[][..], |before| &before.built_connectors);
        let connectors = build_connectors(&config, connectors);
        let known = before.map_or(&[][..], |before| &before.factories);
        let build =
            |keeps_backed| Processors::build(&config, &connectors, threads, known, keeps_backed);
        let mut processors = build(true);
        // What is done beside the items goes on as a whole or begins anew as a whole.
        let is_kept = before.is_some() && processors.keep_background(known);
        if !is_kept {
            processors = build(false);
        }
        let Processors {
            settings,
            factories,
            mut backgrounds,
        } = processors;
        let graph = Graph::succeed(before.map(|b| &b.graph), settings, threads, &registry)?;
        let background_registry = match before.filter(|_| is_kept) {
            Some(known) => Arc::clone(&known.background_registry),
            None => {
                let registry = Arc::new(Registry::default());
                backgrounds.prepare(&registry, health)?;
                registry
            }
        };
        let stats = stats(&listeners, &sources);
        metrics::register(&registry, &graph, &stats);
        for sourced in &sources {
            let id = sourced.receiver.to_string();
            sourced.source.register(&registry, &id);
        }
        let tables = stats.iter().flat_map(ListenerStats::limited);
        limited::register(&registry, tables.collect());
        Ok(Self {
            graph,
            registry,
            background_registry,
            listeners,
            sources,
            exporters,
            backgrounds: (!is_kept).then_some(backgrounds),
            factories,
            built_connectors: connectors,
            health: health.clone(),
            config,
        })
    }

    /// What shard number `at` needs of it.
    pub(super) fn of_shard(
        &self,
        at: usize,
        begun: Option<Sender<Infallible>>,
        before_ended: Option<Sender<Infallible>>,
    ) -> Pipelines {
        let listener = |bound: &Bound| ShardListener {
            key: bound.key,
            receiver: bound.index,
            listener: bound.listener.clone(),
            stats: bound.stats.shards[at].clone(),
        };
        let source = |sourced: &Sourced| ShardSource {
            key: sourced.key,
            receiver: sourced.index,
            id: sourced.receiver.clone(),
            source: Arc::clone(&sourced.source),
            stats: sourced.stats.shards[at].clone(),
        };
        Pipelines {
            plan: self.graph.plan(at),
            listeners: self.listeners.iter().map(listener).collect(),
            sources: self.sources.iter().map(source).collect(),
            gather: self.config.gather,
            begun,
            before_ended,
        }
    }

    /// What the pages below `/debug` tell.
    pub(super) fn about(&self) -> AboutService {
        let stats = stats(&self.listeners, &self.sources);
        let limited = stats.iter().flat_map(ListenerStats::limited);
        let config = &self.config;
        let ways = config.pipelines.iter();
        let ways = ways.map(|pipeline| (pipeline.id.to_string(), config.way_of(pipeline)));
        let extensions = config.extensions.iter().map(|extension| {
            let said = extension.settings.describe(&extension.id);
            (extension.id.to_string(), said)
        });
        AboutService {
            routes: self.graph.routes(),
            limited: limited.collect(),
            ways: ways.collect(),
            extensions: extensions.collect(),
            tap: Arc::clone(&self.graph.tap),
            readers: self.graph.readers(),
        }
    }

    /// Takes the place of `before`, once the shards have it: starts what is new, and
    /// leaves in `before` what is over. Blocks for as long as exporters wait for answers
    /// before others take over from them. What cannot be started is added to `failed`.
    pub(super) fn begin(
        mut self,
        mut before: Option<&mut Generation>,
        context: &ExporterContext,
        accept: &UnboundedSender<ListenerCommand>,
        failed: &mut Vec<StartError>,
    ) -> Generation {
        show_logs(&self.graph, &self.health);
        let mut logs = logs::start(&mut self.graph, &self.health, failed);
        // Before spans are taken: a processor may wait for what its decisions rest on.
        let background = match (self.backgrounds.take(), before.as_deref_mut()) {
            (None, Some(before)) => mem::take(&mut before.background),
            (backgrounds, _) => {
                let backgrounds = backgrounds.unwrap_or_default();
                let registry = &self.background_registry;
                let started = RunningBackground::start(backgrounds, registry, &self.health);
                started.unwrap_or_else(|error| {
                    failed.push(error);
                    RunningBackground::default()
                })
            }
        };
        let (mut running, mut listened) = (Vec::new(), &[][..]);
        if let Some(before) = before.as_deref_mut() {
            let is_kept = |log: &RunningLog| log.is_in(&self.graph);
            let (kept, over): (Vec<_>, Vec<_>) =
                mem::take(&mut before.logs).into_iter().partition(is_kept);
            logs.extend(kept);
            before.logs = over;
            running = mem::take(&mut before.exporters);
            listened = &before.listeners;
        }
        let connectors = RunningConnectors::start(&self.graph, &self.health);
        let connectors = connectors.unwrap_or_else(|error| {
            failed.push(error.into());
            RunningConnectors::default()
        });
        self.listen(listened, accept, failed);
        let (exporters, gone) = self.exporters.make(&self.graph, running, context, failed);
        if let Some(before) = before {
            before.exporters = gone;
        }
        Generation {
            config: self.config,
            graph: self.graph,
            listeners: self.listeners,
            sources: self.sources,
            exporters,
            connectors,
            logs,
            background,
            background_registry: self.background_registry,
            factories: self.factories,
            built_connectors: self.built_connectors,
        }
    }
}

impl Next {
    /// Accepts on what is not in `before`, and no more on what is only there.
    fn listen(
        &self,
        before: &[Bound],
        accept: &UnboundedSender<ListenerCommand>,
        failed: &mut Vec<StartError>,
    ) {
        let has = |all: &[Bound], key: usize| all.iter().any(|bound| bound.key == key);
        for bound in self.listeners.iter().filter(|b| !has(before, b.key)) {
            let socket = match bound.share_socket(bound.listener.settings.name) {
                Ok(socket) => socket,
                Err(error) => {
                    failed.push(error.into());
                    continue;
                }
            };
            // An admin thread that is gone has turned the health red.
            let _ = accept.send(ListenerCommand::Begin {
                key: bound.key,
                listener: Box::new(bound.listener.clone()),
                socket,
                address: bound.address.clone(),
                stats: bound.stats.accept.clone(),
            });
        }
        for over in before.iter().filter(|b| !has(&self.listeners, b.key)) {
            let _ = accept.send(ListenerCommand::End(over.key));
        }
    }
}

/// Builds the connectors of a configuration, but for those that are among `known` as they are
/// written: what they have gathered goes on.
fn build_connectors(config: &Config, known: &[BuiltConnector]) -> Vec<BuiltConnector> {
    let build = |configured: &ConfiguredConnector| {
        let id = &configured.id;
        let fingerprint = config.fingerprints.of("connector", id);
        let mut known = known.iter();
        let known = known.find(|known| known.id == *id && known.fingerprint == fingerprint);
        known.cloned().unwrap_or_else(|| BuiltConnector {
            id: id.clone(),
            fingerprint,
            connector: (configured.settings).build(id, &config.telemetry.instance_id()),
        })
    };
    config.connectors.iter().map(build).collect()
}

/// What all receivers count.
fn stats(listeners: &[Bound], sources: &[Sourced]) -> Vec<ListenerStats> {
    let listening = listeners.iter().map(|bound| &bound.stats);
    let fetching = sources.iter().map(|sourced| &sourced.stats);
    listening.chain(fetching).cloned().collect()
}

/// The processors of a configuration, built.
struct Processors {
    settings: GraphSettings,
    factories: Vec<Factory>,
    backgrounds: Backgrounds,
}

impl Processors {
    /// Builds them, but for those that are among `known` as they are written: with
    /// `keeps_backed` those too for which something is done beside the items.
    fn build(
        config: &Config,
        connectors: &[BuiltConnector],
        shards: usize,
        known: &[Factory],
        keeps_backed: bool,
    ) -> Self {
        let mut backgrounds = Backgrounds::default();
        let mut factories = Vec::<Factory>::new();
        let connector = |configured: &ConfiguredConnector| {
            let mut built = connectors.iter();
            let built = built.find(|built| built.id == configured.id)?;
            built.connector.clone()
        };
        let settings = config.graph_with(connector, |processor, signal| {
            let is_same = |f: &&Factory| f.id == processor.id && f.signal == signal;
            let same = factories.iter().filter(is_same).count();
            let fingerprint = config.fingerprints.of("processor", &processor.id);
            let known = known.iter().filter(is_same).nth(same);
            let known = known.filter(|known| {
                known.fingerprint == fingerprint && (keeps_backed || !known.is_backed)
            });
            let factory = known.cloned().unwrap_or_else(|| {
                let before = backgrounds.asked();
                let factory = processor.settings.build(&mut BuildContext {
                    id: &processor.id,
                    signal,
                    shards,
                    backgrounds: &mut backgrounds,
                });
                Factory {
                    id: processor.id.clone(),
                    signal,
                    fingerprint,
                    factory,
                    is_backed: backgrounds.asked() > before,
                }
            });
            factories.push(factory.clone());
            factory.factory
        });
        Self {
            settings,
            factories,
            backgrounds,
        }
    }

    /// Whether what was done for the processors `known` is what is to be done for these.
    fn keep_background(&self, known: &[Factory]) -> bool {
        let backed = |factories: &[Factory]| factories.iter().filter(|f| f.is_backed).count();
        self.backgrounds.asked() == 0 && backed(known) == backed(&self.factories)
    }
}

impl Generation {
    /// Ends it with the process, once the shards have ended; what is undelivered at
    /// `deadline` is given up. Returns what became of the items.
    pub(super) fn shutdown(self, deadline: watch::Receiver<Option<Instant>>) -> Report {
        self.connectors.end(deadline);
        for exporter in &self.exporters {
            exporter.close();
        }
        for log in &self.logs {
            log.stop();
        }
        for exporter in self.exporters {
            exporter.join();
        }
        self.logs.into_iter().for_each(RunningLog::close);
        self.background.end();
        let stats = stats(&self.listeners, &self.sources);
        Report::of(&self.graph, &stats)
    }
}
