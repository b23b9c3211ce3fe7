/*!
The segment log of a pipeline: one for each pipeline that has an exporter whose
queue names a storage.

A log stands in a directory of its pipeline's own below that of the storage, so
that pipelines do not mix. What an earlier run has left in it is looked through
beside the start, which it must not delay, and is delivered first.
*/

use super::{
    LogCursor, Route,
    graph_settings::{GraphSettings, PipelineSettings},
    recovery::recover,
};
use crate::{
    config::Id,
    pdata::Signal,
    queue::{
        Fsync, Storage,
        log::{Log, LogLimits, LogOpenError, LogSettings, OrphanLane, Recovered, SyncPolicy},
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    path::PathBuf,
    pin::Pin,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

/// The directory below the storage's, of which other programs know nothing.
const FOLDER: &str = "wayspan";

/// What may stand in the name of a pipeline's directory as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// A segment log that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("extension {storage}: {source}")]
pub struct OpenLogError {
    /// The storage's id.
    pub(crate) storage: String,
    /// What is wrong, with the directory and the remedy.
    pub(crate) source: PipelineLogError,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineLogError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] LogOpenError),
    /// It is open for other exporters.
    #[error(
        "{0}: which exporters have the storage cannot change while the log is open: restart for \
         that"
    )]
    InUse(PathBuf),
}

/// Delivers what is in a log, until it is dropped.
pub(crate) type Feed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A log that was opened for a graph.
pub(crate) struct NewLog {
    /// The pipeline's id.
    pub(crate) pipeline: Id,
    /// The log.
    pub(crate) log: Log,
    /// The ways to the exporters that have it.
    pub(crate) routes: Vec<Arc<Route>>,
    /// Brings back what earlier runs left and fetches what this one leaves.
    pub(crate) feed: Feed,
}

/// A pipeline's log.
#[derive(Debug)]
pub(crate) struct PipelineLog {
    /// The log.
    pub(crate) log: Log,
    /// How long senders wait for a write.
    patience: Duration,
    limits: LogLimits,
    /// Indices of the exporters that have it, in the log's order.
    exporters: Vec<usize>,
    recovered: Option<Recovered>,
    /// Nobody feeds from it yet.
    is_new: bool,
    /// Lanes of earlier runs that were not looked through yet.
    pub(crate) unread: Arc<AtomicUsize>,
}

impl PipelineLog {
    /// Opens the log of `pipeline`, if it has one, unless it is `open` already.
    ///
    /// # Errors
    ///
    /// When the directory or its files cannot be used.
    pub(crate) fn open(
        graph: &GraphSettings,
        pipeline: &PipelineSettings,
        open: Option<&Self>,
    ) -> Result<Option<Self>, OpenLogError> {
        let stored = |exporter: &usize| graph.exporters[*exporter].storage;
        let exporters: Vec<usize> = (pipeline.exporters.iter().copied())
            .filter(|exporter| stored(exporter).is_some())
            .collect();
        let Some(storage) = exporters.first().and_then(stored) else {
            return Ok(None);
        };
        let storage = &graph.storages[storage];
        for other in exporters.iter().filter_map(stored) {
            let other = &graph.storages[other];
            if other.id != storage.id {
                tracing::warn!(
                    "pipeline {}: its exporters name the storages {} and {}; a pipeline has one \
                     log, which is in {}",
                    pipeline.id,
                    storage.id,
                    other.id,
                    storage.id
                );
            }
        }
        let id = |exporter: &usize| graph.exporters[*exporter].id.to_string();
        let settings = LogSettings {
            directory: directory(storage, pipeline),
            create_directory: storage.create_directory,
            directory_mode: storage.directory_mode,
            max_bytes: storage.max_bytes,
            segment_bytes: LogSettings::SEGMENT_BYTES,
            signal: pipeline.signal,
            sync: match storage.fsync {
                Fsync::Always => SyncPolicy::Always,
                Fsync::Interval(every) => SyncPolicy::Interval(every),
                Fsync::Never => SyncPolicy::Never,
            },
            exporters: exporters.iter().map(id).collect(),
        };
        let failed = |source| OpenLogError {
            storage: storage.id.to_string(),
            source,
        };
        match open.filter(|open| open.log.directory() == settings.directory) {
            Some(open) if is_of_the_same(open.log.settings(), &settings) => {
                return Ok(Some(Self {
                    log: open.log.clone(),
                    patience: storage.timeout,
                    limits: settings.limits(),
                    exporters,
                    recovered: None,
                    is_new: false,
                    unread: Arc::clone(&open.unread),
                }));
            }
            Some(_) => return Err(failed(PipelineLogError::InUse(settings.directory))),
            None => {}
        }
        let limits = settings.limits();
        let (log, recovered) = Log::open(settings).map_err(|error| failed(error.into()))?;
        (recovered.orphans.iter()).for_each(|orphan| warn_of_orphan(&log, pipeline.signal, orphan));
        Ok(Some(Self {
            log,
            patience: storage.timeout,
            limits,
            exporters,
            unread: Arc::new(AtomicUsize::new(recovered.lanes.len())),
            recovered: Some(recovered),
            is_new: true,
        }))
    }

