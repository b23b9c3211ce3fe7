/*!
The segment logs of a service: one per pipeline that has an exporter whose queue
names a storage.

A log stands in a directory of its pipeline's own below that of the storage, so
that pipelines do not mix. What an earlier run has left in it is looked through
beside the start, which it must not delay, and is delivered first.
*/

use super::{StartError, recovery::recover};
use crate::{
    config::{Config, Fsync, Pipeline, Storage},
    extension::health_check::Health,
    pdata::Signal,
    pipeline::{LogCursor, NamedRoute, Route},
    queue::log::{self, Log, Orphan, Recovered},
    telemetry::{Metric, Registry},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::watch;

/// The directory below the storage's, of which other programs know nothing.
const FOLDER: &str = "wayspan";

/// What may stand in the name of a pipeline's directory as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

const UNREAD_LANES: Metric = Metric::gauge(
    "wayspan_log_unread_lanes",
    "Parts of an earlier run's log that were not looked through yet: what they have is in no \
     account.",
    &["pipeline"],
);

/// A pipeline's log.
#[derive(Debug)]
struct Open {
    log: Log,
    storage: Storage,
    /// Indices of the exporters that have it, in the log's order.
    exporters: Vec<usize>,
    recovered: Option<Recovered>,
    /// Lanes of earlier runs that were not looked through yet.
    unread: Arc<AtomicUsize>,
}

/// The logs, by pipeline.
#[derive(Debug, Default)]
pub struct Logs(Vec<Option<Open>>);

impl Logs {
    /// Opens them all.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let pipelines = config.pipelines.iter();
        let logs: Result<_, StartError> = pipelines.map(|p| open(config, p)).collect();
        logs.map(Self)
    }

    /// An exporter's part of a pipeline's log.
    pub fn cursor(&self, pipeline: usize, exporter: usize) -> Option<LogCursor> {
        let open = self.0.get(pipeline)?.as_ref()?;
        let at = open.exporters.iter().position(|e| *e == exporter)?;
        Some(LogCursor::new(open.log.clone(), at))
    }

    /// Whether a pipeline has one.
    pub fn has(&self, pipeline: usize) -> bool {
        self.0.get(pipeline).is_some_and(Option::is_some)
    }

    /// Each pipeline's log, and how long senders wait for it.
    pub fn for_shards(&self) -> Vec<Option<(Log, Duration)>> {
        let of = |open: &Option<Open>| {
            let open = open.as_ref()?;
            Some((open.log.clone(), open.storage.timeout))
        };
        self.0.iter().map(of).collect()
    }

    /// Registers what is to be known of each log.
    pub fn register(&self, registry: &Registry, health: &Health, config: &Config) {
        let pipelines = config.pipelines.iter().map(|p| p.id.to_string());
        let open = self.0.iter().zip(pipelines);
        let mut logs = Vec::new();
        for (open, pipeline) in open.filter_map(|(open, p)| Some((open.as_ref()?, p))) {
            open.log.register(registry, &pipeline, Signal::Traces);
            let unread = Arc::clone(&open.unread);
            registry.gauge(&UNREAD_LANES, &[&pipeline], move || {
                unread.load(Relaxed) as f64
            });
            logs.push((open.log.clone(), pipeline));
        }
        if !logs.is_empty() {
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
                logs.iter()
                    .map(state)
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            });
        }
    }

    /// What brings back what earlier runs left and fetches what this one leaves,
    /// until `stop`; to be polled where exporters run.
    pub fn feeders(
        &mut self,
        ways: &[Vec<Arc<Route>>],
        stop: &watch::Receiver<bool>,
    ) -> Vec<impl Future<Output = ()> + 'static> {
        let mut feeders = Vec::new();
        for (open, routes) in self.0.iter_mut().zip(ways) {
            let Some(open) = open else { continue };
            let routes: Vec<_> = routes.iter().filter(|r| r.cursor().is_some()).collect();
            let routes: Vec<Arc<Route>> = routes.into_iter().cloned().collect();
            let recovered = open.recovered.take();
            let (log, unread) = (open.log.clone(), Arc::clone(&open.unread));
            let mut stop = stop.clone();
            feeders.push(async move {
                let feed = async {
                    let recover = recover(&log, recovered, &routes, &unread);
                    let feed = routes.iter().map(|route| Arc::clone(route).feed());
                    tokio::join!(recover, futures_util::future::join_all(feed));
                };
                tokio::select! {
                    () = feed => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
        feeders
    }

    /// Writes what was handed over, and ends the logs' threads.
    pub fn close(&self) {
        for open in self.0.iter().flatten() {
            open.log.close();
        }
    }
}

fn open(config: &Config, pipeline: &Pipeline) -> Result<Option<Open>, StartError> {
    let stored = |exporter: &usize| config.exporters[*exporter].queue.storage;
    let exporters: Vec<usize> = (pipeline.exporters.iter().copied())
        .filter(|exporter| stored(exporter).is_some())
        .collect();
    let Some(storage) = exporters.first().and_then(stored) else {
        return Ok(None);
    };
    let storage = &config.storages[storage];
    for other in exporters.iter().filter_map(stored) {
        let other = &config.storages[other];
        if other.id != storage.id {
            tracing::warn!(
                "pipeline {}: its exporters name the storages {} and {}; a pipeline has one log, \
                 which is in {}",
                pipeline.id,
                storage.id,
                other.id,
                storage.id
            );
        }
    }
    let id = |exporter: &usize| config.exporters[*exporter].id.to_string();
    let settings = log::Settings {
        directory: directory(storage, pipeline),
        create_directory: storage.create_directory,
        max_bytes: storage.max_bytes,
        segment_bytes: log::Settings::SEGMENT_BYTES,
        fsync: match storage.fsync {
            Fsync::Always => log::Fsync::Always,
            Fsync::Interval(every) => log::Fsync::Interval(every),
            Fsync::Never => log::Fsync::Never,
        },
        exporters: exporters.iter().map(id).collect(),
    };
    let (log, recovered) = Log::open(settings).map_err(|source| StartError::Log {
        storage: storage.id.to_string(),
        source,
    })?;
    recovered
        .orphans
        .iter()
        .for_each(|orphan| tell(&log, orphan));
    Ok(Some(Open {
        log,
        storage: storage.clone(),
        exporters,
        unread: Arc::new(AtomicUsize::new(recovered.lanes.len())),
        recovered: Some(recovered),
    }))
}

/// What an operator has to know of spans that nobody gets.
fn tell(log: &Log, orphan: &Orphan) {
    let (directory, lane) = (log.directory().display(), orphan.lane);
    let mib = orphan.bytes.div_ceil(1 << 20);
    match &orphan.unreadable {
        Some(why) => tracing::error!(
            "{directory}/{lane}-*.seg ({mib} MiB of undelivered spans) cannot be read: {why}; \
             repair the permissions or the disk and start again, or delete the files"
        ),
        None => tracing::warn!(
            "{directory}/{lane}-*.seg has {mib} MiB of undelivered spans for {}, which this \
             pipeline has no more: give an exporter with a storage that id and they are \
             delivered, or delete the files",
            orphan.exporters.join(", "),
        ),
    }
}

fn directory(storage: &Storage, pipeline: &Pipeline) -> PathBuf {
    let id = pipeline.id.to_string();
    let name = utf8_percent_encode(&id, PLAIN).to_string();
    storage.directory.join(FOLDER).join(name)
}

/// Returns every route with the names of its ends.
pub fn named_routes(config: &Config, routes: &[Vec<Arc<Route>>]) -> Vec<NamedRoute> {
    let pipelines = config.pipelines.iter().zip(routes);
    pipelines
        .flat_map(|(pipeline, routes)| {
            routes.iter().map(|route| NamedRoute {
                pipeline: pipeline.id.to_string(),
                exporter: config.exporters[route.exporter].id.to_string(),
                route: Arc::clone(route),
            })
        })
        .collect()
}
