/*!
The components, and the checked configuration of the whole file.

[`table`](self) lists every receiver, processor, exporter, connector and extension;
each reads its own keys, in its own folder, with the typed reader of
[`crate::config`]. Here the sections are put together: ids are resolved, pipelines
connected, and the result is a [`Config`], on which the rest of the program relies.
Nothing past this room checks a value again or asks what kind a component is: it
calls what the settings' traits have.

- `table`: the one table;
- `section`: the components of a section, and which are used;
- `extensions`: what they offer to components that name them;
- `pipelines`: what is connected to what;
- `connectors`: which pipelines those join;
- `joined`: pipelines that are run as one;
- `machine`: where what a file asks for is had: the environment, names, servers;
- `service`: the rest of `service`;
- `check`: the way through them;
- `describe`: what `validate` says of a configuration;
- `wrapped`: files with a configuration inside;
- `fingerprint`: whether a component is written as before.
*/

mod added;
mod check;
mod connectors;
mod describe;
mod extensions;
mod fingerprint;
mod joined;
mod machine;
mod pipelines;
mod plan;
mod section;
mod service;
mod table;
mod unserved;
mod wrapped;

pub(crate) use extensions::Extension;
pub(crate) use fingerprint::{Fingerprint, Fingerprints};

use crate::{
    config::{self, Environment, Findings, Id, LoadError, Manual, Notation, Reading, Source, keys},
    connector, exporter,
    extension::health_check::HealthCheck,
    pdata::Signal,
    pipeline::{
        BatchSettings, Connector, ConnectorNode, GraphSettings, PipelineSettings, ProcessorFactory,
        QueueSettings,
    },
    processor,
    queue::Storage,
    receiver,
    telemetry::Telemetry,
};
use machine::Machine;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use table::TABLES;

/// A whole configuration, checked: ids are resolved, durations and sizes are
/// numbers, defaults are filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// Receivers that some pipeline uses.
    pub receivers: Vec<receiver::ConfiguredReceiver>,
    /// Exporters that some pipeline uses.
    pub exporters: Vec<exporter::ConfiguredExporter>,
    /// Connectors that some pipelines use.
    pub(crate) connectors: Vec<connector::ConfiguredConnector>,
    /// Pipelines, of any signal.
    pub pipelines: Vec<Pipeline>,
    /// Extensions that `service.extensions` enables.
    pub(crate) extensions: Vec<Extension>,
    /// The health page, if an extension serves it.
    pub health_check: Option<HealthCheck>,
    /// Where the pages below `/debug` are, if an extension serves them.
    pub(crate) zpages: Option<SocketAddr>,
    /// The storages that some exporter's queue names.
    pub storages: Vec<Storage>,
    /// wayspan's own logs and metrics.
    pub telemetry: Telemetry,
    /// Who else is told of its metrics.
    pub(crate) pushes: Vec<exporter::own_metrics::PushReader>,
    /// Bytes that may be held after acceptance before senders are refused
    /// (from `memory_limiter`, else from the cgroup or the machine).
    pub memory_limit: usize,
    /// Shard threads; None: as many as the cores this process may use.
    pub shards: Option<usize>,
    /// How long an idle shard may wait, while requests come densely, so that one
    /// wake-up serves several; zero: never. Default 5 ms, 3 ms with a segment log.
    pub gather: Duration,
    /// Time to drain at shutdown.
    pub drain_timeout: Duration,
    /// Connections to all receivers together; None: as the memory allows.
    pub max_connections: Option<usize>,
    /// Connections from one address; None: a share of all.
    pub max_connections_per_peer: Option<usize>,
    /// What tells whether a component is written as before.
    pub(crate) fingerprints: Fingerprints,
    /// The files that were read, those that others include among them.
    pub(crate) files: Vec<PathBuf>,
    /// Things the operator should know (deprecated spellings and the like), logged at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// What the engine is built from; `factory` makes what the instances of a
    /// processor share.
    pub fn graph(
        &self,
        factory: impl FnMut(&processor::ConfiguredProcessor, Signal) -> Arc<dyn ProcessorFactory>,
    ) -> GraphSettings {
        let build = |configured: &connector::ConfiguredConnector| {
            let instance = self.telemetry.instance_id();
            configured.settings.build(&configured.id, &instance)
        };
        self.graph_with(build, factory)
    }

    /// As [`Config::graph`]; `connector` makes what the instances of a connector share.
    pub(crate) fn graph_with(
        &self,
        mut connector: impl FnMut(&connector::ConfiguredConnector) -> Option<Arc<dyn Connector>>,
        mut factory: impl FnMut(&processor::ConfiguredProcessor, Signal) -> Arc<dyn ProcessorFactory>,
    ) -> GraphSettings {
        let pipelines = self.pipelines.iter().map(|pipeline| PipelineSettings {
            id: pipeline.id.clone(),
            signal: pipeline.signal,
            receivers: pipeline.receivers.clone(),
            fed_by: pipeline.fed_by.clone(),
            feeds: pipeline.feeds.clone(),
            stages: (pipeline.processors.iter())
                .map(|processor| (processor.id.clone(), factory(processor, pipeline.signal)))
                .collect(),
            memory_limiter: pipeline.memory_limiter.clone(),
            batch: pipeline.batch.clone(),
            exporters: pipeline.exporters.clone(),
        });
        let exporters = self.exporters.iter().map(|exporter| QueueSettings {
            id: exporter.id.clone(),
            size: exporter.queue.size,
            blocks: exporter.queue.blocks,
            waits: exporter.queue.waits,
            storage: exporter.queue.storage,
        });
        let is_fed = |index: &usize| {
            let mut pipelines = self.pipelines.iter();
            pipelines.any(|pipeline| pipeline.feeds.contains(index))
        };
        let connectors = self.connectors.iter().enumerate();
        let connectors = connectors.filter(|(index, _)| is_fed(index));
        let connectors = connectors.filter_map(|(index, configured)| {
            Some(ConnectorNode {
                id: configured.id.clone(),
                index,
                connector: connector(configured)?,
            })
        });
        GraphSettings {
            connectors: connectors.collect(),
            pipelines: pipelines.collect(),
            exporters: exporters.collect(),
            storages: self.storages.clone(),
            memory_limit: self.memory_limit,
        }
    }
}

