/*!
`span_metrics`: counts spans and their durations by service, name, kind, status and what else the file says, as
the Collector's connector of that name does.

Each shard counts for itself ([`table`]), in bounded memory; once a second what it has goes into the
connector's inbox, from where the connectors' thread takes it into the [`store`], and makes requests of that at
the file's interval. The parts:

- `config`, `settings`: the keys;
- `observer`: from a span to its series; `dimensions`: how that is called;
- `series`, `exponential`: what a series has;
- `points`: what it comes to in OTLP.
*/

pub(crate) mod config;
mod dimensions;
mod exponential;
mod observer;
mod points;
mod series;
mod settings;
mod store;
mod table;

use super::stats::ConnectorStats;
use crate::{
    pdata::Signal,
    pipeline::{Connector, Observer},
    telemetry::{Metric, Registry},
};
use crossbeam_queue::ArrayQueue;
use dimensions::Encoded;
use observer::SpanObserver;
use settings::Settings;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use store::Store;
use table::{CountedResource, Table};

const SERIES: Metric = Metric::gauge(
    "wayspan_connector_series",
    "Series that a connector keeps.",
    &["connector"],
);

/// Tables that shards have published and nobody has taken in; more wait with their shards.
const INBOX: usize = 8;

/// What the observers of a connector have in common.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    encoded: Encoded,
    /// The key of overflow series.
    overflow: Vec<u8>,
    /// What stands for resources that are too many.
    nobody: Arc<CountedResource>,
    inbox: ArrayQueue<Table>,
}

/// The connector.
#[derive(Debug)]
struct SpanMetrics {
    shared: Arc<Shared>,
    /// Of the connectors' thread, and during a reload of the one before it.
    store: Arc<Mutex<Store>>,
    stats: ConnectorStats,
}

impl SpanMetrics {
    fn new(settings: Settings, instance: &str) -> Self {
        Self {
            shared: Arc::new(Shared {
                encoded: Encoded::new(&settings, instance),
                settings,
                overflow: dimensions::overflow(),
                nobody: Arc::default(),
                inbox: ArrayQueue::new(INBOX),
            }),
            store: Arc::default(),
            stats: ConnectorStats::default(),
        }
    }
}

/// A store that a panic left has whole series, if not all.
fn locked(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connector for SpanMetrics {
    fn observer(&self, _: Signal) -> Box<dyn Observer> {
        Box::new(SpanObserver::new(Arc::clone(&self.shared)))
    }

    fn interval(&self) -> Duration {
        self.shared.settings.interval
    }

    fn absorb(&self) {
        let mut store = locked(&self.store);
        while let Some(table) = self.shared.inbox.pop() {
            let overflowed = store.absorb(table, Instant::now(), &self.shared);
            self.stats.overflowed.add(overflowed);
        }
    }

    fn collect(&self, is_last: bool, each: &mut dyn FnMut(Signal, Vec<u8>)) {
        let now = (Instant::now(), SystemTime::now());
        locked(&self.store).collect(now, is_last, &self.shared, each);
    }

    fn register(&self, registry: &Registry, id: &str) {
        registry.counters(&[id], [&self.stats]);
        let store = Arc::clone(&self.store);
        registry.gauge(&SERIES, &[id], move || locked(&store).len() as u64);
    }
}