    /// Lets its own limits hold, if another graph has opened the log.
    pub(crate) fn begin(&self) {
        self.log.limit(self.limits);
    }

    /// An exporter's place in the log.
    pub(crate) fn cursor(&self, exporter: usize) -> Option<LogCursor> {
        let at = self.exporters.iter().position(|e| *e == exporter)?;
        Some(LogCursor::new(self.log.clone(), at))
    }

    /// The log, and how long senders wait for it.
    pub(crate) fn for_shards(&self) -> (Log, Duration) {
        (self.log.clone(), self.patience)
    }

    /// Takes what the log is fed by, if nobody has; `routes` are all those of the
    /// pipeline.
    pub(crate) fn take_new(&mut self, pipeline: &Id, routes: Vec<Arc<Route>>) -> Option<NewLog> {
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        let logged = |route: &Arc<Route>| route.cursor().is_some();
        let routes: Vec<_> = routes.into_iter().filter(logged).collect();
        let recovered = self.recovered.take();
        let (log, unread) = (self.log.clone(), Arc::clone(&self.unread));
        let fed = routes.clone();
        Some(NewLog {
            pipeline: pipeline.clone(),
            log: self.log.clone(),
            routes,
            feed: Box::pin(async move {
                let recover = recover(&log, recovered, &fed, &unread);
                let feed = fed.iter().map(|route| Arc::clone(route).feed());
                tokio::join!(recover, futures_util::future::join_all(feed));
            }),
        })
    }
}

/// Returns true if an open log can go on under other settings: its limits may differ, and
/// how its directory would have been made.
fn is_of_the_same(open: &LogSettings, other: &LogSettings) -> bool {
    open.signal == other.signal && open.exporters == other.exporters
}

/// Warns an operator of data in the log that nobody gets.
fn warn_of_orphan(log: &Log, signal: Signal, orphan: &OrphanLane) {
    let item = signal.item();
    let (directory, lane) = (log.directory().display(), orphan.lane);
    let mib = orphan.bytes.div_ceil(1 << 20);
    match &orphan.unreadable {
        Some(why) => tracing::error!(
            "{directory}/{lane}-*.seg ({mib} MiB of undelivered {item}s) cannot be read: {why}; \
             repair the permissions or the disk and start again, or delete the files"
        ),
        None => tracing::warn!(
            "{directory}/{lane}-*.seg has {mib} MiB of undelivered {item}s for {}, which this \
             pipeline has no more: give an exporter with a storage that id and they are \
             delivered, or delete the files",
            orphan.exporters.join(", "),
        ),
    }
}

fn directory(storage: &Storage, pipeline: &PipelineSettings) -> PathBuf {
    let id = pipeline.id.to_string();
    let name = utf8_percent_encode(&id, PLAIN).to_string();
    storage.directory.join(FOLDER).join(name)
}