/// A pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its id (`traces`, `logs/x`).
    pub(crate) id: Id,
    /// What it carries.
    pub signal: Signal,
    /// Indices into [`Config::receivers`].
    pub(crate) receivers: Vec<usize>,
    /// Indices into [`Config::connectors`]: those that it takes from.
    pub(crate) fed_by: Vec<usize>,
    /// Processors that see each item, in order (`batch` and `memory_limiter` are
    /// not among them).
    pub processors: Vec<processor::ConfiguredProcessor>,
    /// The `memory_limiter`, if the pipeline lists one; its limit is in
    /// [`Config::memory_limit`].
    pub(crate) memory_limiter: Option<Id>,
    /// How items are batched.
    pub batch: BatchSettings,
    /// Indices into [`Config::exporters`].
    pub(crate) exporters: Vec<usize>,
    /// Indices into [`Config::connectors`]: those that it gives to.
    pub(crate) feeds: Vec<usize>,
}

/// Loads `sources`, the later merged over the earlier, with the environment of
/// this process. Host names of addresses to listen on are resolved.
///
/// # Errors
/// When a source cannot be read or anything in it cannot be honoured. The
/// error shows every mistake with its place.
pub fn load(sources: &[Source]) -> Result<Config, LoadError> {
    load_with(sources, &Machine { resolves: true })
}

/// As [`load`], with `env` as the environment.
///
/// # Errors
/// As [`load`].
pub fn load_with(sources: &[Source], env: &dyn Environment) -> Result<Config, LoadError> {
    load_by(sources, env, Loading::default())
}

/// What a load does besides reading what is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loading {
    /// Reads the files that the settings in use name (certificates, tokens, users),
    /// as the start will.
    pub(crate) reads_files: bool,
    /// Puts the processor that an operator of a mesh needs first into pipelines that
    /// lack it.
    pub(crate) adds_mesh: bool,
}

/// As [`load`], to run: as `loading` says.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_to_run(sources: &[Source], loading: Loading) -> Result<Config, LoadError> {
    load_by(sources, &Machine { resolves: true }, loading)
}

/// As [`load_to_run`], but asks nobody for the addresses of hosts, since it may run
/// where they are not known.
///
/// # Errors
/// As [`load`], and what is wrong with a file, at the place of its key.
pub(crate) fn validate(sources: &[Source], loading: Loading) -> Result<Config, LoadError> {
    load_by(sources, &Machine { resolves: false }, loading)
}

/// The merged and expanded sources as one file, for `print-config`; see
/// [`config::render`].
///
/// # Errors
/// When a source cannot be read or expanded. The result is not checked further.
pub(crate) fn render(
    sources: &[Source],
    notation: Notation,
    show_secrets: bool,
) -> Result<String, LoadError> {
    let machine = Machine { resolves: false };
    config::render(sources, &machine, notation, show_secrets)
}

fn load_by(
    sources: &[Source],
    env: &dyn Environment,
    loading: Loading,
) -> Result<Config, LoadError> {
    let report = Findings::default();
    let mut texts = Vec::new();
    let root = config::tree(sources, env, &mut texts, &report);
    let root = root.filter(|_| !report.has_errors());
    let reading = Reading::new(&report, env, loading.reads_files);
    let config = root
        .as_ref()
        .and_then(|root| check::check(root, &TABLES, loading, &reading));
    match config {
        Some(mut config) if !report.has_errors() => {
            config.warnings = report.warnings(&texts);
            config.files = report.files();
            Ok(config)
        }
        _ => Err(report.to_error(&texts)),
    }
}

/// The kinds of components that there are, by section.
pub(crate) fn kinds() -> [(&'static str, Vec<&'static str>); 5] {
    [
        ("receivers", TABLES.receivers.names()),
        ("processors", TABLES.processors.names()),
        ("exporters", TABLES.exporters.names()),
        ("connectors", TABLES.connectors.names()),
        ("extensions", TABLES.extensions.names()),
    ]
}

/// Every key that the file may have, by component.
pub fn manual() -> Manual {
    let report = Findings::default();
    let reading = Reading::describing(&report, &Machine { resolves: false });
    let cx = &reading;
    fn describe_all<T>(table: &table::ComponentTable<T>, cx: &Reading<'_>) {
        for kind in table.kinds {
            let name = format!("{}s.{}", table.what, kind.name);
            keys::describe(&name, cx, |keys| (kind.read)(&Id::of(kind.name), keys));
        }
    }
    describe_all(&TABLES.receivers, cx);
    describe_all(&TABLES.processors, cx);
    describe_all(&TABLES.exporters, cx);
    describe_all(&TABLES.connectors, cx);
    describe_all(&TABLES.extensions, cx);
    keys::describe("service", cx, |keys| drop(service::read(keys)));
    keys::describe("service.pipelines", cx, pipelines::describe);
    keys::describe("service.telemetry", cx, service::telemetry);
    keys::describe("service.wayspan", cx, |keys| service::wayspan(keys, false));
    reading.into_manual()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
